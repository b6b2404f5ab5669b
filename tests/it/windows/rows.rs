//! Rows of one's own [A6 to A8]: whatever a token lets its bearer see, there is
//! no way to see more.

use serde_json::{Value, json};

use super::{Shop, follow_with, ids, ids_of, simple, table_of};
use crate::access::{KEYS, claims, taking_tokens, token, with};
use crate::support::http::{Response, request};
use crate::support::joined::Joined;
use crate::support::materialize::Generation;
use crate::support::materialize::Materialize;
use crate::support::sse::Stream;

/// The orders are shown by a claim within a claim, the same orders under another
/// name to whoever that is granted to.
const RULES: &str = "[view.orders]\nfilter = ['customer', 'status']\n\
                     rows = { customer = 'claim:https://shop.example/customer.id' }\n\
                     [view.all]\nrelation = 'orders'\nfilter = ['customer']\n[view.items]\n";

const CUSTOMER: &str = "https://shop.example/customer";

fn guarded(tables: &str, more: &[&str]) -> Shop {
    let shop = Shop::open_with(tables, &arguments(more));
    shop.gateway.await_ready();
    shop
}

fn arguments<'a>(more: &[&'a str]) -> Vec<&'a str> {
    static FILE: std::sync::LazyLock<String> =
        std::sync::LazyLock::new(|| format!("{KEYS}/hs256.txt"));
    let mut arguments = taking_tokens(["--jwt-key-file", &FILE]);
    arguments.extend_from_slice(&["--allow-url-token", "--compress", "auto"]);
    arguments.extend_from_slice(more);
    arguments
}

/// A token for the orders, with other claims beside.
fn bearer(name: &str, value: Value) -> String {
    token(&with(claims(&["orders"]), name, value))
}

/// A token for the orders of this customer, or of these.
fn of_customer(id: Value) -> String {
    bearer(CUSTOMER, json!({ "id": id }))
}

fn ask(shop: &Shop, method: &str, path: &str, token: &str, more: &[(&str, &str)]) -> Response {
    let authorization = format!("Bearer {token}");
    let mut headers = vec![("Authorization", authorization.as_str())];
    headers.extend_from_slice(more);
    request(shop.address(), method, path, &headers)
}

/// Positions and tags that others have, and that are no use to anybody else.
struct Others {
    id: String,
    tag: String,
    joint: String,
    window: String,
}

impl Others {
    fn of(shop: &Shop) -> Others {
        let all = token(&claims(&["all"]));
        let authorization = format!("Bearer {all}");
        let headers = [("Authorization", authorization.as_str())];
        let (stream, _) = follow_with(shop.address(), "/all/stream", &headers);
        let (window, _) = follow_with(shop.address(), "/all/stream?customer=not.eq.0", &headers);
        let mut joint = Stream::open_with(shop.address(), "/stream?view=all", &headers);
        let joint = loop {
            if let Some(id) = joint.next().expect("it goes on").id {
                break id;
            }
        };
        let rows = ask(shop, "GET", "/all", &all, &[]);
        Others {
            id: stream.last_id.expect("an id"),
            tag: rows.header("etag").expect("a tag").to_owned(),
            joint,
            window: window.last_id.expect("an id"),
        }
    }
}

/// The ids of the orders that a token's bearer gets to see by each way, or how
/// they are refused.
fn seen(shop: &Shop, token: &str, others: &Others) -> Vec<(String, Result<Vec<u64>, u16>)> {
    let mut seen = Vec::new();
    let mut rows = |path: &str, headers: &[(&str, &str)]| {
        let mut answer = ask(shop, "GET", path, token, headers);
        let found = match answer.status {
            200 => {
                let text = answer.text();
                let head = ask(shop, "HEAD", path, token, headers);
                assert_eq!(head.status, 200, "{path}");
                let length = head.header("content-length").map(str::to_owned);
                assert_eq!(length, Some(text.len().to_string()), "{path}");
                let rows: Value = serde_json::from_str(&text).expect("JSON");
                Ok(ids(rows.as_array().expect("a list")))
            }
            status => {
                assert_eq!(ask(shop, "HEAD", path, token, headers).status, status);
                Err(status)
            }
        };
        seen.push((format!("{path} {headers:?}"), found));
    };
    for path in [
        "/orders",
        "/%6Frders",
        "/view",
        "/orders?select=id",
        "/orders?last-event-id=x",
    ] {
        rows(path, &[]);
    }
    rows("/orders", &[("If-None-Match", &others.tag)]);
    for asked in [
        "customer=in.(42,43,44)",
        "customer=not.is.null",
        "customer=in.(42,43,44)&customer=not.eq.0",
        "column.customer=not.eq.1000&select=id,customer",
        "status=not.eq.nosuch",
    ] {
        rows(&format!("/orders?{asked}"), &[]);
    }
    let mut stream = |path: &str, headers: &[(&str, &str)]| {
        let answer = ask(shop, "GET", path, token, headers);
        let found = match answer.status {
            200 => {
                let mut stream = Stream::of(answer, path);
                Ok(ids_of(&table_of(&mut stream)))
            }
            status => Err(status),
        };
        seen.push((format!("{path} {headers:?}"), found));
    };
    for path in [
        "/orders/stream",
        "/view/stream",
        "/orders/stream?customer=in.(42,43,44)",
    ] {
        stream(path, &[]);
        stream(path, &[("Accept-Encoding", "gzip")]);
        // Through the HTTP stack, as over TLS.
        stream(path, &[("Content-Length", "0")]);
        for id in [&others.id, &others.window] {
            stream(path, &[("Last-Event-ID", id)]);
        }
    }
    stream(&format!("/orders/stream?last-event-id={}", others.id), &[]);
    let mut joint = |path: &str, headers: &[(&str, &str)]| {
        let answer = ask(shop, "GET", path, token, headers);
        let found = match answer.status {
            200 => {
                let mut stream = Stream::of(answer, path);
                let mut joined = Joined::default();
                joined.read_until(&mut stream, |_| true);
                let name = match path.contains("view=view") {
                    true => "view",
                    false => "orders",
                };
                let rows = joined.shown[name].iter().flat_map(|(row, copies)| {
                    let row: Value = serde_json::from_str(row).expect("JSON");
                    (0..*copies).map(move |_| row.clone())
                });
                Ok(ids(&rows.collect::<Vec<_>>()))
            }
            status => Err(status),
        };
        seen.push((format!("{path} {headers:?}"), found));
    };
    for path in [
        "/stream?view=orders",
        "/stream?view=view",
        "/stream?view=orders&orders.customer=in.(42,43,44)&orders.select=id",
    ] {
        joint(path, &[]);
        joint(path, &[("Last-Event-ID", &others.joint)]);
    }
    seen
}

#[test]
fn windows_by_claims_have_no_hole_in_the_matrix_of_claims_and_ways() {
    let shop = guarded(RULES, &[]);
    let others = Others::of(&shop);
    let id = of_customer;
    let both = |rows: Value| {
        let claims = with(claims(&["orders"]), CUSTOMER, json!({ "id": ["42", "44"] }));
        token(&with(claims, "viewcast.rows", rows))
    };
    for (what, token, expected) in [
        ("a text", id(json!("42")), Ok(vec![1, 2])),
        ("a number", id(json!(42)), Ok(vec![1, 2])),
        ("a list", id(json!(["42", 43])), Ok(vec![1, 2, 3, 5])),
        ("twice", id(json!(["44", 44, "044"])), Ok(vec![6, 7, 7])),
        ("none", id(json!([])), Ok(vec![])),
        ("another", id(json!(7)), Ok(vec![])),
        ("a number with a point", id(json!(42.5)), Err(403)),
        ("no number", id(json!("x")), Err(403)),
        ("a condition", id(json!("42,43")), Err(403)),
        ("SQL", id(json!("42 OR true")), Err(403)),
        ("nothing", id(json!("")), Err(403)),
        ("a boolean", id(json!(true)), Err(403)),
        ("null", id(Value::Null), Err(403)),
        ("null in a list", id(json!([42, null])), Err(403)),
        ("an object", id(json!({ "id": 42 })), Err(403)),
        ("a list of lists", id(json!([[42]])), Err(403)),
        ("too large", id(json!(1_u64 << 40)), Err(403)),
        ("rounded", id(json!(1e30)), Err(403)),
        ("too many", id(json!(vec![1; 1_001])), Err(403)),
        (
            "another claim",
            bearer("customer", json!({ "id": 42 })),
            Err(403),
        ),
        (
            "another within it",
            bearer(CUSTOMER, json!({ "Id": 42 })),
            Err(403),
        ),
        (
            "another name with a dot",
            bearer("https://shop.example/customer.id", json!(43)),
            Ok(vec![3, 5]),
        ),
        (
            "both",
            both(json!({ "orders": { "status": ["open", "null"] } })),
            Ok(vec![1, 7, 7]),
        ),
        (
            "both on one",
            both(json!({ "orders": { "customer": [43, 44] } })),
            Ok(vec![6, 7, 7]),
        ),
        (
            "by pattern",
            both(json!({ "o*": { "status": "paid" } })),
            Ok(vec![2]),
        ),
        (
            "by name and pattern",
            both(json!({ "*": { "open": true }, "orders": { "customer": 42 } })),
            Ok(vec![1]),
        ),
        (
            "of another view",
            both(json!({ "items": { "order_id": 9 }, "view": { "id": 9 } })),
            Ok(vec![1, 2, 6, 7, 7]),
        ),
        (
            "none of its own",
            both(json!({ "orders": { "id": [] } })),
            Ok(vec![]),
        ),
        (
            "of no column",
            both(json!({ "orders": { "nosuch": 1 } })),
            Err(403),
        ),
        (
            "of no type to compare",
            both(json!({ "orders": { "data": 1 } })),
            Err(403),
        ),
        (
            "of another type",
            both(json!({ "orders": { "id": "x" } })),
            Err(403),
        ),
        (
            "of nothing",
            both(json!({ "orders": { "id": null } })),
            Err(403),
        ),
        ("undefined", both(json!({ "orders": {} })), Err(401)),
        ("another shape", both(json!({ "orders": ["id"] })), Err(401)),
    ] {
        for (way, found) in seen(&shop, &token, &others) {
            assert_eq!(found, expected, "{what}: {way}");
        }
        let mut list = ask(&shop, "GET", "/views", &token, &[]);
        if list.status != 200 {
            assert_eq!(Err(list.status), expected, "{what}");
            continue;
        }
        // What it is may be known; what all rows come to is nobody's business.
        let list = list.json();
        let views = list["views"].as_array().expect("a list");
        assert!(views.len() == 1 || expected == Err(403), "{what}: {list}");
        for view in views {
            assert_eq!(view["name"], "orders");
            for of_all in ["rows", "position", "lag_seconds", "subscribers"] {
                assert_eq!(view[of_all], Value::Null, "{what}: {view}");
            }
        }
    }
    // Who lacks the claim is not told of the view at all.
    let mut list = ask(&shop, "GET", "/views", &bearer("x", json!(1)), &[]);
    assert_eq!(list.json()["views"], json!([]));
    // A view without rules is whole, also beside one with them.
    let all = token(&claims(&["all"]));
    let rows = ask(&shop, "GET", "/all", &all, &[]).json();
    assert_eq!(
        ids(rows.as_array().expect("a list")),
        [1, 2, 3, 4, 5, 6, 7, 7]
    );
    assert!(!shop.gateway.process.has_panicked());
}

/// Whoever is refused learns neither columns nor claims, and of no value.
#[test]
fn windows_by_claims_are_refused_in_words_that_tell_nothing() {
    let shop = guarded(RULES, &[]);
    let words = |token: &str| {
        let mut answer = ask(&shop, "GET", "/orders", token, &[]);
        let challenge = answer.header("www-authenticate").map(str::to_owned);
        assert!(challenge.is_some_and(|it| it.contains("insufficient_scope")));
        assert_eq!(answer.status, 403);
        answer.text()
    };
    for token in [
        bearer("x", json!("zzmark")),
        of_customer(json!("zzmark")),
        of_customer(json!({ "zzmark": 1 })),
        of_customer(json!(vec!["zzmark"; 400])),
        token(&with(
            with(claims(&["orders"]), CUSTOMER, json!({ "id": 42 })),
            "viewcast.rows",
            json!({ "orders": { "zzmark": 1 } }),
        )),
    ] {
        let text = words(&token);
        for word in ["zzmark", "customer", "shop", "integer", "42"] {
            assert!(!text.contains(word), "{text}");
        }
    }
    for line in shop.gateway.process.log() {
        assert!(!line.contains("zzmark"), "{line}");
    }
}

/// A rule that cannot be enforced shows nothing to anybody, on any way, and the
/// operator is told.
#[test]
fn windows_by_rules_that_cannot_be_enforced_are_shut() {
    for rows in [
        "nosuch = 'claim:sub'",
        "data = 'claim:sub'",
        "Customer = 'claim:sub'",
    ] {
        let tables = format!("[view.orders]\nrows = {{ {rows} }}\n[view.items]\n");
        let shop = guarded(&tables, &[]);
        let token = token(&with(claims(&["*"]), "sub", json!("42")));
        for path in [
            "/orders",
            "/orders/stream",
            "/view",
            "/view/stream",
            "/stream?view=orders",
            "/stream?view=items&view=orders",
        ] {
            for method in ["GET", "HEAD"] {
                let mut answer = ask(&shop, method, path, &token, &[]);
                assert_eq!(answer.status, 503, "{method} {path}");
                let text = answer.text();
                assert!(!text.contains("nosuch") && !text.contains("data"), "{text}");
            }
        }
        assert_eq!(ask(&shop, "GET", "/items", &token, &[]).status, 200);
        shop.gateway.process.await_log("orders: shown to nobody");
        let told = |line: &String| line.contains("shown to nobody");
        let log = shop.gateway.process.log();
        let told: Vec<_> = log.iter().filter(|line| told(line)).collect();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("ERROR"), "{told:?}");
    }
}

/// Before the columns are known a stream is held, and then told.
#[test]
fn windows_by_claims_of_a_view_that_is_not_loaded_are_judged_when_it_is() {
    let server = Materialize::start(Generation::Modern);
    server.create_view("orders", &super::COLUMNS);
    server.create_view("items", &[("order_id", "bigint"), ("name", "text")]);
    server.commit(
        "orders",
        vec![(simple(1, 42, "open"), 1), (simple(2, 43, "open"), 1)],
    );
    server.refuse(true);
    let tables = "[view.orders]\nrows = { customer = 'claim:sub' }\n\
                  [view.items]\nrows = { customer = 'claim:sub' }\n";
    let shop = Shop::before(server, tables, &arguments(&["--reconnect-max", "100ms"]));
    let headers = |sub: Value| {
        let token = token(&with(claims(&["*"]), "sub", sub));
        format!("Bearer {token}")
    };
    let open = |path: &str, sub: Value| {
        Stream::open_with(shop.address(), path, &[("Authorization", &headers(sub))])
    };
    let mut good = open("/orders/stream", json!(42));
    let mut bad = open("/orders/stream", json!("zzmark"));
    let mut shut = open("/items/stream", json!(42));
    let mut both = open("/stream?view=orders&view=items", json!(43));
    shop.server.refuse(false);
    assert_eq!(ids_of(&table_of(&mut good)), [1]);
    for stream in [&mut bad, &mut shut] {
        let gone = stream.expect("gone");
        for word in ["zzmark", "customer", "sub", "integer"] {
            assert!(!gone.data.contains(word), "{}", gone.data);
        }
        assert_eq!(stream.next(), None);
    }
    let mut joined = Joined::default();
    joined.read_until(&mut both, |_| true);
    assert_eq!(joined.gone, ["items"]);
    let rows: Vec<Value> = joined.shown["orders"]
        .keys()
        .map(|row| serde_json::from_str(row).expect("JSON"))
        .collect();
    assert_eq!(ids(&rows), [2]);
}

/// What the table of a pattern says holds for all its views: those that lack
/// the column are shut.
#[test]
fn windows_by_claims_of_a_pattern_hold_for_each_of_its_views() {
    let tables = "[view.'public.*']\nfilter = ['status']\nrows = { customer = 'claim:org.id' }\n";
    let shop = guarded(tables, &[]);
    let token = token(&with(claims(&["*"]), "org", json!({ "id": [43] })));
    let rows = ask(&shop, "GET", "/public.orders?status=eq.open", &token, &[]).json();
    assert_eq!(ids(rows.as_array().expect("a list")), [3]);
    let query = "/public.orders?customer=eq.42";
    assert_eq!(ask(&shop, "GET", query, &token, &[]).status, 400);
    assert_eq!(ask(&shop, "GET", "/public.items", &token, &[]).status, 503);
    assert_eq!(
        ask(&shop, "GET", "/public.items/stream", &token, &[]).status,
        503
    );
}

/// A stream says nothing of others' rows, and what becomes another's is gone.
#[test]
fn windows_by_claims_follow_rows_and_nothing_else() {
    let shop = guarded(RULES, &[]);
    let headers = |id: Value| {
        let token = of_customer(id);
        format!("Bearer {token}")
    };
    let mine = headers(json!("42"));
    let (mut stream, mut table) = follow_with(
        shop.address(),
        "/orders/stream",
        &[("Authorization", &mine)],
    );
    assert_eq!(ids_of(&table), [1, 2]);
    let commit = |changes| shop.server.commit("orders", changes);
    commit(vec![(simple(8, 43, "theirs"), 1)]);
    commit(vec![
        (simple(8, 43, "theirs"), -1),
        (simple(8, 44, "theirs"), 1),
    ]);
    commit(vec![
        (simple(8, 44, "theirs"), -1),
        (simple(8, 42, "mine"), 1),
    ]);
    let at = commit(vec![
        (simple(9, 42, "mine"), 1),
        (simple(10, 43, "theirs"), 1),
    ]);
    while table.timestamp < Some(at) {
        let event = stream.next().expect("it goes on");
        assert!(!event.data.contains("theirs"), "{}", event.data);
        table.apply(&event);
    }
    assert_eq!(ids_of(&table), [1, 2, 8, 9]);
    let at = commit(vec![
        (simple(8, 42, "mine"), -1),
        (simple(8, 43, "theirs"), 1),
    ]);
    table.read_until(&mut stream, |table| table.timestamp >= Some(at));
    assert_eq!(ids_of(&table), [1, 2, 9]);
    let last = stream.last_id.clone().expect("an id");
    drop(stream);

    // The same claims go on, also in another token and other words; others begin
    // anew, and hold nothing of before.
    for (id, bases, expected) in [
        (json!([42, "42"]), 0, vec![1, 2, 9]),
        (json!(43), 1, vec![3, 5, 8, 10]),
        (json!(["42", "43"]), 1, vec![1, 2, 3, 5, 8, 9, 10]),
    ] {
        let headers = [
            ("Authorization", &*headers(id.clone())),
            ("Last-Event-ID", &last),
        ];
        let mut stream = Stream::open_with(shop.address(), "/orders/stream", &headers);
        let mut again = table.clone();
        again.bases = 0;
        let at = shop.server.tick();
        again.read_until(&mut stream, |table| table.timestamp >= Some(at));
        assert_eq!((again.bases, ids_of(&again)), (bases, expected), "{id}");
    }
}
