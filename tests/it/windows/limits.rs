//! How many windows are open at once [W10].

use std::net::SocketAddr;
use std::time::Instant;

use super::{Shop, follow_with};
use crate::support::gateway::PATIENCE;
use crate::support::http::{get, request};
use crate::support::sse::Stream;

fn reason(address: SocketAddr, path: &str, client: &str) -> Option<String> {
    let headers = [("X-Forwarded-For", client)];
    let mut stream = Stream::open_with(address, path, &headers);
    let event = stream.next().expect("an event");
    (event.name == "full").then_some(event.data)
}

#[test]
fn windows_over_a_limit_are_told_by_a_short_stream() {
    let shop = Shop::open(&[
        "--max-windows-per-view",
        "3",
        "--max-windows-per-address",
        "2",
        "--trusted-proxy",
        "127.0.0.0/8",
    ]);
    shop.gateway.await_ready();
    let address = shop.address();
    let open = |path: &str, client: &str| {
        let (stream, _) = follow_with(address, path, &[("X-Forwarded-For", client)]);
        stream
    };
    let by = |customer: &str| format!("/orders/stream?customer=eq.{customer}");
    let (one, two, three) = ("192.0.2.1", "192.0.2.2", "192.0.2.3");
    let mut held = vec![open(&by("1"), one), open(&by("2"), one)];
    let told = |path: &str, client: &str| reason(address, path, client).expect("full");
    assert!(told(&by("3"), one).contains("your address has as many windows"));
    let items = "/stream?view=items&items.order_id=eq.1&view=orders";
    assert!(told(items, one).contains("your address has as many windows"));
    // What is open, by whichever words, and what is no window cost nothing more.
    let words = "/orders/stream?column.customer=in.(01)";
    for path in [&*by("1"), words, "/orders/stream", "/stream?view=orders"] {
        assert_eq!(reason(address, path, one), None, "{path}");
    }
    held.push(open(&by("3"), two));
    assert!(told(&by("4"), three).contains("this view has as many windows"));
    assert!(told(&by("4"), two).contains("this view has as many windows"));
    assert_eq!(reason(address, &by("2"), three), None);
    let two_at_once = "/stream?view=orders&orders.customer=eq.2&view=items&items.order_id=eq.1";
    assert_eq!(reason(address, two_at_once, three), None);
    // Rows are no stream.
    assert_eq!(get(address, "/orders?customer=eq.9").status, 200);
    let json = [("Accept", "application/json"), ("X-Forwarded-For", three)];
    assert_eq!(request(address, "GET", &by("4"), &json).status, 503);
    let metrics = get(address, "/metrics").text();
    for limit in ["address_windows", "view_windows"] {
        let line = format!("viewcast_refusals_total{{limit=\"{limit}\"}} ");
        let count = metrics.lines().find_map(|it| it.strip_prefix(&line));
        let count: u64 = count.expect("a metric").parse().expect("a number");
        assert!(count >= 2, "{limit}: {count}");
    }

    // The last stream of a window gives its place back.
    held.remove(2);
    let deadline = Instant::now() + PATIENCE;
    while reason(address, &by("4"), three).is_some() {
        assert!(Instant::now() < deadline, "no place was given back");
    }
}
