//! What real servers did wrong or oddly, played as it was recorded to the real
//! gateway: what its clients and its operator are told.

use crate::replayed::{Case, cases, generation, server_of};
use crate::support::gateway::Gateway;
use crate::support::http::get;
use crate::support::materialize::{Generation, Materialize, Play, row};
use crate::support::sse::Stream;
use crate::support::table::Table;

/// A time later than all that was recorded.
const LATER: u64 = 1_795_999_000_000;

/// A gateway that has the base of one recorded view, and waits at the gate.
struct Played {
    server: Materialize,
    gateway: Gateway,
    case: Case,
    stream: Stream,
    table: Table,
}

impl Played {
    /// Plays the recorded stream of a file, with `before` in front of it and
    /// `after` behind.
    fn start(
        folder: &'static str,
        file: &str,
        before: Vec<Vec<Play>>,
        after: Vec<Vec<Play>>,
    ) -> Self {
        let name = format!("{file}_tail").to_lowercase();
        let mut found = cases(folder)
            .into_iter()
            .filter(|case| case.name.starts_with(&name));
        let mut case = found.next().expect("recorded");
        let mut script = case.script(false);
        if !matches!(script.iter().rev().nth(1), Some(Play::Gate(2))) {
            // The last message comes when the test says so in any case.
            script.insert(script.len() - 1, Play::Gate(2));
        }
        let server = server_of(folder);
        server.set_now(LATER);
        case.name = "v".to_owned();
        case.create(&server);
        server.create_view("other", &[("n", "integer")]);
        for script in before.into_iter().chain([script]).chain(after) {
            server.script("v", script);
        }
        let gateway = Gateway::start(&[
            "--upstream",
            &server.url(),
            "--view",
            "v",
            "--view",
            "other",
            "--upstream-timeout",
            // Old servers are asked this often; modern ones are silent at a gate.
            if generation(folder) == Generation::Old {
                "300ms"
            } else {
                "60s"
            },
        ]);
        let mut stream = Stream::open(gateway.address, "/v/stream");
        let mut table = Table::default();
        table.apply(&stream.expect("base"));
        Played {
            server,
            gateway,
            case,
            stream,
            table,
        }
    }

    /// Reads until the client holds these rows, each once.
    fn reach(&mut self, rows: &[&str]) {
        let rows: Vec<String> = rows.iter().map(|row| (*row).to_owned()).collect();
        self.table.read_until(&mut self.stream, |table| {
            table.rows.keys().eq(&rows) && table.rows.values().all(|copies| *copies == 1)
        });
        assert_eq!(self.table.bases, 1);
    }

    fn until_upstream(&mut self, word: &str) {
        let word = Some(format!("{word:?}"));
        self.table
            .read_until(&mut self.stream, |table| table.upstream == word);
    }

    /// The rest of the stream must be `gone` and the end.
    fn gone(mut self) {
        loop {
            let event = self.stream.next().expect("gone before the end");
            assert_ne!(
                event.name, "upstream",
                "a dropped view is not lost: {event:?}"
            );
            if event.name == "gone" {
                assert!(event.data.contains("\"reason\":"), "{event:?}");
                break;
            }
        }
        assert_eq!(self.stream.next(), None);
        let mut other = Stream::open(self.gateway.address, "/other/stream");
        other.expect("base");
        assert!(
            self.gateway
                .process
                .log()
                .iter()
                .all(|line| !line.contains("is constant"))
        );
    }
}

fn snapshot(columns: usize, at: u64, rows: &[&str]) -> Vec<Play> {
    let nulls = "\t\\N".repeat(columns + 1);
    let progress = |at: u64| Play::data(format!("{at}\tt{nulls}\n").as_bytes());
    let mut script = vec![Play::copy_out(columns + 3), progress(at)];
    script.extend(
        rows.iter()
            .map(|row| Play::data(format!("{at}\tf\t1\t{row}\n").as_bytes())),
    );
    script.extend([progress(at + 1), Play::Idle]);
    script
}

#[test]
fn replayed_division_by_zero_is_lost_with_the_reason_logged_and_the_rows_stay() {
    let error = || vec![Play::error("XX000", "Evaluation error: division by zero")];
    // The resume and the snapshot are refused twice; then the row that divided
    // by zero was deleted and another one inserted, as it was recorded.
    let mut healed = snapshot(1, LATER, &["0", "1"]);
    healed.insert(1, Play::Gate(3));
    let after = vec![error(), error(), error(), error(), error(), healed];
    let mut played = Played::start("26.17", "err_div_by_zero", vec![], after);
    played.reach(&["{\"q\":1}"]);
    played.server.open_gate();
    played.server.open_gate();
    played.until_upstream("lost");
    let line = played.gateway.process.await_log("division by zero");
    assert!(line.contains("\"v\""), "{line}");
    let retried = |server: &Materialize| {
        server
            .copies()
            .iter()
            .filter(|sql| sql.contains("\"v\""))
            .count()
            >= 6
    };
    played.server.wait_until("retries", retried);
    assert_eq!(get(played.gateway.address, "/v").text(), "[{\"q\":1}]");
    played.server.open_gate();
    played.reach(&["{\"q\":0}", "{\"q\":1}"]);
    played.until_upstream("live");
}

#[test]
fn replayed_division_by_zero_of_the_old_server_is_no_outage() {
    // Its TAIL streamed on without the row that failed, and its first answer was
    // a refusal for want of time.
    let refused = "Dataflow tail-source-materialize.public.divz requested as_of (Antichain { \
                   elements: [0] }) not >= since (Antichain { elements: [1795385100000] })";
    let server = Materialize::start(Generation::Old);
    server.set_now(LATER);
    server.create_view("divz", &[("q", "integer")]);
    server.script("divz", vec![Play::error("XX000", refused)]);
    server.script(
        "divz",
        vec![
            Play::copy_out(4),
            Play::data(b"1795385194365\tf\t1\t1\n"),
            Play::data(b"1795385194366\tt\t\\N\t\\N\n"),
            Play::Gate(1),
            Play::data(b"1795385199086\tf\t1\t0\n"),
            Play::data(b"1795385199087\tt\t\\N\t\\N\n"),
            Play::Idle,
        ],
    );
    let url = server.url();
    let gateway = Gateway::start(&["--upstream", &url, "--view", "divz"]);
    let mut stream = Stream::open(gateway.address, "/divz/stream");
    let base = stream.expect("base");
    assert_eq!(base.data, "[{\"q\":1}]");
    server.open_gate();
    assert_eq!(stream.expect("delta").data, "[{\"insert\":{\"q\":0}}]");
    assert_eq!(server.copies().len(), 2, "refused once, then streamed");
}

#[test]
fn replayed_drop_of_the_modern_servers_is_gone() {
    for (folder, file) in [
        ("26.17", "drop_while_subscribed"),
        ("26.17", "drop_table_cascade_while_subscribed"),
        ("26.17", "drop_cluster_while_subscribed"),
        ("26.35", "drop_while_subscribed"),
        // Its name was another one before.
        ("26.35", "rename_view"),
    ] {
        let played = Played::start(folder, file, vec![], vec![]);
        assert!(played.case.recorded.error.is_some(), "{file}");
        played.server.drop_view("v");
        played.server.open_gate();
        played.server.open_gate();
        played.gone();
    }
}

#[test]
fn replayed_drop_of_the_old_servers_is_found_in_the_catalog() {
    // They streamed on, or ended the COPY as if it was complete.
    for (folder, file, is_done) in [
        ("0.7", "drop_while_tailed", false),
        ("0.7", "drop_table_cascade_while_tailed", true),
        ("0.26", "drop_while_tailed", false),
    ] {
        let played = Played::start(folder, file, vec![], vec![]);
        assert_eq!(played.case.recorded.is_done, is_done, "{file}");
        played.server.drop_view("v");
        played.server.open_gate();
        played.server.open_gate();
        played.gone();
    }
}

/// What ended streams whose view is still there: its cluster was dropped, the
/// query cancelled. Either is one delta: the row that was inserted meanwhile.
#[test]
fn replayed_end_of_a_stream_whose_view_is_there_is_one_delta() {
    for (file, before) in [
        ("cluster_swap", vec!["{\"b\":2}", "{\"b\":3}"]),
        ("cancel_backend", vec!["{\"a\":1}"]),
    ] {
        let column = if file == "cluster_swap" { "b" } else { "a" };
        let after = vec![snapshot(1, LATER, &["4"])];
        let mut played = Played::start("26.35", file, vec![], after);
        assert!(played.case.recorded.error.is_some(), "{file}");
        played.server.open_gate();
        played.reach(&before);
        let deltas = played.table.deltas;
        played.server.open_gate();
        let row = format!("{{\"{column}\":4}}");
        played.reach(&[before, vec![&row]].concat());
        assert_eq!(played.table.deltas, deltas + 1, "{file}");
    }
}

/// A query without rows to come that fails is waited for, and told why.
#[test]
fn replayed_query_that_cannot_be_computed_is_told_and_tried_again() {
    let cases = cases("26.35").into_iter();
    let mut cases = cases.filter(|it| it.recorded.end().is_none() && it.recorded.error.is_some());
    let mut case = cases.next().expect("recorded");
    assert!(case.recorded.exchange.sql.contains("1/0"));
    case.name = "v".to_owned();
    let server = server_of("26.35");
    server.set_now(LATER);
    case.create(&server);
    let mut script = case.script(false);
    script.retain(|play| !matches!(play, Play::Gate(_)));
    server.script("v", script);
    server.script("v", snapshot(1, LATER, &["7"]));
    let gateway = Gateway::start(&["--upstream", &server.url(), "--view", "v"]);
    let mut stream = Stream::open(gateway.address, "/v/stream");
    let mut table = Table::default();
    table.read_until(&mut stream, |table| table.bases == 1);
    assert!(table.rows.keys().eq(["{\"one\":7}"]), "{:?}", table.rows);
    gateway.process.await_log("division by zero");
}

#[test]
fn replayed_shutdown_is_one_delta_without_a_second_base() {
    for file in ["shutdown_SIGTERM", "shutdown_SIGKILL"] {
        // Afterwards the rows are there, and one more was inserted meanwhile.
        let after = vec![snapshot(1, LATER, &["4"])];
        let mut played = Played::start("26.17", file, vec![], after);
        assert!(played.case.recorded.is_cut, "{file}");
        played.server.open_gate();
        played.reach(&["{\"a\":1}", "{\"a\":2}", "{\"a\":3}"]);
        played.server.open_gate();
        played.until_upstream("lost");
        let deltas = played.table.deltas;
        let rows = ["1", "2", "3", "4"].map(|n| format!("{{\"a\":{n}}}"));
        played.reach(&rows.each_ref().map(String::as_str));
        assert_eq!(played.table.deltas, deltas + 1, "{file}");
        played.until_upstream("live");
    }
}

#[test]
fn replayed_shutdown_of_the_old_server_shows_that_the_rows_are_gone() {
    for file in ["shutdown_SIGTERM", "shutdown_SIGKILL"] {
        // It has lost its tables' rows, and says nothing of an empty view.
        let after = vec![vec![Play::copy_out(4), Play::Idle]];
        let mut played = Played::start("0.7", file, vec![], after);
        assert!(played.case.recorded.is_cut, "{file}");
        played.server.open_gate();
        played.server.open_gate();
        played.until_upstream("lost");
        played.reach(&[]);
        played.until_upstream("live");
    }
}

#[test]
fn replayed_file_that_ends_without_progress_is_asked_for_again() {
    // The old server's COPY of a file ended with its rows at a usual time and
    // unclosed; asked again, it gave them the end of time.
    let mut case = cases("0.7")
        .into_iter()
        .find(|case| case.name.starts_with("file_notail_tail0"));
    let case = case.as_mut().expect("recorded");
    case.name = "v".to_owned();
    let server = Materialize::start(Generation::Old);
    server.set_now(LATER);
    case.create(&server);
    // What a count of the view finds.
    server.commit("v", vec![(Vec::new(), 3)]);
    server.script("v", case.script(false));
    let mut again = vec![Play::copy_out(5)];
    for chunk in &case.recorded.chunks {
        let text = String::from_utf8(chunk.clone()).unwrap();
        let (_, rest) = text.split_once('\t').unwrap();
        again.push(Play::data(format!("{}\t{rest}", u64::MAX).as_bytes()));
    }
    again.push(Play::done());
    server.script("v", again);
    server.open_gate();
    server.open_gate();
    let gateway = Gateway::start(&["--upstream", &server.url(), "--view", "v"]);
    let base = loop {
        let mut stream = Stream::open(gateway.address, "/v/stream");
        let event = stream.next().expect("the stream goes on");
        if event.name == "base" {
            break event;
        }
    };
    assert!(base.data.contains("line\\\\with\\ttab"), "{base:?}");
    assert_eq!(crate::support::table::rows_of(&base.data).len(), 3);
    gateway.process.await_log("is constant");
}

#[test]
fn cancelled_query_of_the_old_server_is_not_the_end_of_the_view() {
    let server = Materialize::start(Generation::Old);
    server.create_view("v", &[("n", "integer")]);
    server.commit("v", vec![(row(["1"]), 1)]);
    let gateway = Gateway::start(&["--upstream", &server.url(), "--view", "v"]);
    let mut stream = Stream::open(gateway.address, "/v/stream");
    let mut table = Table::default();
    table.apply(&stream.expect("base"));
    server.end_streams("v");
    table.read_until(&mut stream, |table| {
        table.upstream.as_deref() == Some("\"lost\"")
    });
    server.commit("v", vec![(row(["2"]), 1)]);
    table.read_until(&mut stream, |table| table.rows.len() == 2);
    assert_eq!(table.bases, 1);
}

/// What a server says that lets nobody in just now.
const REFUSALS: [(&str, &str); 3] = [
    (
        "53300",
        "creating connection would violate max_connections limit (desired: 6, limit: 5, current: 5)",
    ),
    ("57P03", "the database system is starting up"),
    ("25006", "cannot serve queries in read-only mode"),
];

#[test]
fn refused_connection_is_logged_with_the_servers_words_and_tried_again() {
    for generation in [Generation::Modern, Generation::Old] {
        for (code, message) in REFUSALS {
            let server = Materialize::start(generation);
            server.create_view("v", &[("n", "integer")]);
            server.commit("v", vec![(row(["1"]), 1)]);
            server.refuse_with(Some((code, message)));
            let gateway = Gateway::start(&["--upstream", &server.url(), "--view", "v"]);
            let mut stream = Stream::open(gateway.address, "/v/stream");
            gateway.process.await_log(message);
            assert_eq!(get(gateway.address, "/readyz").status, 503);
            server.refuse_with(None);
            let mut table = Table::default();
            table.read_until(&mut stream, |table| table.bases == 1);
            assert_eq!(table.rows.len(), 1);
        }
    }
}

#[test]
fn refused_probe_of_an_old_server_leaves_the_stream_alone() {
    let server = Materialize::start(Generation::Old);
    server.create_view("v", &[("n", "integer")]);
    server.commit("v", vec![(row(["1"]), 1)]);
    let url = server.url();
    let gateway = Gateway::start(&[
        "--upstream",
        &url,
        "--view",
        "v",
        "--upstream-timeout",
        "200ms",
    ]);
    let mut stream = Stream::open(gateway.address, "/v/stream");
    let mut table = Table::default();
    table.apply(&stream.expect("base"));
    // Its silence is asked about on a second connection, for which there is no
    // room any more.
    server.refuse_with(Some(REFUSALS[0]));
    server.wait_until("probes", |server| server.refusals() >= 3);
    server.commit("v", vec![(row(["2"]), 1)]);
    table.read_until(&mut stream, |table| table.rows.len() == 2);
    assert_eq!(table.upstream, None, "never lost");
    assert_eq!(server.copies().len(), 1);
}
