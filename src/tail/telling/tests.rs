use super::*;
use crate::limits::{CONTRADICTION_FORGOTTEN, SNAPSHOT_BEHIND_MS_MAX};
use crate::model::event::Kept;
use crate::model::position::Incarnation;
use crate::model::row::Column;
use crate::tail::dialect::Dialect;
use crate::tail::failure::Failure;
use crate::tail::settings::{TailSettings, TailView};
use crate::tail::view_tail::Effect;

mod moved {
    mod tests;
}

fn tail(now: Instant) -> ViewTail {
    let settings = TailSettings::new(TailView::default());
    let mut tail = ViewTail::new(0, settings, fastrand::Rng::with_seed(1), now);
    assert!(tail.take_effect().is_some(), "its first reader");
    tail
}

fn told(tail: &mut ViewTail) -> Vec<TailEvent> {
    std::iter::from_fn(|| tail.take_told()).collect()
}

fn at(milliseconds: u64) -> Timestamp {
    Timestamp::new(milliseconds)
}

fn progress(milliseconds: u64) -> TailEvent {
    TailEvent::Progress(at(milliseconds))
}

/// What is told of a stream that is certain only after these lines.
fn told_of(start: Start, reached: u64, lines: &[&str]) -> Vec<TailEvent> {
    let now = Instant::now();
    let mut tail = tail(now);
    tail.tell(progress(reached), now);
    tail.stream_begins(start);
    tail.held.reach.clock.set(at(reached), now);
    stream(&mut tail, lines, now);
    told(&mut tail).split_off(1)
}

fn columns() -> Vec<Column> {
    let column = Column::new("n", "integer");
    vec![column]
}

/// A stream brings these lines, and is certain after them.
fn stream(tail: &mut ViewTail, lines: &[&str], now: Instant) {
    let mut messages = Messages::keeping(&columns(), Kept::all(1));
    for line in lines {
        let taken = tail.take(&mut messages, line.as_bytes(), now);
        assert!(taken.is_ok(), "{line}");
    }
    tail.confirm(now);
}

fn description(name: &str) -> Description {
    Description {
        columns: columns(),
        kept: Kept::all(1),
        incarnation: Incarnation::of([name]),
        is_steady: true,
        sql: None,
    }
}

#[test]
fn telling_a_time_that_went_back_says_nothing_of_the_time_before() {
    let reached = Some(at(900_000_000));
    let start = Start::Snapshot {
        floor: reached,
        reached,
    };
    let lines = ["5000\tt\t\\N\t\\N", "5000\tf\t1\t7", "9000000\tt\t\\N\t\\N"];
    let told = told_of(start, 900_000_000, &lines);
    let times = told.iter().map(|event| match event {
        TailEvent::Gone(Why::TimeWentBack) => 0,
        TailEvent::Distrusted(timestamp) => timestamp.get(),
        TailEvent::Snapshot(view) => view.timestamp().get(),
        TailEvent::Progress(timestamp) => timestamp.get(),
        other => panic!("{other:?}"),
    });
    let times: Vec<_> = times.collect();
    let others = 900_000_000 + SNAPSHOT_BEHIND_MS_MAX;
    assert_eq!(times, [0, others, 5_000, 8_999_999]);
}

#[test]
fn telling_of_a_stream_that_is_resumed_ahead_of_time_says_once_that_it_stands() {
    let closed = at(900_000_000);
    let lines = ["900000000\tt\t\\N\t\\N", "900000001\tt\t\\N\t\\N"];
    let told = told_of(Start::Resume(closed), 5_000, &lines);
    assert_eq!(told, [TailEvent::Progress(closed)]);
}

#[test]
fn telling_of_a_stream_that_is_resumed_ahead_of_time_does_not_take_its_beginning_for_the_present() {
    let now = Instant::now();
    let mut tail = tail(now);
    let hour = 3_600_000;
    tail.stream_begins(Start::Resume(at(hour)));
    tail.held.reach.clock.set(at(5_000), now);
    let mut messages = Messages::keeping(&[], Kept::all(0));
    let mut reached = Vec::new();
    for line in ["3600000\tt\t\\N", "3600001\tt\t\\N", "7200000\tt\t\\N"] {
        assert!(tail.take(&mut messages, line.as_bytes(), now).is_ok());
        reached.extend(tail.held.reach.clock.reached());
    }
    // What was promised has come when the server goes beyond it.
    assert_eq!(reached, [at(5_000), at(5_000), at(hour + 1)]);
    assert!(!tail.held.reach.clock.is_back(at(hour)));
}

#[test]
fn telling_takes_no_time_from_what_contradicts_what_came_before() {
    let now = Instant::now();
    // Known an hour ahead, and then nonsense.
    for nonsense in ["1000\tt\t\\N\t\\N", "1000\tf\t1\t7"] {
        let mut tail = tail(now);
        let start = Start::Snapshot {
            floor: None,
            reached: None,
        };
        tail.stream_begins(start);
        let lines = ["5000\tt\t\\N\t\\N", "3605000\tt\t\\N\t\\N"];
        stream(&mut tail, &lines, now);
        let mut messages = Messages::keeping(&columns(), Kept::all(1));
        let taken = tail.take(&mut messages, nonsense.as_bytes(), now);
        assert!(taken.is_err(), "{nonsense}");
        assert_eq!(tail.held.reach.clock.reached(), Some(at(5_000)));
    }
}

#[test]
fn telling_keeps_what_was_told_before_a_reader_was_replaced() {
    let now = Instant::now();
    let mut tail = tail(now);
    tail.tell(progress(1), now);
    tail.replace(0, TailError::Replaced);
    // Whoever looked before that acts on an old generation.
    tail.replace(0, TailError::WentBack);
    assert_eq!(tail.generation(), 1);
    let effect = Effect::StartReader {
        generation: 1,
        cause: Some(TailError::Replaced),
    };
    assert_eq!(tail.take_effect(), Some(effect));
    assert_eq!(tail.take_effect(), None);
    tail.tell(progress(2), now);
    assert!(tail.is_backed_up());
    assert_eq!(told(&mut tail), [progress(1), progress(2)]);
    assert!(!tail.is_backed_up());
    assert_eq!(tail.held.closed, Some(at(2)));
}

#[test]
fn telling_tells_each_failure_and_starts_where_what_was_told_ends() {
    let now = Instant::now();
    let mut tail = tail(now);
    tail.tell(progress(7), now);
    tail.failed(&TailError::Ended, now);
    tail.failed(&TailError::Silent { seconds: 1 }, now);
    let floor = Start::Snapshot {
        floor: Some(at(7)),
        reached: None,
    };
    // Silence may mean a time that went back: no resume after it.
    assert_eq!(tail.held.start(Dialect::Subscribe), floor);
    tail.held.must_snapshot = false;
    let start = tail.held.start(Dialect::Subscribe);
    assert_eq!(start, Start::Resume(at(7)));
    assert_eq!(tail.held.start(Dialect::Tail), floor);
    tail.tell(progress(8), now);
    assert!(tail.held.outage.is_none(), "data ended it");
    tail.failed(&TailError::Ended, now);
    let is_failed = |event: &TailEvent| matches!(event, TailEvent::Failed(_));
    let failed = told(&mut tail).into_iter().filter(is_failed);
    assert_eq!(failed.count(), 3);
}

#[test]
fn telling_an_evaluation_error_again_after_a_resume_asks_for_a_snapshot() {
    let now = Instant::now();
    let mut tail = tail(now);
    let failure = Failure::answer("XX000", "Evaluation error: division by zero");
    let error = TailError::Stream(failure);
    let floor = Start::Snapshot {
        floor: Some(at(7)),
        reached: None,
    };
    for expected in [Start::Resume(at(7)), floor, floor] {
        let start = tail.held.start(Dialect::Subscribe);
        tail.stream_begins(start);
        if tail.held.closed.is_none() {
            tail.tell(progress(7), now);
        }
        tail.failed(&error, now);
        assert_eq!(tail.held.start(Dialect::Subscribe), expected);
    }
}

#[test]
fn telling_an_evaluation_error_of_a_view_known_ahead_of_time_asks_for_a_snapshot() {
    let now = Instant::now();
    let mut tail = tail(now);
    tail.tell(progress(900_000_000), now);
    tail.held.reach.clock.set(at(5_000), now);
    tail.stream_begins(tail.held.start(Dialect::Subscribe));
    // A server repeats what was asked for, though it has not come yet.
    stream(&mut tail, &["900000000\tt\t\\N\t\\N"], now);
    assert_eq!(told(&mut tail).last(), Some(&progress(900_000_000)));
    let failure = Failure::answer("XX000", "Evaluation error: division by zero");
    tail.failed(&TailError::Stream(failure), now);
    let start = tail.held.start(Dialect::Subscribe);
    assert!(matches!(start, Start::Snapshot { .. }), "{start:?}");
}

#[test]
fn telling_contradictions_that_come_back_after_each_snapshot_is_one_outage() {
    let mut now = Instant::now();
    let mut tail = tail(now);
    let bad = TailError::Resync {
        reason: "a row twice".to_owned(),
        held: None,
    };
    for attempts in 1..=100 {
        tail.failed(&bad, now);
        tail.tell(progress(attempts), now);
        now += CONTRADICTION_FORGOTTEN / 2;
        tail.remind(now);
        let outage = tail.held.outage.as_ref();
        assert_eq!(outage.map(|it| it.report(now).attempts), Some(attempts));
    }
    now += CONTRADICTION_FORGOTTEN / 2;
    tail.remind(now);
    assert!(tail.held.outage.is_none());
}

#[test]
fn telling_knows_that_time_went_back_only_once_it_was_told() {
    let now = Instant::now();
    let mut tail = tail(now);
    let reached = at(900_000);
    tail.tell(progress(900_000), now);
    tail.held.reach.clock.set(reached, now);
    // A stream that is given up before it was certain what it is of.
    let gone = TailEvent::Gone(Why::TimeWentBack);
    tail.held.withheld = Some(Vec::new());
    tail.say(gone.clone(), now);
    tail.held.withheld = None;
    let start = Start::Snapshot {
        floor: Some(reached),
        reached: Some(reached),
    };
    assert_eq!(tail.held.start(Dialect::Tail), start);
    // The next one, which is.
    tail.held.withheld = Some(Vec::new());
    tail.say(gone.clone(), now);
    tail.confirm(now);
    let start = Start::Snapshot {
        floor: None,
        reached: None,
    };
    assert_eq!(tail.held.start(Dialect::Tail), start);
    let distrusted = TailEvent::Distrusted(at(900_000 + SNAPSHOT_BEHIND_MS_MAX));
    assert_eq!(told(&mut tail), [progress(900_000), gone, distrusted]);
}

#[test]
fn telling_knows_that_time_went_back_while_the_view_was_gone() {
    let now = Instant::now();
    let distrusted = TailEvent::Distrusted(at(900_000_000 + SNAPSHOT_BEHIND_MS_MAX));
    for way in ["renamed", "another", "too large", "served anew"] {
        let mut tail = tail(now);
        tail.describe(description("v"), Why::Recreated, now);
        tail.held.reach.clock.set(at(900_000_000), now);
        tail.tell(progress(900_000_000), now);
        match way {
            "renamed" => {
                let name = "v".to_owned();
                tail.vanished(&TailError::Renamed { name }, now);
            }
            "another" => {
                tail.describe(description("w"), Why::Recreated, now);
                tail.tell(progress(5_000), now);
            }
            "too large" => assert_eq!(tail.is_too_large(&TailError::TooLarge, now), 1),
            _ => {
                let mut settings = TailSettings::new(TailView::default());
                settings.past = tail.past();
                tail = ViewTail::new(0, settings, fastrand::Rng::with_seed(1), now);
            }
        }
        tail.describe(description("v"), Why::Recreated, now);
        told(&mut tail);
        let start = tail.held.start(Dialect::Subscribe);
        tail.stream_begins(start);
        let lines = ["5000\tt\t\\N\t\\N", "5000\tf\t1\t7", "5001\tt\t\\N\t\\N"];
        stream(&mut tail, &lines, now);
        let mut events = told(&mut tail).into_iter();
        let gone = TailEvent::Gone(Why::TimeWentBack);
        assert_eq!(events.next(), Some(gone), "{way}");
        assert_eq!(events.next(), Some(distrusted.clone()), "{way}");
        let third = events.next();
        assert!(matches!(third, Some(TailEvent::Snapshot(_))), "{third:?}");
        // The publisher forgets it with the incarnation.
        tail.describe(description("w"), Why::Recreated, now);
        told(&mut tail);
        tail.describe(description("v"), Why::Recreated, now);
        let last = told(&mut tail).split_off(1);
        let described = TailEvent::Described(description("v"));
        assert_eq!(last, [described, distrusted.clone()], "{way}");
    }
}

#[test]
fn telling_bad_data_is_an_interruption_unless_it_goes_on() {
    let now = Instant::now();
    let mut tail = tail(now);
    let bad = || TailError::Resync {
        reason: "a row twice".to_owned(),
        held: Some(at(5)),
    };
    tail.tell(progress(7), now);
    tail.failed(&bad(), now);
    tail.failed(&bad(), now);
    assert_eq!(tail.held.closed, Some(at(5)));
    let reason = Cause::BadData.into();
    let expected = [TailEvent::Interrupted(reason), TailEvent::Failed(reason)];
    assert_eq!(told(&mut tail).split_off(1), expected);
}
