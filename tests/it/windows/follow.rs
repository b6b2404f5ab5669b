//! A window over time: what a client holds is what meets the conditions, at
//! every id [W6 to W8].

use std::time::{Duration, Instant};

use super::{Shop, follow_with, ids_of, simple};
use crate::support::joined::Joined;
use crate::support::sse::Stream;
use crate::support::table::Table;

#[test]
fn windows_see_rows_come_and_go_and_nothing_of_the_others() {
    let shop = Shop::open(&["--compress", "auto"]);
    shop.gateway.await_ready();
    let path = "/orders/stream?customer=eq.42&status=in.(open,paid)";
    let plain = follow_with(shop.address(), path, &[]);
    let packed = follow_with(shop.address(), path, &[("Accept-Encoding", "gzip")]);
    let stacked = follow_with(shop.address(), path, &[("Content-Length", "0")]);
    let mut all = [plain, packed, stacked];
    let mut commit = |changes: Vec<_>| {
        let at = shop.server.commit("orders", changes);
        let mut seen = Vec::new();
        for (stream, table) in &mut all {
            let before = table.deltas;
            table.read_until(stream, |table| table.timestamp >= Some(at));
            seen.push((ids_of(table), table.deltas - before));
        }
        assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "{seen:?}");
        seen.remove(0)
    };
    assert_eq!(commit(vec![(simple(8, 42, "open"), 1)]), (vec![1, 2, 8], 1));
    // Of others: the position goes on, by a heartbeat.
    assert_eq!(commit(vec![(simple(9, 43, "open"), 1)]), (vec![1, 2, 8], 0));
    assert_eq!(
        commit(vec![(simple(10, 42, "done"), 1)]),
        (vec![1, 2, 8], 0)
    );
    // Moves in, moves out, changes within, and what comes to nothing here.
    let moved = |id, from: (u64, &str), to: (u64, &str)| {
        vec![
            (simple(id, from.0, from.1), -1),
            (simple(id, to.0, to.1), 1),
        ]
    };
    assert_eq!(
        commit(moved(9, (43, "open"), (42, "open"))),
        (vec![1, 2, 8, 9], 1)
    );
    assert_eq!(
        commit(moved(8, (42, "open"), (42, "done"))),
        (vec![1, 2, 9], 1)
    );
    assert_eq!(
        commit(moved(9, (42, "open"), (42, "paid"))),
        (vec![1, 2, 9], 1)
    );
    assert_eq!(
        commit(moved(8, (42, "done"), (43, "open"))),
        (vec![1, 2, 9], 0)
    );
    // Copies count.
    let copies = vec![(simple(11, 42, "open"), 3)];
    assert_eq!(commit(copies), (vec![1, 2, 9, 11, 11, 11], 1));
    assert_eq!(
        commit(vec![(simple(11, 42, "open"), -2)]),
        (vec![1, 2, 9, 11], 1)
    );
    for (_, table) in &all {
        assert_eq!(table.bases, 1);
    }
    let rows = shop
        .get("/orders?customer=eq.42&status=in.(open,paid)")
        .json();
    assert_eq!(super::ids(rows.as_array().expect("a list")), [1, 2, 9, 11]);
}

/// With only some columns shown, a change of the others is none.
#[test]
fn windows_of_some_columns_see_changes_of_these() {
    let shop = Shop::open(&[]);
    shop.gateway.await_ready();
    let path = "/orders/stream?customer=in.(42,43)&select=customer";
    let (mut stream, mut table) = shop.follow(path);
    let held = |table: &Table| table.rows.values().copied().collect::<Vec<_>>();
    assert_eq!(held(&table), [2, 2]);
    let mut commit = |changes: Vec<_>| {
        let at = shop.server.commit("orders", changes);
        table.read_until(&mut stream, |table| table.timestamp >= Some(at));
        (held(&table), table.deltas)
    };
    assert_eq!(commit(vec![(simple(8, 42, "a"), 1)]), (vec![3, 2], 1));
    let within = vec![(simple(8, 42, "a"), -1), (simple(8, 42, "b"), 1)];
    assert_eq!(commit(within), (vec![3, 2], 1));
    let across = vec![(simple(8, 42, "b"), -1), (simple(8, 43, "b"), 1)];
    assert_eq!(commit(across), (vec![2, 3], 2));
}

/// A position goes on in the same window, on any gateway of the same
/// configuration, and nowhere else [W7].
#[test]
fn windows_are_resumed_and_their_ids_are_good_for_no_other() {
    let shop = Shop::open(&[]);
    shop.gateway.await_ready();
    let path = "/orders/stream?customer=eq.42";
    let (stream, table) = shop.follow(path);
    let last = stream.last_id.clone().expect("an id");
    drop(stream);
    let whole = shop.follow("/orders/stream").0.last_id.expect("an id");
    shop.server
        .commit("orders", vec![(simple(8, 43, "open"), 1)]);
    let at = shop
        .server
        .commit("orders", vec![(simple(9, 42, "open"), 1)]);
    let resume = |path: &str, id: &str| {
        let mut stream = Stream::resume(shop.address(), path, id);
        let mut again = table.clone();
        again.bases = 0;
        again.read_until(&mut stream, |table| table.timestamp >= Some(at));
        (again.bases, ids_of(&again))
    };
    assert_eq!(resume(path, &last), (0, vec![1, 2, 9]));
    let other_words = "/orders/stream?column.customer=in.(042,42)&select=*";
    assert_eq!(resume(other_words, &last), (0, vec![1, 2, 9]));
    let other = "/orders/stream?customer=eq.43";
    assert_eq!(resume(other, &last), (1, vec![3, 5, 8]));
    assert_eq!(resume(path, &whole), (1, vec![1, 2, 9]));
    let all = (1, vec![1, 2, 3, 4, 5, 6, 7, 7, 8, 9]);
    assert_eq!(resume("/orders/stream", &last), all);
    // Of several ids the one that is good here counts.
    let both = format!("{path}&last-event-id={whole}");
    assert_eq!(resume(&both, &last), (0, vec![1, 2, 9]));
}

/// The id of a heartbeat is where the view stands, so that who comes back later
/// has nothing to catch up on; when it comes does not depend on others' rows.
#[test]
fn windows_where_nothing_changes_have_heartbeats_in_their_own_time() {
    let shop = Shop::open(&["--heartbeat", "1s"]);
    shop.gateway.await_ready();
    let (mut stream, mut table) = shop.follow("/orders/stream?customer=eq.42");
    let begun = Instant::now();
    let mut at = 0;
    let mut beats = Vec::new();
    let mut id = 100;
    while beats.len() < 3 {
        // Others' rows change all the time.
        id += 1;
        at = shop
            .server
            .commit("orders", vec![(simple(id, 43, "open"), 1)]);
        let before = table.timestamp;
        table.apply(&stream.expect("delta"));
        assert!(table.timestamp > before, "its id has moved on");
        beats.push(begun.elapsed());
    }
    assert_eq!((table.deltas, table.bases), (0, 1));
    assert!(beats[0] >= Duration::from_millis(900), "{beats:?}");
    for pair in beats.windows(2) {
        assert!(pair[1] - pair[0] >= Duration::from_millis(900), "{beats:?}");
    }
    drop(stream);
    let last = format!("{}-{}", table.timestamp.expect("a time"), table.incarnation);
    let mut stream = Stream::resume(shop.address(), "/orders/stream?customer=eq.42", &last);
    let change = shop
        .server
        .commit("orders", vec![(simple(9, 42, "open"), 1)]);
    table.read_until(&mut stream, |table| table.timestamp >= Some(change));
    assert!(at < change && table.bases == 1 && table.deltas == 1);
}

/// An outage is told to windows as to views, and what it changed is one delta.
#[test]
fn windows_go_on_after_an_outage_and_end_when_the_view_is_gone() {
    let shop = Shop::open(&["--reconnect-max", "50ms"]);
    shop.gateway.await_ready();
    let (mut stream, mut table) = shop.follow("/orders/stream?customer=eq.42");
    let mut whole = Stream::open(
        shop.address(),
        "/stream?view=orders&view=items&orders.id=eq.1",
    );
    let mut joined = Joined::default();
    joined.read_until(&mut whole, |_| true);
    shop.server.refuse(true);
    shop.server.cut_all();
    table.read_until(&mut stream, |table| {
        table.upstream.as_deref() == Some("\"lost\"")
    });
    shop.server
        .commit("orders", vec![(simple(8, 42, "open"), 1)]);
    let gone = super::order(super::ORDERS[0]);
    let at = shop
        .server
        .commit("orders", vec![(gone, -1), (simple(9, 43, "open"), 1)]);
    shop.server.refuse(false);
    table.read_until(&mut stream, |table| table.timestamp >= Some(at));
    table.read_until(&mut stream, |table| {
        table.upstream.as_deref() == Some("\"live\"")
    });
    assert_eq!(ids_of(&table), [2, 8]);
    assert_eq!((table.bases, table.deltas), (1, 1));
    joined.read_until(&mut whole, |joined| joined.time >= Some(at));
    assert!(joined.shown["orders"].is_empty());

    shop.server.drop_view("orders");
    let reason = loop {
        let event = stream.next().expect("it is told");
        if event.name == "gone" {
            break event.data;
        }
        table.apply(&event);
    };
    assert!(reason.contains("dropped"), "{reason}");
    assert_eq!(stream.next(), None);
}

/// Who is far behind is sent one delta of the window.
#[test]
fn windows_that_are_behind_are_sent_their_net_change() {
    let shop = Shop::open(&[]);
    shop.gateway.await_ready();
    let path = "/orders/stream?customer=eq.42";
    let (stream, mut table) = shop.follow(path);
    let last = stream.last_id.clone().expect("an id");
    drop(stream);
    let mut at = 0;
    for round in 0..50 {
        shop.server
            .commit("orders", vec![(simple(100 + round, 43, "open"), 1)]);
        at = shop
            .server
            .commit("orders", vec![(simple(8, 42, &format!("{round}")), 1)]);
        if round > 0 {
            let before = simple(8, 42, &format!("{}", round - 1));
            at = shop.server.commit("orders", vec![(before, -1)]);
        }
    }
    // All of it is in the log before it comes back.
    let (mut other, mut seen) = shop.follow("/orders/stream");
    seen.read_until(&mut other, |table| table.timestamp >= Some(at));
    let mut stream = Stream::resume(shop.address(), path, &last);
    table.read_until(&mut stream, |table| table.timestamp >= Some(at));
    assert_eq!(ids_of(&table), [1, 2, 8]);
    assert_eq!((table.bases, table.deltas), (1, 1));
}
