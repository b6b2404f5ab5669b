use std::time::Duration;

use super::*;
use crate::model::delta::{Change, Delta};
use crate::model::position::Incarnation;
use crate::model::retention::Entry;
use crate::model::row::Row;
use crate::model::window::Layout;
use crate::relay::log::jobs::AtOnce;

/// A log of deltas, of which each third is large.
fn log(deltas: u64) -> LocalLog {
    let position = Position {
        timestamp: Timestamp::MIN,
        incarnation: Incarnation::of(["v"]),
    };
    let (layout, beat) = (Arc::new(Layout::new(&[])), Duration::from_secs(15));
    let log = Log::new(position, None, layout, beat, Arc::new(AtOnce));
    let log = Arc::new(log);
    for time in 1..=deltas {
        let length = if time % 3 == 0 { 100_000 } else { 10 };
        let change = Change {
            row: Row::from("x".repeat(length).as_str()),
            diff: 1,
        };
        let delta = Delta::new(Timestamp::new(time), vec![change]);
        let frame = Frame::delta(delta, position.incarnation);
        log.lock().retention.push(Entry {
            after: Timestamp::new(time - 1),
            timestamp: Timestamp::new(time),
            has_changes: true,
            bytes: frame.bytes_kept(),
            at_ms: 0,
            frame: Arc::new(frame),
        });
    }
    LocalLog::new(log)
}

#[test]
fn local_log_that_is_let_go_ends_who_reads_it() {
    let mut log = log(9);
    let mut places = vec![log.frames.first()];
    (0..9).for_each(|_| places.push(places.last().unwrap().next()));
    let Next::Long(reading, _) = log.single(places[2], &Form::CHUNK) else {
        panic!("a large delta");
    };
    assert!(!reading.is_given_up());
    log.forget();
    assert!(reading.is_given_up());
    log.follow(Instant::now());
    for place in places {
        assert!(log.is_forgotten(place));
        assert!(matches!(log.next(place, &Form::CHUNK), Next::Forgotten));
        assert!(matches!(log.due(place, Timestamp::MAX), Due::Forgotten));
    }
}

#[test]
fn local_log_gives_a_large_delta_that_is_forgotten_to_nobody() {
    let mut log = log(3);
    let place = log.frames.first().next().next();
    let Next::Long(reading, _) = log.next(place, &Form::EVENT) else {
        panic!("a large delta");
    };
    {
        let source = Arc::clone(&log.source);
        let limits = crate::model::retention::RetentionLimits {
            bytes_max: 0,
            age_ms_max: 0,
        };
        source.lock().retention.prune(limits, 1);
    }
    log.follow(Instant::now());
    assert!(reading.is_given_up());
    assert!(matches!(log.next(place, &Form::EVENT), Next::Forgotten));
}
