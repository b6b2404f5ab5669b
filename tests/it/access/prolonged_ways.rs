//! A newer token prolongs a stream whichever way it came in: over TLS and over
//! HTTP/2, where the renewal may be another stream of the same connection.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

use super::prolonged::{bearer, of};
use super::{KEYS, SOON, now, taking_tokens};
use crate::support::front::Front;
use crate::support::gateway::wait_for;

/// A version of HTTP as curl has it, and whether with TLS.
const WAYS: [(&str, bool); 3] = [
    ("--http1.1", true),
    ("--http2", true),
    ("--http2-prior-knowledge", false),
];

/// A gateway that takes our tokens, once its views have bases.
fn start(is_secure: bool) -> Front {
    let secret = format!("{KEYS}/hs256.txt");
    let tokens = taking_tokens(["--jwt-key-file", &secret]);
    let front = Front::start(
        &[&["demo", "--tick", "50ms"], &tokens[..]].concat(),
        is_secure,
    );
    wait_for("its bases", || front.get("/readyz").contains("\"ready\""));
    front
}

fn curl(front: &Front, version: &str, path: &str, more: &[&str]) -> Command {
    let mut command = Command::new("curl");
    command.args(["-sS", "-N", version, "--cacert"]);
    command.arg(front.authority());
    command.args(more).arg(front.url(path));
    command
}

/// A stream that curl follows, and the id in its head.
struct Followed {
    child: Child,
    out: BufReader<ChildStdout>,
    id: String,
}

impl Followed {
    fn open(front: &Front, version: &str, path: &str, token: &Value) -> Self {
        let authorization = format!("Authorization: {}", bearer(token));
        let mut command = curl(front, version, path, &["-i", "-H", &authorization]);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("curl runs");
        let mut out = BufReader::new(child.stdout.take().expect("piped"));
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let read = out.read_line(&mut head).expect("text");
            assert!(read > 0, "{head}");
        }
        let lower = head.to_ascii_lowercase();
        let said = lower.split("viewcast-stream: ").nth(1).expect("an id");
        let (id, _) = said.split_once(';').expect("its end");
        let id = id.to_owned();
        Followed { child, out, id }
    }

    /// What comes until its end.
    fn rest(mut self) -> String {
        let mut text = String::new();
        self.out.read_to_string(&mut text).expect("text");
        self.child.wait().expect("it ends");
        text
    }
}

#[test]
fn access_is_prolonged_over_every_way_in() {
    let fronts = [false, true].map(start);
    let ends = now() + SOON.as_secs();
    let brief = of("a", &["*"], ends);
    let longer = of("a", &["*"], ends + SOON.as_secs());
    let mut followed = Vec::new();
    for (version, is_secure) in WAYS {
        let front = &fronts[usize::from(is_secure)];
        for (path, view) in [
            ("/user_edits/stream", ""),
            ("/stream?view=counter&view=user_edits", "user_edits."),
        ] {
            let stream = Followed::open(front, version, path, &brief);
            let authorization = format!("Authorization: {}", bearer(&longer));
            let id = format!("Viewcast-Stream: {}", stream.id);
            let renewal = format!("{}/token", path.split('?').next().expect("a path"));
            let headers = ["-X", "POST", "-H", &authorization, "-H", &id];
            let answer = curl(front, version, &renewal, &headers).output();
            let answer = answer.expect("curl runs").stdout;
            let answer: Value = serde_json::from_slice(&answer).expect("JSON");
            let left = answer["expires_in"].as_u64();
            assert!(left.is_some_and(|left| left > SOON.as_secs()), "{answer}");
            followed.push((stream, format!("event: {view}base\n"), version));
        }
    }
    for (stream, base, version) in followed {
        let text = stream.rest();
        assert!(now() >= ends + SOON.as_secs(), "{version} ended early");
        assert_eq!(text.matches(&base).count(), 1, "{version}");
        let told = "\n: your access has ended: come back with a newer token\n\n";
        assert!(text.ends_with(told), "{version}: {text}");
    }
}
