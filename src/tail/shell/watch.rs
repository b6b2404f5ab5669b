//! The watch's thread, one for the process: looks at each tail every tick.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::Instant;

use crate::limits::WATCH_TICK;
use crate::tail::TailError;
use crate::tail::view_tail::Phase;

use super::view_threads::ViewThreads;

/// The tails to look at; `None` until the thread was started.
static TAILS: Mutex<Option<Vec<Weak<ViewThreads>>>> = Mutex::new(None);

/// Begins watching a tail, until it is dropped.
pub fn register(threads: &Arc<ViewThreads>) -> Result<(), TailError> {
    let mut tails = TAILS.lock().unwrap_or_else(PoisonError::into_inner);
    if tails.is_none() {
        let started = thread::Builder::new()
            .name("tail-watch".to_string())
            .spawn(run);
        started.map_err(|error| TailError::Thread {
            reason: error.to_string(),
        })?;
    }
    tails.get_or_insert_default().push(Arc::downgrade(threads));
    Ok(())
}

fn run() {
    loop {
        thread::sleep(WATCH_TICK);
        let mut tails = TAILS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tails) = tails.as_mut() {
            tails.retain(look);
        }
    }
}

/// Looks once; false if there is nothing left to watch.
fn look(threads: &Weak<ViewThreads>) -> bool {
    let Some(threads) = threads.upgrade() else {
        return false;
    };
    let is_watched = threads.tail().look(Instant::now());
    threads.do_effects();
    threads.start_probe();
    if threads.tail().phase() == Phase::Unstarted {
        threads.deliver_at_once();
    }
    is_watched
}
