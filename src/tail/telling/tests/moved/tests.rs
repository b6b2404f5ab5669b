//! A view whose name was given to another one.

use super::super::*;

/// What another view of the same columns is like, whose name this is now.
fn moved(change: impl FnOnce(&mut Description)) -> Description {
    let mut other = description("w");
    change(&mut other);
    other
}

#[test]
fn telling_goes_on_with_another_view_of_the_same_columns() {
    let now = Instant::now();
    let mut tail = tail(now);
    tail.describe(description("v"), Why::Recreated, now);
    tail.held.reach.clock.set(at(7_000), now);
    tail.tell(progress(7_000), now);
    told(&mut tail);
    // What is hidden of it is nobody's concern.
    let other = moved(|it| it.kept = Kept::new(vec![false, true]));
    tail.describe(other.clone(), Why::Moved, now);
    assert_eq!(told(&mut tail), [TailEvent::Moved(other)]);
    let snapshot = Start::Snapshot {
        floor: Some(at(7_000)),
        reached: Some(at(7_000)),
    };
    assert_eq!(tail.held.start(Dialect::Subscribe), snapshot);
}

#[test]
fn telling_ends_what_another_view_cannot_go_on_with() {
    let now = Instant::now();
    let named = |name: &str| moved(|it| it.columns = vec![Column::new(name, "integer")]);
    let typed = |of: &str| moved(|it| it.columns = vec![Column::new("n", of)]);
    let plain = || moved(|_| ());
    for (found, closed, why, is_gone) in [
        (plain(), 7_000, Why::Moved, false),
        (typed("integer"), 7_000, Why::Moved, false),
        (plain(), 7_000, Why::Recreated, true),
        (named("m"), 7_000, Why::Moved, true),
        (typed("bigint"), 7_000, Why::Moved, true),
        (moved(|it| it.columns.clear()), 7_000, Why::Moved, true),
        (moved(|it| it.is_steady = false), 7_000, Why::Moved, true),
        // Known ahead of time: what follows would have to wait for that time.
        (plain(), 17_000, Why::Moved, false),
        (plain(), 17_001, Why::Moved, true),
        (plain(), u64::MAX, Why::Moved, true),
    ] {
        let shown = format!("{found:?} {closed} {why:?}");
        let mut tail = tail(now);
        tail.describe(description("v"), Why::Recreated, now);
        tail.held.reach.clock.set(at(7_000), now);
        tail.tell(progress(closed), now);
        told(&mut tail);
        tail.describe(found, why, now);
        let first = told(&mut tail).into_iter().next();
        let expected = is_gone.then_some(TailEvent::Gone(why));
        let first = first.filter(|event| matches!(event, TailEvent::Gone(_)));
        assert_eq!(first, expected, "{shown}");
    }
}

/// The times of one server are those of the other view, too: it went back.
#[test]
fn telling_knows_the_time_of_the_view_before() {
    let now = Instant::now();
    let mut tail = tail(now);
    tail.describe(description("v"), Why::Recreated, now);
    tail.held.reach.clock.set(at(900_000), now);
    tail.tell(progress(900_000), now);
    tail.describe(description("w"), Why::Moved, now);
    told(&mut tail);
    let start = tail.held.start(Dialect::Subscribe);
    tail.stream_begins(start);
    let lines = ["5000\tt\t\\N\t\\N", "5001\tt\t\\N\t\\N"];
    stream(&mut tail, &lines, now);
    let first = told(&mut tail).into_iter().next();
    assert_eq!(first, Some(TailEvent::Gone(Why::TimeWentBack)));
}

/// What never changes is the same before and after. What has become so was something
/// else, at times that will come again.
#[test]
fn telling_ends_what_has_become_final_when_time_went_back() {
    let now = Instant::now();
    for (began, is_ended) in [(7_000, true), (u64::MAX, false)] {
        let mut tail = tail(now);
        tail.describe(description("v"), Why::Recreated, now);
        tail.tell(progress(began), now);
        tail.tell(progress(u64::MAX), now);
        told(&mut tail);
        tail.failed(&TailError::WentBack, now);
        let first = told(&mut tail).into_iter().next();
        let gone = first == Some(TailEvent::Gone(Why::TimeWentBack));
        assert_eq!(gone, is_ended, "{began}");
    }
}
