//! What may be asked for, by whom, and how it is refused.

use std::io::Write as _;

use crate::support::gateway::Gateway;
use crate::support::http::{get, request};
use crate::support::joined::Joined;
use crate::support::materialize::{Generation, Materialize, row};
use crate::support::sse::Stream;

#[test]
fn joint_requests_that_make_no_sense_are_refused_by_number() {
    let gateway = Gateway::demo(&[]);
    let many = vec!["view=top10"; 17].join("&");
    for (query, status, said) in [
        ("", 400, "no view"),
        ("?x=1", 400, "no view"),
        ("?view=top10&view=nope", 404, "number 2"),
        ("?view=%3Cb%3E&view=top10", 404, "number 1"),
        ("?view=", 404, "number 1"),
        ("?view=top10&view=counter&view=top10", 400, "number 3"),
        ("?view=top10&view=view", 400, "number 2"),
        (&format!("?{many}"), 400, "more than 16"),
    ] {
        let mut answer = get(gateway.address, &format!("/stream{query}"));
        assert_eq!(answer.status, status, "{query}");
        let answer = answer.json();
        let error = answer["error"].as_str().expect("an error");
        assert!(error.contains(said), "{query}: {error}");
        assert!(answer["hint"].is_string() && !error.contains('<'));
    }
    let post = request(gateway.address, "POST", "/stream?view=top10", &[]);
    assert_eq!(post.status, 405);
}

#[test]
fn joint_stream_takes_a_place_at_each_of_its_views() {
    let gateway = Gateway::demo(&[
        "--max-connections-per-view",
        "1",
        "--max-connections-per-address",
        "2",
    ]);
    let mut joined = Joined::default();
    let both = "/stream?view=counter&view=top10";
    let mut stream = joined.open(gateway.address, both);
    joined.read_until(&mut stream, |_| true);
    for (path, reason) in [
        ("/counter/stream", "this view"),
        ("/stream?view=hot_pages&view=top10", "this view"),
    ] {
        let text = get(gateway.address, path).text();
        assert!(
            text.starts_with("retry: ") && text.contains(reason),
            "{text}"
        );
    }
    let _second = Stream::open(gateway.address, "/user_edits/stream");
    let text = get(gateway.address, "/stream?view=hot_pages").text();
    assert!(text.contains("your address"), "{text}");
    let json = [("Accept", "application/json")];
    assert_eq!(request(gateway.address, "GET", both, &json).status, 503);
}

/// Names with whatever a name may hold make legal names of events.
#[test]
fn joint_events_are_called_as_in_the_path() {
    let server = Materialize::start(Generation::Modern);
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    for (at, name) in ["a.b", "c base", "é%"].iter().enumerate() {
        let relation = format!("v{at}");
        server.create_view(&relation, &[("n", "integer")]);
        server.commit(&relation, vec![(row(["1"]), 1)]);
        writeln!(file, "[view.\"{name}\"]\nrelation = \"{relation}\"").expect("written");
    }
    let config = file.path().to_str().expect("UTF-8").to_owned();
    let gateway = Gateway::start(&["--upstream", &server.url(), "--config", &config]);
    let path = "/stream?view=a.b&view=c%20base&view=%C3%A9%25";
    let mut joined = Joined::default();
    let mut stream = joined.open(gateway.address, path);
    joined.read_until(&mut stream, |_| true);
    let shown: Vec<&str> = joined.shown.keys().map(String::as_str).collect();
    assert_eq!(shown, ["%C3%A9%25", "a.b", "c%20base"]);
}
