//! One actor per view and HTTP worker: the thread's own copy of the log's
//! pointers, so that serving a thousand subscribers takes no lock.
//!
//! At news it writes to each socket of its thread itself, one after the other,
//! which is all that fan-out has to cost. Only who stands elsewhere (joining,
//! without room in the socket, behind TLS) is woken as a task of its own.

use std::cell::{Ref, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;
use std::time::{Duration, Instant};

use actix::{Actor, Addr, Context, Handler, Message};
use actix_web::rt::spawn;
use actix_web::rt::time::sleep;
use tokio::task::yield_now;

use crate::limits::{PASS_OUTLETS_MAX, PASS_REST_MAX, PASS_REST_MIN};

use super::counters::StreamCounters;
use super::local_log::LocalLog;
use super::outlet::Outlet;
use super::publisher::{Publisher, Wake as WakePublisher};
use super::shared::{SharedView, WakeFlag};

/// There is news in the shared view. Carries nothing: the log has it all, so
/// one pending wake is as good as a thousand.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Wake;

/// A view's handle on a relay.
#[derive(Clone, Debug)]
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

/// What the subscribers of one thread and view see.
#[derive(Debug)]
pub struct Local {
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
    publisher: Addr<Publisher>,
    /// Who waits for news; a place each, so that polling twice costs no more.
    waiters: Vec<Option<Waker>>,
    free: Vec<usize>,
    /// The sockets that are written to at news, each at its waiter's place.
    outlets: Vec<Option<Rc<Outlet>>>,
    /// How far the writing has come, while it goes on.
    pass: Option<Pass>,
    /// When the next round may begin.
    rested: Option<Instant>,
}

/// One round through the outlets.
#[derive(Clone, Copy, Debug)]
struct Pass {
    /// The next place.
    at: usize,
    /// Whether there was news after it began: those before `at` lack it.
    is_outdated: bool,
    began: Instant,
}

impl Pass {
    fn new() -> Self {
        Pass {
            at: 0,
            is_outdated: false,
            began: Instant::now(),
        }
    }
}

/// How a round goes on.
enum Step {
    /// With the next sockets, when others have had their turn.
    More,
    /// From the first socket, after a rest.
    Again(Duration),
    /// It does not.
    Done,
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

    /// Writes to the next few sockets.
    fn write_some(&mut self) -> Step {
        let Some(pass) = &mut self.pass else {
            return Step::Done;
        };
        if pass.at == 0 {
            *pass = Pass::new();
        }
        let end = pass.at.saturating_add(PASS_OUTLETS_MAX);
        for outlet in self.outlets.iter().take(end).skip(pass.at).flatten() {
            outlet.write_news();
        }
        if end < self.outlets.len() {
            pass.at = end;
            return Step::More;
        }
        // A rest as long as the round, so that a burst costs half the time of
        // this thread at the most, and each write takes the more of it along.
        let (is_outdated, rest) = (pass.is_outdated, pass.began.elapsed().min(PASS_REST_MAX));
        self.rested = Some(Instant::now() + rest);
        self.pass = is_outdated.then(Pass::new);
        match is_outdated {
            true => Step::Again(rest),
            false => Step::Done,
        }
    }

    /// There is news: begins a round, unless one is going on.
    fn begin_pass(&mut self) -> Step {
        if let Some(pass) = &mut self.pass {
            pass.is_outdated = pass.at > 0;
            return Step::Done;
        }
        self.pass = Some(Pass::new());
        let rest = self
            .rested
            .map(|rested| rested.saturating_duration_since(Instant::now()));
        match rest.filter(|rest| *rest >= PASS_REST_MIN) {
            Some(rest) => Step::Again(rest),
            None => self.write_some(),
        }
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

    /// Has the relay write to this socket at news, until the place is left.
    pub fn serve(&self, outlet: &Rc<Outlet>) {
        let outlets = &mut self.local.borrow_mut().outlets;
        if outlets.len() <= self.place {
            outlets.resize(self.place.saturating_add(1), None);
        }
        if let Some(place) = outlets.get_mut(self.place) {
            *place = Some(Rc::clone(outlet));
        }
    }

    /// The relay writes there no more.
    pub fn leave_outlet(&self) {
        let place = {
            let outlets = &mut self.local.borrow_mut().outlets;
            outlets.get_mut(self.place).and_then(Option::take)
        };
        // Dropped after the borrow: it may be the last of its kind.
        drop(place);
    }

    /// Asks the publisher for a base that the log still continues.
    pub fn want_base(&self) {
        self.want(|shared| &shared.base_wanted);
    }

    /// Asks the publisher for a base of the rows as they are now.
    pub fn want_latest(&self) {
        self.want(|shared| &shared.latest_wanted);
    }

    fn want(&self, wanted: impl Fn(&SharedView) -> &AtomicBool) {
        let local = self.local.borrow();
        if !wanted(&local.shared).swap(true, Ordering::AcqRel) {
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
    /// Starts a relay on this thread and attaches it to the view.
    pub fn attach(shared: &Arc<SharedView>, publisher: &Addr<Publisher>) -> Rc<RefCell<Local>> {
        let local = Rc::new(RefCell::new(Local {
            shared: Arc::clone(shared),
            log: None,
            last_log: None,
            silences: 0,
            counters: shared.new_counters(),
            publisher: publisher.clone(),
            waiters: Vec::new(),
            free: Vec::new(),
            outlets: Vec::new(),
            pass: None,
            rested: None,
        }));
        let pending = Arc::new(WakeFlag::default());
        let addr = Relay {
            local: Rc::clone(&local),
            pending: Arc::clone(&pending),
        }
        .start();
        shared.attach(RelayAddr { addr, pending });
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
        let step = {
            let mut local = self.local.borrow_mut();
            local.follow();
            local.wake_all();
            local.begin_pass()
        };
        if !matches!(step, Step::Done) {
            spawn(write_rest(Rc::clone(&self.local), step));
        }
    }
}

/// Goes on with a pass, letting others on this thread in between: a pass
/// through ten thousand sockets takes a tenth of a second.
async fn write_rest(local: Rc<RefCell<Local>>, mut step: Step) {
    loop {
        match step {
            Step::Again(rest) if rest >= PASS_REST_MIN => sleep(rest).await,
            Step::More | Step::Again(_) => yield_now().await,
            Step::Done => return,
        }
        step = local.borrow_mut().write_some();
    }
}

#[cfg(test)]
mod tests;
