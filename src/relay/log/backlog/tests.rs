use std::time::Duration;

use super::*;
use crate::model::delta::{Change, Delta};
use crate::model::position::{Incarnation, Timestamp};
use crate::model::retention::{Entry, RetentionLimits};
use crate::model::row::Row;
use crate::model::window::Layout;
use crate::relay::event::frame::Frame;
use crate::relay::event::long_event::Slice;
use crate::relay::log::jobs::AtOnce;

fn incarnation() -> Incarnation {
    Incarnation::of(["v"])
}

fn log() -> Log {
    let position = Position {
        timestamp: Timestamp::MIN,
        incarnation: incarnation(),
    };
    let layout = Arc::new(Layout::new(&[]));
    Log::new(
        position,
        None,
        layout,
        Duration::from_secs(15),
        Arc::new(AtOnce),
    )
}

fn delta(time: u64, changes: &[(u64, i64)]) -> Delta {
    let change = |(row, diff): &(u64, i64)| Change {
        row: Row::from(format!("{{\"row\":{row}}}").as_str()),
        diff: *diff,
    };
    Delta::new(Timestamp::new(time), changes.iter().map(change).collect())
}

fn push(log: &Log, frame: Frame, time: u64) {
    let mut state = log.lock();
    state.retention.push(Entry {
        after: Timestamp::new(time - 1),
        timestamp: Timestamp::new(time),
        has_changes: true,
        bytes: frame.bytes_kept(),
        at_ms: time,
        frame: Arc::new(frame),
    });
}

fn merge(from: u64, to: u64) -> Merge {
    Merge {
        from: Cursor::at(from),
        to: Cursor::at(to),
        of: None,
        state: Mutex::default(),
        waiting: AtomicUsize::new(0),
    }
}

/// The event as it is merged here.
fn event(log: &Log, from: u64, to: u64) -> Option<String> {
    let (merged, _kept) = merged(log, &merge(from, to), &Form::EVENT);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    match merged {
        Merged::Short(event) => Some(text(&event.event())),
        Merged::Long(long) => {
            let mut reading = Reading::new(&long.upgrade().unwrap(), Extent::Event);
            let mut bytes = Vec::new();
            while let Slice::Bytes(piece) = reading.next(&Form::EVENT) {
                bytes.extend_from_slice(&piece.bytes);
            }
            Some(text(&bytes))
        }
        Merged::Nothing => None,
        other => panic!("{other:?}"),
    }
}

/// The event as it is merged in one go.
fn expected(log: &Log, from: u64, to: u64) -> Option<String> {
    let state = log.lock();
    let entries = state.retention.from(Cursor::at(from)).unwrap();
    let count = usize::try_from(to - from).unwrap();
    let frames: Vec<_> = entries
        .take(count)
        .map(|it| Arc::clone(&it.frame))
        .collect();
    let delta = Delta::merge(frames.iter().filter_map(|frame| frame.changes()))?;
    let position = Position {
        timestamp: delta.timestamp(),
        incarnation: incarnation(),
    };
    let is_moving = frames.iter().any(|frame| frame.has_id);
    let bytes = is_moving.then(|| encode_delta(&delta, position).event());
    bytes.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
}

#[test]
fn oracle_merge_of_any_part_of_a_log_is_that_of_its_deltas() {
    for seed in 0..3 {
        let mut random = fastrand::Rng::with_seed(seed);
        let log = log();
        let mut end = 0;
        for _ in 0..12 {
            for _ in 0..random.u64(1..900) {
                end += 1;
                let frame = match random.u32(..20) {
                    0 => Frame::heartbeat_in_place(Timestamp::new(end)),
                    _ => {
                        let changes: Vec<_> = (0..random.usize(..6))
                            .map(|_| (random.u64(..4000), random.i64(-2..3)))
                            .collect();
                        Frame::delta(delta(end, &changes), incarnation())
                    }
                };
                push(&log, frame, end);
            }
            let limits = RetentionLimits {
                bytes_max: 1 << 20,
                age_ms_max: u64::MAX,
            };
            let first = {
                let mut state = log.lock();
                state.retention.prune(limits, end);
                let first = state.retention.first();
                state.runs.forget_before(first);
                state.long_backlogs.tidy(limits.bytes_max);
                first.number()
            };
            for _ in 0..40 {
                let from = random.u64(first..end);
                let to = random.u64(from + 1..=end);
                assert!(
                    event(&log, from, to) == expected(&log, from, to),
                    "{from} to {to}"
                );
            }
        }
        assert!(end > 2000, "{end}");
    }
}

#[test]
fn merge_of_what_is_forgotten_says_so() {
    let log = log();
    (1..100).for_each(|time| {
        push(
            &log,
            Frame::delta(delta(time, &[(time, 1)]), incarnation()),
            time,
        )
    });
    let limits = RetentionLimits {
        bytes_max: u64::MAX,
        age_ms_max: 10,
    };
    log.lock().retention.prune(limits, 99);
    let (merged, _) = merged(&log, &merge(0, 99), &Form::EVENT);
    assert!(matches!(merged, Merged::Forgotten), "{merged:?}");
}

#[test]
fn merge_runs_are_bounded_by_what_the_log_may_keep() {
    let log = log();
    for time in 1..=4096 {
        push(
            &log,
            Frame::delta(delta(time, &[(time, 1)]), incarnation()),
            time,
        );
    }
    for bytes_max in [0, 1 << 16, 1 << 30] {
        log.lock().long_backlogs.tidy(bytes_max);
        for from in [0, 1, 31, 33, 1024, 4000] {
            assert!(event(&log, from, 4096) == expected(&log, from, 4096));
        }
        let bytes = log.lock().runs.bytes();
        assert!(bytes <= bytes_max / 4, "{bytes}");
        assert!(bytes > 0 || bytes_max == 0);
    }
    let mut state = log.lock();
    state.runs.forget_before(Cursor::at(4096));
    assert_eq!(state.runs.bytes(), 0);
}

#[test]
fn merges_that_are_large_are_few_whoever_reads_them() {
    let log = log();
    for time in 1..=400 {
        let changes: Vec<_> = (0..30).map(|row| (time * 100 + row, 1)).collect();
        push(
            &log,
            Frame::delta(delta(time, &changes), incarnation()),
            time,
        );
    }
    log.lock().long_backlogs.tidy(1 << 20);
    let mut readings = Vec::new();
    for from in 0..20 {
        let (merged, _kept) = merged(&log, &merge(from, 400), &Form::EVENT);
        let Merged::Long(long) = merged else {
            panic!("{merged:?}");
        };
        readings.push(Reading::new(&long.upgrade().unwrap(), Extent::Event));
    }
    let held = readings.iter().filter(|it| !it.is_given_up()).count();
    assert!(held <= 3, "{held}");
    assert!(!readings.last().unwrap().is_given_up());
}

#[test]
fn block_is_the_largest_that_fits() {
    for (from, to, end) in [
        (0, 1, 1),
        (0, 31, 1),
        (0, 32, 32),
        (1, 4000, 2),
        (32, 1024, 64),
        (1024, 2048, 2048),
        (1024, 40_000, 2048),
        (0, 40_000, 32_768),
    ] {
        assert_eq!(
            Block::largest(from, to).map(Block::end),
            Some(end),
            "{from} to {to}"
        );
    }
    assert_eq!(Block::largest(7, 7), None);
}
