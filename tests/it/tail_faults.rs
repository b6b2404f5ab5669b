//! A tail through everything an upstream does wrong: the rows are right after
//! it, no word is told twice, and nobody waits for ever.

use std::time::{Duration, Instant};

use viewcast::tail::TailError;

use crate::support::materialize::{Generation, Materialize, row};
use crate::tail_support::{Tailed, settings};

const COLUMNS: [(&str, &str); 2] = [("n", "integer"), ("b", "text")];
const BOTH: [Generation; 2] = [Generation::Modern, Generation::Old];

/// A server with a view of two rows, and a tail that has its snapshot.
fn started(generation: Generation) -> (Materialize, Tailed) {
    let server = Materialize::start(generation);
    server.create_view("v", &COLUMNS);
    server.commit("v", vec![(row(["1", "x"]), 2), (row(["2", "y"]), 1)]);
    let mut tailed = Tailed::start(&server, "v");
    tailed.until("snapshot", |it| it.view.is_some());
    (server, tailed)
}

#[test]
fn tail_cut_connection_resumes_after_the_last_closed_timestamp() {
    let (server, mut tailed) = started(Generation::Modern);
    let at = server.commit("v", vec![(row(["1", "x"]), -1)]);
    tailed.same_as(&server, "v", at);
    let closed = tailed.timestamp();
    server.refuse(true);
    server.cut_all();
    tailed.until("lost", |it| it.is_lost);
    let at = server.commit("v", vec![(row(["3", "z"]), 1), (row(["2", "y"]), -1)]);
    server.refuse(false);
    tailed.same_as(&server, "v", at);
    let copies = server.copies();
    assert_eq!(
        copies.last().unwrap(),
        &format!(
            "COPY (SUBSCRIBE [u1 AS \"materialize\".\"public\".\"v\"] WITH (SNAPSHOT = false, \
             PROGRESS) AS OF {closed}) TO STDOUT"
        )
    );
    assert_eq!(
        tailed.told.iter().filter(|it| **it == "snapshot").count(),
        1
    );
    assert_eq!(tailed.told.iter().filter(|it| **it == "lost").count(), 1);
}

#[test]
fn tail_resume_refused_takes_a_snapshot() {
    let (server, mut tailed) = started(Generation::Modern);
    server.restart();
    let at = server.commit("v", vec![(row(["3", "z"]), 1), (row(["2", "y"]), -1)]);
    tailed.same_as(&server, "v", at);
    assert_eq!(
        tailed.told.iter().filter(|it| **it == "snapshot").count(),
        2
    );
}

#[test]
fn tail_history_compacted_away_takes_a_snapshot() {
    let (server, mut tailed) = started(Generation::Modern);
    server.refuse(true);
    server.cut_all();
    tailed.until("lost", |it| it.is_lost);
    let at = server.commit("v", vec![(row(["1", "x"]), -2), (row(["4", "u"]), 1)]);
    server.compact(at);
    server.refuse(false);
    tailed.same_as(&server, "v", at);
    assert_eq!(
        tailed.told.iter().filter(|it| **it == "snapshot").count(),
        2
    );
}

#[test]
fn tail_of_old_server_that_lost_its_rows_shows_them_gone() {
    let (server, mut tailed) = started(Generation::Old);
    server.restart_without_rows();
    tailed.until("second snapshot", |it| {
        it.told.iter().filter(|kind| **kind == "snapshot").count() == 2
    });
    assert!(tailed.rows().is_empty());
    let at = server.commit("v", vec![(row(["9", "new"]), 1)]);
    tailed.same_as(&server, "v", at);
}

#[test]
fn tail_waits_for_an_upstream_that_is_not_up_yet() {
    let server = Materialize::start(Generation::Modern);
    server.refuse(true);
    server.create_view("v", &COLUMNS);
    let mut tailed = Tailed::start(&server, "v");
    tailed.until("lost", |it| it.is_lost);
    server.refuse(false);
    let at = server.commit("v", vec![(row(["1", "x"]), 1)]);
    tailed.same_as(&server, "v", at);
    assert!(tailed.fatal.try_recv().is_err());
}

#[test]
fn tail_of_unknown_view_is_fatal_and_lists_near_names() {
    for generation in BOTH {
        let server = Materialize::start(generation);
        server.create_view("top10", &COLUMNS);
        server.create_view("edits", &COLUMNS);
        let tailed = Tailed::start(&server, "top_10");
        let fatal = tailed.fatal.recv_timeout(Duration::from_secs(10)).unwrap();
        match &fatal {
            TailError::UnknownView { name, near } => {
                assert_eq!(name, "top_10");
                assert_eq!(near, &["top10"]);
            }
            other => panic!("{other:?}"),
        }
        assert!(fatal.hint().unwrap().contains("\"top10\""));
    }
}

#[test]
fn tail_bad_data_of_each_kind_starts_again_with_a_snapshot() {
    let bad: [&[u8]; 14] = [
        b"x\tf\t1\t1\tx\n",
        b"\tf\t1\t1\tx\n",
        b"-5\tf\t1\t1\tx\n",
        b"99999999999999999999\tf\t1\t1\tx\n",
        b"9999999999\tx\t1\t1\tx\n",
        b"9999999999\tf\t0\t1\tx\n",
        b"9999999999\tf\t9223372036854775808\t1\tx\n",
        b"9999999999\tf\t\\N\t1\tx\n",
        b"9999999999\tf\t1\t1\n",
        b"9999999999\tf\t1\t1\tx\ty\n",
        b"9999999999\tt\t\\N\t\\N\n",
        b"9999999999\tf\t1\t1\t\xff\xfe\n",
        b"5\tf\t1\t1\tx\n",
        b"5\tt\t\\N\t\\N\t\\N\n",
    ];
    for bytes in bad {
        let (server, mut tailed) = started(Generation::Modern);
        server.tick_every(Duration::from_millis(20));
        server.inject("v", bytes);
        tailed.until("second snapshot", |it| {
            it.told.iter().filter(|kind| **kind == "snapshot").count() == 2
        });
        let at = server.commit("v", vec![(row(["7", "w"]), 1)]);
        tailed.same_as(&server, "v", at);
        assert!(!tailed.told.contains(&"lost"), "{bytes:?}");
    }
}

#[test]
fn tail_lines_split_over_messages_are_joined() {
    let (server, mut tailed) = started(Generation::Modern);
    for part in [
        &b"99"[..],
        b"999999\tf\t1\t8",
        b"\tsplit\n99999999\tf\t2\t9\tw\n999999990\tt",
        b"\t\\N\t\\N\t\\N\n",
    ] {
        server.inject("v", part);
    }
    // At the rows' own time, though later ones are closed, too.
    tailed.until("the joined row", |it| it.timestamp() == 99_999_999);
    assert_eq!(tailed.rows().get(&row(["8", "split"])), Some(&1));
    assert_eq!(tailed.rows().get(&row(["9", "w"])), Some(&2));
}

#[test]
fn tail_resync_starts_again_with_a_snapshot() {
    let (server, mut tailed) = started(Generation::Modern);
    server.tick();
    tailed.resync("a row would have multiplicity -1");
    server.tick_every(Duration::from_millis(20));
    tailed.until("second snapshot", |it| {
        it.told.iter().filter(|kind| **kind == "snapshot").count() == 2
    });
    let at = server.commit("v", vec![(row(["7", "w"]), 1)]);
    tailed.same_as(&server, "v", at);
}

#[test]
fn tail_dropped_view_is_gone_and_found_again() {
    for generation in BOTH {
        let (server, mut tailed) = started(generation);
        let first = tailed.incarnation;
        server.drop_view("v");
        // An old server goes on streaming what nobody can select any more.
        server.commit("v", vec![(row(["3", "z"]), 1)]);
        tailed.until("gone", |it| it.told.contains(&"gone"));
        server.create_view("v", &COLUMNS);
        let at = server.commit("v", vec![(row(["5", "again"]), 1)]);
        tailed.until("described", |it| it.incarnation.is_some());
        tailed.same_as(&server, "v", at);
        assert_ne!(tailed.incarnation, first);
        assert_eq!(tailed.told.iter().filter(|it| **it == "gone").count(), 1);
    }
}

#[test]
fn tail_view_replaced_at_once_is_gone_then_another() {
    for generation in BOTH {
        let (server, mut tailed) = started(generation);
        server.drop_view("v");
        server.create_view("v", &[("n", "integer"), ("b", "text"), ("c", "text")]);
        let at = server.commit("v", vec![(row(["5", "again", "c"]), 1)]);
        tailed.until("gone", |it| it.told.contains(&"gone"));
        tailed.until("described", |it| it.incarnation.is_some());
        tailed.same_as(&server, "v", at);
    }
}

#[test]
fn tail_of_old_server_ended_by_cascade_or_cancel_is_not_complete() {
    let (server, mut tailed) = started(Generation::Old);
    server.drop_cascade("v");
    tailed.until("gone", |it| it.told.contains(&"gone"));
    let (cancelled, mut other) = started(Generation::Old);
    cancelled.end_streams("v");
    other.until("lost", |it| it.is_lost);
    let at = cancelled.commit("v", vec![(row(["3", "z"]), 1)]);
    other.same_as(&cancelled, "v", at);
    assert!(!tailed.told.contains(&"complete") && !other.told.contains(&"complete"));
}

#[test]
fn tail_of_modern_server_ended_out_of_nowhere_is_not_complete() {
    // After the snapshot, and within one.
    let (server, mut tailed) = started(Generation::Modern);
    server.end_streams("v");
    tailed.until("lost", |it| it.is_lost);
    let at = server.commit("v", vec![(row(["3", "z"]), 1)]);
    tailed.same_as(&server, "v", at);
    let began = server.copies().len();
    server.end_next_copy(2);
    server.restart();
    server.wait_until("another stream", |server| {
        server.copies().len() >= began + 2
    });
    let at = server.commit("v", vec![(row(["4", "u"]), 1)]);
    tailed.same_as(&server, "v", at);
    assert!(!tailed.told.contains(&"complete"));
}

#[test]
fn tail_view_that_fails_is_lost_and_comes_back() {
    let (server, mut tailed) = started(Generation::Modern);
    let message = "Evaluation error: division by zero";
    for _ in 0..3 {
        server.fail_next_copy("XX000", message);
    }
    server.fail_streams("v", "XX000", message);
    tailed.until("lost", |it| it.is_lost);
    let at = server.commit("v", vec![(row(["3", "z"]), 1)]);
    tailed.same_as(&server, "v", at);
    assert_eq!(tailed.told.iter().filter(|it| **it == "lost").count(), 1);
}

#[test]
fn tail_not_readable_yet_is_retried_without_a_word() {
    let server = Materialize::start(Generation::Old);
    server.create_view("v", &COLUMNS);
    server.commit("v", vec![(row(["1", "x"]), 1)]);
    let message = "Dataflow tail-source requested as_of (Antichain { elements: [0] }) not >= since (Antichain { elements: [1] })";
    for _ in 0..3 {
        server.fail_next_copy("XX000", message);
    }
    let mut tailed = Tailed::start(&server, "v");
    tailed.until("snapshot", |it| it.view.is_some());
    assert!(!tailed.told.contains(&"lost"));
    assert_eq!(server.copies().len(), 4);
}

#[test]
fn tail_idle_old_server_is_asked_and_not_lost() {
    let (server, mut tailed) = started(Generation::Old);
    tailed.settle(Duration::from_secs(3));
    assert!(!tailed.told.contains(&"lost"));
    assert_eq!(server.copies().len(), 1);
    let at = server.commit("v", vec![(row(["3", "z"]), 1)]);
    tailed.same_as(&server, "v", at);
}

#[test]
fn tail_hanging_server_is_lost_and_the_reader_is_replaced() {
    for generation in BOTH {
        let (server, mut tailed) = started(generation);
        server.silence(true);
        tailed.until("lost", |it| it.is_lost);
        // The abandoned reader's connection is served too once this ends, and
        // must not be heard.
        server.silence(false);
        for n in 0..5 {
            let n = n.to_string();
            let at = server.commit("v", vec![(row([&n, "z"]), 1)]);
            tailed.same_as(&server, "v", at);
        }
        assert_eq!(tailed.told.iter().filter(|it| **it == "lost").count(), 1);
    }
}

#[test]
fn tail_hanging_stream_of_a_modern_server_is_given_up() {
    let (server, mut tailed) = started(Generation::Modern);
    server.silence_streams(true);
    tailed.until("lost", |it| it.is_lost);
    server.silence_streams(false);
    let at = server.commit("v", vec![(row(["3", "z"]), 1)]);
    tailed.same_as(&server, "v", at);
}

#[test]
fn tail_full_channel_blocks_and_loses_nothing() {
    let server = Materialize::start(Generation::Modern);
    server.create_view("v", &COLUMNS);
    let mut tailed = Tailed::with(&server, settings("v"), 2);
    server.wait_until("the stream", |server| server.streams("v") == 1);
    for n in 0..200 {
        server.commit("v", vec![(row([&n.to_string(), "z"]), 1)]);
    }
    // Longer than the upstream timeout: a full channel is no silence.
    std::thread::sleep(Duration::from_millis(1500));
    tailed.same_as(&server, "v", server.now());
    assert!(!tailed.told.contains(&"lost"));
    assert_eq!(server.copies().len(), 1);
}

#[test]
fn tail_stop_is_quick_whatever_the_upstream_does() {
    for hanging in [false, true] {
        let (server, mut tailed) = started(Generation::Old);
        server.silence(hanging);
        let began = Instant::now();
        tailed.handle.take().unwrap().stop();
        assert!(began.elapsed() < Duration::from_secs(2));
        if !hanging {
            server.wait_until("no stream", |server| server.streams("v") == 0);
            assert!(server.cancels() > 0);
        }
    }
}
