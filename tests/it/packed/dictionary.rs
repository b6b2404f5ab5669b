//! Streams that are compressed with a dictionary of the view's own rows (RFC 9842).

use std::io::{BufReader, Read as _};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::{COLUMNS, VARIES, gateway, noisy_rows, server};
use crate::access::{KEYS, claims, taking_tokens, token, with};
use crate::support::gateway::{Gateway, Process};
use crate::support::http::{get, request};
use crate::support::materialize::row;
use crate::support::sse::Stream;
use crate::support::standin::StandIn;
use crate::support::unpack::{Dictionary, Unpacker};

#[test]
fn dictionary_is_the_same_for_all_and_for_a_while() {
    let server = server();
    let gateway = gateway(&server, "auto");
    let address = gateway.address;
    // Of no rows it would be of no use, and it stays what it is.
    let mut answer = get(address, "/v/dictionary");
    assert_eq!(answer.status, 404);
    let told = answer.text();
    assert!(told.contains("has no dictionary"), "{told}");
    server.commit("v", vec![(row(["0", "of the \u{e9}arth"]), 1)]);
    let mut stream = Stream::open(address, "/v/stream");
    while !stream.expect("base").data.contains("arth") {}
    let mut answer = get(address, "/v/dictionary");
    assert_eq!(answer.status, 200);
    let kind = answer.header("content-type");
    assert_eq!(kind, Some("text/plain; charset=utf-8"));
    assert_eq!(answer.header("cache-control"), Some("max-age=3600"));
    let tag = answer.header("etag").expect("a tag").to_owned();
    let text = answer.text();
    assert!(text.contains("of the \u{e9}arth"), "{text}");
    server.commit("v", vec![(row(["0", "of the \u{e9}arth"]), -1)]);
    assert_eq!(stream.expect("delta").data.matches("delete").count(), 1);
    assert_eq!(get(address, "/v/dictionary").text(), text);
    let known = [("If-None-Match", tag.as_str())];
    let answer = request(address, "GET", "/v/dictionary", &known);
    assert_eq!(answer.status, 304);
    assert!(answer.header("use-as-dictionary").is_some());
    assert_eq!(get(address, "/w/dictionary").status, 404);
}

#[test]
fn dictionary_holds_so_many_bytes_of_rows_at_the_most() {
    let server = server();
    server.commit("v", noisy_rows(&mut fastrand::Rng::with_seed(3), 300));
    let gateway = gateway(&server, "auto");
    let dictionary = Dictionary::fetch(gateway.address, "v");
    // And two events with three rows, of some thousand bytes each.
    let length = dictionary.text.len();
    assert!((16_384..16_384 + 3_400).contains(&length), "{length}");
}

#[test]
fn dictionary_is_used_by_who_has_it_and_takes_it() {
    let server = server();
    server.commit("v", vec![(row(["0", "x"]), 1)]);
    let on = ["--compress", "auto", "--filter", "v:n"];
    let gateway =
        Gateway::start(&[&["--upstream", &server.url(), "--view", "v"], &on[..]].concat());
    gateway.await_ready();
    let dictionary = Dictionary::fetch(gateway.address, "v");
    let name = dictionary.name.as_str();
    let other = Dictionary::of("another".to_owned());
    for (accepted, available, path, expected) in [
        ("dcz", name, "v/stream", Some("dcz")),
        ("gzip, br, zstd, dcb, dcz", name, "v/stream", Some("dcz")),
        ("gzip, dcz;q=0.5", name, "v/stream", Some("dcz")),
        ("gzip, dcz;q=0", name, "v/stream", Some("gzip")),
        ("gzip, zstd, dcb", name, "v/stream", Some("gzip")),
        ("gzip, dcz", &other.name, "v/stream", Some("gzip")),
        ("gzip, dcz", &name[1..], "v/stream", Some("gzip")),
        ("dcz", &other.name, "v/stream", None),
        // Columns are chosen, or rows; and several views are not compressed at all.
        ("gzip, dcz", name, "v/stream?select=n", Some("gzip")),
        ("gzip, dcz", name, "v/stream?n=eq.0", Some("gzip")),
        ("gzip, dcz", name, "stream?view=v", None),
    ] {
        let headers = [
            ("Accept-Encoding", accepted),
            ("Available-Dictionary", available),
        ];
        for method in ["GET", "HEAD"] {
            let answer = request(gateway.address, method, &format!("/{path}"), &headers);
            let told = format!("{method} {path} {accepted:?} {available}");
            assert_eq!(answer.status, 200, "{told}");
            let encoding = answer.header("content-encoding");
            assert_eq!(encoding, expected, "{told}");
            if path.starts_with('v') {
                assert_eq!(answer.header("vary"), VARIES, "{told}");
            }
        }
    }
    let off = super::gateway(&server, "off");
    let answer = get(off.address, "/v/dictionary");
    assert_eq!(answer.status, 404);
    let answer = request(off.address, "GET", "/v/stream", &dictionary.headers());
    assert_eq!(answer.header("content-encoding"), None);
}

#[test]
fn dictionary_makes_short_events_a_third() {
    let server = server();
    let value = |n: u32| format!("what a row of some hundred bytes says of customer {n}");
    let rows = (0..50).map(|n| (row([&n.to_string(), &value(n)]), 1));
    server.commit("v", rows.collect());
    let gateway = gateway(&server, "auto");
    let dictionary = Dictionary::fetch(gateway.address, "v");
    let headers = dictionary.headers();
    let path = "/v/stream";
    let mut plain = Stream::open(gateway.address, path);
    let mut short = request(gateway.address, "GET", path, &headers);
    let (mut unpacker, mut told) = (Unpacker::with(&dictionary), String::new());
    let base = plain.expect("base").data;
    // What a delta takes on the way, and what it says.
    let mut sizes = (0, 0);
    let mut await_word = |word: &str| -> (usize, usize) {
        let (mut packed, before) = (0, told.len());
        while !told.contains(word) || !told.ends_with("\n\n") {
            let piece = short.piece().expect("bytes").expect("more of them");
            packed += piece.len();
            told.push_str(std::str::from_utf8(&unpacker.unpack(&piece).unwrap()).unwrap());
        }
        (packed, told.len() - before)
    };
    await_word(&base);
    for n in 1_000..1_020 {
        server.commit("v", vec![(row([&n.to_string(), &value(n)]), 1)]);
        let delta = plain.expect("delta").data;
        let (packed, length) = await_word(&delta);
        sizes = (sizes.0 + packed, sizes.1 + length);
    }
    assert!(sizes.0 * 3 < sizes.1, "{sizes:?}");
}

#[test]
fn dictionary_of_a_view_that_was_dropped_is_not_that_of_the_next() {
    let server = server();
    server.commit("v", vec![(row(["0", "first"]), 1)]);
    let gateway = gateway(&server, "auto");
    let first = Dictionary::fetch(gateway.address, "v");
    let mut stream = Stream::open_with_dictionary(gateway.address, "/v/stream", &first, &[]);
    stream.expect("base");
    server.drop_view("v");
    while stream.next().is_some() {}
    // Nobody fetches what a view was that is gone.
    assert_eq!(get(gateway.address, "/v/dictionary").status, 503);
    server.create_view("v", &COLUMNS);
    server.commit("v", vec![(row(["0", "second"]), 1)]);
    // It says nothing until it has a base.
    Stream::open(gateway.address, "/v/stream").expect("base");
    let second = Dictionary::fetch(gateway.address, "v");
    assert!(second.text.contains("second") && !second.text.contains("first"));
    let answer = request(gateway.address, "GET", "/v/stream", &first.headers());
    assert_eq!(answer.header("content-encoding"), Some("gzip"));
    let mut stream = Stream::open_with_dictionary(gateway.address, "/v/stream", &second, &[]);
    assert!(stream.expect("base").data.contains("second"));
}

#[test]
fn dictionary_is_kept_from_who_sees_some_of_the_rows() {
    let stand_in = StandIn::start(&[]);
    let directory = tempfile::tempdir().expect("directory");
    let file = directory.path().join("viewcast.toml");
    let text = "compress = 'auto'\n[view.user_edits]\nrows = { user = 'claim:sub' }\n\
                [view.all]\nrelation = 'user_edits'\nfilter = ['user']\n";
    std::fs::write(&file, text).expect("written");
    let (key, file) = (format!("{KEYS}/hs256.txt"), file.display().to_string());
    let mut arguments = taking_tokens(["--jwt-key-file", &key]);
    arguments.extend_from_slice(&["--upstream", &stand_in.url, "--config", &file]);
    let gateway = Gateway::start(&arguments);
    gateway.await_ready();
    let of = |claims: &Value| {
        let bearer = format!("Bearer {}", token(claims));
        ["user_edits", "all"].map(|view| {
            let headers = [("Authorization", bearer.as_str())];
            let path = format!("/{view}/dictionary");
            request(gateway.address, "GET", &path, &headers)
        })
    };
    let both = with(claims(&["user_edits", "all"]), "sub", json!("a"));
    let [some, mut all] = of(&both);
    assert_eq!((some.status, all.status), (404, 200));
    // What one user's browser keeps is nothing for the next one.
    let caching = all.header("cache-control");
    assert_eq!(caching, Some("private, max-age=3600"));
    let varies = all.headers.iter().filter(|(name, _)| name == "vary");
    let varies: Vec<&str> = varies.map(|(_, value)| value.as_str()).collect();
    assert!(
        varies.join(", ").contains("Authorization, Cookie"),
        "{varies:?}"
    );
    let dictionary = Dictionary::of(all.text());
    let granted = json!({ "views": ["all"], "rows": { "all": { "user": ["a"] } } });
    let some = with(claims(&[]), "viewcast", granted);
    assert_eq!(of(&some).map(|it| it.status), [403, 404]);
    // Who has it all the same, from before, is sent what it sees in another way.
    for (claims, expected) in [(&both, "dcz"), (&some, "gzip")] {
        let bearer = format!("Bearer {}", token(claims));
        let headers = [&dictionary.headers()[..], &[("Authorization", &bearer)]].concat();
        let answer = request(gateway.address, "GET", "/all/stream", &headers);
        assert_eq!(answer.header("content-encoding"), Some(expected));
    }
}

#[test]
fn dictionary_serves_streams_over_tls_and_http_2() {
    let folder = tempfile::tempdir().expect("a folder");
    let names = vec!["127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
    let [chain, key] = ["cert.pem", "key.pem"].map(|name| folder.path().join(name));
    std::fs::write(&chain, made.cert.pem()).expect("written");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("written");
    let [chain, key] = [chain, key].map(|path| path.display().to_string());
    let files = ["--tls-cert", &chain, "--tls-key", &key];
    let demo = ["demo", "--tick", "100ms", "--compress", "auto"];
    let process = Process::start(&[&demo[..], &["--listen", "127.0.0.1:0"], &files].concat());
    let line = process.await_log("listening on https://");
    let (_, address) = line.split_once("https://").expect("an address");
    let base = format!("https://{}/top10", address.trim());
    let curl = |arguments: &[&str]| {
        let mut command = Command::new("curl");
        command.args(["-sSNk"]).args(arguments);
        command.stdout(Stdio::piped()).spawn().expect("curl runs")
    };
    let dictionary = loop {
        // The demo's view is empty at first.
        let child = curl(&["-w", "%{http_code}", &format!("{base}/dictionary")]);
        let output = child.wait_with_output().expect("an answer");
        let text = String::from_utf8(output.stdout).expect("text");
        if let Some(text) = text.strip_suffix("200") {
            break Dictionary::of(text.to_owned());
        }
        assert!(text.ends_with("404") || text.ends_with("503"), "{text}");
    };
    let headers = dictionary
        .headers()
        .map(|(name, value)| format!("{name}: {value}"));
    for version in ["--http1.1", "--http2"] {
        let (stream, [accepted, available]) = (format!("{base}/stream"), &headers);
        let mut child = curl(&[version, "-H", accepted, "-H", available, &stream]);
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        let (mut unpacker, mut told) = (Unpacker::with(&dictionary), String::new());
        let mut piece = [0; 4096];
        while told.matches("event: delta\n").count() < 3 {
            let length = output.read(&mut piece).expect("bytes");
            assert!(length > 0, "{version}: {told}");
            let plain = unpacker.unpack(&piece[..length]).expect("frames");
            told.push_str(&String::from_utf8(plain).expect("whole events"));
        }
        assert!(told.starts_with("retry: "), "{version}: {told}");
        assert_eq!(told.matches("event: base\n").count(), 1, "{version}");
        child.kill().expect("curl ends");
        child.wait().expect("curl is gone");
    }
}
