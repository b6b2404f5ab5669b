//! One stream of several views. Whenever it sends `consistent`, the client's
//! copies of all views are of the same time.
//!
//! Like a subscriber it holds nothing but cursors. Changes of a view that are
//! later than the time all views have reached stay in the log until then.

use std::cell::Cell;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use fastrand::Rng;

use crate::limits::RETRY_MS;
use crate::model::position::{Position, Timestamp};
use crate::relay::counters::{End, Kept};
use crate::relay::event::long_event::abandoned;
use crate::relay::event::notices::{REASON_EXPIRED, REASON_HALF_CLOSED, REASON_SLOW, retry};
use crate::relay::shared_view::{LOTS, SharedView};
use crate::relay::subscribe::expiry::Expiry;
use crate::relay::thread::cohort::{Cohort, Standing};
use chosen::{Chosen, cohort_of};
use common_time::common_time;
use ids::{best, id_of, positions};
use output::{Out, Taken};
use part::reach::{Reach, is_far_before};
use part::{Part, Sent};

pub mod chosen;
mod common_time;
mod ending;
mod ids;
mod notices;
mod output;
mod part;
mod serving;
mod together;

/// Says whether another view is served under the name of this one.
type Successor = Box<dyn Fn(&SharedView) -> bool>;

/// What is to be done next.
enum Step {
    /// Something was told or has changed.
    More,
    /// Nothing until there is news.
    Wait,
    /// The end.
    End(End),
}

/// A browser's stream of several views, as a source of bytes.
pub struct Joint {
    parts: Vec<Part>,
    out: Out,
    is_open: bool,
    is_over: bool,
    /// The common time that the views are being brought to, while they are.
    batch: Option<Timestamp>,
    /// Rows were sent since the last `consistent`, so that another one is due.
    is_owed: bool,
    /// A heartbeat is due.
    is_silent: bool,
    /// The time at which they last stood together.
    time: Option<Timestamp>,
    /// The positions of the last id, if there was one.
    known: Option<Vec<Option<Position>>>,
    /// Since when changes wait for a view that has not reached their time.
    held_since: Option<Instant>,
    /// When such a view will have been silent for so long that it is waited for
    /// no more.
    silence_at: Option<Instant>,
    heartbeat: Duration,
    /// When the next heartbeat is due, unless something is sent before.
    beat_at: Instant,
    /// Drawn at random: when it ends at a shutdown.
    lot: u16,
    /// Whether another view is served under the name of one that was given up.
    is_served_again: Option<Successor>,
    /// When that is to be asked next.
    look_at: Instant,
    /// When the stream has to end, if it has to.
    expiry: Expiry,
    /// It ends as soon as it has said what there is.
    is_last: bool,
    /// Why it ended, once it has.
    end: End,
    /// Spreads out when clients come back.
    rng: Rng,
    /// All streams of these views on the thread; `None` where a window is shown.
    cohort: Option<Rc<Cohort>>,
    /// Its socket's place there, if it has one that the thread writes to.
    place: Cell<Option<usize>>,
    /// Where it stands, shared with others that stand there. While it is set, it counts in
    /// place of `time` and `known`, and of the cursors and positions in `parts`.
    standing: Option<Rc<Standing>>,
    /// Events that it was sent as others were.
    frames: u64,
    /// Dropped when the stream has ended.
    kept: Box<dyn Kept>,
}

impl Joint {
    /// A stream of these views, all different, resumed from the best of these ids
    /// where it can be. Something is sent at least once a heartbeat. It keeps what
    /// it is given until it has ended.
    pub fn new(
        views: &[Chosen],
        ids: &[String],
        heartbeat: Duration,
        now: Instant,
        mut rng: Rng,
        kept: impl Kept + 'static,
    ) -> Self {
        let name = |view: &Chosen| view.name.clone();
        let mut order: Vec<usize> = (0..views.len()).collect();
        order.sort_by_cached_key(|place| views.get(*place).map(name));
        let has = |place: usize, position: Position| {
            let view = order.get(place).and_then(|place| views.get(*place));
            view.is_some_and(|view| view.has(position))
        };
        let id = best(ids, order.len(), has);
        let brought = positions(id.as_deref().unwrap_or_default(), order.len());
        let part = |(place, view)| {
            let rank = order.iter().position(|other| *other == place);
            let rank = rank.unwrap_or(place);
            let resume = brought.get(rank).copied().flatten();
            Part::new(view, rank, resume, now)
        };
        // What makes no sense as a whole is no id that the client has.
        let is_whole = id.is_some_and(|text| text == id_of(&brought));
        let parts = views.iter().enumerate().map(part).collect();
        let known = is_whole.then_some(brought);
        Joint {
            parts,
            out: Out::default(),
            is_open: false,
            is_over: false,
            batch: None,
            is_owed: true,
            is_silent: false,
            time: None,
            known,
            held_since: None,
            silence_at: None,
            heartbeat,
            beat_at: now + heartbeat,
            lot: rng.u16(LOTS),
            is_served_again: None,
            look_at: now + heartbeat,
            expiry: Expiry::default(),
            is_last: false,
            end: End::Left,
            rng,
            cohort: cohort_of(views),
            place: Cell::new(None),
            standing: None,
            frames: 0,
            kept: Box::new(kept),
        }
    }

    /// The next bytes of the stream; `None` at its end, which is always between
    /// two events.
    pub fn poll_next(&mut self, now: Instant, waker: &Waker) -> Poll<Option<Bytes>> {
        match self.next(now, false) {
            Taken::Bytes(bytes) => return Poll::Ready(Some(bytes)),
            Taken::Later => {
                waker.wake_by_ref();
                return Poll::Pending;
            }
            Taken::Nothing | Taken::GivenUp if self.is_over => return Poll::Ready(None),
            Taken::Nothing | Taken::GivenUp => {}
        }
        // Nothing is held back until the views have reached a time.
        let is_idle = !self.is_owed && self.batch.is_none() && self.held_since.is_none();
        for part in &self.parts {
            part.wait(is_idle, self.is_served(), waker);
        }
        Poll::Pending
    }

    /// The next bytes, if there are any, whatever others are sent.
    fn next_alone(&mut self, now: Instant, is_in_round: bool) -> Taken {
        while !self.is_over && !self.out.is_full() {
            match self.step(now, is_in_round) {
                Step::More => {}
                Step::Wait if self.is_last && self.has_said_all(now) => {
                    self.say_farewell(REASON_HALF_CLOSED);
                    (self.is_over, self.end) = (true, End::Left);
                }
                Step::Wait => break,
                Step::End(end) => (self.is_over, self.end) = (true, end),
            }
        }
        let mut taken = self.out.take();
        if taken == Taken::GivenUp {
            let has_data = self.out.abandon();
            self.own(abandoned(has_data).as_bytes());
            self.say_farewell(REASON_SLOW);
            (self.is_over, self.end) = (true, End::Slow);
            taken = self.out.take();
        }
        if let Taken::Bytes(_) = taken {
            self.beat_at = now + self.heartbeat;
        }
        taken
    }

    /// When it is to be polled again after this moment, though its task is not
    /// woken.
    pub fn wake_at(&self, now: Instant) -> Option<Instant> {
        let own = [
            self.expiry.wake_at(now),
            self.silence_at,
            Some(self.beat_at),
        ];
        let parts = self.parts.iter().map(Part::wake_at);
        let all = own.into_iter().chain(parts).flatten();
        all.filter(|at| *at > now).min()
    }

    fn step(&mut self, now: Instant, is_in_round: bool) -> Step {
        if !self.is_open {
            self.is_open = true;
            let retry_ms = self.rng.u64(RETRY_MS);
            self.own(&retry(retry_ms));
            self.out.retry_after(retry_ms);
            return Step::More;
        }
        if let Some(time) = self.batch {
            return self.go_on(time);
        }
        if self.is_expired(now) {
            self.say_farewell(REASON_EXPIRED);
            return Step::End(End::Expired);
        }
        if let Some(step) = self.leave_what_ends(now) {
            return step;
        }
        if is_in_round && !self.parts.iter().all(Part::is_followed) {
            return Step::Wait;
        }
        for part in &mut self.parts {
            match part.join(now, &mut self.out) {
                Sent::Nothing => {}
                // The upstream's time went back: no time after the last common one
                // will come for long. The client comes back and starts anew.
                _ if part.is_far_before(self.time) => return Step::End(End::Gone),
                sent => {
                    self.is_owed |= sent == Sent::Rows;
                    return Step::More;
                }
            }
        }
        if self.beat_at <= now {
            self.is_silent = true;
            self.beat_at = now + self.heartbeat;
        }
        match self.begin(now) {
            Step::Wait if self.is_silent && !self.is_last => {
                self.say_again();
                Step::More
            }
            step => step,
        }
    }

    /// Finds the time that the views can be brought to, and begins to.
    fn begin(&mut self, now: Instant) -> Step {
        self.silence_at = None;
        let mut is_any_there = false;
        for part in &mut self.parts {
            match part.look(now) {
                Some(_) => is_any_there = true,
                None if part.is_absent() => {}
                None => return Step::Wait,
            }
        }
        if !is_any_there {
            return Step::Wait;
        }
        let closed = self.parts.iter().filter_map(Part::closed).min();
        for part in &mut self.parts {
            // `upstream` is sent at once. So is the rest of a log that has ended
            // far beyond the others: after time went back, they reach its times
            // only after long. `consistent` never comes in its midst.
            let until = match part.is_leaving || part.has_ended_far_beyond(closed) {
                true => Timestamp::MAX,
                false => Timestamp::MIN,
            };
            match part.send(until, &mut self.out) {
                Sent::Nothing => {}
                Sent::Later => return Step::Wait,
                Sent::Forgotten => return Step::End(End::Slow),
                sent => {
                    self.is_owed |= sent == Sent::Rows;
                    return Step::More;
                }
            }
        }
        self.batch = self.next_time(|_| false);
        if self.batch.is_none() {
            let is_waited_for = |part: &Part| part.is_due(Timestamp::MAX);
            if !self.is_owed && !self.parts.iter().any(is_waited_for) {
                self.held_since = None;
                return Step::Wait;
            }
            let since = *self.held_since.get_or_insert(now);
            let is_quiet = |part: &Part| part.quiet_at(since).is_some_and(|at| at <= now);
            self.batch = self.next_time(is_quiet);
            let times = self.parts.iter().filter_map(|part| part.quiet_at(since));
            self.silence_at = times.filter(|time| *time > now).min();
        }
        match self.batch {
            Some(_) => Step::More,
            None => self.let_one_leave(now),
        }
    }

    /// The latest common time, if there is anything to send up to it. Views that
    /// are quiet are not waited for.
    fn next_time(&self, is_quiet: impl Fn(&Part) -> bool) -> Option<Timestamp> {
        let reaches = |part: &Part| Some((part.reach()?, is_quiet(part)));
        let reaches: Vec<(Reach, bool)> = self.parts.iter().filter_map(reaches).collect();
        let closed = reaches.iter().filter_map(|(reach, is_quiet)| match reach {
            Reach::Closed(head) if !is_quiet => Some(*head),
            _ => None,
        });
        let closed = closed.min();
        let all = reaches.iter().map(|(reach, _)| reach.head());
        let latest = |of: fn(&Part) -> Option<Timestamp>| self.parts.iter().filter_map(of).max();
        let brought = latest(Part::floor).filter(|_| self.time.is_none());
        let is_far = |brought| closed.is_some_and(|closed| is_far_before(closed, brought));
        let floor = match brought {
            Some(brought) if !is_far(brought) => Some(brought),
            // Time went back for one, or what was brought was known ahead. What has
            // not changed since is the same before.
            _ => latest(Part::earliest),
        };
        let is_constant = |(reach, _): &(Reach, bool)| matches!(reach, Reach::Constant(_));
        // If all are quiet, they are unchanged up to the furthest of them, and to
        // the last change of those that are constant by now.
        let known = self.parts.iter().filter_map(Part::changes_until).max();
        let together = known.filter(|_| !reaches.iter().all(is_constant));
        let together = together.map(|time| floor.max(Some(time)));
        // If none can change any more, they are what they are at any later time,
        // also at one that views before them were shown at.
        let for_good = all.max().map(|head| Some(head).max(self.time));
        let at_most = closed.or(together.flatten()).or(for_good.flatten())?;
        let whole_at = |time| self.parts.iter().map(move |part| part.whole_at(time));
        let time = common_time(at_most, |time| whole_at(time).min());
        let is_reached = floor.is_none_or(|floor| floor <= time) && self.time <= Some(time);
        let is_due = |part: &Part| part.is_due(time);
        let is_news = self.is_owed || self.is_silent || self.parts.iter().any(is_due);
        (is_reached && is_news).then_some(time)
    }

    /// Sends all changes up to the common time, and then `consistent`.
    fn go_on(&mut self, time: Timestamp) -> Step {
        for part in &mut self.parts {
            match part.send(time, &mut self.out) {
                Sent::Nothing => {}
                Sent::Later => return Step::Wait,
                Sent::Forgotten => return Step::End(End::Slow),
                Sent::Word => return Step::More,
                Sent::Rows => {
                    self.is_owed = true;
                    return Step::More;
                }
            }
        }
        self.parts.iter_mut().for_each(|part| part.stand(time));
        if self.time < Some(time) {
            self.held_since = None;
        }
        (self.batch, self.time) = (None, Some(time));
        if self.is_owed || self.is_silent {
            self.say_consistent(time);
        }
        Step::More
    }
}

impl Drop for Joint {
    fn drop(&mut self) {
        self.parts.iter().for_each(|part| part.leave(self.end));
        let frames = self.parts.iter().map(|part| part.tally.frames());
        let frames = frames.sum::<u64>().wrapping_add(self.frames);
        self.kept.ended(self.end, frames);
    }
}

#[cfg(test)]
mod tests;
