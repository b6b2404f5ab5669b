//! One actor per view and HTTP worker: the thread's own copy of the log's
//! pointers, so that polling a thousand subscribers takes no lock.

use std::cell::{Ref, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;

use actix::{Actor, Addr, Context, Handler, Message};
use bytes::Bytes;

use crate::limits::CATCH_UP_FRAMES_MAX;
use crate::model::delta::Delta;
use crate::model::position::{Incarnation, Position};
use crate::model::retention::{Cursor, Resume, Retention};

use super::counters::StreamCounters;
use super::frame::{Base, Frame, Kind, encode_delta};
use super::publisher::{Attach, Publisher, Wake as WakePublisher};
use super::shared::{Log, LogState, SharedView, WakeFlag};

/// There is news in the shared view. Carries nothing: the log has it all, so
/// one pending wake is as good as a thousand.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Wake;

/// A publisher's handle on a relay.
#[derive(Clone)]
pub struct RelayAddr {
    addr: Addr<Relay>,
    pending: Arc<WakeFlag>,
}

impl RelayAddr {
    /// Wakes the relay, unless it has yet to look after the last wake.
    /// Returns whether it is still there.
    pub fn wake(&self) -> bool {
        if self.pending.raise() {
            self.addr.do_send(Wake);
        }
        self.addr.connected()
    }
}

/// The thread's copy of one log, shared by its subscribers.
#[derive(Debug)]
pub struct LocalLog {
    source: Arc<Log>,
    /// The frames.
    pub frames: Retention<Arc<Frame>>,
    /// The base for who joins.
    pub base: Option<Arc<Base>>,
    /// Whether the upstream can be reached.
    pub live: bool,
    /// Whether nothing follows the last frame.
    pub ended: bool,
    /// The last backlog that was merged, for the next who is as far behind.
    merged: Option<(Cursor, Cursor, Bytes)>,
}

/// What a subscriber at some place of the log is to be given.
#[derive(Debug)]
pub enum Next {
    /// These bytes; it then stands at the cursor.
    Bytes(Bytes, Cursor),
    /// It has everything.
    Nothing,
    /// It has the last frame there will ever be.
    Ended,
    /// What it lacks is forgotten.
    Forgotten,
}

impl LocalLog {
    fn new(source: Arc<Log>) -> Self {
        let frames = source.lock().retention.clone();
        let mut log = LocalLog {
            source,
            frames,
            base: None,
            live: true,
            ended: false,
            merged: None,
        };
        log.follow();
        log
    }

    fn follow(&mut self) {
        let source = Arc::clone(&self.source);
        self.copy(&source.lock());
    }

    /// What a position that a client brings back is worth. One that needs
    /// nothing is told to the publisher under the same lock, so that no
    /// heartbeat carries that position as its id again.
    pub fn resume(&mut self, position: Position) -> Resume {
        if self.incarnation() != position.incarnation {
            return Resume::Base;
        }
        let source = Arc::clone(&self.source);
        let mut state = source.lock();
        self.copy(&state);
        let found = self.frames.resume(position.timestamp);
        if let Resume::UpToDate(_) = found {
            state.resumed = state.resumed.max(position.timestamp);
        }
        found
    }

    fn copy(&mut self, state: &LogState) {
        self.frames.follow(&state.retention);
        self.base.clone_from(&state.base);
        self.live = state.live;
        self.ended = state.ended;
    }

    /// Of what it is the log.
    pub fn incarnation(&self) -> Incarnation {
        self.source.incarnation
    }

    /// Whether a reader who begins at this place has to be told that the
    /// upstream is lost: no frame before it will say so.
    pub fn is_lost_at(&self, cursor: Cursor) -> bool {
        let told_later = self.frames.from(cursor).is_some_and(|mut entries| {
            entries.any(|entry| matches!(entry.frame.kind, Kind::Upstream { .. }))
        });
        !self.live && !told_later
    }

    /// What comes after a place: one frame, or one consolidated delta for a
    /// reader that is far behind.
    pub fn next(&mut self, cursor: Cursor) -> Next {
        let Some(mut entries) = self.frames.from(cursor) else {
            return Next::Forgotten;
        };
        if self.frames.behind(cursor) <= CATCH_UP_FRAMES_MAX {
            return match entries.next() {
                Some(entry) => Next::Bytes(entry.frame.bytes.clone(), cursor.next()),
                None if self.ended => Next::Ended,
                None => Next::Nothing,
            };
        }
        let mut has_id = false;
        let changes = entries.map_while(|entry| {
            has_id |= entry.frame.has_id;
            entry.frame.changes()
        });
        let run: Vec<&Delta> = changes.collect();
        if run.is_empty() || !has_id {
            // A control frame, or a heartbeat that moves nothing: merged with
            // its like it would carry an id that was sent before.
            return match self
                .frames
                .from(cursor)
                .and_then(|mut entries| entries.next())
            {
                Some(entry) => Next::Bytes(entry.frame.bytes.clone(), cursor.next()),
                None => Next::Nothing,
            };
        }
        let end = run.iter().fold(cursor, |place, _| place.next());
        if let Some((from, to, bytes)) = &self.merged
            && (*from, *to) == (cursor, end)
        {
            return Next::Bytes(bytes.clone(), end);
        }
        match Delta::merge(run) {
            None => Next::Nothing,
            Some(delta) => {
                let timestamp = delta.timestamp();
                let incarnation = self.incarnation();
                let bytes = encode_delta(
                    &delta,
                    Position {
                        timestamp,
                        incarnation,
                    },
                );
                self.merged = Some((cursor, end, bytes.clone()));
                Next::Bytes(bytes, end)
            }
        }
    }
}

/// What the subscribers of one thread and view see.
#[derive(Debug)]
pub struct Local {
    /// The view.
    pub shared: Arc<SharedView>,
    /// The current log; replaced as a whole by the next incarnation's.
    pub log: Option<Rc<RefCell<LocalLog>>>,
    /// Silent intervals so far.
    pub silences: u64,
    /// What this thread counts.
    pub counters: Arc<StreamCounters>,
    /// Tells the publisher that a base is wanted.
    publisher: Addr<Publisher>,
    /// Who waits for news; a place each, so that polling twice costs no more.
    waiters: Vec<Option<Waker>>,
    free: Vec<usize>,
}

impl Local {
    fn enter(&mut self) -> usize {
        self.free.pop().unwrap_or_else(|| {
            self.waiters.push(None);
            self.waiters.len() - 1
        })
    }

    fn leave(&mut self, place: usize) {
        if let Some(waiter) = self.waiters.get_mut(place) {
            *waiter = None;
            self.free.push(place);
        }
    }

    /// The cached base, if the log still continues it.
    pub fn base(&self) -> Option<Arc<Base>> {
        self.log.as_ref()?.borrow().base.clone()
    }

    fn wake_all(&mut self) {
        for waiter in &mut self.waiters {
            if let Some(waker) = waiter.take() {
                waker.wake();
            }
        }
    }

    /// The current log, also if the relay is yet to be woken for it: a client
    /// may bring a position of it from another thread.
    pub fn current_log(&mut self) -> Option<Rc<RefCell<LocalLog>>> {
        let known = self
            .log
            .as_ref()
            .map(|log| Arc::as_ptr(&log.borrow().source));
        if self.shared.log().as_ref().map(Arc::as_ptr) != known {
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
            let same = |source: &Arc<Log>| Arc::ptr_eq(source, &log.borrow().source);
            if source.as_ref().is_some_and(same) {
                return;
            }
        }
        self.log = source.map(|source| Rc::new(RefCell::new(LocalLog::new(source))));
    }
}

/// A place among those who are woken at news; given back on drop.
#[derive(Debug)]
pub struct Waiter {
    local: Rc<RefCell<Local>>,
    place: usize,
}

impl Waiter {
    /// A new place.
    pub fn new(local: &Rc<RefCell<Local>>) -> Self {
        let place = local.borrow_mut().enter();
        Waiter {
            local: Rc::clone(local),
            place,
        }
    }

    /// What the subscribers of this thread and view see.
    pub fn local(&self) -> Ref<'_, Local> {
        self.local.borrow()
    }

    /// The current log, also if the thread is yet to be told of it.
    pub fn current_log(&self) -> Option<Rc<RefCell<LocalLog>>> {
        self.local.borrow_mut().current_log()
    }

    /// Wakes the task at the next news.
    pub fn wait(&self, waker: &Waker) {
        if let Some(waiter) = self.local.borrow_mut().waiters.get_mut(self.place) {
            match waiter {
                Some(known) => known.clone_from(waker),
                None => *waiter = Some(waker.clone()),
            }
        }
    }

    /// Asks the publisher for a base that the log still continues.
    pub fn want_base(&self) {
        let local = self.local.borrow();
        if !local.shared.base_wanted.swap(true, Ordering::AcqRel) {
            local.publisher.do_send(WakePublisher);
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.local.borrow_mut().leave(self.place);
    }
}

/// The actor; its state is shared with the subscribers of its thread.
pub struct Relay {
    local: Rc<RefCell<Local>>,
    pending: Arc<WakeFlag>,
}

impl Relay {
    /// Starts a relay on this thread and attaches it to the view's publisher.
    pub fn attach(shared: &Arc<SharedView>, publisher: &Addr<Publisher>) -> Rc<RefCell<Local>> {
        let local = Rc::new(RefCell::new(Local {
            shared: Arc::clone(shared),
            log: None,
            silences: 0,
            counters: shared.new_counters(),
            publisher: publisher.clone(),
            waiters: Vec::new(),
            free: Vec::new(),
        }));
        let pending = Arc::new(WakeFlag::default());
        let addr = Relay {
            local: Rc::clone(&local),
            pending: Arc::clone(&pending),
        }
        .start();
        publisher.do_send(Attach(RelayAddr { addr, pending }));
        local
    }
}

impl Actor for Relay {
    type Context = Context<Self>;
}

impl Handler<Wake> for Relay {
    type Result = ();

    fn handle(&mut self, _: Wake, _: &mut Self::Context) {
        // Lowered before looking: news that comes meanwhile wakes us again.
        self.pending.lower();
        let mut local = self.local.borrow_mut();
        local.follow();
        local.wake_all();
    }
}
