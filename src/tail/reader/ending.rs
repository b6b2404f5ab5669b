//! What it means that a server has ended a stream as if it were finished.
//!
//! That is how a constant view ends, but on an old server also a dropped one
//! and a cancelled query; and to take a view that changes for a constant one
//! would silence it for good. So what a newer server ends is believed at the
//! second time in a row, only if it ended within the snapshot, as a constant
//! view does, and if a count of the view finds as many rows. An old server puts
//! the rows of a constant view at the end of time; they are counted as well,
//! since a query that is cancelled among them ends in the same way.

use std::time::Instant;

use crate::model::position::Timestamp;
use crate::model::reason::Cause;

use crate::tail::assembler::{Assembler, Unclosed};
use crate::tail::clock::Clock;
use crate::tail::conversation::{Answer, Question, mismatch};
use crate::tail::dialect::Dialect;
use crate::tail::end::End;
use crate::tail::error::TailError;
use crate::tail::held::Held;
use crate::tail::object::Found;
use crate::tail::view_tail::ViewTail;

/// Which answer is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// What the view is now.
    Describing(Dialect),
    /// How many rows it has; so many came.
    Counting(i128),
    /// Whether an old server's view is empty for good.
    CountingNone,
    /// What time it is there: the view is final.
    Timing,
}

/// The next answer to wait for, and its question.
type Next = Result<(Ending, Question), End>;

impl Ending {
    /// The COPY has ended; what the view is now is asked first.
    pub fn new(dialect: Dialect) -> Self {
        Ending::Describing(dialect)
    }

    /// Takes the answer that was waited for.
    pub fn next(
        self,
        tail: &mut ViewTail,
        answer: Result<Answer, TailError>,
        now: Instant,
    ) -> Next {
        match (self, answer) {
            (Ending::Describing(dialect), answer) => match answer? {
                Answer::Found(found) => described(tail, dialect, &found, now),
                _ => Err(mismatch().into()),
            },
            (Ending::Counting(came), Ok(Answer::Count(rows, _))) => match rows == came {
                true => Ok(is_final()),
                false => Err(End::Failed(TailError::Ended)),
            },
            (Ending::Counting(_), Err(error)) => match says_nothing(&error) {
                true => Ok(is_final()),
                false => Err(error.into()),
            },
            // A constant view without rows shows nothing; a SELECT of it is
            // valid to the end of time.
            (Ending::CountingNone, Ok(Answer::Count(0, Timestamp::MAX))) => {
                Err(complete(tail, None, now))
            }
            (Ending::CountingNone, Ok(Answer::Count(..))) => Err(End::Failed(TailError::Ended)),
            (Ending::Timing, Ok(Answer::Now(time))) => Err(complete(tail, time, now)),
            (_, Err(error)) => Err(error.into()),
            (_, Ok(_)) => Err(mismatch().into()),
        }
    }
}

/// What a COPY's end by an error means, by what the catalog says of the view
/// behind it.
pub(super) fn explained(
    tail: &ViewTail,
    error: TailError,
    answer: Result<Answer, TailError>,
) -> End {
    let Ok(Answer::Found(found)) = answer else {
        return End::Failed(error);
    };
    if tail.known.is_refused(found.object.meaning.as_ref()) {
        return End::Failed(error);
    }
    let known = tail.held.description.as_ref();
    if known.map(|known| known.incarnation) != Some(found.description.incarnation) {
        return End::NotReadable(TailError::Replaced);
    }
    match &error {
        // What the stream was read through is gone, an index for one, and the
        // view is there: another stream of it is to be had.
        TailError::Stream(failure)
            if failure.is_undefined_object() && !failure.says_no_cluster() =>
        {
            End::NotReadable(error)
        }
        _ => End::Failed(error),
    }
}

/// What is to be asked of a view that is the same as before, if anything can
/// tell whether it is final.
fn described(tail: &mut ViewTail, dialect: Dialect, found: &Found, now: Instant) -> Next {
    let known = tail.held.description.as_ref();
    if known.map(|known| known.incarnation) != Some(found.description.incarnation) {
        return Err(End::Failed(TailError::Replaced));
    }
    // Asked behind all that came.
    tail.confirm(now);
    let count = |as_of| Question::Count {
        relation: found.object.sql.clone(),
        as_of,
    };
    match dialect {
        Dialect::Subscribe => {
            if !looks_constant(&mut tail.held)? {
                return Err(End::Failed(TailError::Ended));
            }
            let assembler = tail.held.assembler.as_ref();
            Ok(match assembler.and_then(Assembler::unclosed) {
                Some(Unclosed { timestamp, copies }) => {
                    (Ending::Counting(copies), count(Some(timestamp)))
                }
                None => (Ending::Counting(0), count(None)),
            })
        }
        Dialect::Tail => match &tail.held.assembler {
            Some(it) if it.is_untouched() => Ok((Ending::CountingNone, count(None))),
            Some(it) if it.is_at_end_of_time() => match it.unclosed() {
                Some(unclosed) => Ok((Ending::Counting(unclosed.copies), count(None))),
                // An old server does not tell its time.
                None => Err(complete(tail, None, now)),
            },
            _ => Err(End::Failed(TailError::Ended)),
        },
    }
}

/// A newer server has ended a COPY: whether the view is constant, as far as
/// this connection and the one before it can tell.
fn looks_constant(held: &mut Held) -> Result<bool, End> {
    let assembler = held.assembler.as_ref();
    let is_snapshot = assembler.is_some_and(Assembler::awaits_snapshot);
    // Should it not be constant, only a snapshot is worth looking at.
    held.must_snapshot = true;
    if is_snapshot && !held.looked_constant {
        held.looked_constant = true;
        return Err(End::LooksConstant);
    }
    Ok(is_snapshot)
}

/// Whether a server that refuses to count says nothing of the view. One that
/// fails for some row is not final: it may be mended, and what came of it may be
/// a part.
fn says_nothing(error: &TailError) -> bool {
    let is_answered = matches!(error, TailError::Query { failure, .. } if failure.answer.is_some());
    is_answered && error.reason().cause != Cause::Evaluation
}

/// The view is final; since when is told by the time there.
fn is_final() -> (Ending, Question) {
    (Ending::Timing, Question::Now)
}

/// Tells what was collected and that it is final. `time` is the upstream's, as
/// far as it is known.
fn complete(tail: &mut ViewTail, time: Option<Timestamp>, now: Instant) -> End {
    let Some(assembler) = tail.held.assembler.as_mut() else {
        return End::Failed(TailError::Ended);
    };
    let events = match assembler.finish(time) {
        Ok(events) => events,
        Err(error) => return End::Failed(TailError::Assembler(error)),
    };
    let back = time.filter(|time| tail.held.reach.clock.is_back(*time));
    if back.is_some() {
        tail.end_what_became_final(now);
    }
    for event in events {
        tail.tell_closed(Some(event), now);
    }
    if let Some(time) = back {
        // For what never changed this makes no difference; but each probe would
        // find it again, and have the view read again.
        let clock = &mut tail.held.reach.clock;
        *clock = Clock::default();
        clock.set(time, now);
    }
    log::info!(
        "view \"{}\" is constant: its contents are final",
        tail.name()
    );
    End::Complete
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::TailEvent;
    use crate::tail::failure::Failure;
    use crate::tail::settings::{TailSettings, TailView};

    /// The events that are told of a view that was told from one time up to another,
    /// when it is final after the upstream's time went back.
    fn told_after_time_went_back(began: Timestamp, closed: Timestamp) -> Vec<String> {
        let (now, at) = (Instant::now(), Timestamp::new);
        let settings = TailSettings::new(TailView::default());
        let mut tail = ViewTail::new(0, settings, fastrand::Rng::with_seed(1), now);
        (tail.held.began, tail.held.closed) = (Some(began), Some(closed));
        tail.held.must_snapshot = true;
        tail.held.reach.clock.set(at(500_000), now);
        tail.stream_begins(tail.held.start(Dialect::Subscribe));
        tail.confirm(now);
        let assembler = tail.held.assembler.as_mut().unwrap();
        assembler.update(Timestamp::MAX, 1, "{}").unwrap();
        let end = complete(&mut tail, Some(at(100_000)), now);
        assert!(matches!(end, End::Complete));
        assert!(!tail.held.reach.clock.is_back(at(100_000)));
        let told = std::iter::from_fn(|| tail.take_told());
        let words = told.map(|event| match event {
            TailEvent::Snapshot(view) => format!("snapshot {}", view.timestamp()),
            other => format!("{other:?}"),
        });
        words.collect()
    }

    #[test]
    fn ending_is_not_final_where_a_count_fails_for_some_row() {
        let now = Instant::now();
        let settings = TailSettings::new(TailView::default());
        let mut tail = ViewTail::new(0, settings, fastrand::Rng::with_seed(1), now);
        let answers = [
            ("0A000", "counting is not supported", true),
            ("XX000", "Evaluation error: division by zero", false),
        ];
        for (code, message, is_final) in answers {
            let error = TailError::Query {
                what: "the number of rows",
                failure: Failure::answer(code, message),
            };
            let next = Ending::Counting(4).next(&mut tail, Err(error), now);
            assert_eq!(next.is_ok(), is_final, "{message}");
        }
    }

    #[test]
    fn ending_of_what_never_changes_makes_nothing_of_time_that_went_back() {
        let end = Timestamp::MAX;
        let told = told_after_time_went_back(end, end);
        assert_eq!(told, [format!("snapshot {end}"), "Complete".to_owned()]);
    }

    #[test]
    fn ending_of_what_has_changed_tells_that_time_went_back() {
        let at = Timestamp::new(500_000);
        // Also where it has not changed since, and will not.
        for closed in [at, Timestamp::MAX] {
            let told = told_after_time_went_back(at, closed);
            assert_eq!(told[0], "Gone(TimeWentBack)");
            assert_eq!(told.iter().filter(|it| **it == told[0]).count(), 1);
            assert_eq!(told.last().unwrap(), "Complete");
        }
    }
}
