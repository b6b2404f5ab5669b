//! The streams of the same views on one thread. They have nearly everything in
//! common: all wait until each of their views has come further, and then all are
//! sent the same bytes.
//!
//! So the thread goes through their sockets once per common time, not once for
//! each view's news. And what was encoded for one of them is sent to all that
//! stood at the same place.

use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use crate::limits::COHORT_STEPS_MAX;
use crate::model::position::{Position, Timestamp};
use crate::model::retention::Cursor;
use crate::relay::counters::{Handed, StreamCounters};
use crate::relay::event::form::Form;
use crate::relay::shared_view::SharedView;
use crate::relay::thread::local_log::LocalLog;
use crate::relay::thread::places::Places;
use crate::relay::thread::pulse::Pulse;
use crate::relay::thread::round::WriteNews;

/// Where a stream stands in the log of one of its views.
#[derive(Clone, Debug)]
pub struct Place {
    /// The log.
    pub log: Rc<RefCell<LocalLog>>,
    /// What comes behind this was not sent yet.
    pub cursor: Cursor,
    /// What the view was shown at.
    pub at: Position,
}

impl PartialEq for Place {
    fn eq(&self, other: &Place) -> bool {
        let is_same = Rc::ptr_eq(&self.log, &other.log);
        is_same && (self.cursor, self.at) == (other.cursor, other.at)
    }
}

/// Where a stream stands that has told all of its views at one time. Streams of a
/// cohort that stand at the same place are sent the same from there on.
#[derive(Debug, PartialEq)]
pub struct Standing {
    /// The time.
    pub time: Timestamp,
    /// The positions of the last id, if there was one.
    pub known: Option<Vec<Option<Position>>>,
    /// Where it stands in each view.
    pub places: Vec<Place>,
}

impl Standing {
    /// Whether what comes behind it is not kept any more.
    pub fn is_forgotten(&self) -> bool {
        let is_forgotten = |place: &Place| place.log.borrow().is_forgotten(place.cursor);
        self.places.iter().any(is_forgotten)
    }
}

/// What was sent to one that stood at a place, and where it stood then.
struct Step {
    from: Rc<Standing>,
    form: Form,
    bytes: Bytes,
    /// What was counted of each view.
    handed: Vec<Handed>,
    to: Rc<Standing>,
}

/// A view of a cohort.
pub(super) struct Member {
    shared: Arc<SharedView>,
    counters: Arc<StreamCounters>,
    /// What its events' names begin with.
    name: String,
    pulse: Pulse,
    /// How far it was known in a log before this one: somebody may still read that.
    before: Timestamp,
    /// Its log, and the place that all views of the cohort have reached: there the streams
    /// stand that wait for nothing.
    reached: Option<(Rc<RefCell<LocalLog>>, Cursor)>,
}

impl Member {
    /// A view whose events' names begin as given, and how the thread knows it.
    pub(super) fn new(
        name: &str,
        shared: &Arc<SharedView>,
        counters: &Arc<StreamCounters>,
        pulse: Pulse,
        log: Option<&Rc<RefCell<LocalLog>>>,
    ) -> Member {
        Member {
            shared: Arc::clone(shared),
            counters: Arc::clone(counters),
            name: name.to_owned(),
            pulse,
            before: Timestamp::MIN,
            reached: log.map(end_of),
        }
    }

    /// It is known like this now.
    fn hear(&mut self, pulse: Pulse, log: Option<&Rc<RefCell<LocalLog>>>) {
        let known = std::mem::replace(&mut self.pulse, pulse);
        if known.turn.logs != pulse.turn.logs {
            if known.head < Timestamp::MAX {
                self.before = self.before.max(known.head);
            }
            // Deltas that are in the log already are not counted.
            self.reached = log.map(end_of);
        }
    }

    /// Whether the time up to which it is known does not tell if there is news. The upstream
    /// of an idle view may tell no time; and where the view has begun anew at an earlier
    /// time, streams may still read the log before.
    fn is_unclear(&self) -> bool {
        !self.pulse.turn.is_steady || self.pulse.head < self.before
    }

    /// Whether streams that stand where the others wait have lost what comes next.
    fn is_forgotten(&self) -> bool {
        let reached = self.reached.as_ref();
        reached.is_some_and(|(log, place)| log.borrow().is_forgotten(*place))
    }

    /// All views are known up to this time, and that was sent: counts how long it took.
    fn reach(&mut self, time: Timestamp, is_sent: bool, now: Instant) {
        let Some((log, place)) = &mut self.reached else {
            return;
        };
        let log = log.borrow();
        let to = log.frames.behind_all_until(time).max(*place);
        if is_sent {
            log.count_delivery(*place, to, &self.counters, now);
        }
        *place = to;
    }
}

/// The streams of the same views.
pub struct Cohort {
    members: RefCell<Vec<Member>>,
    /// The sockets that are written to at news.
    outlets: RefCell<Places<Rc<dyn WriteNews>>>,
    /// Where one of them stood last, for others to find that they stand there, too.
    current: RefCell<Option<Rc<Standing>>>,
    /// What was sent since the last news.
    steps: RefCell<Vec<Step>>,
}

impl Cohort {
    /// One of these views, without a stream yet.
    pub(super) fn new(members: Vec<Member>) -> Rc<Cohort> {
        Rc::new(Cohort {
            members: RefCell::new(members),
            outlets: RefCell::default(),
            current: RefCell::default(),
            steps: RefCell::default(),
        })
    }

    /// Whether it is of these views, whose events' names begin as given.
    pub(super) fn is_of(&self, views: &[(Arc<SharedView>, &str)]) -> bool {
        let members = self.members.borrow();
        let is_it = |(member, (shared, name)): (&Member, &(Arc<SharedView>, &str))| {
            Arc::ptr_eq(&member.shared, shared) && member.name == *name
        };
        members.len() == views.len() && members.iter().zip(views).all(is_it)
    }

    /// One of its views has news and is known as given now, in this log; whether that may
    /// be news to the streams. As long as another view has not come as far, it is none.
    pub(super) fn is_news(
        &self,
        view: usize,
        pulse: Pulse,
        log: Option<&Rc<RefCell<LocalLog>>>,
    ) -> bool {
        let mut members = self.members.borrow_mut();
        let before = least(&members);
        let Some(member) = members.get_mut(view) else {
            return false;
        };
        let is_turn = member.pulse.turn != pulse.turn;
        member.hear(pulse, log);
        if is_turn {
            // It may be of a log that nobody reads any more.
            *self.current.borrow_mut() = None;
        }
        let is_news = is_turn
            || before < least(&members)
            || members
                .iter()
                .any(|it| it.is_unclear() || it.is_forgotten());
        if is_news {
            self.steps.borrow_mut().clear();
        }
        is_news
    }

    /// Whether nothing but changes of rows is to be told for now, and how far each
    /// view is known is known at any time.
    pub fn is_calm(&self) -> bool {
        self.members.borrow().iter().all(|it| it.pulse.is_calm())
    }

    /// How often leases of its views' streams were recalled.
    pub fn recalls(&self) -> u32 {
        let members = self.members.borrow();
        let recalls = members.iter().map(|it| it.shared.recalls());
        recalls.fold(0, u32::wrapping_add)
    }

    /// Counts a write to a socket, as one of the first view's.
    pub fn count_write(&self) {
        if let Some(first) = self.members.borrow().first() {
            first.counters.count_write();
        }
    }

    /// What was handed to connections of each view so far.
    pub fn handed(&self) -> Vec<Handed> {
        let members = self.members.borrow();
        members.iter().map(|it| it.counters.handed()).collect()
    }

    /// One of the streams stands there. If others do, they have the same value.
    pub fn stand(&self, standing: Standing, before: Option<&Rc<Standing>>) -> Rc<Standing> {
        let mut current = self.current.borrow_mut();
        let mut known = before.into_iter().chain(&*current);
        if let Some(known) = known.find(|known| ***known == standing) {
            return Rc::clone(known);
        }
        Rc::clone(current.insert(Rc::new(standing)))
    }

    /// What another that stood there was sent, in frames and bytes, and where that led.
    /// It is counted.
    pub fn follow(&self, from: &Rc<Standing>, form: &Form) -> Option<(u64, Bytes, Rc<Standing>)> {
        let steps = self.steps.borrow();
        let is_it = |step: &&Step| Rc::ptr_eq(&step.from, from) && step.form == *form;
        let step = steps.iter().find(is_it)?;
        for (member, handed) in self.members.borrow().iter().zip(&step.handed) {
            member.counters.count_handed(*handed);
        }
        let frames = step.handed.iter().map(|handed| handed.frames).sum();
        Some((frames, step.bytes.clone(), Rc::clone(&step.to)))
    }

    /// One that stood there was sent this and stands here now, in the same logs: a place in
    /// another one is not taken in a round. `before` is what had been handed to connections
    /// until then.
    pub fn note(
        &self,
        (from, to): (Rc<Standing>, &Rc<Standing>),
        form: &Form,
        bytes: Bytes,
        before: &[Handed],
    ) {
        let mut steps = self.steps.borrow_mut();
        if steps.len() >= COHORT_STEPS_MAX {
            return;
        }
        let after = self.handed();
        let handed: Vec<Handed> = after.iter().zip(before).map(|(it, at)| *it - *at).collect();
        // A merged delta is counted as one, which is rare.
        if handed.iter().all(|handed| handed.compacted == 0) {
            steps.push(Step {
                from,
                form: form.clone(),
                bytes,
                handed,
                to: Rc::clone(to),
            });
        }
    }

    /// Has the thread write to this socket at news, until its place is left.
    pub fn enter(&self, outlet: Rc<dyn WriteNews>) -> usize {
        self.outlets.borrow_mut().enter(outlet)
    }

    /// The thread writes to the one at this place no more.
    pub fn leave(&self, place: usize) {
        let outlet = self.outlets.borrow_mut().leave(place);
        // Dropped after the borrow: it may be the last of its kind.
        drop(outlet);
    }

    /// Whether more than one socket is written to.
    pub fn is_shared(&self) -> bool {
        self.outlets.borrow().count() > 1
    }

    /// Adds the sockets from a place on, until there are so many; where to go on, if these
    /// were not all.
    pub(super) fn outlets(
        &self,
        from: usize,
        full: usize,
        outlets: &mut Vec<Weak<dyn WriteNews>>,
    ) -> Option<usize> {
        let all = self.outlets.borrow();
        all.outlets(from, full, outlets, |outlet| Some(Rc::downgrade(outlet)))
    }

    /// All sockets were written to: counts how long the deltas took, and lets go of what
    /// was sent.
    pub(super) fn end_round(&self, now: Instant) {
        self.steps.borrow_mut().clear();
        let is_sent = self.outlets.borrow().count() > 0;
        let mut members = self.members.borrow_mut();
        let time = least(&members).unwrap_or(Timestamp::MIN);
        for member in members.iter_mut() {
            member.reach(time, is_sent, now);
        }
    }
}

/// A log with its end.
fn end_of(log: &Rc<RefCell<LocalLog>>) -> (Rc<RefCell<LocalLog>>, Cursor) {
    (Rc::clone(log), log.borrow().frames.end())
}

/// How far all views of it are known.
fn least(members: &[Member]) -> Option<Timestamp> {
    members.iter().map(|member| member.pulse.head).min()
}
