use super::*;

fn at(milliseconds: u64) -> Timestamp {
    Timestamp::new(milliseconds)
}

fn entry(after: u64, timestamp: u64, bytes: u64, at_ms: u64) -> Entry<u64> {
    Entry {
        after: at(after),
        timestamp: at(timestamp),
        has_changes: true,
        bytes,
        at_ms,
        frame: timestamp,
    }
}

/// Base at 100, changes at 110, at 120, and one delta over (120, 150].
fn log() -> Retention<u64> {
    let mut log = Retention::new(at(100));
    log.push(entry(109, 110, 10, 0));
    log.push(entry(119, 120, 10, 5));
    log.push(entry(120, 150, 10, 9));
    log.advance(at(160));
    log
}

fn frames(log: &Retention<u64>, cursor: Cursor) -> Option<Vec<u64>> {
    Some(log.from(cursor)?.map(|entry| entry.frame).collect())
}

#[test]
fn since_within_the_log_gives_what_follows() {
    let log = log();
    for (position, expected) in [
        (100, Some(vec![110, 120, 150])),
        (105, Some(vec![110, 120, 150])),
        (109, Some(vec![110, 120, 150])),
        (110, Some(vec![120, 150])),
        (115, Some(vec![120, 150])),
        (120, Some(vec![150])),
        // Inside a delta that can only be applied whole.
        (121, None),
        (149, None),
    ] {
        let found = match log.since(at(position)) {
            Resume::Deltas(cursor) => frames(&log, cursor),
            other => {
                assert_eq!(other, Resume::Base);
                None
            }
        };
        assert_eq!(found, expected, "position {position}");
    }
    for position in [150, 155, 160] {
        assert_eq!(log.since(at(position)), Resume::UpToDate(log.end()));
    }
    assert_eq!(log.since(at(161)), Resume::Ahead);
    assert_eq!(log.since(at(99)), Resume::Base);
}

#[test]
fn whole_at_is_never_within_an_entry() {
    let log = log();
    for (asked, expected) in [(99, 99), (110, 110), (119, 119), (120, 120), (121, 120)] {
        assert_eq!(log.whole_at(at(asked)), at(expected), "{asked}");
    }
    for (asked, expected) in [(149, 120), (150, 150), (155, 155), (900, 900)] {
        assert_eq!(log.whole_at(at(asked)), at(expected), "{asked}");
    }
}

#[test]
fn unchanged_is_only_what_was_known_since_the_last_changes() {
    let log = log();
    for (asked, expected) in [(149, false), (150, true), (160, true), (161, false)] {
        assert_eq!(log.is_unchanged_since(at(asked)), expected, "{asked}");
    }
}

#[test]
fn prune_by_bytes_and_by_age_moves_the_start() {
    let limits = |bytes_max, age_ms_max| RetentionLimits {
        bytes_max,
        age_ms_max,
    };
    let mut by_bytes = log();
    by_bytes.prune(limits(20, 1_000), 10);
    assert_eq!((by_bytes.start(), by_bytes.bytes()), (at(110), 20));
    let mut by_age = log();
    by_age.prune(limits(1_000, 4), 10);
    assert_eq!((by_age.start(), by_age.bytes()), (at(120), 10));
    assert_eq!(by_age.since(at(119)), Resume::Base);
    let begin = Cursor(0);
    assert_eq!(frames(&by_age, begin), None, "a cursor beyond retention");
}

#[test]
fn follow_from_any_older_copy_makes_the_same_log() {
    let limits = RetentionLimits {
        bytes_max: 35,
        age_ms_max: 1_000,
    };
    let mut log = Retention::new(at(0));
    let mut copies = vec![log.clone()];
    for time in 1..50 {
        log.push(entry(time - 1, time, 10, time));
        log.prune(limits, time);
        copies.push(log.clone());
    }
    for mut copy in copies {
        copy.follow(&log);
        assert_eq!(
            (copy.start(), copy.head(), copy.end()),
            (log.start(), log.head(), log.end())
        );
        assert_eq!(copy.bytes(), log.bytes());
        let Resume::Deltas(cursor) = log.since(log.start()) else {
            panic!("the start of a log can be resumed from");
        };
        assert_eq!(frames(&copy, cursor), frames(&log, cursor));
    }
}
