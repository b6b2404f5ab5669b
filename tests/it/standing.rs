//! How views stand with their upstream: streams of one view and of several,
//! `/views`, `/readyz`, `/metrics` and the log say the same, and it is true.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::follower::Follower;
use crate::support::gateway::{Gateway, PATIENCE};
use crate::support::http::get;
use crate::support::joined::Joined;
use crate::support::materialize::{Generation, Materialize, row};
use crate::support::pgwire;
use crate::support::sse::Stream;

mod ahead;
mod reasons;

const COLUMNS: [(&str, &str); 2] = [("n", "integer"), ("b", "text")];

const BOTH: &str = "/stream?view=v&view=w";

fn server(generation: Generation) -> Materialize {
    let server = Materialize::start(generation);
    for view in ["v", "w"] {
        server.create_view(view, &COLUMNS);
        server.commit(view, vec![(row(["0", view]), 2)]);
    }
    server
}

fn gateway(server: &Materialize, more: &[&str]) -> Gateway {
    let url = server.url();
    let mut arguments = vec!["--upstream", &url, "--view", "v", "--view", "w"];
    for (name, value) in [
        ("--heartbeat", "150ms"),
        ("--reconnect-max", "50ms"),
        ("--upstream-timeout", "300ms"),
    ] {
        if !more.contains(&name) {
            arguments.extend([name, value]);
        }
    }
    arguments.extend(more);
    Gateway::start(&arguments)
}

/// What `/views` says of a view.
fn view(gateway: &Gateway, name: &str) -> Value {
    let list = get(gateway.address, "/views").json();
    let views = list["views"].as_array().expect("a list");
    let found = views.iter().find(|view| view["name"] == name);
    found.expect("the view").clone()
}

/// Waits until `/views` says so of a view.
fn await_view(gateway: &Gateway, name: &str, accept: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = view(gateway, name);
        if accept(&found) {
            return found;
        }
        assert!(Instant::now() < deadline, "not in time: {found}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

fn await_word(gateway: &Gateway, name: &str, word: &str) -> Value {
    await_view(gateway, name, |view| view["upstream"] == word)
}

/// Waits until the gateway has asked so often more for a view.
fn await_asked(server: &Materialize, view: &str, times: usize) {
    let name = format!("'{view}'");
    let asked = |server: &Materialize| {
        let statements = server.statements().into_iter();
        statements.filter(|sql| sql.contains(&name)).count()
    };
    let before = asked(server);
    server.wait_until("asked again", |server| asked(server) >= before + times);
}

/// What is in order although a view is gone: the gateway is ready, and who
/// begins a stream with it is told and goes on with the other.
fn assert_settled(server: &Materialize, gateway: &Gateway, gone: &str, why: &str) {
    let found = view(gateway, gone);
    assert_eq!(found["upstream"], "gone", "{found}");
    assert!(
        found["reason"].as_str().unwrap().starts_with(why),
        "{found}"
    );
    assert!(found["since"].is_string(), "{found}");
    let mut ready = get(gateway.address, "/readyz");
    let body = ready.json();
    assert_eq!(
        (ready.status, &body["status"]),
        (200, &Value::from("ready"))
    );
    let told = body["impaired"].as_array().unwrap().iter();
    let told: Vec<_> = told.filter(|view| view["view"] == gone).collect();
    assert_eq!(told[0]["reason"], view(gateway, gone)["reason"]);
    let mut joined = Joined::default();
    let mut stream = joined.open(gateway.address, BOTH);
    joined.read_until(&mut stream, |_| true);
    assert_eq!(joined.gone, [gone]);
    let other = if gone == "w" { "v" } else { "w" };
    let last = server.commit(other, vec![(row(["5", "alone"]), 1)]);
    joined.read_until(&mut stream, |joined| joined.time >= Some(last));
}

/// A view that is gone stays gone whatever happens to the upstream meanwhile:
/// nobody holds anything of it that could be stale.
#[test]
fn standing_gone_stays_gone_through_outages_in_every_order() {
    for is_dropped_first in [true, false] {
        let server = server(Generation::Modern);
        let gateway = gateway(&server, &[]);
        gateway.await_ready();
        let mut client = Follower::join(&server, &gateway, "w");
        if is_dropped_first {
            server.drop_view("w");
            await_word(&gateway, "w", "gone");
        }
        for _ in 0..2 {
            server.refuse(true);
            server.cut_all();
            await_word(&gateway, "v", "lost");
            if is_dropped_first {
                let is_tried = |view: &Value| {
                    let reason = view["reason"].as_str().unwrap_or_default();
                    reason.contains("; since then: the upstream cannot be reached")
                };
                let found = await_view(&gateway, "w", is_tried);
                assert_eq!(found["upstream"], "gone");
            } else {
                await_word(&gateway, "w", "lost");
                server.drop_view("w");
            }
            server.refuse(false);
            await_word(&gateway, "v", "live");
            await_word(&gateway, "w", "gone");
            await_asked(&server, "w", 3);
            if !is_dropped_first {
                break;
            }
        }
        assert_settled(&server, &gateway, "w", "the view was dropped");
        let words: Vec<_> = std::iter::from_fn(|| client.stream.next()).collect();
        let last = words.last().expect("a word");
        assert_eq!(last.name, "gone", "{words:?}");
        let is_lost = words.iter().any(|event| event.name == "upstream");
        assert_eq!(is_lost, !is_dropped_first, "{words:?}");
        // During an outage it may come back as well.
        server.refuse(true);
        server.cut_all();
        await_word(&gateway, "v", "lost");
        server.create_view("w", &COLUMNS);
        server.refuse(false);
        let mut back = Follower::join(&server, &gateway, "w");
        let at = server.commit("w", vec![(row(["9", "anew"]), 1)]);
        back.reach(at);
        assert_eq!(await_word(&gateway, "w", "live")["reason"], Value::Null);
    }
}

/// Over the limit from the start or grown over it: settled, told, and tried
/// again, each time more slowly.
#[test]
fn standing_too_large_is_gone_with_the_reason_and_does_not_hold_up_others() {
    let large = "y".repeat(900);
    for is_from_the_start in [true, false] {
        let server = server(Generation::Modern);
        if is_from_the_start {
            server.commit("w", vec![(row(["1", &large]), 2)]);
        }
        let gateway = gateway(&server, &["--max-view-bytes", "1KiB"]);
        if !is_from_the_start {
            gateway.await_ready();
            let mut client = Follower::join(&server, &gateway, "w");
            for n in ["1", "2"] {
                server.commit("w", vec![(row([n, &large]), 1)]);
            }
            let gone = loop {
                let event = client.stream.next().expect("gone before the end");
                if event.name == "gone" {
                    break event;
                }
            };
            assert!(gone.data.contains("larger"), "{gone:?}");
            assert_eq!(client.stream.next(), None);
        }
        let copies = |server: &Materialize| {
            let copies = server.copies().into_iter();
            copies.filter(|sql| sql.contains("\"w\"")).count()
        };
        let before = copies(&server);
        await_word(&gateway, "w", "gone");
        for attempt in 1..=4 {
            server.wait_until("tried again", |server| copies(server) >= before + attempt);
            assert_settled(&server, &gateway, "w", "the view is larger");
        }
        let lines = gateway.process.log();
        let said = lines.iter().filter(|line| line.contains(" ERROR "));
        let said: Vec<_> = said.filter(|line| line.contains("\"w\"")).collect();
        assert!(said.len() <= 2, "{said:#?}");
        // Small again, it is served again.
        for (n, copies) in [("1", -1), ("2", -1)] {
            let row = row([n, &large]);
            let held = server.contents_at("w", server.now()).get(&row).copied();
            if let Some(held) = held {
                server.commit("w", vec![(row, held * copies)]);
            }
        }
        let mut back = Stream::open(gateway.address, "/w/stream");
        back.expect("base");
    }
}

/// After a contradiction a snapshot corrects what is held, without a word. If
/// it does not come, what is held is not live.
#[test]
fn standing_rows_that_nothing_corrects_in_time_are_lost() {
    let server = server(Generation::Modern);
    let gateway = gateway(&server, &[]);
    gateway.await_ready();
    let mut client = Follower::join(&server, &gateway, "v");
    let mut joined = Joined::default();
    let mut both = joined.open(gateway.address, BOTH);
    joined.read_until(&mut both, |_| true);
    server.hang_next_copy(1);
    server.contradict(
        "v",
        b"1003000\tf\t-1\t77\tnever\n1003001\tt\t\\N\t\\N\t\\N\n",
    );
    client.until_upstream("lost");
    while joined.upstream.get("v").map(String::as_str) != Some("\"lost\"") {
        joined.next(&mut both);
    }
    let found = view(&gateway, "v");
    assert_eq!(found["upstream"], "lost");
    let reason = found["reason"].as_str().unwrap();
    assert!(reason.contains("contradict"), "{reason}");
    // Not for ever.
    server.let_hang(false);
    client.until_upstream("live");
    let at = server.commit("v", vec![(row(["3", "right"]), 1)]);
    client.reach(at);
}

/// An old server's view that becomes final shows its rows at the end of time;
/// on a newer one the stream ends. Who shows others with it goes on, whether
/// it has begun before or begins after that.
#[test]
fn standing_view_that_becomes_final_holds_up_nobody() {
    for (generation, adds) in [
        (Generation::Old, true),
        (Generation::Old, false),
        (Generation::Modern, true),
    ] {
        let server = server(generation);
        let gateway = gateway(&server, &[]);
        gateway.await_ready();
        let mut before = Joined::default();
        let mut old = before.open(gateway.address, BOTH);
        before.read_until(&mut old, |_| true);
        if adds {
            server.commit("w", vec![(row(["1", "the last"]), 1)]);
        }
        server.set_constant("w");
        server.end_streams("w");
        await_word(&gateway, "w", "complete");
        let mut after = Joined::default();
        let mut new = after.open(gateway.address, BOTH);
        for n in ["1", "2"] {
            let last = server.commit("v", vec![(row([n, "goes on"]), 1)]);
            for (joined, stream) in [(&mut before, &mut old), (&mut after, &mut new)] {
                joined.read_until(stream, |joined| joined.time >= Some(last));
                for name in ["v", "w"] {
                    let shown = crate::support::standin::text_rows(&joined.shown[name]);
                    let truth = server.contents_at(name, last).into_iter();
                    let truth = truth.map(|(row, copies)| (row, copies.unsigned_abs()));
                    assert_eq!(shown, truth.collect(), "{generation:?} {name}");
                }
            }
        }
        assert_eq!(view(&gateway, "w")["lag_seconds"], 0.0);
        let mut back = Stream::resume(gateway.address, BOTH, &after.id.clone().unwrap());
        let last = server.commit("v", vec![(row(["3", "goes on"]), 1)]);
        after.leave();
        after.read_until(&mut back, |joined| joined.time >= Some(last));
        assert_eq!((after.bases["v"], after.bases["w"]), (1, 1));
    }
}

/// An answer in place of the server's own, as often as it is asked.
fn always(server: &Materialize, sql: &str, code: &str, text: &str) {
    server.answer(sql, pgwire::error(code, text), usize::MAX);
}
