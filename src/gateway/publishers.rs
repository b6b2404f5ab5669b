//! The threads of the publishers: a few for all views.
//!
//! A view has a thread for its publisher to itself for as long as there are no
//! more views than threads; then several share one, and take turns. The threads
//! wait for messages and timers only, and so hold no file.

use std::io;
use std::sync::Arc;
use std::thread;

use actix::{Arbiter, ArbiterHandle};
use log::warn;
use tokio::runtime::{Builder, Runtime};

use crate::limits::PUBLISHER_THREADS_MAX;

use super::error::GatewayError;

/// The threads.
pub struct Publishers {
    /// The first, which is always there.
    first: Thread,
    others: Vec<Thread>,
}

struct Thread {
    handle: ArbiterHandle,
    /// As many clones of it as views.
    views: Arc<()>,
}

/// A publisher's place on a thread, for as long as this is held.
pub struct Desk {
    handle: ArbiterHandle,
    /// Counts as a view of the thread until it is dropped.
    _view: Arc<()>,
}

impl Desk {
    /// The thread.
    pub fn thread(&self) -> &ArbiterHandle {
        &self.handle
    }
}

impl Publishers {
    /// Starts as many threads as there are views, within the bound; all of them
    /// where patterns may find more, so that a view that is found then lacks none.
    pub fn start(views: usize, has_patterns: bool) -> Result<Self, GatewayError> {
        let threads = match has_patterns {
            true => PUBLISHER_THREADS_MAX,
            false => views.min(PUBLISHER_THREADS_MAX),
        };
        let others = threads.saturating_sub(1);
        let start = || Thread::start().map_err(GatewayError::Start);
        Ok(Publishers {
            first: start()?,
            others: (0..others).map(|_| start()).collect::<Result<_, _>>()?,
        })
    }

    /// Starts more threads where there are more views than threads, within the
    /// bound. Where there is none, views share those there are.
    pub fn grow(&mut self, views: usize) {
        let wanted = views.min(PUBLISHER_THREADS_MAX).saturating_sub(1);
        while self.others.len() < wanted {
            match Thread::start() {
                Ok(thread) => self.others.push(thread),
                Err(error) => return warn!("no more threads for publishers: {error}"),
            }
        }
    }

    /// A place on the thread with the fewest views.
    pub fn desk(&self) -> Desk {
        let mut least = &self.first;
        for thread in &self.others {
            if thread.views() < least.views() {
                least = thread;
            }
        }
        Desk {
            handle: least.handle.clone(),
            _view: Arc::clone(&least.views),
        }
    }
}

impl Thread {
    fn start() -> io::Result<Self> {
        let runtime: Runtime = Builder::new_current_thread().enable_time().build()?;
        // The arbiter would panic where there is no thread for it.
        let can_start = thread::Builder::new().spawn(|| ())?;
        let _ = can_start.join();
        Ok(Thread {
            handle: Arbiter::with_tokio_rt(move || runtime).handle(),
            views: Arc::new(()),
        })
    }

    fn views(&self) -> usize {
        Arc::strong_count(&self.views)
    }
}
