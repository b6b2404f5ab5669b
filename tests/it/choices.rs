//! What is streamed: names of every kind, queries, some columns only, and what
//! makes two gateways' ids equal.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;

use crate::support::gateway::{Gateway, PATIENCE, Process};
use crate::support::http::get;
use crate::support::materialize::{Generation, Materialize, Values, row};
use crate::support::sse::Stream;
use crate::support::standin::{StandIn, TextRows, text_rows};
use crate::support::table::Table;

const COLUMNS: [(&str, &str); 3] = [("id", "integer"), ("Secret", "text"), ("n", "bigint")];
const QUERY: &str = "SELECT b, count(*) AS n FROM t GROUP BY b -- all of it";

/// A gateway with a configuration file.
struct Configured {
    gateway: Gateway,
    _directory: TempDir,
}

fn write(file: &str) -> (TempDir, String) {
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().join("viewcast.toml");
    std::fs::write(&path, file).expect("write");
    let path = path.display().to_string();
    (directory, path)
}

impl Configured {
    fn start(server: &Materialize, file: &str, more: &[&str]) -> Self {
        let (directory, path) = write(file);
        let url = server.url();
        let mut arguments = vec![
            "--upstream",
            &url,
            "--config",
            &path,
            "--heartbeat",
            "200ms",
        ];
        arguments.extend(more);
        Configured {
            gateway: Gateway::start(&arguments),
            _directory: directory,
        }
    }

    fn open(&self, path: &str) -> (Stream, Table) {
        let mut stream = Stream::open(self.gateway.address, path);
        let mut table = Table::default();
        table.apply(&stream.expect("base"));
        (stream, table)
    }

    /// The incarnation of a view.
    fn incarnation(&self, path: &str) -> String {
        self.open(path).1.incarnation
    }
}

/// Starts a gateway that does not come up; its log.
fn refused(server: &Materialize, file: &str) -> String {
    let (_directory, path) = write(file);
    let url = server.url();
    let arguments = [
        "--upstream",
        &url,
        "--config",
        &path,
        "--listen",
        "127.0.0.1:0",
    ];
    let mut process = Process::start(&arguments);
    assert_eq!(process.await_exit().code(), Some(1));
    process.log().join("\n")
}

fn read_to(stream: &mut Stream, table: &mut Table, timestamp: u64) {
    table.read_until(stream, |table| table.timestamp >= Some(timestamp));
}

#[test]
fn query_of_the_file_is_streamed_on_a_modern_server() {
    let server = Materialize::start(Generation::Modern);
    server.create_view(QUERY, &[("b", "text"), ("n", "bigint")]);
    server.commit(QUERY, vec![(row(["x", "2"]), 1)]);
    let file = format!("[view.\"big spenders\"]\nquery = \"{QUERY} ; \"\n");
    let configured = Configured::start(&server, &file, &[]);
    let (mut stream, mut table) = configured.open("/big%20spenders/stream");
    let base: TextRows = [(row(["x", "2"]), 1)].into();
    assert_eq!(text_rows(&table.rows), base);
    let change = vec![(row(["x", "2"]), -1), (row(["x", "3"]), 1)];
    let at = server.commit(QUERY, change);
    read_to(&mut stream, &mut table, at);
    assert_eq!(text_rows(&table.rows), [(row(["x", "3"]), 1)].into());
    let copies = server.copies();
    let copy = format!("COPY (SUBSCRIBE ({QUERY}\n) WITH (PROGRESS)) TO STDOUT");
    assert_eq!(copies, [copy]);

    // The same text and columns are the same view; another text is another.
    let again = Configured::start(&server, &file, &[]);
    assert_eq!(again.incarnation("/view/stream"), table.incarnation);
    let other = QUERY.replace("all", "some");
    server.create_view(&other, &[("b", "text"), ("n", "bigint")]);
    let file = file.replace(QUERY, &other);
    let another = Configured::start(&server, &file, &[]);
    assert_ne!(another.incarnation("/view/stream"), table.incarnation);
}

#[test]
fn query_that_cannot_be_streamed_ends_the_program_with_a_reason() {
    let server = Materialize::start(Generation::Modern);
    let log = refused(&server, "[view.q]\nquery = \"SELECT 1 FRM t\"");
    assert!(
        log.contains("error: the query of view \"q\" was refused"),
        "{log}"
    );
    assert!(log.contains("the script has no such query"), "{log}");
    assert!(log.contains("hint: Try it in psql"), "{log}");
    let server = Materialize::start(Generation::Old);
    let log = refused(&server, "[view.q]\nquery = \"SELECT 1\"");
    assert!(log.contains("streams relations only"), "{log}");
    assert!(
        log.contains("hint: Queries can be streamed since 0.27"),
        "{log}"
    );
}

/// The oracle's rows without their second column.
fn projected(rows: BTreeMap<Values, i64>) -> TextRows {
    let mut shown = TextRows::new();
    for (row, copies) in rows {
        let kept = vec![row[0].clone(), row[2].clone()];
        *shown.entry(kept).or_default() += u64::try_from(copies).expect("positive");
    }
    shown
}

#[test]
fn oracle_columns_that_are_hidden_leave_rows_added_up() {
    for generation in [Generation::Modern, Generation::Old] {
        let server = Materialize::start(generation);
        server.create_view("v", &COLUMNS);
        let one = |secret: &str, diff: i64| (row(["1", secret, "5"]), diff);
        server.commit(
            "v",
            vec![one("a", 2), one("b", 1), (row(["2", "c", "6"]), 1)],
        );
        let file = "[view.v]\nas = \"orders\"\ndescription = \"What was \\\"sold\\\"\"\n\
            columns = [\"n\", \"id\"]";
        let configured = Configured::start(&server, file, &[]);
        let (mut stream, mut table) = configured.open("/orders/stream");
        let check = |table: &Table| {
            let at = table.timestamp.expect("a position");
            let expected = projected(server.contents_at("v", at));
            assert_eq!(text_rows(&table.rows), expected, "{generation:?} at {at}");
        };
        check(&table);
        for changes in [
            // Only what is hidden changes: nothing to tell.
            vec![one("a", -1), one("z", 1)],
            vec![one("a", -1), one("b", 1)],
            vec![one("b", -2), one("z", 1), (row(["3", "x", "7"]), 3)],
            vec![(row(["3", "x", "7"]), -3), (row(["3", "y", "7"]), 1)],
        ] {
            let at = server.commit("v", changes);
            read_to(&mut stream, &mut table, at);
            check(&table);
        }
        let events = table.deltas;
        assert!(events >= 2, "{events}");
        let list = get(configured.gateway.address, "/views").json();
        let view = &list["views"][0];
        assert_eq!(view["name"], "orders");
        assert_eq!(view["description"], "What was \"sold\"");
        let columns = json!([
            { "name": "id", "type": "integer" },
            { "name": "n", "type": "bigint" },
        ]);
        assert_eq!(view["columns"], columns);
        let whole = get(configured.gateway.address, "/orders").text();
        assert!(!whole.contains("Secret"), "{whole}");
        // Other columns, another view.
        let all = Configured::start(&server, "view = ['v']", &[]);
        assert_ne!(all.incarnation("/v/stream"), table.incarnation);
    }
}

#[test]
fn column_that_the_view_lacks_ends_the_program_with_the_nearest() {
    let server = Materialize::start(Generation::Modern);
    server.create_view("v", &COLUMNS);
    let log = refused(&server, "[view.v]\ncolumns = [\"id\", \"secret\"]");
    assert!(
        log.contains("error: view \"v\" has no column \"secret\""),
        "{log}"
    );
    assert!(
        log.contains("hint: Similar columns are \"Secret\"."),
        "{log}"
    );
}

#[test]
fn name_of_any_characters_is_streamed_under_its_path() {
    let name = "My.View/ü \"%41\"?#";
    let server = Materialize::start(Generation::Modern);
    server.create_view(name, &[("n", "integer")]);
    server.commit(name, vec![(row(["1"]), 1)]);
    let url = server.url();
    let quoted = format!("public.\"{}\"", name.replace('"', "\"\""));
    let gateway = Gateway::start(&["--upstream", &url, "--view", &quoted]);
    let list = get(gateway.address, "/views").json();
    let path = list["views"][0]["stream"]
        .as_str()
        .expect("a path")
        .to_owned();
    let mut stream = Stream::open(gateway.address, &path);
    assert_eq!(stream.expect("base").data, "[{\"n\":1}]");
    let copies = server.copies();
    assert!(
        copies[0].contains(&format!(
            "SUBSCRIBE [u1 AS \"materialize\".\"public\".{}] WITH",
            &quoted[7..]
        )),
        "{copies:?}"
    );
}

#[test]
fn gateways_of_equal_configuration_have_equal_ids_until_the_view_is_another() {
    for generation in [Generation::Modern, Generation::Old] {
        let server = Materialize::start(generation);
        let file = "[view.v]\n[view.some]\nrelation = \"v\"\ncolumns = [\"id\"]";
        let create = || {
            server.create_view("v", &COLUMNS);
            server.commit("v", vec![(row(["1", "a", "5"]), 1)]);
        };
        create();
        let ids = || {
            let configured = Configured::start(&server, file, &[]);
            ["/v/stream", "/some/stream"].map(|path| configured.incarnation(path))
        };
        let before = ids();
        assert_eq!(ids(), before, "{generation:?}: another gateway");
        assert_ne!(before[0], before[1]);
        server.restart();
        assert_eq!(ids(), before, "{generation:?}: another start of the server");
        server.drop_view("v");
        create();
        let after = ids();
        assert!(
            before.iter().all(|id| !after.contains(id)),
            "{generation:?}: {after:?}"
        );
    }
}

#[test]
fn introspection_of_another_replica_is_another_view() {
    let server = Materialize::start(Generation::Modern);
    server.create_view("mz_dataflow_operators", &COLUMNS);
    let file = "view = ['mz_introspection.mz_dataflow_operators']";
    let id = |more: &[&str]| Configured::start(&server, file, more).incarnation("/view/stream");
    let one = ["--cluster", "c", "--cluster-replica", "r1"];
    assert_eq!(id(&one), id(&one));
    assert_ne!(id(&one), id(&["--cluster", "c", "--cluster-replica", "r2"]));
}

/// The names at `/views`, once they are these.
fn await_names(gateway: &Gateway, expected: &[&str]) {
    let end = Instant::now() + PATIENCE;
    loop {
        let list = get(gateway.address, "/views").json();
        let views = list["views"].as_array().expect("a list").iter();
        let mut names: Vec<_> = views.filter_map(|view| view["name"].as_str()).collect();
        names.sort_unstable();
        if names == expected {
            return;
        }
        assert!(
            Instant::now() < end,
            "{names:?} where {expected:?} should be"
        );
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

#[test]
fn pattern_follows_the_catalog_on_both_generations() {
    for generation in [Generation::Modern, Generation::Old] {
        let server = Materialize::start(generation);
        for name in ["w", "V.1", "idx_v"] {
            server.create_view(name, &[("n", "integer")]);
            server.commit(name, vec![(row(["1"]), 1)]);
        }
        if generation == Generation::Old {
            server.create_view("not_kept", &[("n", "integer")]);
        }
        let url = server.url();
        let gateway = Gateway::start(&["--upstream", &url, "--view", "PUBLIC.*"]);
        gateway.await_ready();
        await_names(&gateway, &["public.\"V.1\"", "public.w"]);
        let mut lasting = Stream::open(gateway.address, "/public.%22V.1%22/stream");
        assert_eq!(lasting.expect("base").data, "[{\"n\":1}]");
        // The first is the default view, here too.
        Stream::open(gateway.address, "/view/stream").expect("base");
        assert_eq!(get(gateway.address, "/public.x/stream").status, 404);

        server.create_view("x", &[("n", "integer")]);
        server.commit("x", vec![(row(["2"]), 1)]);
        await_names(&gateway, &["public.\"V.1\"", "public.w", "public.x"]);
        let mut new = Stream::open(gateway.address, "/public.x/stream");
        assert_eq!(new.expect("base").data, "[{\"n\":2}]");

        server.drop_view("x");
        let gone = loop {
            let event = new.next().expect("gone before the end");
            if event.name == "gone" {
                break event;
            }
        };
        assert!(gone.data.contains("dropped"), "{gone:?}");
        await_names(&gateway, &["public.\"V.1\"", "public.w"]);
        assert_eq!(get(gateway.address, "/public.x/stream").status, 404);

        // One of the same name is another view; the others have gone on.
        server.create_view("x", &[("n", "integer")]);
        server.commit("x", vec![(row(["3"]), 1)]);
        await_names(&gateway, &["public.\"V.1\"", "public.w", "public.x"]);
        let mut again = Stream::open(gateway.address, "/public.x/stream");
        assert_eq!(again.expect("base").data, "[{\"n\":3}]");
        server.commit("V.1", vec![(row(["7"]), 1)]);
        while !lasting.expect("delta").data.contains("{\"n\":7}") {}
    }
}

#[test]
fn pattern_waits_for_a_server_and_is_not_ready_before() {
    let server = Materialize::start(Generation::Modern);
    server.create_view("v", &[("n", "integer")]);
    server.refuse(true);
    let url = server.url();
    let gateway = Gateway::start(&["--upstream", &url, "--view", "public.*"]);
    gateway
        .process
        .await_log("looking for views in the catalog: connecting");
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut ready = get(gateway.address, "/readyz");
        assert_eq!(ready.status, 503);
        let waiting = &ready.json()["waiting"][0];
        assert_eq!(waiting["view"], "*");
        assert!(waiting["since"].is_string(), "{waiting}");
        let reason = waiting["reason"].as_str().expect("a reason");
        assert!(reason.starts_with("the catalog has not been read yet: "));
        if reason.ends_with("the upstream cannot be reached") {
            break;
        }
        assert!(Instant::now() < deadline, "never the true reason: {reason}");
    }
    server.refuse(false);
    await_names(&gateway, &["public.v"]);
    gateway.await_ready();
}

#[test]
fn pattern_streams_what_the_stand_in_has() {
    let stand_in = StandIn::start(&["--seed-edits", "10"]);
    let arguments = [
        "--upstream",
        &stand_in.url,
        "--view",
        "materialize.public.*",
    ];
    let gateway = Gateway::start(&arguments);
    gateway.await_ready();
    let mut stream = Stream::open(gateway.address, "/materialize.public.counter/stream");
    stream.expect("base");
    let mut client = stand_in.connect();
    let sql =
        "CREATE VIEW of_english AS SELECT * FROM edits_by_language WHERE language = 'English'";
    client.batch_execute(sql).expect("the stand-in takes it");
    let path = "/materialize.public.of_english/stream";
    let end = Instant::now() + PATIENCE;
    while get(gateway.address, path).status != 200 {
        assert!(Instant::now() < end, "the new view is not there");
        std::thread::park_timeout(Duration::from_millis(20));
    }
    Stream::open(gateway.address, path).expect("base");
}
