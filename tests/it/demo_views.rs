//! Views that clients create in the stand-in and drop again.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::thread;

use postgres::Client;
use viewcast::demo::{Demo, DemoDialect, Options, start};
use viewcast::limits::DEMO_CREATED_VIEWS_MAX;

use super::demo_errors::error;
use super::demo_standin::{connect, options, query};
use super::demo_streams::follow;
use crate::support::gateway::Gateway;
use crate::support::sse::{Event, Stream};
use crate::support::standin::StandIn;

fn old() -> Options {
    Options {
        dialect: DemoDialect::Tail,
        ..options(20, 500.0, 2_000)
    }
}

/// The first column of a query.
fn names(client: &mut Client, sql: &str) -> BTreeSet<String> {
    let rows = query(client, sql).into_iter();
    rows.map(|mut row| row.remove(0).unwrap()).collect()
}

fn execute(client: &mut Client, sql: &str) {
    client
        .batch_execute(sql)
        .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
}

#[test]
fn created_view_is_in_the_catalog_and_gone_when_dropped() {
    let demo = start(options(20, 500.0, 2_000)).unwrap();
    let mut client = connect(&demo);
    let catalog = |client: &mut Client| {
        [
            "SELECT name FROM mz_views",
            "SELECT name FROM mz_objects",
            "SHOW OBJECTS",
            "SHOW VIEWS",
        ]
        .map(|sql| names(client, sql).contains("english"))
    };
    let frontiers = "SELECT count(*) FROM mz_internal.mz_frontiers";
    let before = query(&mut client, frontiers);
    assert_eq!(catalog(&mut client), [false; 4]);
    let sql = "CREATE VIEW english AS SELECT page, edits AS n FROM hot_pages WHERE wiki = 'en'";
    execute(&mut client, sql);
    assert_eq!(catalog(&mut client), [true; 4]);
    assert_ne!(query(&mut client, frontiers), before);
    let shown = query(&mut client, "SHOW COLUMNS FROM public.english");
    assert_eq!(shown.len(), 2);
    assert_eq!(
        shown[1][..3],
        ["n", "f", "bigint"].map(|it| Some(it.to_owned()))
    );
    let told = "SELECT id, definition FROM mz_views WHERE name = 'english'";
    let told = query(&mut client, told).remove(0);
    assert_eq!(told[1].as_deref(), sql.split_once(" AS ").map(|it| it.1));
    let id = told[0].clone().unwrap();
    let columns = format!("SELECT name FROM mz_columns WHERE id = '{id}'");
    let expected = BTreeSet::from(["page".to_owned(), "n".to_owned()]);
    assert_eq!(names(&mut client, &columns), expected);

    execute(
        &mut client,
        "CREATE VIEW IF NOT EXISTS english AS SELECT * FROM wikis",
    );
    assert_eq!(query(&mut client, "SHOW COLUMNS FROM english").len(), 2);
    execute(
        &mut client,
        "CREATE OR REPLACE VIEW english AS SELECT * FROM wikis",
    );
    assert_eq!(query(&mut client, "SELECT * FROM english").len(), 51);
    assert!(names(&mut client, &columns).is_empty(), "another id");

    execute(&mut client, "DROP VIEW english");
    assert_eq!(catalog(&mut client), [false; 4]);
    assert_eq!(query(&mut client, frontiers), before);
    assert_eq!(error(&mut client, "SELECT * FROM english").0, "XX000");
    execute(&mut client, "DROP VIEW IF EXISTS english");
}

#[test]
fn extended_protocol_creates_and_drops() {
    let demo = start(options(20, 500.0, 2_000)).unwrap();
    let mut client = connect(&demo);
    client
        .execute("CREATE MATERIALIZED VIEW v AS SELECT * FROM top10", &[])
        .unwrap();
    assert!(names(&mut client, "SHOW MATERIALIZED VIEWS").contains("v"));
    assert_eq!(client.query("SELECT count FROM v", &[]).unwrap().len(), 10);
    assert_eq!(error(&mut client, "DROP VIEW v").1, "v is not a view");
    client.execute("DROP MATERIALIZED VIEW v", &[]).unwrap();
    let gone = client.query("SELECT count FROM v", &[]).unwrap_err();
    assert_eq!(gone.code().unwrap().code(), "XX000");
}

#[test]
fn dependent_views_are_named_or_dropped_too() {
    let demo = start(options(20, 500.0, 2_000)).unwrap();
    let mut client = connect(&demo);
    execute(&mut client, "CREATE VIEW a AS SELECT * FROM top10");
    execute(&mut client, "CREATE VIEW b AS SELECT count(*) FROM a");
    for sql in [
        "DROP VIEW a",
        "CREATE OR REPLACE VIEW a AS SELECT * FROM counter",
    ] {
        let (code, message) = error(&mut client, sql);
        assert_eq!(code, "XX000");
        let expected = "cannot drop view \"a\": still depended upon by view \"b\"";
        assert_eq!(message, expected, "{sql}");
    }
    let itself = error(&mut client, "CREATE OR REPLACE VIEW b AS SELECT * FROM b");
    assert_eq!(itself.1, "unknown catalog item 'b'");
    assert_eq!(
        query(&mut client, "SELECT * FROM b"),
        [[Some("10".to_owned())]]
    );
    execute(&mut client, "DROP VIEW a CASCADE");
    for name in ["a", "b"] {
        assert_eq!(
            error(&mut client, &format!("SELECT * FROM {name}")).0,
            "XX000"
        );
    }
    let create = |n: usize| format!("CREATE VIEW v{n} AS SELECT * FROM wikis");
    for n in 0..DEMO_CREATED_VIEWS_MAX {
        execute(&mut client, &create(n));
    }
    let full = error(&mut client, &create(DEMO_CREATED_VIEWS_MAX));
    assert_eq!(full.0, "53000");
}

const CREATED: [(&str, &str); 4] = [
    (
        "en",
        "SELECT page, editors FROM hot_pages WHERE wiki = 'en'",
    ),
    (
        "three",
        "SELECT * FROM top10 ORDER BY count DESC, \"user\" LIMIT 3",
    ),
    (
        "rare",
        "SELECT language FROM edits_by_language WHERE edits <> 0 ORDER BY edits LIMIT 5",
    ),
    ("users", "SELECT count(*) FROM user_edits"),
];

fn follow_created(options: Options, verb: &str, ticks: usize) {
    let demo = start(options).unwrap();
    let mut client = connect(&demo);
    for (name, sql) in CREATED {
        execute(&mut client, &format!("CREATE VIEW {name} AS {sql}"));
    }
    execute(
        &mut client,
        "CREATE VIEW four AS SELECT * FROM three WHERE count <> '1'",
    );
    thread::scope(|scope| {
        for name in ["en", "three", "rare", "users", "four"] {
            let demo = &demo;
            scope.spawn(move || {
                let updates = follow(demo, name, verb, ticks, 1);
                assert!(updates > 5, "{name}: {updates} updates");
            });
        }
    });
}

#[test]
fn streams_of_created_views_add_up_to_selects() {
    follow_created(options(20, 2_000.0, 2_000), "SUBSCRIBE", 200);
    let old = Options {
        rate: 2_000.0,
        ..old()
    };
    follow_created(old, "TAIL", 20);
}

/// What ends the COPY of a view after `sql`, if anything does within so many
/// ticks: `None` for a CopyDone.
fn ending(demo: &Demo, copy: &str, sql: &str) -> Option<String> {
    let (mut stream, mut client) = (connect(demo), connect(demo));
    let mut lines = BufReader::new(stream.copy_out(copy).unwrap()).lines();
    assert!(lines.next().unwrap().is_ok());
    execute(&mut client, sql);
    let error = lines.find_map(Result::err)?;
    let error = error
        .get_ref()
        .and_then(|it| it.downcast_ref::<postgres::Error>());
    let error = error.unwrap().as_db_error().unwrap();
    assert_eq!(error.code().code(), "XX000");
    Some(error.message().to_owned())
}

#[test]
fn dropped_view_ends_its_subscribe_with_the_recorded_error() {
    let demo = start(options(20, 500.0, 2_000)).unwrap();
    let mut client = connect(&demo);
    let message = |name: &str| {
        Some(format!(
            "subscribe has been terminated because underlying relation \
             \"materialize.public.{name}\" was dropped"
        ))
    };
    execute(&mut client, "CREATE VIEW a AS SELECT * FROM wikis");
    execute(&mut client, "CREATE VIEW b AS SELECT * FROM a");
    let copy = "COPY (SUBSCRIBE b WITH (PROGRESS)) TO STDOUT";
    assert_eq!(ending(&demo, copy, "DROP VIEW a CASCADE"), message("b"));
    execute(&mut client, "CREATE VIEW a AS SELECT * FROM wikis");
    let copy = "COPY (SUBSCRIBE a WITH (PROGRESS)) TO STDOUT";
    assert_eq!(ending(&demo, copy, "DROP VIEW a"), message("a"));
}

#[test]
fn dropped_view_says_nothing_in_the_old_dialect_and_a_cascade_ends_like_a_copy() {
    let demo = start(old()).unwrap();
    let mut client = connect(&demo);
    execute(&mut client, "CREATE VIEW a AS SELECT * FROM counter");
    execute(&mut client, "CREATE VIEW b AS SELECT * FROM a");
    let copy = "COPY (TAIL b WITH (PROGRESS)) TO STDOUT";
    assert_eq!(ending(&demo, copy, "DROP VIEW a CASCADE"), None);

    execute(&mut client, "CREATE VIEW a AS SELECT * FROM counter");
    let mut stream = connect(&demo);
    let token = stream.cancel_token();
    let copy = stream.copy_out("COPY (TAIL a WITH (PROGRESS)) TO STDOUT");
    let mut lines = BufReader::new(copy.unwrap()).lines();
    assert!(lines.next().unwrap().is_ok());
    execute(&mut client, "DROP VIEW a");
    assert!(names(&mut client, "SHOW VIEWS").contains("counter"));
    // Ten ticks later the stream still stands.
    let now = "SELECT mz_logical_timestamp()";
    let now: u64 = names(&mut client, now)
        .pop_first()
        .unwrap()
        .parse()
        .unwrap();
    query(
        &mut client,
        &format!("SELECT * FROM counter AS OF {}", now + 200),
    );
    token.cancel_query(postgres::NoTls).unwrap();
    let ended = lines.find_map(Result::err).expect("by the cancel");
    assert!(
        format!("{:?}", ended.get_ref()).contains("57014"),
        "{ended:?}"
    );
}

fn gone(stream: &mut Stream) -> Event {
    loop {
        let event = stream.next().expect("gone before the end");
        if event.name == "gone" {
            assert_eq!(stream.next(), None, "the end, between events");
            return event;
        }
    }
}

/// A view is dropped under a gateway, and comes again with other columns.
fn gone_and_back(arguments: &[&str]) {
    let standin = StandIn::start(&[&["--tick", "40ms", "--rate", "500"], arguments].concat());
    let mut client = standin.connect();
    execute(
        &mut client,
        "CREATE VIEW v AS SELECT page, edits FROM hot_pages",
    );
    let gateway = Gateway::start(&[
        "--upstream",
        &standin.url,
        "--view",
        "v",
        "--view",
        "counter",
        "--upstream-timeout",
        "300ms",
    ]);
    gateway.await_ready();
    let mut stream = Stream::open(gateway.address, "/v/stream");
    let base = stream.expect("base");
    let mut other = Stream::open(gateway.address, "/counter/stream");
    other.expect("base");
    execute(&mut client, "DROP VIEW v");
    let event = gone(&mut stream);
    let data: serde_json::Value = serde_json::from_str(&event.data).expect("JSON");
    assert!(data["reason"].is_string(), "[P9] {data}");
    other.expect("delta");
    // Whoever comes back meanwhile waits, and is served the new one [P1, P9].
    let id = stream.last_id.clone().expect("an id");
    let mut again = Stream::resume(gateway.address, "/v/stream", &id);
    execute(
        &mut client,
        "CREATE VIEW v AS SELECT code, language FROM wikis",
    );
    let new = again.expect("base");
    assert!(
        new.data
            .contains("{\"code\":\"vi\",\"language\":\"Vietnamese\"}")
    );
    let incarnation = |event: &Event| {
        event
            .id
            .clone()
            .unwrap()
            .split_once('-')
            .unwrap()
            .1
            .to_owned()
    };
    assert_ne!(incarnation(&new), incarnation(&base));
    // The same name and columns once more are another view all the same.
    execute(
        &mut client,
        "CREATE OR REPLACE VIEW v AS SELECT code, language FROM wikis",
    );
    gone(&mut again);
    let newest = Stream::open(gateway.address, "/v/stream").expect("base");
    assert_ne!(incarnation(&newest), incarnation(&new));
}

#[test]
fn dropped_view_of_the_demo_is_gone_and_served_anew_when_it_is_back() {
    gone_and_back(&[]);
}

#[test]
fn dropped_view_of_the_old_demo_is_gone_and_served_anew_when_it_is_back() {
    gone_and_back(&["--demo-dialect", "tail"]);
}
