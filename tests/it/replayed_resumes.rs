//! The recorded streams once more, cut after their snapshot: what a gateway is
//! given when it comes back, and what its clients are told of it. On the newer
//! server that is the rest of the stream, `AS OF` where it was; on the old one a
//! snapshot. Either way it is one delta.

use std::time::Instant;

use crate::replayed::{
    Case, cases, cases_of, gateway_of, generation, next, open_all, server_of, views_of,
};
use crate::support::materialize::{Generation, Play};
use crate::support::sse::Stream;
use crate::support::table::{Rows, Table};
use crate::transcripts::claims::Claim;
use crate::transcripts::recorded::progress;

/// Milliseconds from the beginning of time to after the last recording: a server whose
/// time is before what it has told is not resumed.
const LATER_MS: u64 = 1_900_000_000_000;

/// A recorded stream in two pieces.
struct Cut {
    case: Case,
    /// The last time that the first piece closes.
    closed: u64,
    before: Vec<Vec<u8>>,
    after: Vec<Vec<u8>>,
    /// The rows when all is told, and up to which time that is.
    rows: Rows,
    end: u64,
}

impl Cut {
    /// Cuts a stream where its first rows are complete; `None` if it has no such
    /// place, or ends there.
    fn of(case: Case) -> Option<Self> {
        let recorded = &case.recorded;
        let at = recorded.closes_at().filter(|_| !recorded.is_final())?;
        let end = recorded.end()?;
        let (lines, times) = (recorded.lines(), recorded.times());
        // A progress row closes what is below it; a later change, what it is not.
        let (closed, first_after) = match lines[at].change {
            None => (times[at] - 1, at + 1),
            Some(_) => (times[0], at),
        };
        if closed >= end {
            return None;
        }
        let mut before = recorded.chunks[..first_after].to_vec();
        if first_after == at {
            before.push(progress(closed + 1, recorded.width));
        }
        Some(Cut {
            closed,
            before,
            after: recorded.chunks[first_after..].to_vec(),
            rows: recorded.rows_at(end),
            end,
            case,
        })
    }

    fn first(&self) -> Vec<Play> {
        let mut script = vec![Play::copy_out(self.case.recorded.width)];
        script.extend(self.before.iter().map(|chunk| Play::data(chunk)));
        script.extend([Play::Gate(1), Play::Close]);
        script
    }

    /// In one piece, as a server sends what is there already.
    fn second(&self, generation: Generation) -> Vec<Play> {
        let recorded = &self.case.recorded;
        let mut chunks = match generation {
            // As `options` shows: progress where the client was, no rows of it.
            Generation::Modern => vec![progress(self.closed, recorded.width)],
            Generation::Old => snapshot(&self.case, self.end),
        };
        match generation {
            Generation::Modern => chunks.extend(self.after.clone()),
            Generation::Old => chunks.push(progress(self.end + 1, recorded.width)),
        }
        let mut messages = vec![Play::copy_out(recorded.width)];
        messages.extend(chunks.iter().map(|chunk| Play::data(chunk)));
        vec![Play::together(messages.into_iter()), Play::Idle]
    }

    /// Follows a client over the cut.
    fn follow(&self, stream: &mut Stream, table: &mut Table) {
        let name = &self.case.name;
        let before = table.rows.clone();
        assert_eq!(before, self.case.recorded.rows_at(self.closed), "{name}");
        let (deltas, begun) = (table.deltas, Instant::now());
        while table.timestamp < Some(self.end) || table.upstream.as_deref() != Some("\"live\"") {
            table.apply(&next(stream, begun, name));
            self.case.check(table);
        }
        assert_eq!(table.rows, self.rows, "{name} in the end");
        assert_eq!(table.bases, 1, "{name}");
        let expected = usize::from(before != self.rows);
        assert_eq!(
            table.deltas - deltas,
            expected,
            "{name}: one delta, or none"
        );
    }
}

/// The rows at a time as an old server's snapshot.
fn snapshot(case: &Case, time: u64) -> Vec<Vec<u8>> {
    let mut sum: std::collections::BTreeMap<Vec<u8>, i64> = std::collections::BTreeMap::new();
    for chunk in &case.recorded.chunks {
        let text = String::from_utf8(chunk.clone()).unwrap();
        let fields: Vec<&str> = text.splitn(4, '\t').collect();
        if fields[1] == "f" && fields[0].parse::<u64>().unwrap() <= time {
            let diff: i64 = fields[2].parse().unwrap();
            *sum.entry(fields[3].as_bytes().to_vec()).or_default() += diff;
        }
    }
    sum.retain(|_, diff| *diff != 0);
    let line =
        |(row, diff): (Vec<u8>, i64)| [format!("{time}\tf\t{diff}\t").into_bytes(), row].concat();
    let mut lines: Vec<Vec<u8>> = sum.into_iter().map(line).collect();
    if lines.is_empty() {
        // As 0.26 says that there is nothing.
        lines.push(progress(time, case.recorded.width));
    }
    lines
}

fn play(folder: &'static str) -> (usize, usize) {
    let (server, generation) = (server_of(folder), generation(folder));
    server.set_now(LATER_MS);
    let cuts: Vec<Cut> = cases(folder).into_iter().filter_map(Cut::of).collect();
    let views: Vec<&str> = cuts.iter().map(|cut| cut.case.name.as_str()).collect();
    for cut in &cuts {
        cut.case.create(&server);
        server.script(&cut.case.name, cut.first());
        server.script(&cut.case.name, cut.second(generation));
    }
    let gateway = gateway_of(&server, &views);
    let mut streams = open_all(&gateway, &views);
    server.open_gate();
    for cut in &cuts {
        let (mut stream, mut table) = streams.remove(cut.case.name.as_str()).unwrap();
        cut.follow(&mut stream, &mut table);
    }
    let copies = server.copies();
    for cut in &cuts {
        // By the name alone, or at the end of an id's.
        let of_view = ["\" ", "\"] "].map(|end| format!("\"{}{end}", cut.case.name));
        let is_of_view = |sql: &&String| of_view.iter().any(|text| sql.contains(text));
        let asked: Vec<&String> = copies.iter().filter(is_of_view).collect();
        assert_eq!(asked.len(), 2, "{asked:?}");
        let resume = format!("WITH (SNAPSHOT = false, PROGRESS) AS OF {})", cut.closed);
        assert_eq!(
            asked[1].contains(&resume),
            generation == Generation::Modern,
            "{asked:?}"
        );
        assert_eq!(
            asked[1] == asked[0],
            generation == Generation::Old,
            "{asked:?}"
        );
    }
    let changed = cuts
        .iter()
        .filter(|cut| cut.rows != cut.case.recorded.rows_at(cut.closed));
    (cuts.len(), changed.count())
}

#[test]
fn replayed_streams_of_the_modern_servers_are_resumed_with_one_delta() {
    let (cut, changed) = play("26.17");
    assert!(cut > 30 && changed > 20, "{cut} streams, {changed} changed");
    let (cut, changed) = play("26.35");
    assert!(cut > 15 && changed > 5, "{cut} streams, {changed} changed");
}

#[test]
fn replayed_streams_of_the_old_servers_begin_anew_with_one_delta() {
    let (cut, changed) = play("0.7");
    assert!(cut > 30 && changed > 30, "{cut} streams, {changed} changed");
    let (cut, changed) = play("0.26");
    assert!(cut > 5 && changed > 3, "{cut} streams, {changed} changed");
}

/// Plays what was sent without a snapshot to a gateway that holds these lines;
/// its client has these rows before it and behind it.
fn resume(folder: &'static str, held: &[&str], before: &Rows, after: &Rows) {
    let mut views = cases_of(folder, Claim::Resume);
    assert_eq!(views.len(), 1);
    let case = &mut views[0];
    let times = case.recorded.times();
    let closed = times[0];
    let width = case.recorded.width;
    let server = server_of(folder);
    server.set_now(LATER_MS);
    case.create(&server);
    let mut first = vec![Play::copy_out(width), Play::data(&progress(closed, width))];
    let line = |row: &&str| Play::data(format!("{closed}\tf\t{row}\n").as_bytes());
    first.extend(held.iter().map(line));
    first.push(Play::data(&progress(closed + 1, width)));
    first.extend([Play::Gate(1), Play::Close]);
    server.script(&case.name, first);
    let mut second = vec![Play::copy_out(width)];
    second.extend(case.recorded.chunks.iter().map(|chunk| Play::data(chunk)));
    second.push(Play::Idle);
    server.script(&case.name, second);
    let views = views_of(&views);
    let gateway = gateway_of(&server, &views);
    let (mut stream, mut table) = open_all(&gateway, &views).pop_first().unwrap().1;
    assert_eq!((&table.rows, table.timestamp), (before, Some(closed)));
    server.open_gate();
    let begun = Instant::now();
    // Until the last line is known to be closed.
    let end = times[times.len() - 2];
    let is_live = |table: &Table| table.upstream.as_deref() == Some("\"live\"");
    while table.timestamp < Some(end) || table.rows != *after || !is_live(&table) {
        table.apply(&next(&mut stream, begun, folder));
        assert!([before, after].contains(&&table.rows), "{:?}", table.rows);
    }
    assert_eq!(table.bases, 1);
    assert_eq!(table.deltas, usize::from(before != after));
    let asked = server.copies().pop().unwrap();
    let resume = format!("WITH (SNAPSHOT = false, PROGRESS) AS OF {closed})");
    assert!(asked.contains(&resume), "{asked}");
}

/// What the views held before is what their SQL says.
#[test]
fn replayed_stream_without_a_snapshot_is_what_a_resume_takes() {
    let rows = |rows: &[(&str, u64)]| -> Rows {
        let owned = rows.iter().map(|(row, n)| ((*row).to_owned(), *n));
        owned.collect()
    };
    let held = rows(&[("{\"a\":1,\"b\":\"x\"}", 2), ("{\"a\":2,\"b\":\"y\"}", 1)]);
    resume("26.17", &["2\t1\tx", "1\t2\ty"], &held, &held);
    let one = rows(&[("{\"a\":1}", 1)]);
    let both = rows(&[("{\"a\":1}", 1), ("{\"a\":2}", 1)]);
    resume("26.35", &["1\t1"], &one, &both);
}
