//! A newer token prolongs a stream whichever way it came in: over TLS and over
//! HTTP/2, where the renewal may be another stream of the same connection.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

use super::prolonged::{bearer, of};
use super::{KEYS, SOON, demo_on, now, taking_tokens};
use crate::support::gateway::{Gateway, Process};

/// Two gateways that take our tokens, one with TLS, and the files they need.
struct Gateways {
    plain: Gateway,
    secure: SocketAddr,
    _secure: Process,
    folder: tempfile::TempDir,
}

impl Gateways {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let names = vec!["127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
        let file = |name: &str| folder.path().join(name).display().to_string();
        let (chain, key) = (file("cert.pem"), file("key.pem"));
        std::fs::write(&chain, made.cert.pem()).expect("written");
        std::fs::write(&key, made.signing_key.serialize_pem()).expect("written");
        let secret = format!("{KEYS}/hs256.txt");
        let tokens = taking_tokens(["--jwt-key-file", &secret]);
        let plain = Gateway::of(Process::start(&demo_on("127.0.0.1:0", &tokens)));
        plain.await_ready();
        let tls = ["--tls-cert", &chain, "--tls-key", &key];
        let all = [&tokens[..], &tls].concat();
        let process = Process::start(&demo_on("127.0.0.1:0", &all));
        let line = process.await_log("listening on https://");
        let (_, address) = line.split_once("https://").expect("an address");
        let gateways = Gateways {
            plain,
            secure: address.trim().parse().expect("an address"),
            _secure: process,
            folder,
        };
        gateways.await_ready();
        gateways
    }

    fn await_ready(&self) {
        let ready = |way: &Way| self.curl(way, "/readyz", &["-f", "-o", "/dev/null"]);
        while !ready(&WAYS[0]).status().expect("curl runs").success() {
            std::thread::park_timeout(std::time::Duration::from_millis(10));
        }
    }

    fn curl(&self, way: &Way, path: &str, more: &[&str]) -> Command {
        let base = match way.is_secure {
            true => format!("https://{}", self.secure),
            false => format!("http://{}", self.plain.address),
        };
        let mut command = Command::new("curl");
        command.args(["-sS", "-N", way.version, "--cacert"]);
        command.arg(self.folder.path().join("cert.pem"));
        command.args(more).arg(format!("{base}{path}"));
        command
    }
}

struct Way {
    version: &'static str,
    is_secure: bool,
}

const WAYS: [Way; 3] = [
    Way {
        version: "--http1.1",
        is_secure: true,
    },
    Way {
        version: "--http2",
        is_secure: true,
    },
    Way {
        version: "--http2-prior-knowledge",
        is_secure: false,
    },
];

/// A stream that curl follows, and the id in its head.
struct Followed {
    child: Child,
    out: BufReader<ChildStdout>,
    id: String,
}

impl Followed {
    fn open(gateways: &Gateways, way: &Way, path: &str, token: &Value) -> Self {
        let authorization = format!("Authorization: {}", bearer(token));
        let mut command = gateways.curl(way, path, &["-i", "-H", &authorization]);
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
    let gateways = Gateways::start();
    let ends = now() + SOON.as_secs();
    let brief = of("a", &["*"], ends);
    let longer = of("a", &["*"], ends + SOON.as_secs());
    let mut followed = Vec::new();
    for way in &WAYS {
        for (path, view) in [
            ("/user_edits/stream", ""),
            ("/stream?view=counter&view=user_edits", "user_edits."),
        ] {
            let stream = Followed::open(&gateways, way, path, &brief);
            let authorization = format!("Authorization: {}", bearer(&longer));
            let id = format!("Viewcast-Stream: {}", stream.id);
            let renewal = format!("{}/token", path.split('?').next().expect("a path"));
            let headers = ["-X", "POST", "-H", &authorization, "-H", &id];
            let answer = gateways.curl(way, &renewal, &headers).output();
            let answer = answer.expect("curl runs").stdout;
            let answer: Value = serde_json::from_slice(&answer).expect("JSON");
            let left = answer["expires_in"].as_u64();
            assert!(left.is_some_and(|left| left > SOON.as_secs()), "{answer}");
            followed.push((stream, format!("event: {view}base\n"), way.version));
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
