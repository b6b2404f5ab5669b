//! Whatever else is asked for is refused in words, and nobody notices [W5].

use super::{Shop, TABLES};
use crate::support::http::{get, request};
use crate::support::materialize::{Generation, Materialize};
use crate::support::sse::Stream;

/// Stands in each request that is refused, and in no answer.
const MARK: &str = "zzmark";

#[test]
fn windows_that_make_no_sense_are_refused_with_a_hint() {
    let shop = Shop::open(&[]);
    shop.gateway.await_ready();
    let (mut bystander, mut table) = shop.follow("/orders/stream?customer=eq.42");
    let list = |count: usize| vec!["1"; count].join(",");
    let many = |count: usize| format!("customer=in.({})", list(count));
    let conditions = |count: usize| vec!["customer=eq.1"; count].join("&");
    for (query, said) in [
        // No condition.
        (
            "zzmark=1",
            "parameter number 1 of the query is no condition",
        ),
        (
            "customer=42",
            "parameter number 1 of the query is no condition",
        ),
        (
            "customer=eq.1&_=1690617099",
            "parameter number 2 of the query is no condition",
        ),
        ("customer=gt.1", "is no condition"),
        ("customer=like.zzmark*", "is no condition"),
        ("customer=not.not.eq.1", "is no condition"),
        ("limit=2", "asks for what is not supported"),
        ("offset=2", "asks for what is not supported"),
        ("order=customer.desc", "asks for what is not supported"),
        (
            "or=(customer.eq.1,status.eq.zzmark)",
            "asks for what is not supported",
        ),
        ("view=items", "names a view"),
        ("customer=in.(1,2", "has a list that cannot be read"),
        ("status=in.(zzmark(1))", "has a list that cannot be read"),
        ("customer=eq.%", "is not percent-encoded UTF-8"),
        ("status=eq.%ff", "is not percent-encoded UTF-8"),
        ("%zz=eq.1", "is not percent-encoded UTF-8"),
        ("x=%ff&&=&%", "is not percent-encoded UTF-8"),
        // No such column, or not one to ask by.
        ("zzmark=eq.1", "a column that the view does not have"),
        ("Customer=eq.1", "a column that the view does not have"),
        ("=eq.1", "a column that the view does not have"),
        ("limit=eq.1", "a column that the view does not have"),
        (
            "column.zzmark=is.null",
            "a column that the view does not have",
        ),
        ("data=eq.1", "\"data\" is not filterable"),
        (
            "orders.customer=eq.1",
            "a column that the view does not have",
        ),
        // No value of the type.
        ("customer=eq.", "is no integer"),
        ("customer=eq.zzmark", "is no integer"),
        ("customer=eq.1.5", "is no integer"),
        ("customer=eq.null", "is no integer"),
        ("customer=eq.NaN", "is no integer"),
        ("customer=eq.9223372036854775808", "is no integer"),
        ("customer=eq.2147483648", "is no integer"),
        ("customer=in.(1,zzmark)", "is no integer"),
        ("customer=eq.1%27%20OR%20zzmark%20--", "is no integer"),
        ("customer=eq.%2531", "is no integer"),
        ("customer=eq.1%00", "is no integer"),
        ("id=eq.9223372036854775808", "is no bigint"),
        ("id=eq.-9223372036854775809", "is no bigint"),
        ("total=eq.zzmark", "is no numeric"),
        ("open=eq.zzmark", "is no boolean"),
        ("customer=is.true", "no value of it is true or false"),
        ("ref=eq.6f4b6612", "is no uuid"),
        ("at=eq.zzmark", "is no timestamp"),
        // Too many.
        (&many(1_001), "has more than 1000 values"),
        (&many(10_000), "has more than 1000 values"),
        (&conditions(17), "is one condition too many"),
        // Columns to show.
        (
            "select=zzmark",
            "select names a column that the view does not have",
        ),
        ("select=id,id", "select names column \"id\" twice"),
        ("select=", "names no column to show"),
        ("select=id&select=total", "names the columns to show again"),
        (
            "select=id,",
            "select names a column that the view does not have",
        ),
        ("select=count(zzmark)", "has a list that cannot be read"),
    ] {
        for path in ["/orders", "/orders/stream", "/view/stream", "/view"] {
            let mut answer = shop.get(&format!("{path}?{query}"));
            assert_eq!(answer.status, 400, "{path}?{query}");
            assert_eq!(answer.header("content-type"), Some("application/json"));
            let text = answer.text();
            assert!(!text.contains(MARK), "{query}: {text}");
            let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            let error = json["error"].as_str().expect("an error");
            assert!(error.contains(said), "{query}: {error}");
            let hint = json["hint"].as_str().expect("a hint");
            let names = "Filterable columns: customer, status, total, open, ref, at, select, id.";
            let columns = "The view's columns are: id, customer, status, ";
            assert!(
                hint.contains(names) || hint.starts_with(columns),
                "{query}: {hint}"
            );
            let head = request(shop.address(), "HEAD", &format!("{path}?{query}"), &[]);
            assert_eq!(head.status, 400, "{path}?{query}");
        }
    }
    for (query, status) in [
        (&*many(1_000), 200),
        (&*conditions(16), 200),
        (&*format!("status=eq.{}", "a".repeat(30_000)), 200),
        (&*format!("status=eq.{}", "a".repeat(1 << 15)), 431),
        (&*format!("status=eq.{}", "a".repeat(1 << 20)), 431),
        (&*many(20_000), 431),
    ] {
        let answer = shop.get(&format!("/orders?{query}"));
        assert_eq!(answer.status, status, "{} bytes", query.len());
    }
    // Elsewhere parameters are nobody's business.
    for path in [
        "/views?x=1",
        "/healthz?customer=eq.1",
        "/?x",
        "/metrics?a=%ff",
    ] {
        assert_eq!(shop.get(path).status, 200, "{path}");
    }
    let at = shop
        .server
        .commit("orders", vec![(super::simple(9, 42, "x"), 1)]);
    table.read_until(&mut bystander, |table| table.timestamp >= Some(at));
    assert_eq!(table.bases, 1);
    assert!(!shop.gateway.process.has_panicked());
}

#[test]
fn windows_of_several_views_are_refused_by_number() {
    let shop = Shop::open(&[]);
    shop.gateway.await_ready();
    for (query, said, hinted) in [
        (
            "customer=eq.1",
            "parameter number 3 of the query belongs to no view",
            "of view number 1",
        ),
        (
            "zzmark.x=eq.1",
            "parameter number 3 of the query belongs to no view",
            "of view number 2",
        ),
        (
            "orders.limit=1",
            "asks for what is not supported",
            "Filterable columns of view number 2",
        ),
        (
            "orders.customer=1",
            "is no condition",
            "Filterable columns of view number 2: order_id.",
        ),
        (
            "items.customer=eq.1",
            "does not have: view number 2 of those",
            "columns: order_id.",
        ),
        (
            "items.name=eq.zzmark",
            "is not filterable: view number 2",
            "columns: order_id.",
        ),
        (
            "orders.customer=eq.zzmark",
            "is no integer: view number 1",
            "columns: customer, status",
        ),
        (
            "items.order_id=eq.%ff",
            "is not percent-encoded",
            "Encode names",
        ),
        ("select=id", "belongs to no view", "Name the view before"),
        (
            "items.select=zzmark",
            "does not have: view number 2",
            "columns are: order_id, name.",
        ),
    ] {
        let mut answer = shop.get(&format!("/stream?view=orders&view=items&{query}"));
        assert_eq!(answer.status, 400, "{query}");
        let text = answer.text();
        assert!(!text.contains(MARK), "{text}");
        let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let (error, hint) = (json["error"].as_str(), json["hint"].as_str());
        assert!(error.expect("an error").contains(said), "{query}: {json}");
        assert!(hint.expect("a hint").contains(hinted), "{query}: {json}");
    }
}

/// Before the view is known nothing can be judged but the words: the stream is
/// held [P1], and then has its base, or is told what is wrong.
#[test]
fn windows_of_a_view_that_is_not_loaded_are_judged_when_it_is() {
    let server = Materialize::start(Generation::Modern);
    server.create_view("orders", &super::COLUMNS);
    server.create_view("items", &[("order_id", "bigint"), ("name", "text")]);
    server.commit("orders", vec![(super::simple(1, 42, "open"), 1)]);
    server.refuse(true);
    let shop = Shop::before(server, TABLES, &["--reconnect-max", "100ms"]);
    let mut good = Stream::open(shop.address(), "/orders/stream?customer=eq.42");
    let mut bad = Stream::open(shop.address(), "/orders/stream?customer=eq.zzmark");
    let both = "/stream?view=orders&view=items&items.nosuch=eq.1&orders.customer=eq.42";
    let mut both = Stream::open(shop.address(), both);
    assert_eq!(
        get(shop.address(), "/orders?customer=eq.zzmark").status,
        503
    );
    assert_eq!(get(shop.address(), "/orders?customer=42").status, 400);
    good.feed().expect("a comment");
    shop.server.refuse(false);
    assert_eq!(super::ids_of(&super::table_of(&mut good)), [1]);
    let gone = bad.expect("gone");
    assert!(gone.data.contains("is no integer"), "{}", gone.data);
    assert!(
        gone.data.contains("Filterable columns: customer"),
        "{}",
        gone.data
    );
    assert!(!gone.data.contains(MARK));
    assert_eq!(bad.next(), None);
    let mut seen = Vec::new();
    while !seen.iter().any(|name| name == "consistent") {
        let event = both.next().expect("it goes on with the other view");
        seen.push(event.name);
    }
    assert!(seen.contains(&"items.gone".to_owned()), "{seen:?}");
    assert!(seen.contains(&"orders.base".to_owned()), "{seen:?}");
}
