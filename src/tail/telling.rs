//! From one line of a stream to what is told of it.

use std::time::Instant;

use crate::limits::AHEAD_MS_MIN;
use crate::model::event::TailEvent;
use crate::model::position::Timestamp;

use super::assembler::Assembler;
use super::end::End;
use super::error::TailError;
use super::gate::{Entered, Stale};
use super::held::Held;
use super::message::{Message, Messages};

/// Takes one line: what it closes is told.
pub(super) fn take(
    entered: &mut Entered<'_>,
    messages: &mut Messages,
    line: &[u8],
) -> Result<(), End> {
    let message = messages.read(line).map_err(TailError::Message)?;
    // There is one from the start of a stream to its end.
    let Held {
        assembler, clock, ..
    } = &mut *entered.held;
    let assembler = assembler.as_mut().ok_or(Stale)?;
    let event = match message {
        Message::Update {
            timestamp,
            diff,
            row,
        } => {
            if clock.is_news(timestamp) {
                clock.pass(timestamp, Instant::now());
            }
            assembler.update(timestamp, diff, row)
        }
        Message::Progress(timestamp) => {
            let now = Instant::now();
            match assembler.progressed() {
                // Nobody goes beyond what was promised before it has passed.
                Some(promised) => clock.pass(promised, now),
                // A snapshot begins with the present.
                None if assembler.awaits_snapshot() => clock.set(timestamp, now),
                None => {}
            }
            assembler.progress(timestamp)
        }
    };
    let event = event.map_err(TailError::Assembler)?;
    tell(entered, event)?;
    if let Message::Progress(timestamp) = message {
        stand(entered, timestamp)?;
    }
    Ok(())
}

/// Tells what was closed, and that nothing changed since.
pub(super) fn tell(entered: &mut Entered<'_>, event: Option<TailEvent>) -> Result<(), Stale> {
    let Some(event) = event else {
        return Ok(());
    };
    let assembler = entered.held.assembler.as_ref();
    if matches!(event, TailEvent::Snapshot(_)) && assembler.is_some_and(Assembler::has_gone_back) {
        entered.went_back()?;
    }
    entered.say(event)?;
    let rest = entered.held.assembler.as_mut().and_then(Assembler::rest);
    rest.map_or(Ok(()), |rest| entered.say(rest))
}

/// A time so long before this one that steady progress is never there yet.
fn before(progress: Timestamp) -> Timestamp {
    Timestamp::new(progress.get().saturating_sub(AHEAD_MS_MIN))
}

/// A stream that was resumed where the view is known ahead of time has nothing
/// to tell: what is held is what there is.
fn stand(entered: &mut Entered<'_>, progress: Timestamp) -> Result<(), Stale> {
    let held = &entered.held;
    if held.is_current {
        return Ok(());
    }
    let is_following = held
        .assembler
        .as_ref()
        .is_some_and(|it| !it.awaits_snapshot());
    match held.closed.filter(|_| is_following) {
        Some(closed) if held.is_ahead(before(progress), Instant::now()) => {
            entered.say(TailEvent::Progress(closed))
        }
        _ => Ok(()),
    }
}
