use std::time::Duration;

use super::super::tests::{after, delta, described, publisher, snapshot, start};
use super::*;
use crate::limits::HISTORY_SETTLED;
use crate::model::event::TailEvent;
use crate::model::now::Now;
use crate::model::position::Position;
use crate::model::reason::Cause;
use crate::model::retention::Resume;
use crate::model::upstream::Word;

fn tell(publisher: &mut Publisher, events: Vec<TailEvent>, now: Now) {
    for event in events {
        assert_eq!(publisher.handle(event, now), None);
        publisher.look(now);
    }
}

fn history(until: u64) -> TailEvent {
    TailEvent::History(Timestamp::new(until))
}

fn progress(at: u64) -> TailEvent {
    TailEvent::Progress(Timestamp::new(at))
}

fn is_shown(publisher: &Publisher) -> bool {
    let status = publisher.shared.status();
    let is_live = status.upstream.word() == Word::Live;
    assert_eq!(is_live, publisher.shared.log().is_some());
    assert_eq!(is_live, status.position.is_some());
    assert_eq!(is_live, status.changed.is_some());
    is_live
}

fn resume(publisher: &Publisher, time: u64) -> Resume {
    let log = publisher.shared.log().unwrap();
    let incarnation = log.lock().terms.current();
    log.lock().resume(Position {
        timestamp: Timestamp::new(time),
        incarnation,
    })
}

#[test]
fn replay_shows_the_view_once_it_is_in_the_present_with_each_time_of_its_past() {
    // What is held back for a while in the present is an entry each in the past.
    for interval in [Duration::ZERO, Duration::from_secs(1)] {
        let now = start();
        let mut publisher = publisher(interval, now);
        publisher
            .shared
            .base_wanted
            .store(true, std::sync::atomic::Ordering::Release);
        let past = vec![described("v"), history(50_000), snapshot(10_000, 2)];
        tell(&mut publisher, past, now);
        for time in [20_000, 20_001, 20_002, 49_998] {
            tell(&mut publisher, vec![delta(time, time, 1)], now);
        }
        tell(&mut publisher, vec![progress(49_999)], now);
        assert!(!is_shown(&publisher));
        assert_eq!(publisher.shared.counters.bases(), 0);
        tell(&mut publisher, vec![progress(50_000)], now);
        assert!(is_shown(&publisher));
        assert_eq!(publisher.shared.counters.bases(), 1);
        assert_eq!(resume(&publisher, 9_999), Resume::Base);
        assert_eq!(resume(&publisher, 50_001), Resume::Ahead);
        for time in [10_000, 20_000, 20_001, 30_000] {
            assert!(
                matches!(resume(&publisher, time), Resume::Deltas(_)),
                "{time}"
            );
        }
        assert!(matches!(resume(&publisher, 49_998), Resume::UpToDate(_)));
        let status = publisher.shared.status();
        assert_eq!(status.changed.unwrap().timestamp.get(), 49_998);
        assert_eq!(status.position.unwrap().timestamp.get(), 50_000);
        // Entries are as old as they are: the log keeps them for a minute.
        tell(
            &mut publisher,
            vec![delta(51_000, 7, 1)],
            after(now, Duration::from_secs(29)),
        );
        assert_ne!(resume(&publisher, 10_000), Resume::Base);
        let late = after(now, Duration::from_secs(31));
        tell(
            &mut publisher,
            vec![delta(81_000, 8, 1), delta(82_000, 9, 1)],
            late,
        );
        publisher.look(after(late, Duration::from_secs(1)));
        assert_eq!(resume(&publisher, 10_000), Resume::Base);
        assert_ne!(resume(&publisher, 49_998), Resume::Base);
    }
}

#[test]
fn replay_is_not_over_because_a_connection_is() {
    let now = start();
    let late = after(now, HISTORY_SETTLED * 2);
    for end in [
        vec![TailEvent::Failed(Cause::Broken.into())],
        vec![TailEvent::Interrupted(Cause::BadData.into())],
        vec![TailEvent::Failed(Cause::Broken.into()), described("v")],
    ] {
        let mut publisher = publisher(Duration::ZERO, now);
        let past = vec![described("v"), history(50_000), snapshot(10_000, 2)];
        tell(&mut publisher, past, now);
        tell(&mut publisher, end, now);
        publisher.look(late);
        assert!(!is_shown(&publisher));
        // It goes on from there, until a later present.
        let past = vec![described("v"), history(60_000), progress(50_000)];
        tell(&mut publisher, past, late);
        assert!(!is_shown(&publisher));
        tell(&mut publisher, vec![delta(60_000, 3, 1)], late);
        assert!(is_shown(&publisher));
        assert!(matches!(resume(&publisher, 10_000), Resume::Deltas(_)));
        // Once it is shown, no past is told any more.
        tell(&mut publisher, vec![described("v"), history(90_000)], late);
        assert!(is_shown(&publisher));
    }
}

#[test]
fn replay_of_a_slow_source_is_over_when_it_comes_forward_no_more() {
    let now = start();
    let mut publisher = publisher(Duration::ZERO, now);
    let past = vec![described("v"), history(900_000), snapshot(10_000, 2)];
    tell(&mut publisher, past, now);
    let mut at = 10_000;
    for second in 1..10 {
        // Ten times as fast as time itself.
        at += 10_000;
        tell(
            &mut publisher,
            vec![progress(at)],
            after(now, Duration::from_secs(second)),
        );
        assert!(!is_shown(&publisher));
    }
    let settled = after(now, Duration::from_secs(9));
    for second in 1..3 {
        at += 1_000;
        tell(
            &mut publisher,
            vec![progress(at)],
            after(settled, Duration::from_secs(second)),
        );
        assert!(!is_shown(&publisher));
    }
    let due = publisher.wake_at().unwrap();
    assert_eq!(due, settled.instant + HISTORY_SETTLED);
    publisher.look(after(settled, HISTORY_SETTLED));
    assert!(is_shown(&publisher));
}

#[test]
fn replay_gives_way_to_a_snapshot_of_the_present() {
    let now = start();
    let mut publisher = publisher(Duration::ZERO, now);
    let past = vec![described("v"), history(50_000), snapshot(10_000, 2)];
    tell(&mut publisher, past, now);
    // A row that is not there.
    let wrong = publisher.handle(delta(20_000, 9, -1), now);
    assert!(
        matches!(wrong, Some(super::super::Again::Inconsistent { held, .. })
        if held == Some(Timestamp::new(10_000)))
    );
    publisher.look(after(now, HISTORY_SETTLED * 2));
    assert!(!is_shown(&publisher));
    tell(
        &mut publisher,
        vec![described("v"), snapshot(40_000, 3)],
        now,
    );
    assert!(is_shown(&publisher));
    assert!(matches!(resume(&publisher, 10_000), Resume::Deltas(_)));
    assert_eq!(resume(&publisher, 20_000), Resume::Base);
}

#[test]
fn replay_of_a_view_that_was_too_large_then_is_given_up_without_a_word() {
    let now = start();
    let mut publisher = publisher(Duration::ZERO, now);
    tell(&mut publisher, vec![described("v"), history(50_000)], now);
    let again = publisher.handle(snapshot(10_000, 60), now);
    assert_eq!(again, Some(super::super::Again::TooLarge));
    assert!(!publisher.shared.upstream().is_gone());
    tell(&mut publisher, vec![progress(20_000)], now);
    assert!(!is_shown(&publisher));
    tell(
        &mut publisher,
        vec![described("v"), snapshot(50_000, 2)],
        now,
    );
    assert!(is_shown(&publisher));
}
