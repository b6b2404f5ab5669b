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
    if entered.held.is_current || entered.withholds() {
        return Ok(());
    }
    let assembler = entered.held.assembler.as_ref();
    let following = assembler.filter(|it| !it.awaits_snapshot());
    match following.and_then(Assembler::closed) {
        Some(closed) if entered.held.is_ahead(before(progress), Instant::now()) => {
            entered.say(TailEvent::Progress(closed))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::Kept;
    use crate::model::reason::Why;
    use crate::model::row::Column;
    use crate::tail::assembler::Start;
    use crate::tail::gate::Gate;

    /// What is told of a stream that is certain only after these lines.
    fn told(start: Start, reached: u64, lines: &[&str]) -> Vec<TailEvent> {
        let (out, events) = crossbeam_channel::bounded(8);
        let gate = Gate::new("v", out, Box::new(|| {}));
        let mut entered = gate.enter(0).unwrap_or_else(|_| panic!("current"));
        let time = Timestamp::new(reached);
        entered.tell(TailEvent::Progress(time)).ok();
        entered.held.is_current = false;
        entered.held.clock.set(time, Instant::now());
        entered.held.assembler = Some(Assembler::new(start, 1_000));
        entered.held.withheld = Some(Vec::new());
        let columns = [Column {
            name: "n".to_owned(),
            sql_type: "integer".to_owned(),
        }];
        let mut messages = Messages::keeping(&columns, Kept::all(1));
        for line in lines {
            let taken = take(&mut entered, &mut messages, line.as_bytes());
            assert!(taken.is_ok(), "{line}");
        }
        entered.confirm().ok();
        events.try_iter().skip(1).collect()
    }

    #[test]
    fn telling_a_time_that_went_back_says_nothing_of_the_time_before() {
        let reached = Some(Timestamp::new(900_000_000));
        let start = Start::Snapshot {
            floor: reached,
            reached,
        };
        let lines = ["5000\tt\t\\N\t\\N", "5000\tf\t1\t7", "9000000\tt\t\\N\t\\N"];
        let told = told(start, 900_000_000, &lines);
        let times = told.iter().map(|event| match event {
            TailEvent::Gone(Why::TimeWentBack) => 0,
            TailEvent::Snapshot(view) => view.timestamp().get(),
            TailEvent::Progress(timestamp) => timestamp.get(),
            other => panic!("{other:?}"),
        });
        let times: Vec<_> = times.collect();
        assert_eq!(times, [0, 5_000, 8_999_999]);
    }

    #[test]
    fn telling_of_a_stream_that_is_resumed_ahead_of_time_says_once_that_it_stands() {
        let closed = Timestamp::new(900_000_000);
        let lines = ["900000000\tt\t\\N\t\\N", "900000001\tt\t\\N\t\\N"];
        let told = told(Start::Resume(closed), 5_000, &lines);
        assert_eq!(told, [TailEvent::Progress(closed)]);
    }
}
