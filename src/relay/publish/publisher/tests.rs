use super::*;
use crate::model::delta::Change;
use crate::model::event::Kept;
use crate::model::position::{Incarnation, Position};
use crate::model::retention::Resume;
use crate::model::row::Row;
use crate::model::view::ViewBuilder;
use crate::relay::event::frame::Kind;
use crate::relay::log::jobs::AtOnce;

const HEARTBEAT: Duration = Duration::from_secs(15);

pub(super) fn publisher(min_interval: Duration, now: Now) -> Publisher {
    let shared = SharedView::new("v".to_owned(), Arc::new(AtOnce), now);
    let settings = Settings {
        heartbeat: HEARTBEAT,
        min_interval,
        retention: RetentionLimits {
            bytes_max: 1 << 20,
            age_ms_max: 60_000,
        },
        view_bytes_max: 400,
        upstream_timeout: Duration::from_secs(30),
    };
    Publisher::new(Arc::new(shared), settings, fastrand::Rng::with_seed(1), now)
}

pub(super) fn start() -> Now {
    Now {
        instant: Instant::now(),
        wall_ms: 1_000_000,
    }
}

pub(super) fn after(now: Now, wait: Duration) -> Now {
    let wall_ms = now.wall_ms + u64::try_from(wait.as_millis()).unwrap();
    let instant = now.instant + wait;
    Now { instant, wall_ms }
}

pub(super) fn described(name: &str) -> TailEvent {
    TailEvent::Described(Description {
        columns: Vec::new(),
        kept: Kept::all(0),
        incarnation: Incarnation::of([name]),
        is_steady: true,
        sql: None,
    })
}

pub(super) fn snapshot(time: u64, rows: u64) -> TailEvent {
    let mut builder = ViewBuilder::new();
    (0..rows).for_each(|row| builder.add(&format!("{{\"row\":{row}}}"), 1));
    TailEvent::Snapshot(builder.finish(Timestamp::new(time)).unwrap())
}

pub(super) fn delta(time: u64, row: u64, diff: i64) -> TailEvent {
    let row = Row::from(format!("{{\"row\":{row}}}").as_str());
    TailEvent::Delta(Delta::new(Timestamp::new(time), vec![Change { row, diff }]))
}

/// Frames in the log: those with changes, and all.
fn frames(publisher: &Publisher) -> (usize, usize) {
    let log = publisher.shared.log().unwrap();
    let state = log.lock();
    let all = state.retention.from(state.retention.first()).unwrap();
    let is_change = |kind: &Kind| matches!(kind, Kind::Delta(delta) if !delta.is_empty());
    let kinds: Vec<_> = all.map(|entry| entry.frame.kind.clone()).collect();
    (kinds.iter().filter(|it| is_change(it)).count(), kinds.len())
}

#[test]
fn publisher_breaks_a_silence_when_it_has_lasted_a_heartbeat() {
    let now = start();
    let mut publisher = publisher(Duration::ZERO, now);
    assert_eq!(publisher.wake_at(), Some(now.instant + HEARTBEAT));
    publisher.look(after(now, HEARTBEAT));
    assert_eq!(publisher.shared.silences(), 1);
    let now = after(now, HEARTBEAT * 3 / 2);
    for event in [described("v"), snapshot(7, 2)] {
        assert_eq!(publisher.handle(event, now), None);
    }
    publisher.look(now);
    assert_eq!(frames(&publisher), (0, 0));
    let due = publisher.wake_at().unwrap();
    assert_eq!(due, now.instant + HEARTBEAT);
    publisher.look(after(now, HEARTBEAT));
    assert_eq!(frames(&publisher), (0, 1));
}

#[test]
fn publisher_holds_back_what_comes_too_soon_until_it_is_due() {
    let (interval, now) = (Duration::from_secs(1), start());
    let mut publisher = publisher(interval, now);
    for event in [
        described("v"),
        snapshot(7, 2),
        delta(8, 3, 1),
        delta(9, 4, 1),
    ] {
        assert_eq!(publisher.handle(event, now), None);
    }
    publisher.look(now);
    assert_eq!(frames(&publisher).0, 1, "after a quiet time the first goes");
    assert_eq!(publisher.wake_at(), Some(now.instant + interval));
    publisher.look(after(now, interval));
    assert_eq!(frames(&publisher).0, 2);
}

#[test]
fn publisher_owns_up_to_a_doubt_that_lasts() {
    let now = start();
    let mut publisher = publisher(Duration::ZERO, now);
    let interrupted = TailEvent::Interrupted(Cause::Broken.into());
    for event in [described("v"), snapshot(7, 2), interrupted] {
        assert_eq!(publisher.handle(event, now), None);
    }
    let patience = publisher.settings.upstream_timeout;
    publisher.look(after(now, HEARTBEAT));
    assert!(publisher.shared.upstream().is_fresh());
    assert_eq!(publisher.wake_at(), Some(now.instant + patience));
    publisher.look(after(now, patience));
    assert!(!publisher.shared.upstream().is_fresh());
}

#[test]
fn publisher_counts_each_failure_that_the_tail_counts_once() {
    let now = start();
    let mut publisher = publisher(Duration::ZERO, now);
    let (changed, changing) = (Why::ColumnsChanged, Cause::Changing.into());
    for (event, expected) in [
        (TailEvent::Failed(Cause::Unreachable.into()), 1),
        (described("v"), 1),
        (snapshot(7, 2), 1),
        (TailEvent::Interrupted(changing), 1),
        (TailEvent::Interrupted(Cause::BadData.into()), 2),
        // Found, with other columns: the stream goes on as another.
        (TailEvent::Gone(changed), 2),
        (described("w"), 2),
        (snapshot(8, 2), 2),
        (TailEvent::Interrupted(changing), 2),
        (TailEvent::Gone(Why::Dropped), 3),
        (TailEvent::Gone(Why::Dropped), 4),
        (TailEvent::Gone(changed), 5),
        (TailEvent::Gone(Why::Renamed), 6),
        (described("v"), 6),
        // The tail says so as well, once it has been told.
        (snapshot(9, 60), 6),
        (TailEvent::Gone(Why::TooLarge), 7),
        (described("v"), 7),
        (snapshot(10, 2), 7),
        (TailEvent::Gone(Why::TimeWentBack), 7),
        (TailEvent::Gone(Why::Moved), 7),
        (TailEvent::Gone(Why::Revoked), 8),
    ] {
        let shown = format!("{event:?}");
        let _ = publisher.handle(event, now);
        let counted = publisher.shared.counters.failures();
        assert_eq!(counted, expected, "by {shown}");
    }
}

#[test]
fn publisher_believes_no_position_from_before_time_went_back() {
    let now = start();
    let mut publisher = publisher(Duration::ZERO, now);
    let resume = |publisher: &Publisher, time: u64| {
        let log = publisher.shared.log().unwrap();
        let incarnation = log.lock().terms.current();
        log.lock().resume(Position {
            timestamp: Timestamp::new(time),
            incarnation,
        })
    };
    let distrusted = TailEvent::Distrusted(Timestamp::new(100));
    let later = || TailEvent::Progress(Timestamp::new(200));
    for event in [described("v"), distrusted, snapshot(10, 2), later()] {
        assert_eq!(publisher.handle(event, now), None);
    }
    assert_eq!(resume(&publisher, 100), Resume::Base);
    assert_ne!(resume(&publisher, 101), Resume::Base);
    // Of another incarnation nothing of the kind is known.
    for event in [described("w"), snapshot(10, 2), later()] {
        assert_eq!(publisher.handle(event, now), None);
    }
    assert_ne!(resume(&publisher, 100), Resume::Base);
}

#[test]
fn publisher_believes_no_position_of_final_contents_that_have_changed() {
    let now = start();
    let mut publisher = publisher(Duration::ZERO, now);
    let end = Timestamp::MAX.get();
    for (time, rows) in [(end, 2), (end, 2), (end, 3), (end, 4)] {
        for event in [described("v"), snapshot(time, rows), TailEvent::Complete] {
            assert_eq!(publisher.handle(event, now), None);
        }
        let log = publisher.shared.log().unwrap();
        let resumed = log.lock().resume(Position {
            timestamp: Timestamp::MAX,
            incarnation: Incarnation::of(["v"]),
        });
        assert_eq!(resumed == Resume::Base, rows > 2, "{rows}");
    }
}

/// Whatever comes: who is woken when it asks to be, and looks, is not to be
/// woken at once again, or a thread would spin.
#[test]
fn publisher_that_has_looked_is_due_later() {
    for seed in 0..300 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut now = start();
        let interval = Duration::from_millis(random.u64(0..3) * 700);
        let mut publisher = publisher(interval, now);
        let mut time = 1;
        for _ in 0..200 {
            time += random.u64(0..4);
            let event = match random.u32(..24) {
                0 => described(["v", "w"][random.usize(..2)]),
                1 | 2 => snapshot(time, random.u64(0..30)),
                3 => TailEvent::Interrupted(Cause::Broken.into()),
                4 => TailEvent::Failed(Cause::Unreachable.into()),
                5 => TailEvent::Gone(Why::TimeWentBack),
                6 if random.bool() => TailEvent::Complete,
                // Behind `Described` or not, as of a tail that is wrong.
                6 => TailEvent::History(Timestamp::new(time + random.u64(0..9_000))),
                7..15 => delta(time, random.u64(0..30), 1),
                15..18 => delta(time, random.u64(0..30), -1),
                _ => TailEvent::Progress(Timestamp::new(time)),
            };
            // To be told to a tail, which there is none of.
            let _ = publisher.handle(event, now);
            if random.bool() {
                publisher.shared.base_wanted.store(true, Ordering::Release);
            }
            publisher.look(now);
            let due = publisher.wake_at().unwrap();
            assert!(due > now.instant, "seed {seed}");
            let wait = match random.bool() {
                true => due - now.instant,
                false => Duration::from_millis(random.u64(0..500)),
            };
            now = after(now, wait);
        }
    }
}

/// The name was given to another view: one entry, and positions of both are good.
#[test]
fn publisher_goes_over_to_another_view_by_one_delta() {
    let now = start();
    let mut publisher = publisher(Duration::ZERO, now);
    let at = |time, of: &str| Position {
        timestamp: Timestamp::new(time),
        incarnation: Incarnation::of([of]),
    };
    let moved = match described("w") {
        TailEvent::Described(description) => TailEvent::Moved(description),
        event => event,
    };
    for event in [described("v"), snapshot(7, 2), delta(8, 3, 1), moved] {
        assert_eq!(publisher.handle(event, now), None);
    }
    let before = publisher.shared.log().unwrap();
    assert_eq!(publisher.shared.status().position, Some(at(8, "v")));
    let distrusted = TailEvent::Distrusted(Timestamp::new(12));
    for event in [distrusted, snapshot(12, 4), delta(15, 9, 1)] {
        assert_eq!(publisher.handle(event, now), None);
    }
    let log = publisher.shared.log().unwrap();
    assert!(Arc::ptr_eq(&before, &log), "the log goes on");
    assert_eq!(publisher.shared.status().position, Some(at(15, "w")));
    assert_eq!(frames(&publisher).0, 3);
    let is_good = |time, of| log.lock().resume(at(time, of)) != Resume::Base;
    for (time, of, good) in [
        (7, "v", true),
        (8, "v", true),
        (9, "v", false),
        (15, "v", false),
        (8, "w", false),
        (12, "w", false),
        (14, "w", true),
        (15, "w", true),
    ] {
        assert_eq!(is_good(time, of), good, "{time} {of}");
    }
    assert!(!log.lock().is_unchanged_since(at(8, "v")));
    assert!(log.lock().is_unchanged_since(at(15, "w")));
}

/// What is final is so at all times to come, also where it was told to stand at a time
/// at which it was something else.
#[test]
fn publisher_shows_what_is_final_though_its_snapshot_is_not_later() {
    let now = start();
    for time in [6, 7] {
        let mut publisher = publisher(Duration::ZERO, now);
        for event in [described("v"), snapshot(7, 2), snapshot(time, 3)] {
            assert_eq!(publisher.handle(event, now), None);
        }
        assert_eq!(publisher.shared.status().rows, 2);
        assert_eq!(publisher.handle(TailEvent::Complete, now), None);
        assert_eq!(publisher.shared.status().rows, 3, "{time}");
        assert_eq!(frames(&publisher).0, 1);
    }
}
