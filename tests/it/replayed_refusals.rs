//! What recorded servers refused, and what they send in forms that the gateway
//! never asks for: each given to the gateway when it starts and again when it
//! comes back after an outage. The operator reads why; clients never see a wrong
//! row, and the outage is one delta.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::replayed::{gateway_of, generation, next, open_all, server_of};
use crate::support::materialize::{Generation, Play};
use crate::support::table::{Rows, Table};
use crate::transcripts::claims::{Claim, claimed};
use crate::transcripts::recorded::progress;
use crate::transcripts::{Exchange, MODERN, Message, OLD};

/// Later than all that was recorded, and later still.
const TIMES: [u64; 2] = [1_795_999_000_000, 1_795_999_100_000];

/// Something that is played in place of a stream, to a view of its own.
struct Instead {
    view: String,
    script: Vec<Play>,
    /// The columns of the view behind the leading three.
    columns: usize,
    /// What the operator reads, behind `view "..."`; `None` where a retry is all
    /// that is needed, and said for debugging only.
    told: Option<String>,
    /// How often it is sent before it is told.
    times: usize,
}

impl Instead {
    fn of(exchange: &Exchange, script: Vec<Play>, columns: usize, told: Option<String>) -> Self {
        let view = format!(
            "{}_{}_{}",
            exchange.file, exchange.connection, exchange.line
        );
        Instead {
            view: view.to_lowercase(),
            script,
            columns,
            told,
            times: 1,
        }
    }

    /// A stream of one row, all columns alike; its rows, by the client.
    fn good(&self, time: u64, value: &str, end: Vec<Play>) -> (Vec<Play>, Rows) {
        let width = self.columns + 3;
        let row = vec![value; self.columns].join("\t");
        let mut script = vec![Play::copy_out(width)];
        script.push(Play::data(&progress(time, width)));
        script.push(Play::data(format!("{time}\tf\t2\t{row}\n").as_bytes()));
        script.push(Play::data(&progress(time + 1, width)));
        script.extend(end);
        let members = (1..=self.columns).map(|at| format!("\"c{at}\":\"{value}\""));
        let row = format!("{{{}}}", members.collect::<Vec<_>>().join(","));
        (script, [(row, 2)].into())
    }
}

/// Plays each at the start and again at a resume.
fn play(folder: &'static str, all: &[Instead]) {
    let server = server_of(folder);
    server.set_now(TIMES[1]);
    let mut expected = BTreeMap::new();
    for one in all {
        let names: Vec<String> = (1..=one.columns).map(|at| format!("c{at}")).collect();
        let columns: Vec<(&str, &str)> = names.iter().map(|it| (it.as_str(), "text")).collect();
        server.create_view(&one.view, &columns);
        let (first, before) = one.good(TIMES[0], "x", vec![Play::Gate(1), Play::Close]);
        let (second, after) = one.good(TIMES[1], "y", vec![Play::Idle]);
        let mut scripts = vec![one.script.clone(); one.times];
        scripts.extend([first, one.script.clone(), second]);
        for script in scripts {
            server.script(&one.view, script);
        }
        expected.insert(one.view.as_str(), (before, after));
    }
    let views: Vec<&str> = all.iter().map(|one| one.view.as_str()).collect();
    let gateway = gateway_of(&server, &views);
    let begun = Instant::now();
    let mut clients = open_all(&gateway, &views);
    for (view, (_, table)) in &clients {
        assert_eq!(table.rows, expected[view].0, "{view}");
    }
    server.open_gate();
    for one in all {
        let (mut stream, mut table) = clients.remove(one.view.as_str()).unwrap();
        let (before, after) = &expected[one.view.as_str()];
        let is_live = |table: &Table| table.upstream.as_deref() != Some("\"lost\"");
        while table.rows != *after || !is_live(&table) {
            let event = next(&mut stream, begun, &one.view);
            table.apply(&event);
            assert!(
                [before, after].contains(&&table.rows),
                "{}: {event:?}",
                one.view
            );
        }
        assert_eq!((table.bases, table.deltas), (1, 1), "{}", one.view);
        let log = gateway.process.log().join("\n");
        let mut lines = log
            .lines()
            .filter(|line| line.contains(&format!("\"{}\"", one.view)));
        if let Some(told) = &one.told {
            let is_told =
                |line: &str| line.contains("ERROR viewcast::tail") && line.contains(told.as_str());
            assert!(
                lines.any(is_told),
                "{} is not told {told:?}:\n{log}",
                one.view
            );
        }
    }
}

fn refused(folder: &'static str) -> Vec<Instead> {
    let refused = claimed(folder, Claim::Refused);
    let instead = refused.iter().map(|(exchange, _)| {
        let (code, message) = exchange.error().expect("refused");
        // The old server's way to say that a new view is not there yet.
        let is_early = message.contains("requested as_of");
        let told = (!is_early)
            .then(|| format!("Materialize refused to stream the view: db error: ERROR: {message}"));
        let script = vec![Play::error(code, message)];
        let mut instead = Instead::of(exchange, script, 2, told);
        if generation(folder) == Generation::Modern && code == "42601" {
            // A form that is not understood by the id is tried by the name.
            instead.times = 2;
        }
        instead
    });
    instead.collect()
}

/// Whether one of them is told so.
fn tell(all: &[Instead], words: &str) -> bool {
    let mut told = all.iter().filter_map(|it| it.told.as_ref());
    told.any(|told| told.contains(words))
}

#[test]
fn replayed_refusals_of_the_modern_servers_are_told_and_tried_again() {
    for folder in MODERN {
        let all = refused(folder);
        assert!(tell(&all, "valid timestamp"));
        play(folder, &all);
    }
}

#[test]
fn replayed_refusals_of_the_old_servers_are_told_and_tried_again() {
    for folder in OLD {
        let all = refused(folder);
        assert!(tell(&all, "Timestamp (1)"));
        play(folder, &all);
    }
}

/// The bytes as they came, in other forms than the gateway asks for.
fn forms(folder: &'static str) -> Vec<Instead> {
    let mut found = claimed(folder, Claim::Foreign);
    // One that leaves progress out is such a form, too.
    let plain = claimed(folder, Claim::Stream).into_iter();
    found.extend(plain.filter(|(exchange, _)| !exchange.sql.contains("PROGRESS")));
    let mut all = Vec::new();
    for (exchange, file) in &found {
        let recorded = crate::transcripts::recorded::Recorded::of(exchange, file);
        let is_copy = exchange
            .says()
            .any(|it| matches!(it, Message::CopyOut { .. }));
        let is_progress = |chunk: &Vec<u8>| chunk.split(|it| *it == b'\t').nth(1) == Some(b"t");
        if recorded.chunks.iter().all(is_progress) {
            // Nothing was sent that could be misread.
            continue;
        }
        let mut script = vec![match is_copy {
            true => Play::Bytes(exchange.wire()),
            // Rows of an answer where a COPY was asked for.
            false => {
                let messages = exchange
                    .says()
                    .filter(|it| !matches!(it, Message::Complete(_)));
                let mut lines = vec![Play::copy_out(recorded.width)];
                lines.extend(messages.filter_map(crate::transcripts::recorded::as_data));
                Play::together(lines.into_iter())
            }
        }];
        script.push(Play::Idle);
        let columns = crate::transcripts::implied::columns(exchange, file).len();
        let told = "Materialize sent malformed data: ".to_owned();
        all.push(Instead::of(exchange, script, columns, Some(told)));
    }
    all
}

#[test]
fn replayed_forms_of_the_modern_servers_that_nobody_asked_for_show_no_row() {
    let all = forms("26.17");
    assert!(all.len() > 40, "{}", all.len());
    play("26.17", &all);
    let all = forms("26.35");
    assert_eq!(all.len(), 1);
    play("26.35", &all);
}

/// Of 0.26 none was recorded.
#[test]
fn replayed_forms_of_the_old_server_that_nobody_asked_for_show_no_row() {
    assert_eq!(forms("0.26").len(), 0);
    let all = forms("0.7");
    assert!(all.len() > 40, "{}", all.len());
    play("0.7", &all);
}
