//! Backlogs merged into one delta: a job that nobody waits for but those who
//! are behind.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Waker;

use crate::limits::{LONG_EVENT_BYTES, WINDOW_ENTRIES_AT_ONCE};
use crate::model::delta::{Change, Delta};
use crate::model::position::Position;
use crate::model::retention::Cursor;
use crate::model::window::Window;
use crate::relay::event::encoded::Encoded;

use crate::relay::event::body::{Extent, listed_bytes};
use crate::relay::event::form::Form;
use crate::relay::event::frame::encode_delta;
use crate::relay::event::long_event::{LongEvent, Reading};
use crate::relay::log::jobs::Job;
use crate::relay::log::runs::{Block, Run};
use crate::relay::log::shared_log::Log;
use crate::relay::log::window_backlog::narrow;

/// What has become of a backlog.
#[derive(Clone, Debug)]
pub enum Merged {
    /// This one delta.
    Short(Arc<Encoded>),
    /// This one, which is read in slices.
    Long(Weak<LongEvent>),
    /// None of its entries moves the position, or none is of the window.
    Nothing,
    /// Some of it is not kept any more.
    Forgotten,
    /// Too many wait for theirs already.
    Refused,
    /// Nobody waited for it any more.
    Skipped,
}

/// A backlog that is merged, from a place of a log to another.
#[derive(Debug)]
pub struct Merge {
    /// Where it begins.
    pub from: Cursor,
    /// The place behind it.
    pub to: Cursor,
    /// The window that it is of; `None` of the whole view.
    of: Option<Arc<Window>>,
    state: Mutex<State>,
    /// Streams that wait for it.
    waiting: AtomicUsize,
}

#[derive(Debug, Default)]
struct State {
    done: Option<Merged>,
    /// Reads a large one, so that it is kept for those who wait for it.
    kept: Option<Reading>,
    wakers: Vec<Waker>,
}

impl Merge {
    /// Has a backlog of the view, or of a window, merged for one who waits for it.
    pub fn begin(
        log: &Arc<Log>,
        (from, to): (Cursor, Cursor),
        of: Option<Arc<Window>>,
        form: &Form,
    ) -> (Arc<Merge>, Waiting) {
        let merge = Arc::new(Merge {
            from,
            to,
            of,
            state: Mutex::default(),
            waiting: AtomicUsize::new(0),
        });
        // Before the job is: without it, nobody would be found to wait.
        let waiting = Waiting::new(&merge);
        let (source, wanted) = (Arc::clone(log), Arc::clone(&merge));
        let form = form.clone();
        let job = Job::new(move || work(&source, &wanted, &form));
        if !log.jobs.submit(job) {
            merge.finish(Merged::Refused, None);
        }
        (merge, waiting)
    }

    /// Whether it may be of use to who asks for the same.
    pub fn is_good(&self) -> bool {
        match &self.lock().done {
            None | Some(Merged::Short(_)) => true,
            Some(Merged::Long(long)) => long.strong_count() > 0,
            Some(_) => false,
        }
    }

    fn finish(&self, merged: Merged, kept: Option<Reading>) {
        let wakers = {
            let mut state = self.lock();
            (state.done, state.kept) = (Some(merged), kept);
            std::mem::take(&mut state.wakers)
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    /// The state is right between any two statements, so it still is where a
    /// thread panicked that held it.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stream that waits for its backlog.
#[derive(Debug)]
pub struct Waiting(Arc<Merge>);

impl Waiting {
    /// For this one.
    pub fn new(merge: &Arc<Merge>) -> Self {
        merge.waiting.fetch_add(1, Ordering::AcqRel);
        Waiting(Arc::clone(merge))
    }

    /// The place behind the backlog.
    pub fn to(&self) -> Cursor {
        self.0.to
    }

    /// What has become of it; else the task is woken when it is done.
    pub fn poll(&self, waker: &Waker) -> Option<Merged> {
        let mut state = self.0.lock();
        if state.done.is_none() && !state.wakers.iter().any(|known| known.will_wake(waker)) {
            state.wakers.push(waker.clone());
        }
        state.done.clone()
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The job of merging a backlog, for whoever waits for it.
fn work(log: &Log, merge: &Merge, form: &Form) {
    // Who asked may be gone by now.
    let (merged, kept) = match merge.waiting.load(Ordering::Acquire) {
        0 => (Merged::Skipped, None),
        _ => merged(log, merge, form),
    };
    merge.finish(merged, kept);
}

fn merged(log: &Log, merge: &Merge, form: &Form) -> (Merged, Option<Reading>) {
    let found = match &merge.of {
        None => net(log, merge),
        Some(window) => net_of_window(log, merge, window),
    };
    let delta = match found {
        Ok(delta) => delta,
        Err(merged) => return (merged, None),
    };
    let timestamp = delta.timestamp();
    let of_view = log.lock().terms.at(timestamp);
    let of_window = merge.of.as_ref().map(|window| window.incarnation(of_view));
    let position = Position {
        timestamp,
        incarnation: of_window.unwrap_or(of_view),
    };
    let bytes = listed_bytes(&delta);
    if usize::try_from(bytes).is_ok_and(|bytes| bytes <= LONG_EVENT_BYTES) {
        let encoded = encode_delta(&delta, position);
        // Compressed here, for who wants it so.
        encoded.piece(form);
        return (Merged::Short(Arc::new(encoded)), None);
    }
    let long = Arc::new(LongEvent::changes(delta, position));
    let kept = Reading::new(&long, Extent::Event);
    let weak = Arc::downgrade(&long);
    log.lock().long_backlogs.keep(long, bytes);
    (Merged::Long(weak), Some(kept))
}

/// The net effect of a backlog on the view, from as few runs as can be.
fn net(log: &Log, merge: &Merge) -> Result<Delta, Merged> {
    let mut runs = Vec::new();
    let (mut from, to) = (merge.from.number(), merge.to.number());
    while let Some(block) = Block::largest(from, to) {
        runs.push(run(log, block).ok_or(Merged::Forgotten)?);
        from = block.end();
    }
    let run = Run::merge(&runs).filter(|run| run.has_id);
    run.map(|run| run.delta).ok_or(Merged::Nothing)
}

/// The same on a window. The entries are parted by key once, for all windows of the
/// same columns: for who looks up a few keys in them, merged runs are of no use.
fn net_of_window(log: &Log, merge: &Merge, window: &Window) -> Result<Delta, Merged> {
    let (mut last, mut changes) = (None, Vec::<Change>::new());
    let mut from = merge.from;
    while from < merge.to {
        let count = usize::try_from(merge.to.since(from)).unwrap_or(usize::MAX);
        let count = count.min(WINDOW_ENTRIES_AT_ONCE);
        // Nothing is looked for with the lock held.
        let frames: Vec<_> = {
            let state = log.lock();
            let entries = state.retention.from(from).ok_or(Merged::Forgotten)?;
            let frames = entries.map(|entry| (Arc::clone(&entry.frame), entry.timestamp));
            frames.take(count).collect()
        };
        for (frame, timestamp) in &frames {
            if narrow(frame, window, &mut changes) {
                last = Some(*timestamp);
            }
            from = from.next();
        }
        if frames.is_empty() {
            break;
        }
    }
    let delta = last.map(|last| Delta::new(last, changes));
    let delta = delta.filter(|delta| !delta.is_empty());
    delta.ok_or(Merged::Nothing)
}

/// The net effect of a block, from what it is made of if it is not known;
/// `None` where some of it is not in the log.
fn run(log: &Log, block: Block) -> Option<Arc<Run>> {
    {
        let state = log.lock();
        if let Some(run) = state.runs.get(&state.retention, block) {
            return Some(run);
        }
    }
    let parts: Option<Vec<_>> = block.parts()?.map(|part| run(log, part)).collect();
    let run = Arc::new(Run::merge(&parts?)?);
    let mut state = log.lock();
    let bytes_max = state.long_backlogs.bytes_max();
    state.runs.keep(block, &run, bytes_max);
    Some(run)
}

#[cfg(test)]
mod tests;
