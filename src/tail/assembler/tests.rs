//! What is closed by what, and what no upstream may send.

use super::*;

fn at(milliseconds: u64) -> Timestamp {
    Timestamp::new(milliseconds)
}

fn snapshot() -> Assembler {
    above(None, None)
}

/// A snapshot after an earlier connection that has closed `floor`, when the
/// upstream's clock had shown `reached`.
fn above(floor: Option<u64>, reached: Option<u64>) -> Assembler {
    let start = Start::Snapshot {
        floor: floor.map(at),
        reached: reached.map(at),
    };
    Assembler::new(start, u64::MAX)
}

/// An event as text: kind, timestamp, rows.
fn shown(event: Option<TailEvent>) -> String {
    match event {
        None => "-".to_string(),
        Some(TailEvent::Snapshot(view)) => {
            let mut rows: Vec<_> = view.rows().map(|(row, n)| format!("{n}{}", row)).collect();
            rows.sort();
            format!("snapshot {} {}", view.timestamp(), rows.join(" "))
        }
        Some(TailEvent::Delta(delta)) => {
            let rows = delta.changes().iter();
            let rows: Vec<_> = rows
                .map(|it| format!("{}{}", it.diff, it.row.text()))
                .collect();
            format!("delta {} {}", delta.timestamp(), rows.join(" "))
        }
        Some(TailEvent::Progress(timestamp)) => format!("progress {timestamp}"),
        Some(TailEvent::Complete) => "complete".to_string(),
        Some(other) => panic!("{other:?}"),
    }
}

/// Runs a script of `t+row`, `t-row` and `t!` (progress); one answer each.
fn run(assembler: &mut Assembler, script: &str) -> Vec<String> {
    let step = |word: &str| {
        let cut = word.find(['+', '-', '!']).unwrap();
        let (time, rest) = word.split_at(cut);
        let time = at(time.parse().unwrap());
        let event = match rest.split_at(1) {
            ("+", row) => assembler.update(time, 1, row),
            ("-", row) => assembler.update(time, -1, row),
            _ => assembler.progress(time),
        };
        let told = event.map_or_else(|error| format!("error: {error}"), shown);
        match assembler.rest() {
            None => told,
            rest => format!("{told}, {}", shown(rest)),
        }
    };
    script.split(' ').map(step).collect()
}

#[test]
fn assembler_modern_snapshot_needs_progress_above_its_time() {
    let told = run(
        &mut snapshot(),
        "10! 10+a 10+a 10+b 11! 12! 20-a 20+c 21! 21! 30!",
    );
    assert_eq!(
        told,
        [
            "-",
            "-",
            "-",
            "-",
            "snapshot 10 1b 2a",
            "progress 11",
            "-",
            "-",
            "delta 20 -1a 1c",
            "-",
            "progress 29"
        ]
    );
}

#[test]
fn assembler_old_snapshot_needs_no_first_progress() {
    let told = run(&mut snapshot(), "10+a 11! 20+b 21!");
    assert_eq!(told, ["-", "snapshot 10 1a", "-", "delta 20 1b"]);
}

#[test]
fn assembler_empty_snapshot_is_told_by_later_progress() {
    assert_eq!(
        run(&mut snapshot(), "10! 10! 11!"),
        ["-", "-", "snapshot 10 "]
    );
    let told = run(&mut snapshot(), "10! 50!");
    assert_eq!(told, ["-", "snapshot 10 , progress 49"]);
}

/// A view that is refreshed now and then is known far ahead, and has been what
/// it is since the time of its rows.
#[test]
fn assembler_tells_rows_at_their_own_time_and_then_how_far_that_holds() {
    let told = run(
        &mut snapshot(),
        "10! 10+a 3600! 3600-a 3600+b 7200! 7200! 10800!",
    );
    assert_eq!(
        told,
        [
            "-",
            "-",
            "snapshot 10 1a, progress 3599",
            "-",
            "-",
            "delta 3600 -1a 1b, progress 7199",
            "-",
            "progress 10799"
        ]
    );
}

#[test]
fn assembler_row_at_a_later_time_closes_the_earlier() {
    let told = run(&mut snapshot(), "10! 10+a 15+b 16+c 16-b 17!");
    assert_eq!(
        told,
        [
            "-",
            "-",
            "snapshot 10 1a",
            "delta 15 1b",
            "-",
            "delta 16 -1b 1c"
        ]
    );
}

#[test]
fn assembler_progress_at_the_rows_own_time_does_not_close_it() {
    let told = run(&mut snapshot(), "10! 10+a 11! 20+b 20! 20+c 21!");
    assert_eq!(
        told,
        ["-", "-", "snapshot 10 1a", "-", "-", "-", "delta 20 1b 1c"]
    );
}

#[test]
fn assembler_snapshot_sums_may_be_negative_until_closed() {
    assert_eq!(
        run(&mut snapshot(), "10-a 10+a 10+b 11!")[3],
        "snapshot 10 1b"
    );
    let told = run(&mut snapshot(), "10-a 11!");
    assert!(
        told[1].starts_with("error: a row would have multiplicity -1"),
        "{told:?}"
    );
}

#[test]
fn assembler_refuses_what_goes_back() {
    for script in [
        "10! 10+a 11! 10+b",
        "10! 10+a 11! 20+b 19+c",
        "10! 10+a 9+a",
        "10! 10+a 30! 29+a",
        "10! 10+a 11! 20! 19!",
        "10! 9!",
        "20+a 18446744073709551615+b 20+c",
    ] {
        let told = run(&mut snapshot(), script);
        assert!(
            told.last().unwrap().starts_with("error: "),
            "{script}: {told:?}"
        );
    }
}

#[test]
fn assembler_snapshot_waits_for_the_floor_and_folds_changes_in() {
    let told = run(
        &mut above(Some(25), Some(25)),
        "10! 10+a 11! 20-a 20+b 21! 26! 27!",
    );
    assert_eq!(
        told,
        [
            "-",
            "-",
            "-",
            "-",
            "-",
            "-",
            "snapshot 25 1b",
            "progress 26"
        ]
    );
}

#[test]
fn assembler_snapshot_of_long_before_is_of_a_time_that_went_back() {
    let far = SNAPSHOT_BEHIND_MS_MAX + 100;
    for (floor, reached, snapshot, is_back) in [
        // The clock has shown what was closed: it went back.
        (far, Some(far), "snapshot 10 1a", true),
        // A restart that reads a little earlier.
        (far, Some(TIME_BACK_MAX_MS + 11), "snapshot 10 1a", false),
        // It was closed ahead of time: that time is still to come.
        (far, Some(20), "-", false),
        (far, None, "-", false),
    ] {
        let mut assembler = above(Some(floor), reached);
        let told = run(&mut assembler, "10! 10+a 11!");
        assert_eq!(told, ["-", "-", snapshot]);
        assert_eq!(assembler.has_gone_back(), is_back, "{floor} {reached:?}");
    }
    // Known as far as before, at once: it need not be closed any further.
    let told = run(&mut above(Some(3_599), Some(10)), "20! 20+a 3600!");
    assert_eq!(told, ["-", "-", "snapshot 3599 1a"]);
    // And further: what it was there, it has been since before.
    let told = run(&mut above(Some(3_599), Some(10)), "20! 20+a 7200!");
    assert_eq!(told, ["-", "-", "snapshot 3599 1a, progress 7199"]);
}

#[test]
fn assembler_resume_shows_only_what_is_after() {
    let told = run(
        &mut Assembler::new(Start::Resume(at(10)), u64::MAX),
        "10! 12! 20+a 21! 30+a 31!",
    );
    assert_eq!(
        told,
        ["-", "progress 11", "-", "delta 20 1a", "-", "delta 30 1a"]
    );
    let told = run(&mut Assembler::new(Start::Resume(at(10)), u64::MAX), "10+a");
    assert!(told[0].starts_with("error: "));
}

#[test]
fn assembler_finish_tells_the_rest_and_completion() {
    let finished = |script: &str| {
        let mut assembler = snapshot();
        if !script.is_empty() {
            run(&mut assembler, script);
        }
        let events = assembler.finish(None).unwrap();
        events
            .into_iter()
            .map(|event| shown(Some(event)))
            .collect::<Vec<_>>()
    };
    let end = u64::MAX;
    assert_eq!(
        finished(&format!("{end}+a")),
        [format!("snapshot {end} 1a"), "complete".to_string()]
    );
    assert_eq!(finished("10! 10+a"), ["snapshot 10 1a", "complete"]);
    assert_eq!(
        finished(""),
        [format!("snapshot {end} "), "complete".to_string()]
    );
    assert_eq!(finished("10! 10+a 11! 20+b"), ["delta 20 1b", "complete"]);
    assert_eq!(finished("10! 10+a 11!"), ["complete"]);
}

/// What is final stands at the end of time, and has become what it is when the
/// upstream was there: who holds what it was is not between the two for ever.
#[test]
fn assembler_finish_says_since_when_it_is_final() {
    let end = u64::MAX;
    let finished = |mut assembler: Assembler, now: Option<u64>| {
        run(&mut assembler, &format!("{end}+a"));
        let events = assembler.finish(now.map(at)).unwrap().into_iter();
        let events: Vec<_> = events.map(|event| shown(Some(event))).collect();
        events.join(", ")
    };
    for (floor, reached, now, since) in [
        (10, Some(10), None, 11),
        (10, Some(50), None, 50),
        (10, Some(50), Some(70), 70),
        // What was reached may be from before time went back, by a little.
        (10, Some(90), Some(70), 70),
        (100, Some(50), Some(70), 101),
    ] {
        assert_eq!(
            finished(above(Some(floor), reached), now),
            format!("snapshot {since} 1a, progress {end}, complete")
        );
    }
    // Final from the beginning, and as before.
    for floor in [None, Some(end)] {
        assert_eq!(
            finished(above(floor, None), Some(70)),
            format!("snapshot {end} 1a, complete")
        );
    }
}

/// Final is then what the view is now; what it was before is of other times.
#[test]
fn assembler_finish_notices_that_time_went_back() {
    let (end, back) = (u64::MAX, SNAPSHOT_BEHIND_MS_MAX + 1);
    for (floor, now, went_back) in [
        (Some(100), 100, true),
        (None, 100, true),
        (Some(100), 101, false),
        // It was final before, and is the same.
        (Some(end), 100, false),
    ] {
        let mut assembler = above(floor, Some(100 + back));
        run(&mut assembler, &format!("{end}+a"));
        let events = assembler.finish(Some(at(now))).unwrap();
        assert_eq!(assembler.has_gone_back(), went_back, "{floor:?} {now}");
        if went_back {
            let first = events.into_iter().next();
            assert_eq!(shown(first), format!("snapshot {end} 1a"));
        }
    }
}

#[test]
fn assembler_found_empty_only_while_nothing_came() {
    let mut assembler = snapshot();
    assert_eq!(shown(assembler.found_empty(at(50))), "snapshot 50 ");
    assert_eq!(run(&mut assembler, "60+a 61!"), ["-", "delta 60 1a"]);
    let mut late = snapshot();
    late.found_empty(at(50));
    assert!(run(&mut late, "50+a")[0].starts_with("error: "));
    let mut begun = snapshot();
    run(&mut begun, "10+a");
    assert_eq!(begun.found_empty(at(50)), None);
}

#[test]
fn assembler_found_complete_only_if_the_count_is_right() {
    let counted = |copies| Unclosed {
        timestamp: at(10),
        copies,
    };
    let mut assembler = snapshot();
    run(&mut assembler, "10+a 10+a");
    assert_eq!(assembler.unclosed(), Some(counted(2)));
    assert_eq!(assembler.found_complete(counted(3)).unwrap(), None);
    let event = assembler.found_complete(counted(2)).unwrap();
    assert_eq!(shown(event), "snapshot 10 2a");
    assert_eq!(assembler.unclosed(), None);
}

/// Counted by the way, it is final since the same time as at the stream's end.
#[test]
fn assembler_found_complete_says_since_when_it_is_final() {
    let mut assembler = above(Some(90), Some(95));
    assembler.update(Timestamp::MAX, 1, "a").unwrap();
    let counted = assembler.unclosed().unwrap();
    let event = assembler.found_complete(counted).unwrap();
    assert_eq!(shown(event), "snapshot 95 1a");
    assert_eq!(assembler.rest(), Some(TailEvent::Progress(Timestamp::MAX)));
    assert_eq!(assembler.finish(None).unwrap(), [TailEvent::Complete]);
}

#[test]
fn assembler_bytes_are_bounded_until_told() {
    let start = Start::Snapshot {
        floor: None,
        reached: None,
    };
    let mut assembler = Assembler::new(start, 3);
    let told = run(&mut assembler, "10+ab 11! 20+cde 21! 30+ab 30+cd");
    assert_eq!(told[3], "delta 20 1cde");
    assert!(told[5].starts_with("error: a snapshot or"), "{told:?}");
}

/// Known ahead of the server's time before, it is final now, and another thing.
#[test]
fn assembler_finish_tells_what_stands_before_the_time_that_was_told() {
    for (lines, expected) in [("60!", "snapshot 90 "), ("60! 60+a", "snapshot 90 1a")] {
        let mut assembler = above(Some(90), Some(60));
        run(&mut assembler, lines);
        let events = assembler.finish(Some(at(60))).unwrap();
        assert_eq!(shown(events.into_iter().next()), expected);
    }
}
