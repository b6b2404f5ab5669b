//! The SQL of views: shown to who sees all of them, where the operator wants it,
//! and to nobody else.

use serde_json::{Value, json};

use crate::access::{KEYS, claims, taking_tokens, token, with};
use crate::support::gateway::Gateway;
use crate::support::http::{get, request};
use crate::support::materialize::{Generation, Materialize};
use crate::support::standin::StandIn;

/// The status of a view's SQL, and what is told.
fn sql(gateway: &Gateway, view: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let mut answer = request(gateway.address, "GET", &format!("/{view}/sql"), headers);
    (answer.status, answer.text())
}

/// Where `/views` says the SQL of the first view is.
fn listed(gateway: &Gateway, headers: &[(&str, &str)]) -> Value {
    let mut answer = request(gateway.address, "GET", "/views", headers);
    answer.json()["views"][0]["sql"].take()
}

fn started(arguments: &[&str]) -> Gateway {
    let gateway = Gateway::start(arguments);
    gateway.await_ready();
    gateway
}

fn file(text: &str) -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().expect("directory");
    let file = directory.path().join("viewcast.toml");
    std::fs::write(&file, text).expect("written");
    let path = file.display().to_string();
    (directory, path)
}

#[test]
fn sql_of_the_demo_is_what_its_server_answers_and_has_a_tag() {
    let gateway = Gateway::demo(&["--view", "top10,mz_catalog.mz_views"]);
    gateway.await_ready();
    assert_eq!(listed(&gateway, &[]), "/top10/sql");
    let mut answer = get(gateway.address, "/top10/sql");
    assert_eq!(
        answer.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    let tag = answer.header("etag").expect("a tag").to_owned();
    let told = answer.text();
    assert!(
        told.starts_with("CREATE MATERIALIZED VIEW materialize.public.top10\n")
            && told.contains("FROM user_edits"),
        "{told}"
    );
    assert_eq!(sql(&gateway, "view", &[]), (200, told));
    assert_eq!(sql(&gateway, "top10", &[("If-None-Match", &tag)]).0, 304);
    // A table has none, and what is not there neither.
    for (view, words) in [
        ("mz_catalog.mz_views", "SQL is not shown"),
        ("x", "unknown"),
    ] {
        let (status, told) = sql(&gateway, view, &[]);
        assert_eq!(status, 404);
        assert!(told.contains(words), "{told}");
    }
    let quiet = Gateway::demo(&["--view", "top10", "--show-sql=false"]);
    quiet.await_ready();
    assert_eq!(sql(&quiet, "top10", &[]).0, 404);
}

#[test]
fn sql_is_shown_on_both_generations_and_to_nobody_unless_asked_for() {
    for (dialect, begins) in [
        (
            "tail",
            "CREATE VIEW \"materialize\".\"public\".\"top10\" AS",
        ),
        (
            "subscribe",
            "CREATE MATERIALIZED VIEW materialize.public.top10",
        ),
    ] {
        let stand_in = StandIn::start(&["--demo-dialect", dialect]);
        let arguments = ["--upstream", &stand_in.url, "--view", "top10"];
        let gateway = started(&arguments);
        assert_eq!(listed(&gateway, &[]), Value::Null);
        let (status, told) = sql(&gateway, "top10", &[]);
        assert_eq!(status, 404, "{dialect}: {told}");
        let gateway = started(&[&arguments[..], &["--show-sql"]].concat());
        let (status, told) = sql(&gateway, "top10", &[]);
        assert_eq!(status, 200, "{dialect}: {told}");
        assert!(told.starts_with(begins), "{told}");
    }
}

#[test]
fn sql_of_a_view_with_hidden_columns_is_not_shown() {
    let stand_in = StandIn::start(&[]);
    let (_kept, path) =
        file("show_sql = true\n[view.some]\nrelation = 'top10'\ncolumns = ['user']\n");
    let gateway = started(&["--upstream", &stand_in.url, "--config", &path]);
    assert_eq!(listed(&gateway, &[]), Value::Null);
    assert_eq!(sql(&gateway, "some", &[]).0, 404);
}

#[test]
fn sql_of_a_query_is_as_it_stands_in_the_file() {
    const QUERY: &str = "SELECT id FROM t";
    let server = Materialize::start(Generation::Modern);
    server.create_view(QUERY, &[("id", "integer")]);
    let text = format!("show_sql = true\n[view.asked]\nquery = '{QUERY}'\n");
    let (_kept, path) = file(&text);
    let gateway = started(&["--upstream", &server.url(), "--config", &path]);
    assert_eq!(sql(&gateway, "asked", &[]), (200, QUERY.to_owned()));
}

#[test]
fn sql_is_kept_from_who_sees_some_of_the_rows() {
    let stand_in = StandIn::start(&[]);
    let (_kept, path) = file(
        "show_sql = true\n[view.user_edits]\nrows = { user = 'claim:sub' }\n\
         [view.all]\nrelation = 'user_edits'\nfilter = ['user']\n",
    );
    let key = format!("{KEYS}/hs256.txt");
    let mut arguments = taking_tokens(["--jwt-key-file", &key]);
    arguments.extend_from_slice(&["--upstream", &stand_in.url, "--config", &path]);
    let gateway = started(&arguments);
    let bearer = |claims: &Value| format!("Bearer {}", token(claims));
    let of = |claims: Value| {
        let authorization = bearer(&claims);
        let headers = [("Authorization", authorization.as_str())];
        ["user_edits", "all"].map(|view| sql(&gateway, view, &headers).0)
    };
    let both = with(claims(&["user_edits", "all"]), "sub", json!("a"));
    assert_eq!(of(both.clone()), [404, 200]);
    assert_eq!(of(with(claims(&["all"]), "sub", json!("a"))), [403, 200]);
    assert_eq!(of(claims(&["user_edits"])), [403, 403]);
    let viewcast = json!({ "views": ["all"], "rows": { "all": { "user": ["a"] } } });
    assert_eq!(of(with(claims(&[]), "viewcast", viewcast)), [403, 404]);
    assert_eq!(sql(&gateway, "all", &[]).0, 401);
    let authorization = bearer(&both);
    let headers = [("Authorization", authorization.as_str())];
    assert_eq!(listed(&gateway, &headers), Value::Null);
    let mut shown = request(gateway.address, "GET", "/all/sql", &headers);
    assert_eq!(shown.header("cache-control"), Some("private, no-cache"));
    assert!(shown.text().contains("GROUP BY user_name"));
}
