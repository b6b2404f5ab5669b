//! What one thread knows of a view, so that serving a thousand subscribers
//! takes no lock.

use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;
use std::time::Instant;

use crate::limits::PASS_OUTLETS_MAX;
use crate::model::position::Timestamp;
use crate::model::upstream::Word;
use crate::relay::counters::StreamCounters;
use crate::relay::log::window_request::WindowRequest;
use crate::relay::shared_view::SharedView;
use crate::relay::thread::cohort::{Cohort, Member};
use crate::relay::thread::cohorts::Cohorts;
use crate::relay::thread::local_log::LocalLog;
use crate::relay::thread::places::Places;
use crate::relay::thread::pulse::{Pulse, Turn};
use crate::relay::thread::round::{Rounds, Step, WriteNews};

/// What the subscribers of one thread and view see.
pub struct ThreadView {
    /// The view.
    pub shared: Arc<SharedView>,
    /// The current log; replaced as a whole by the next incarnation's.
    pub log: Option<Rc<RefCell<LocalLog>>>,
    /// The one before, for those who have not read it to its end.
    last_log: Option<Rc<RefCell<LocalLog>>>,
    /// How many logs there were so far.
    logs: u64,
    /// Silent intervals so far.
    pub silences: u64,
    /// What this thread counts.
    pub counters: Arc<StreamCounters>,
    /// Tells the publisher that a base is wanted.
    wake_publisher: Box<dyn Fn()>,
    /// Who waits for news; a place each, so that polling twice costs no more.
    waiters: Places<Option<Waker>>,
    /// Places of those who wait. Who reads a window waits for that alone, and has a
    /// place all the same.
    waiting: Vec<usize>,
    /// The sockets that are written to at news.
    pub(super) rounds: Rounds,
    /// The cohorts of streams that show it beside other views.
    pub(super) cohorts: Cohorts,
    /// Sockets of cohorts and windows that have news, while they are written to.
    outlets: Vec<Weak<dyn WriteNews>>,
    /// Those of windows of logs that were let go: they are to find out.
    strays: Vec<Weak<dyn WriteNews>>,
    /// Of a thousand streams, those that were told to end, and how often leases
    /// were recalled.
    ending: (u16, u32),
}

impl ThreadView {
    /// Nothing is known yet; the publisher is woken by what is given.
    pub fn new(shared: Arc<SharedView>, wake_publisher: Box<dyn Fn()>) -> Self {
        ThreadView {
            counters: shared.new_counters(),
            shared,
            log: None,
            last_log: None,
            logs: 0,
            silences: 0,
            wake_publisher,
            waiters: Places::default(),
            waiting: Vec::new(),
            rounds: Rounds::default(),
            cohorts: Cohorts::default(),
            outlets: Vec::new(),
            strays: Vec::new(),
            ending: (0, 0),
        }
    }

    /// There is news in the view: copies it and wakes who waits for it. What is
    /// to be done for the sockets.
    pub fn news(&mut self, now: Instant) -> Step {
        self.follow(now);
        for place in self.waiting.drain(..) {
            if let Some(waker) = self.waiters.get_mut(place).and_then(Option::take) {
                waker.wake();
            }
        }
        let ending = (self.shared.ending(), self.shared.recalls());
        let is_ending = std::mem::replace(&mut self.ending, ending) != ending;
        self.each_log(|log| {
            log.windows.take_bases(now);
            if is_ending {
                log.windows.wake_all();
            }
        });
        if !self.cohorts.is_empty() {
            let pulse = self.pulse();
            self.cohorts.hear(pulse, self.log.as_ref());
        }
        self.beat(now)
    }

    /// Tells windows that have been silent for long that nothing has changed. What
    /// is to be done for the sockets.
    pub fn beat(&mut self, now: Instant) -> Step {
        self.each_log(|log| log.beat(now));
        self.rounds.begin(now)
    }

    /// When `beat` is to be called, if there is no news before.
    pub fn wake_at(&self) -> Option<Instant> {
        let logs = self.log.iter().chain(&self.last_log);
        let times = logs.filter_map(|log| log.borrow().beat_at());
        times.min()
    }

    /// Writes to the next few sockets; `written` says how to go on.
    pub fn write(&mut self, now: Instant) {
        if self.rounds.is_at_start() {
            self.each_log(LocalLog::begin_round);
            self.cohorts.begin_round();
        }
        let room = self.rounds.write(now).min(PASS_OUTLETS_MAX);
        if room == 0 {
            return;
        }
        let mut outlets = std::mem::take(&mut self.outlets);
        let strays = self.strays.len().saturating_sub(room);
        outlets.extend(self.strays.drain(strays..));
        self.each_log(|log| log.windows.next_outlets(room, &mut outlets));
        let windows = outlets.len();
        let room = room.saturating_sub(windows);
        self.cohorts.next_outlets(room, &mut outlets);
        // No log is borrowed any more: they look into it.
        for (at, outlet) in outlets.drain(..).enumerate() {
            if let Some(outlet) = outlet.upgrade() {
                if at < windows {
                    self.rounds.note_write();
                }
                outlet.write_news(now);
            }
        }
        self.outlets = outlets;
    }

    /// The writing took until now: what is to be done next.
    pub fn written(&mut self, now: Instant) -> Step {
        let mut logs = self.log.iter().chain(&self.last_log);
        let is_more = logs.any(|log| log.borrow().windows.is_in_round());
        let is_more = is_more || !self.strays.is_empty() || self.cohorts.is_in_round();
        if let Some(has_written) = self.rounds.is_over(is_more) {
            let counters = has_written.then_some(&*self.counters);
            self.each_log(|log| log.end_round(counters, now));
            self.cohorts.end_round(now);
        }
        self.rounds.written(is_more, now)
    }

    /// The streams of these views on the thread, whose events' names begin as given.
    pub fn cohort(views: &[(Rc<RefCell<ThreadView>>, &str)]) -> Rc<Cohort> {
        let shared = views
            .iter()
            .map(|(view, name)| (Arc::clone(&view.borrow().shared), *name));
        let shared: Vec<_> = shared.collect();
        let known = views.first().and_then(|(first, _)| {
            let first = first.borrow();
            first.cohorts.find(|cohort| cohort.is_of(&shared))
        });
        known.unwrap_or_else(|| {
            let members = views.iter().map(|(view, name)| {
                let it = view.borrow();
                let (pulse, log) = (it.pulse(), it.log.as_ref());
                Member::new(name, &it.shared, &it.counters, pulse, log)
            });
            let cohort = Cohort::new(members.collect());
            for (place, (view, _)) in views.iter().enumerate() {
                view.borrow_mut().cohorts.enter(&cohort, place);
            }
            cohort
        })
    }

    fn each_log(&self, mut each: impl FnMut(&mut LocalLog)) {
        // The one before first: who reads it is to be told its end.
        for log in self.last_log.iter().chain(&self.log) {
            each(&mut log.borrow_mut());
        }
    }

    pub(super) fn enter(&mut self) -> usize {
        self.waiters.enter(None)
    }

    pub(super) fn leave(&mut self, place: usize) {
        self.waiters.leave(place);
    }

    pub(super) fn wait(&mut self, place: usize, waker: &Waker) {
        if let Some(waiter) = self.waiters.get_mut(place) {
            match waiter {
                Some(known) => known.clone_from(waker),
                None => {
                    *waiter = Some(waker.clone());
                    self.waiting.push(place);
                }
            }
        }
    }

    /// How the view is known, to those who show it beside others.
    pub(super) fn pulse(&self) -> Pulse {
        let (shared, upstream) = (&self.shared, self.shared.upstream());
        let log = self.log.as_ref().map(|log| log.borrow());
        let is_complete = upstream.word() == Word::Complete;
        let is_final = is_complete || log.as_ref().is_some_and(|log| log.ended);
        let head = log.as_ref().map(|log| log.frames.head());
        Pulse {
            head: head.filter(|_| !is_final).unwrap_or(Timestamp::MAX),
            turn: Turn {
                logs: self.logs,
                word: log.as_ref().and_then(|log| log.last_word()),
                terms: log.as_ref().map_or(0, |log| log.terms.count()),
                is_final,
                is_steady: shared.is_steady(),
                ending: shared.ending(),
                recalls: shared.recalls(),
                is_given_up: upstream.is_given_up(),
            },
        }
    }

    /// Asks the publisher for something, unless it was asked already.
    pub(super) fn want(&self, wanted: impl Fn(&SharedView) -> &AtomicBool) {
        if !wanted(&self.shared).swap(true, Ordering::AcqRel) {
            (self.wake_publisher)();
        }
    }

    /// Asks the publisher for the rows of a window.
    pub(super) fn want_window(&self, request: Arc<WindowRequest>) {
        if self.shared.windows_wanted.push(request) {
            (self.wake_publisher)();
        }
    }

    /// The current log, also if the thread is yet to be told of it: a client
    /// may bring a position of it from another thread.
    pub fn current_log(&mut self, now: Instant) -> Option<Rc<RefCell<LocalLog>>> {
        let source = self.shared.log();
        let is_known = match (&self.log, &source) {
            (Some(log), Some(source)) => log.borrow().is_of(source),
            (known, source) => known.is_none() && source.is_none(),
        };
        if !is_known {
            self.follow(now);
        }
        self.log.clone()
    }

    fn follow(&mut self, now: Instant) {
        self.silences = self.shared.silences();
        let source = self.shared.log();
        if let Some(log) = &self.log {
            // Also when another one has taken its place: its last frames are
            // still to be sent to those who read it.
            log.borrow_mut().follow(now);
            if source
                .as_ref()
                .is_some_and(|source| log.borrow().is_of(source))
            {
                return;
            }
        }
        self.logs = self.logs.wrapping_add(1);
        let next = source.map(|source| Rc::new(RefCell::new(LocalLog::new(source))));
        // Who is in the middle of the last one goes on with it; whoever still
        // is in one before that takes no more of it.
        if let Some(last) = std::mem::replace(&mut self.log, next)
            && let Some(before) = self.last_log.replace(last)
        {
            let mut before = before.borrow_mut();
            before.forget();
            before.windows.all_outlets(&mut self.strays);
        }
    }
}
