//! The recorded bytes of real servers, played over TCP to the real gateway: the
//! rows that a client of it holds at each id, as texts, against those that the
//! tests' own decoder reads in the same bytes.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Instant;

use crate::support::gateway::{Gateway, PATIENCE};
use crate::support::materialize::{Generation, Materialize, Play};
use crate::support::sse::{Event, Stream};
use crate::support::table::{Rows, Table};
use crate::transcripts::OLD;
use crate::transcripts::claims::{Claim, claimed};
use crate::transcripts::implied::{descriptions, relation};
use crate::transcripts::recorded::Recorded;

/// One recorded stream and how it is played.
#[derive(Clone, Debug)]
pub struct Case {
    /// The view's name: file, connection, place in the file.
    pub name: String,
    pub recorded: Recorded,
    /// What the server said when asked for the relation's names and types, if
    /// it was recorded without an error.
    described: Option<[Vec<u8>; 2]>,
}

/// The next event of a client; heartbeats alone do not make it wait for ever.
pub fn next(stream: &mut Stream, begun: Instant, view: &str) -> Event {
    assert!(
        begun.elapsed() < PATIENCE,
        "{view} does not come to its end"
    );
    let event = stream.next();
    event.unwrap_or_else(|| panic!("{view}: the stream ended"))
}

/// The generation of the server that a folder was recorded of.
pub fn generation(folder: &str) -> Generation {
    match OLD.contains(&folder) {
        true => Generation::Old,
        false => Generation::Modern,
    }
}

const VERSION: &str = "SELECT mz_version()";

/// The bytes that a folder's server answered, asked for its version. Its recordings are
/// read for that once.
fn version(folder: &'static str) -> Vec<u8> {
    static KNOWN: Mutex<BTreeMap<&str, Vec<u8>>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap();
    let wire = known.entry(folder).or_insert_with(|| {
        let answers = claimed(folder, Claim::Answer).into_iter();
        let mut versions = answers.map(|(it, _)| it).filter(|it| it.sql == VERSION);
        versions.next().expect("recorded").wire()
    });
    wire.clone()
}

/// A server of a folder's generation, and of its version where that was asked
/// for.
pub fn server_of(folder: &'static str) -> Materialize {
    let server = Materialize::start(generation(folder));
    server.answer(VERSION, version(folder), usize::MAX);
    server
}

/// All recorded streams of a folder that are claimed so.
pub fn cases_of(folder: &'static str, claim: Claim) -> Vec<Case> {
    let mut cases = Vec::new();
    for (exchange, file) in claimed(folder, claim) {
        let described = descriptions(&file, &relation(&exchange.sql))
            .filter(|both| {
                both.iter()
                    .all(|it| it.error().is_none() && !it.is_silent())
            })
            .map(|both| both.map(|it| it.wire()));
        cases.push(Case {
            // A name without quotes is folded to lower case.
            name: format!(
                "{}_{}_{}",
                exchange.file, exchange.connection, exchange.line
            )
            .to_lowercase(),
            recorded: Recorded::of(&exchange, &file),
            described,
        });
    }
    cases
}

/// All recorded streams of a folder that begin with a snapshot.
pub fn cases(folder: &'static str) -> Vec<Case> {
    cases_of(folder, Claim::Stream)
}

impl Case {
    /// The messages as they were recorded; a gate stands where the first rows
    /// are complete, or before all if `held`, and a second one before an end
    /// that is a fault.
    pub fn script(&self, held: bool) -> Vec<Play> {
        let recorded = &self.recorded;
        let mut script = vec![Play::copy_out(recorded.width)];
        let gate = match held {
            true => None,
            false => recorded.closes_at(),
        };
        if held {
            script.push(Play::Gate(1));
        }
        for (at, chunk) in recorded.chunks.iter().enumerate() {
            script.push(Play::data(chunk));
            if gate == Some(at) {
                script.push(Play::Gate(1));
            }
        }
        let end = match &recorded.error {
            Some((code, message)) => Play::error(code, message),
            None if recorded.is_cut => Play::Close,
            None if recorded.is_done => Play::done(),
            None => Play::Idle,
        };
        if !recorded.is_final() {
            script.push(Play::Gate(2));
        }
        script.push(end);
        script
    }

    /// Creates the view; asked what it is, the server says what was recorded.
    pub fn create(&self, server: &Materialize) {
        let columns: Vec<(&str, &str)> = (self.recorded.columns.iter())
            .map(|(name, sql_type)| (name.as_str(), sql_type.as_str()))
            .collect();
        server.create_view(&self.name, &columns);
        if let Some(described) = &self.described {
            server.describe_as(&self.name, described.clone());
        }
    }

    /// Compares a client's rows with the recorded ones at its id.
    pub fn check(&self, table: &Table) {
        let timestamp = table.timestamp.expect("an id");
        let expected = self.recorded.rows_at(timestamp);
        assert_eq!(table.rows, expected, "{} at {timestamp}", self.name);
    }

    /// Reads the stream to where the recording ends; returns the ids seen.
    pub fn follow(&self, stream: &mut Stream, table: &mut Table) -> usize {
        let end = self.recorded.end().expect("a snapshot");
        let (mut ids, begun) = (0, Instant::now());
        loop {
            let before = table.timestamp;
            if let Some(timestamp) = before {
                self.check(table);
                ids += 1;
                if timestamp >= end {
                    assert_eq!(table.bases, 1, "{}", self.name);
                    return ids;
                }
            }
            while table.timestamp == before {
                table.apply(&next(stream, begun, &self.name));
            }
        }
    }
}

/// A client of each view, with its base.
pub fn open_all<'a>(gateway: &Gateway, views: &[&'a str]) -> BTreeMap<&'a str, (Stream, Table)> {
    gateway.await_ready();
    let (mut streams, begun) = (BTreeMap::new(), Instant::now());
    for view in views {
        let mut stream = Stream::open(gateway.address, &format!("/{view}/stream"));
        let mut table = Table::default();
        // A refusal before it is told as such.
        while table.bases == 0 {
            let event = next(&mut stream, begun, view);
            assert_ne!(event.name, "gone", "{view}: {event:?}");
            table.apply(&event);
        }
        streams.insert(*view, (stream, table));
    }
    streams
}

/// The views of all cases.
pub fn views_of(cases: &[Case]) -> Vec<&str> {
    cases.iter().map(|case| case.name.as_str()).collect()
}

/// A gateway of these views.
pub fn gateway_of(server: &Materialize, views: &[&str]) -> Gateway {
    let url = server.url();
    let mut arguments = vec!["--upstream", &url];
    for view in views {
        arguments.extend(["--view", view]);
    }
    // What is silent here is so on purpose.
    arguments.extend(["--upstream-timeout", "60s", "--heartbeat", "200ms"]);
    Gateway::start(&arguments)
}

/// Plays all streams of a folder to one gateway, up to their faults, which are
/// `replayed_faults`' business; the streams, and the ids compared.
fn play(folder: &'static str) -> (usize, usize) {
    let server = server_of(folder);
    let is_old = generation(folder) == Generation::Old;
    let mut cases = cases(folder);
    // One that never closes its rows is a test of `replayed_faults`.
    let silent = |case: &Case| is_old && case.recorded.chunks.is_empty();
    cases.retain(|case| case.recorded.end().is_some() || silent(case));
    for case in &cases {
        case.create(&server);
        // 0.7 tells nothing of an empty view: its base comes first.
        let held = is_old && case.recorded.exchange.file == "empty_view";
        server.script(&case.name, case.script(held));
        if case.recorded.is_final() {
            // The end of a view that does not change is believed when it comes
            // again, and a count of the rows agrees.
            server.script(&case.name, case.script(held));
            let rows: u64 = case.recorded.rows_at(u64::MAX).values().sum();
            server.holds(&case.name, i64::try_from(rows).unwrap());
        }
    }
    let views = views_of(&cases);
    let gateway = gateway_of(&server, &views);
    let mut streams = open_all(&gateway, &views);
    server.open_gate();
    let mut ids = 0;
    for case in &cases {
        let (mut stream, mut table) = streams.remove(case.name.as_str()).unwrap();
        if case.recorded.end().is_none() {
            assert_eq!(table.rows, Rows::new(), "{} is empty", case.name);
            continue;
        }
        ids += case.follow(&mut stream, &mut table);
    }
    for line in gateway.process.log() {
        assert!(
            !line.contains("malformed") && !line.contains("inconsistent"),
            "{line}"
        );
    }
    println!("{folder}: {} streams, {ids} ids", cases.len());
    (cases.len(), ids)
}

#[test]
fn replayed_tails_of_the_old_servers_reach_clients_exactly() {
    let (streams, ids) = play("0.7");
    assert!(streams > 70 && ids > 60, "{streams} streams, {ids} ids");
    let (streams, ids) = play("0.26");
    assert!(streams > 9 && ids > 15, "{streams} streams, {ids} ids");
}

#[test]
fn replayed_subscribes_of_the_modern_servers_reach_clients_exactly() {
    let (streams, ids) = play("26.17");
    assert!(streams > 70 && ids > 60, "{streams} streams, {ids} ids");
    let (streams, ids) = play("26.35");
    assert!(streams > 20 && ids > 30, "{streams} streams, {ids} ids");
}
