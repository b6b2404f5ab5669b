//! What a tail tells its publisher, and what it knows afterwards.

use std::time::Instant;

use crate::limits::AHEAD_MS_MIN;
use crate::model::event::{Description, TailEvent};
use crate::model::position::Timestamp;
use crate::model::reason::{Cause, Why};

use super::assembler::{Assembler, Start};
use super::end::End;
use super::error::TailError;
use super::held::{Held, History};
use super::message::{Message, Messages};
use super::view_tail::{Phase, ViewTail};

impl ViewTail {
    /// Takes one line of the stream: what it closes is told.
    pub(super) fn take(
        &mut self,
        messages: &mut Messages,
        line: &[u8],
        now: Instant,
    ) -> Result<(), End> {
        let message = messages.read(line).map_err(TailError::Message)?;
        let Held {
            assembler,
            reach,
            history,
            ..
        } = &mut self.held;
        let clock = &mut reach.clock;
        // There is one from the start of a stream to its end.
        let assembler = assembler.as_mut().ok_or(TailError::Ended)?;
        let event = match message {
            Message::Update {
                timestamp,
                diff,
                row,
            } => {
                let event = assembler.update(timestamp, diff, row);
                // What contradicts what came before tells no time.
                if event.is_ok() && clock.is_news(timestamp) {
                    clock.pass(timestamp, now);
                }
                event
            }
            Message::Progress(timestamp) => {
                let promised = assembler.promised();
                let is_first = assembler.awaits_snapshot();
                let event = assembler.progress(timestamp);
                match promised.filter(|_| event.is_ok()) {
                    // Nobody goes beyond what was promised before it has passed.
                    Some(promised) if timestamp > promised => clock.pass(promised, now),
                    // A snapshot begins with the present, unless it is of the past.
                    None if is_first && event.is_ok() && !history.is_read() => {
                        clock.set(timestamp, now);
                    }
                    Some(_) | None => {}
                }
                event
            }
        };
        let event = event.map_err(TailError::Assembler)?;
        self.tell_closed(event, now);
        if let Message::Progress(timestamp) = message {
            self.stand(timestamp, now);
        }
        Ok(())
    }

    /// Tells what was closed, and that nothing changed since.
    pub(super) fn tell_closed(&mut self, event: Option<TailEvent>, now: Instant) {
        let Some(event) = event else {
            return;
        };
        let assembler = self.held.assembler.as_ref();
        if matches!(event, TailEvent::Snapshot(_))
            && assembler.is_some_and(Assembler::has_gone_back)
        {
            // What follows is of before what was told. The publisher may hold
            // something even where nothing is known as told any more.
            self.say(TailEvent::Gone(Why::TimeWentBack), now);
        }
        self.say(event, now);
        let rest = self.held.assembler.as_mut().and_then(Assembler::rest);
        if let Some(rest) = rest {
            self.say(rest, now);
        }
    }

    /// A stream that was resumed where the view is known ahead of time has
    /// nothing to tell: what is held is what there is.
    fn stand(&mut self, progress: Timestamp, now: Instant) {
        if self.held.is_current || self.withholds() {
            return;
        }
        let assembler = self.held.assembler.as_ref();
        let following = assembler.filter(|it| !it.awaits_snapshot());
        if let Some(closed) = following.and_then(Assembler::closed)
            && self.held.is_ahead(before(progress), now)
        {
            self.say(TailEvent::Progress(closed), now);
        }
    }

    /// A stream begins.
    pub(super) fn stream_begins(&mut self, start: Start) {
        let bytes_max = self.settings().unclosed_bytes_max;
        let held = &mut self.held;
        held.assembler = Some(Assembler::new(start, bytes_max));
        held.withheld = Some(Vec::new());
        held.verdict = None;
        held.is_current = false;
        held.streams = held.streams.wrapping_add(1);
        let position = self.held.position();
        log::info!(
            "view \"{}\": streaming from position {position}",
            self.name()
        );
        self.set_phase(Phase::Streaming);
    }

    /// Whether it is certain what the current stream is of.
    pub(super) fn is_confirmed(&self) -> bool {
        self.held.withheld.is_none()
    }

    /// Whether something waits for that.
    pub(super) fn withholds(&self) -> bool {
        let withheld = self.held.withheld.as_ref();
        withheld.is_some_and(|events| !events.is_empty())
    }

    /// Tells an event of the stream, or keeps it until it is certain what the
    /// stream is of.
    pub(super) fn say(&mut self, event: TailEvent, now: Instant) {
        match &mut self.held.withheld {
            Some(events) => events.push(event),
            None => self.tell(event, now),
        }
    }

    /// The stream is of the view: tells what was kept.
    pub(super) fn confirm(&mut self, now: Instant) {
        for event in self.held.withheld.take().unwrap_or_default() {
            self.tell(event, now);
        }
    }

    /// Tells an event.
    pub(super) fn tell(&mut self, event: TailEvent, now: Instant) {
        let closed = match &event {
            TailEvent::Snapshot(view) => Some(view.timestamp()),
            TailEvent::Delta(delta) => Some(delta.timestamp()),
            TailEvent::Progress(timestamp) => Some(*timestamp),
            _ => None,
        };
        if let Some(closed) = closed {
            if self.held.closed.is_none() {
                self.held.began = Some(closed);
            }
            self.held.closed = Some(closed);
            self.held.reach.tell(closed);
            self.held.history.reach(closed);
            self.held.is_current = true;
            self.recover(now);
        }
        if let TailEvent::Snapshot(view) = &event {
            self.held.must_snapshot = false;
            let clock = &mut self.held.reach.clock;
            if clock.reached().is_none() {
                clock.set(view.timestamp(), now);
            }
        }
        // Not before it is told: what is withheld may never be.
        let went_back = event == TailEvent::Gone(Why::TimeWentBack);
        self.deliver(event);
        if went_back {
            self.held.closed = None;
            self.held.history.end();
            self.held.reach.go_back();
            self.tell_distrusted();
        }
    }

    /// Tells which positions are not to be believed, if there are any.
    fn tell_distrusted(&mut self) {
        if let Some(distrusted) = self.held.reach.distrusted() {
            self.deliver(TailEvent::Distrusted(distrusted));
        }
    }

    /// Takes what a view is at the beginning of a connection, and tells it;
    /// `became` is what became of the one before it, if it is another.
    pub(super) fn describe(&mut self, found: Description, became: Why, now: Instant) {
        self.held.was_found = true;
        self.leave_stream();
        let known = self.held.description.as_ref().map(|it| it.incarnation);
        let is_another = known != Some(found.incarnation);
        let goes_on = is_another && became == Why::Moved && self.held.goes_on_with(&found, now);
        let clock = self.held.reach.clock;
        if goes_on {
            self.held.go_over();
        } else if is_another && known.is_some() {
            self.gone(became, now);
        }
        if is_another {
            self.held.reach = self.held.past.take(&found.incarnation);
            self.held.history = History::default();
        }
        self.held.description = Some(found.clone());
        if goes_on {
            self.held.reach.come_back(clock);
            self.tell(TailEvent::Moved(found), now);
        } else {
            self.tell(TailEvent::Described(found), now);
        }
        if is_another {
            self.tell_distrusted();
        }
    }

    /// Nothing of the last stream is waited for any more.
    fn leave_stream(&mut self) {
        self.held.assembler = None;
        self.held.withheld = None;
    }

    /// Tells that the view is gone; the next one of its name is another.
    fn gone(&mut self, why: Why, now: Instant) {
        self.leave_stream();
        self.held.looked_constant = false;
        self.held.closed = None;
        self.held.history.end();
        // Times of one view say nothing about another; but it may be back.
        self.held.put_aside();
        self.tell(TailEvent::Gone(why), now);
    }

    /// Tells that a view that was there is not any more.
    pub(super) fn vanished(&mut self, error: &TailError, now: Instant) {
        let why = match error {
            TailError::UnknownColumn { .. } => Why::ColumnsChanged,
            TailError::Renamed { .. } => Why::Renamed,
            error if error.is_denied() => Why::Revoked,
            _ => Why::Dropped,
        };
        self.gone(why, now);
        self.held.failures = self.held.failures.saturating_add(1);
        let level = match why {
            // Somebody may have to grant it.
            Why::Revoked => log::Level::Warn,
            _ => log::Level::Info,
        };
        self.note(error, level, now);
    }

    /// Tells that the view is larger than it may be; how often in a row.
    pub(super) fn is_too_large(&mut self, error: &TailError, now: Instant) -> u32 {
        self.leave_stream();
        self.held.looked_constant = false;
        self.held.closed = None;
        self.held.history.end();
        self.held.must_snapshot = true;
        self.held.too_large = self.held.too_large.saturating_add(1);
        match error {
            // The publisher has said so, once.
            TailError::TooLarge => log::debug!("view \"{}\": {error}", self.name()),
            _ => self.note(error, log::Level::Error, now),
        }
        self.tell(TailEvent::Gone(Why::TooLarge), now);
        self.held.too_large
    }

    /// Tells that the stream has ended, and that the next connection is to
    /// show at once what that means.
    pub(super) fn interrupted(&mut self, now: Instant) {
        self.tell(TailEvent::Interrupted(Cause::Changing.into()), now);
    }

    /// Counts a failure, logs it unless it is known, and tells it.
    pub(super) fn failed(&mut self, error: &TailError, now: Instant) {
        let assembler = self.held.assembler.as_ref();
        let is_in_vain = assembler
            .is_some_and(|it| it.is_where_it_began() || it.is_resumed() && !self.held.is_current);
        self.leave_stream();
        self.held.looked_constant = false;
        self.held.failures = self.held.failures.saturating_add(1);
        self.note(error, log::Level::Error, now);
        let reason = error.reason();
        if is_in_vain && reason.cause == Cause::Evaluation {
            // Resumed before the fault, the stream would show it for as long
            // as the server retains it, though it is mended.
            self.held.must_snapshot = true;
        }
        if let TailError::Resync { held, .. } = error {
            // The publisher has not taken in all that was told as closed.
            self.held.closed = *held;
        }
        if error.is_bad_data() {
            self.held.must_snapshot = true;
            // The connection is well: the next snapshot comes within the
            // second, unless this goes on.
            if self.held.failures < 2 {
                return self.tell(TailEvent::Interrupted(reason), now);
            }
        }
        if matches!(error, TailError::WentBack) {
            self.end_what_became_final(now);
        }
        if let TailError::Silent { .. } | TailError::WentBack = error {
            // Resumed after a time that a server has gone back behind, the
            // stream would be silent until that time comes again.
            self.held.must_snapshot = true;
        }
        self.tell(TailEvent::Failed(reason), now);
    }

    /// Time went back. The last change of what has become final would be waited for
    /// until time has come as far again.
    pub(super) fn end_what_became_final(&mut self, now: Instant) {
        if self.held.has_become_final() {
            self.tell(TailEvent::Gone(Why::TimeWentBack), now);
        }
    }

    /// Logs an outage that lasts, at growing intervals.
    pub(super) fn remind(&mut self, now: Instant) {
        if self.held.outage.is_some() {
            let view = self.view().clone();
            self.held.remind(&view.name, now);
        }
    }

    /// Data came.
    fn recover(&mut self, now: Instant) {
        if self.held.outage.is_some() {
            let view = self.view().clone();
            self.held.recover(&view.name, now);
        }
    }

    fn note(&mut self, error: &TailError, level: log::Level, now: Instant) {
        let view = self.view().clone();
        self.held.note(&view.name, error, level, now);
    }
}

/// A time so long before this one that steady progress is never there yet.
fn before(progress: Timestamp) -> Timestamp {
    Timestamp::new(progress.get().saturating_sub(AHEAD_MS_MIN))
}

#[cfg(test)]
mod tests;
