//! How recorded sessions began: the servers' own messages in place of ours, for
//! those that let somebody in and for those that did not.

use std::collections::BTreeMap;

use crate::replayed::server_of;
use crate::support::gateway::Gateway;
use crate::support::materialize::{Auth, row};
use crate::support::sse::Stream;
use crate::transcripts::Exchange;
use crate::transcripts::claims::{Claim, claimed};

/// All recorded steps of logging in, by folder.
fn logins() -> BTreeMap<&'static str, Vec<Exchange>> {
    let mut logins = BTreeMap::new();
    for folder in ["0.26", "26.35"] {
        let steps = claimed(folder, Claim::Login).into_iter().map(|(it, _)| it);
        logins.insert(folder, steps.collect());
    }
    logins
}

#[test]
fn replayed_logins_that_were_accepted_let_the_gateway_in() {
    let mut played = 0;
    for (folder, steps) in logins() {
        let accepted = steps.iter().filter(|it| !it.settings().is_empty());
        for step in accepted {
            let server = server_of(folder);
            server.create_view("v", &[("n", "integer")]);
            server.commit("v", vec![(row(["1"]), 1)]);
            if step.sql.starts_with("PasswordMessage ") {
                server.require_password(Auth::Cleartext, "secret");
            }
            server.welcome_with(step.settings());
            let url = server.url().replace("materialize@", "materialize:secret@");
            let gateway = Gateway::start(&["--upstream", &url, "--view", "v"]);
            let mut stream = Stream::open(gateway.address, "/v/stream");
            assert_eq!(stream.expect("base").data, "[{\"n\":1}]", "{}", step.sql);
            played += 1;
        }
    }
    assert_eq!(played, 5);
}

#[test]
fn replayed_logins_that_were_refused_are_told_with_a_hint() {
    let mut told = BTreeMap::new();
    for (folder, steps) in logins() {
        for step in steps.iter().filter(|it| it.error().is_some()) {
            let (code, message) = step.error().expect("refused");
            let server = server_of(folder);
            server.create_view("v", &[("n", "integer")]);
            server.commit("v", vec![(row(["1"]), 1)]);
            server.refuse_with(Some((code, message)));
            let gateway = Gateway::start(&["--upstream", &server.url(), "--view", "v"]);
            let hint = match code {
                "28P01" => "Check the user and the password",
                "53000" => "raise its max_connections",
                _ => "",
            };
            let line = gateway.process.await_log(message);
            assert!(line.contains(hint), "{line}");
            server.refuse_with(None);
            let mut stream = Stream::open(gateway.address, "/v/stream");
            stream.expect("base");
            *told.entry(code.to_owned()).or_insert(0) += 1;
        }
    }
    let expected = [("28P01", 4), ("42501", 1), ("53000", 1)];
    let expected = expected.map(|(code, n)| (code.to_owned(), n));
    assert_eq!(told, expected.into());
}
