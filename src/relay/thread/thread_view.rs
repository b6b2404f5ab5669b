//! What one thread knows of a view, so that serving a thousand subscribers
//! takes no lock.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;
use std::time::Instant;

use crate::relay::counters::StreamCounters;
use crate::relay::shared_view::SharedView;
use crate::relay::thread::local_log::LocalLog;
use crate::relay::thread::round::{Rounds, Step};

/// What the subscribers of one thread and view see.
pub struct ThreadView {
    /// The view.
    pub shared: Arc<SharedView>,
    /// The current log; replaced as a whole by the next incarnation's.
    pub log: Option<Rc<RefCell<LocalLog>>>,
    /// The one before, for those who have not read it to its end.
    last_log: Option<Rc<RefCell<LocalLog>>>,
    /// Silent intervals so far.
    pub silences: u64,
    /// What this thread counts.
    pub counters: Arc<StreamCounters>,
    /// Tells the publisher that a base is wanted.
    wake_publisher: Box<dyn Fn()>,
    /// Who waits for news; a place each, so that polling twice costs no more.
    waiters: Vec<Option<Waker>>,
    free: Vec<usize>,
    /// The sockets that are written to at news.
    pub(super) rounds: Rounds,
}

impl ThreadView {
    /// Nothing is known yet; the publisher is woken by what is given.
    pub fn new(shared: Arc<SharedView>, wake_publisher: Box<dyn Fn()>) -> Self {
        ThreadView {
            counters: shared.new_counters(),
            shared,
            log: None,
            last_log: None,
            silences: 0,
            wake_publisher,
            waiters: Vec::new(),
            free: Vec::new(),
            rounds: Rounds::default(),
        }
    }

    /// There is news in the view: copies it and wakes who waits for it. What is
    /// to be done for the sockets.
    pub fn news(&mut self, now: Instant) -> Step {
        self.follow();
        for waiter in &mut self.waiters {
            if let Some(waker) = waiter.take() {
                waker.wake();
            }
        }
        self.rounds.begin(now)
    }

    /// Writes to the next few sockets; `written` says how to go on.
    pub fn write(&mut self, now: Instant) {
        self.rounds.write(now);
    }

    /// The writing took until now: what is to be done next.
    pub fn written(&mut self, now: Instant) -> Step {
        self.rounds.written(now)
    }

    pub(super) fn enter(&mut self) -> usize {
        self.free.pop().unwrap_or_else(|| {
            self.waiters.push(None);
            self.waiters.len() - 1
        })
    }

    pub(super) fn leave(&mut self, place: usize) {
        if let Some(waiter) = self.waiters.get_mut(place) {
            *waiter = None;
            self.free.push(place);
        }
    }

    pub(super) fn wait(&mut self, place: usize, waker: &Waker) {
        if let Some(waiter) = self.waiters.get_mut(place) {
            match waiter {
                Some(known) => known.clone_from(waker),
                None => *waiter = Some(waker.clone()),
            }
        }
    }

    /// Asks the publisher for something, unless it was asked already.
    pub(super) fn want(&self, wanted: impl Fn(&SharedView) -> &AtomicBool) {
        if !wanted(&self.shared).swap(true, Ordering::AcqRel) {
            (self.wake_publisher)();
        }
    }

    /// The current log, also if the thread is yet to be told of it: a client
    /// may bring a position of it from another thread.
    pub fn current_log(&mut self) -> Option<Rc<RefCell<LocalLog>>> {
        let source = self.shared.log();
        let is_known = match (&self.log, &source) {
            (Some(log), Some(source)) => log.borrow().is_of(source),
            (known, source) => known.is_none() && source.is_none(),
        };
        if !is_known {
            self.follow();
        }
        self.log.clone()
    }

    fn follow(&mut self) {
        self.silences = self.shared.silences();
        let source = self.shared.log();
        if let Some(log) = &self.log {
            // Also when another one has taken its place: its last frames are
            // still to be sent to those who read it.
            log.borrow_mut().follow();
            if source
                .as_ref()
                .is_some_and(|source| log.borrow().is_of(source))
            {
                return;
            }
        }
        let next = source.map(|source| Rc::new(RefCell::new(LocalLog::new(source))));
        // Who is in the middle of the last one goes on with it; whoever still
        // is in one before that takes no more of it.
        if let Some(last) = std::mem::replace(&mut self.log, next)
            && let Some(before) = self.last_log.replace(last)
        {
            before.borrow_mut().forget();
        }
    }
}
