//! What can be asked for, in the words of the contract's table.

use serde_json::Value;

use super::{Shop, ids, ids_of};
use crate::support::http::request;

#[test]
fn windows_are_the_rows_that_meet_the_conditions() {
    let shop = Shop::open(&[]);
    shop.gateway.await_ready();
    for (query, expected) in [
        ("customer=eq.42", &[1, 2][..]),
        ("customer=eq.+42", &[1, 2]),
        ("customer=eq.042", &[1, 2]),
        ("customer=not.eq.42", &[3, 5, 6, 7, 7]),
        ("customer=in.(42,43)", &[1, 2, 3, 5]),
        ("customer=not.in.(42,43)", &[6, 7, 7]),
        ("customer=in.()", &[]),
        ("customer=not.in.()", &[1, 2, 3, 5, 6, 7, 7]),
        ("customer=is.null", &[4]),
        ("customer=not.is.null", &[1, 2, 3, 5, 6, 7, 7]),
        ("customer=in.(42,43)&status=eq.open", &[1, 3]),
        ("customer=eq.42&customer=eq.43", &[]),
        ("customer=in.(42,43)&customer=not.eq.42", &[3, 5]),
        ("status=eq.", &[4]),
        ("status=eq.null", &[7, 7]),
        ("status=eq.Open", &[]),
        ("status=eq.open%20", &[]),
        ("status=eq.it's;+DROP+TABLE+x--", &[5]),
        ("status=eq.it%27s%3B%20DROP%20TABLE%20x--", &[5]),
        ("status=eq.a,b(c)%22d%5Ce", &[6]),
        ("status=in.(\"a,b(c)\\\"d\\\\e\",paid)", &[2, 6]),
        ("status=eq.open%00", &[]),
        ("total=eq.10.5", &[1, 2]),
        ("total=eq.10.500", &[1, 2]),
        ("total=eq.1.05e1", &[1, 2]),
        ("total=eq.NaN", &[5]),
        ("total=in.(-1,1e3)", &[6, 7, 7]),
        ("total=eq.-0", &[4]),
        ("open=is.true", &[1, 3, 6]),
        ("open=is.false", &[2, 5]),
        ("open=not.is.true", &[2, 4, 5, 7, 7]),
        ("open=eq.t", &[1, 3, 6]),
        ("open=eq.TRUE", &[1, 3, 6]),
        ("open=not.eq.true", &[2, 5]),
        ("ref=eq.6F4B6612-5A5E-4A3E-9E5E-0123456789AB", &[1, 3]),
        ("ref=eq.6f4b66125a5e4a3e9e5e0123456789ab", &[1, 3]),
        ("at=eq.2020-01-02T03:04:05.500", &[1]),
        ("at=eq.2020-01-02%2003:04:05.5", &[1]),
        ("column.select=eq.a", &[1, 3]),
        ("column.select=eq.x+y", &[6]),
        ("column.select=eq.%2525", &[7, 7]),
        ("column.select=eq.%25", &[]),
        ("column.customer=eq.44&select=id", &[6, 7, 7]),
        ("select=*", &[1, 2, 3, 4, 5, 6, 7, 7]),
        ("select=id", &[1, 2, 3, 4, 5, 6, 7, 7]),
        ("last-event-id=x&customer=eq.42&access_token=y", &[1, 2]),
    ] {
        let rows = shop.get(&format!("/orders?{query}")).json();
        assert_eq!(ids(rows.as_array().expect("a list")), expected, "{query}");
        let (_, table) = shop.follow(&format!("/orders/stream?{query}"));
        assert_eq!(ids_of(&table), expected, "{query}");
        let (_, table) = shop.follow(&format!("/view/stream?{query}"));
        assert_eq!(ids_of(&table), expected, "{query}");
    }
}

/// Of several views each has its own.
#[test]
fn windows_of_several_views_have_the_view_before_the_column() {
    use crate::support::joined::Joined;
    let shop = Shop::open(&[]);
    shop.gateway.await_ready();
    let mut joined = Joined::default();
    let path = "/stream?view=orders&view=items&orders.customer=eq.42&orders.select=id\
                &items.order_id=in.(1,9)&orders.column.select=eq.a";
    let mut stream = joined.open(shop.address(), path);
    joined.read_until(&mut stream, |_| true);
    let shown = |view: &str| joined.shown[view].keys().cloned().collect::<Vec<_>>();
    assert_eq!(shown("orders"), ["{\"id\":1}"]);
    let items = [
        "{\"order_id\":1,\"name\":\"ink\"}",
        "{\"order_id\":1,\"name\":\"pen\"}",
    ];
    assert_eq!(shown("items"), items);
}

/// Columns come in the view's order, and rows that differ in others alone are
/// one, as many times.
#[test]
fn windows_show_the_columns_that_are_selected() {
    let shop = Shop::open(&[]);
    shop.gateway.await_ready();
    for (query, expected) in [
        (
            "customer=eq.42&select=status,id",
            "{\"id\":1,\"status\":\"open\"}",
        ),
        ("customer=eq.42&select=\"id\"", "{\"id\":1}"),
        ("id=eq.1&select=data,total", "{\"total\":10.50,\"data\":{}}"),
        ("id=eq.1&select=select", "{\"select\":\"a\"}"),
    ] {
        let text = shop.get(&format!("/orders?{query}")).text();
        assert!(text.contains(expected), "{query}: {text}");
    }
    let (_, table) = shop.follow("/orders/stream?customer=eq.44&select=customer");
    assert_eq!(table.rows, [("{\"customer\":44}".to_owned(), 3)].into());
}

/// The same window by other words is the same, and others are others [W7].
#[test]
fn windows_are_one_if_they_mean_the_same() {
    let shop = Shop::open(&[]);
    shop.gateway.await_ready();
    let incarnation = |query: &str| {
        let (_, table) = shop.follow(&format!("/orders/stream?{query}"));
        table.incarnation
    };
    let same = [
        "total=in.(1,10.5)&status=eq.open",
        "status=eq.open&total=in.(1,10.5)",
        "status=in.(open)&total=in.(10.50,1.0,1e0)",
        "status=in.(open,paid)&total=in.(1,10.5)&status=eq.open",
        "total=in.(1,10.5)&column.status=eq.%6Fpen&select=*",
    ];
    let [first, rest @ ..] = same.map(incarnation);
    for other in rest {
        assert_eq!(other, first);
    }
    for query in [
        "",
        "total=in.(1,10.5)",
        "total=in.(1,10.5)&status=eq.paid",
        "total=in.(1,10.5)&status=not.eq.open",
        "total=in.(1,10.5)&status=eq.open&select=id",
        "total=in.(1,10.5)&column.select=eq.open",
    ] {
        assert_ne!(incarnation(query), first, "{query}");
    }
    // All columns are the view itself.
    let all = "select=id,customer,status,total,open,ref,at,select,data";
    assert_eq!(incarnation(all), incarnation(""));
}

/// What `GET` says of a window [W9].
#[test]
fn windows_as_rows_have_a_tag_that_changes_with_them() {
    let shop = Shop::open(&[]);
    shop.gateway.await_ready();
    let path = "/orders?customer=eq.42";
    let ask = |method: &str, path: &str, tag: &str| {
        let headers = [("If-None-Match", tag)];
        request(shop.address(), method, path, &headers)
    };
    let mut first = shop.get(path);
    let tag = first.header("etag").expect("a tag").to_owned();
    let length = first.header("content-length").map(str::to_owned);
    let text = first.text();
    assert_eq!(length, Some(text.len().to_string()));
    let head = request(shop.address(), "HEAD", path, &[]);
    assert_eq!(head.header("content-length"), length.as_deref());
    assert_eq!(ask("GET", path, &tag).status, 304);
    assert_eq!(ask("HEAD", path, "*").status, 304);
    // Another's tag is not good here, nor this one there.
    let other = "/orders?customer=eq.43";
    assert_eq!(ask("GET", other, &tag).status, 200);
    assert_eq!(ask("GET", "/orders", &tag).status, 200);
    let whole = shop
        .get("/orders")
        .header("etag")
        .expect("a tag")
        .to_owned();
    assert_eq!(ask("GET", path, &whole).status, 200);

    // What changes elsewhere changes nothing here.
    let (mut stream, mut table) = shop.follow("/orders/stream");
    let mut commit = |row| {
        let at = shop.server.commit("orders", vec![(row, 1)]);
        table.read_until(&mut stream, |table| table.timestamp >= Some(at));
    };
    commit(super::simple(8, 43, "open"));
    assert_eq!(ask("GET", path, &tag).status, 304);
    assert_eq!(ask("GET", other, &tag).status, 200);
    commit(super::simple(9, 42, "open"));
    let mut changed = ask("GET", path, &tag);
    assert_eq!(changed.status, 200);
    assert_ne!(changed.header("etag"), Some(&*tag));
    let rows: Value = changed.json();
    assert_eq!(ids(rows.as_array().expect("a list")), [1, 2, 9]);
}

/// `/views` says by what rows may be asked for: not by what cannot be
/// compared, and not by what is not there.
#[test]
fn windows_can_be_had_by_the_columns_that_are_listed() {
    let tables = "[view.orders]\nfilter = ['customer', 'data', 'nosuch']\n[view.items]\n";
    let shop = Shop::open_with(tables, &[]);
    shop.gateway.await_ready();
    let views = shop.get("/views").json();
    assert_eq!(
        views["views"][0]["filterable"],
        serde_json::json!(["customer"])
    );
    assert_eq!(views["views"][1]["filterable"], serde_json::json!([]));
    let warned = shop
        .gateway
        .process
        .await_log("orders: rows cannot be asked for by");
    assert!(warned.contains("by data, nosuch:"), "{warned}");
    for (path, hint) in [
        ("/orders?status=eq.open", "Filterable columns: customer."),
        ("/orders?data=eq.1", "Filterable columns: customer."),
        ("/items?name=eq.pen", "The view has no filterable columns."),
        ("/items?select=name", "The view has no filterable columns."),
    ] {
        let mut answer = shop.get(path);
        assert_eq!(answer.status, 400, "{path}");
        let answer = answer.json();
        assert_eq!(answer["hint"], hint, "{path}: {answer}");
    }
}
