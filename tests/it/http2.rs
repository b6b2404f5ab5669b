//! HTTP/2: over TLS for browsers, so that a page's streams share a connection,
//! and without it for proxies.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;

use crate::support::gateway::{Gateway, PATIENCE, Process};
use crate::support::sse::Stream;

const KEYS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/keys");

/// A certificate of its own authority for 127.0.0.1, and its key, as PEM.
fn made_up() -> (String, String) {
    let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
    (made.cert.pem(), made.signing_key.serialize_pem())
}

fn write(folder: &Path, (chain, key): &(String, String)) {
    std::fs::write(folder.join("cert.pem"), chain).expect("write");
    std::fs::write(folder.join("key.pem"), key).expect("write");
}

fn start(folder: &Path) -> (Process, SocketAddr) {
    let file = |name: &str| folder.join(name).display().to_string();
    let process = Process::start(&[
        "demo",
        "--tick",
        "50ms",
        "--listen",
        "127.0.0.1:0",
        "--tls-cert",
        &file("cert.pem"),
        "--tls-key",
        &file("key.pem"),
    ]);
    let line = process.await_log("listening on https://");
    let (_, address) = line.split_once("https://").expect("an address");
    let address = address.trim().parse().expect("an address");
    (process, address)
}

fn curl(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new("curl").args(["-sS"]).args(arguments).output();
    let output = output.expect("curl runs");
    eprintln!("{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code(), text)
}

fn node(script: &str, url: &str) {
    let output = Command::new("node")
        .args(["--test", "--test-reporter=spec", script])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser"))
        .env("VIEWCAST_URL", url)
        .output()
        .expect("node starts; `make prepare` installs it");
    println!("{}", String::from_utf8_lossy(&output.stdout));
    eprintln!("{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success());
}

/// Forty streams at once; all of them are served, over few connections.
fn check_many_streams(base: &str, options: &[&str]) {
    let folder = tempfile::tempdir().expect("a folder");
    let views = ["top10", "counter", "user_edits", "hot_pages"];
    let mut arguments: Vec<String> = options.iter().map(ToString::to_string).collect();
    let parallel = [
        "-N",
        "--max-time",
        "8",
        "--parallel",
        "--parallel-max",
        "50",
    ];
    arguments.extend(parallel.map(str::to_owned));
    let out = |at: usize| folder.path().join(at.to_string()).display().to_string();
    for at in 0..40 {
        arguments.push(format!("{base}/{}/stream", views[at % views.len()]));
        arguments.extend(["-o".to_owned(), out(at)]);
    }
    arguments.extend([
        "-w".to_owned(),
        "%{http_version} %{num_connects}\\n".to_owned(),
    ]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (_, told) = curl(&arguments);
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines.len(), 40, "{told}");
    let connections: u32 = lines
        .iter()
        .map(|line| {
            let (version, connects) = line.split_once(' ').expect("two words");
            assert_eq!(version, "2", "{told}");
            connects.parse::<u32>().expect("a number")
        })
        .sum();
    // curl begins with a few before it knows that one will do. (Chromium opens
    // one; see below.) Over HTTP/1.1 there would be forty.
    assert!(connections < 10, "{told}");
    for at in 0..40 {
        let stream = std::fs::read_to_string(out(at)).expect("a stream");
        assert!(stream.starts_with("retry: "), "{at}: {stream}");
        assert!(stream.contains("event: base\n"), "{at}");
        assert!(stream.contains("event: delta\n"), "{at}");
    }
}

#[test]
fn http2_over_tls_carries_many_streams_on_few_connections() {
    let folder = tempfile::tempdir().expect("a folder");
    let made = made_up();
    write(folder.path(), &made);
    let (process, address) = start(folder.path());
    let base = format!("https://{address}");
    let authority = folder.path().join("cert.pem").display().to_string();
    let with = ["--cacert", authority.as_str()];
    for (option, version) in [("--http2", "2"), ("--http1.1", "1.1")] {
        let url = format!("{base}/healthz");
        let told = [
            "-o",
            "/dev/null",
            "-w",
            "%{http_code} %{http_version}",
            option,
            &url,
        ];
        assert_eq!(
            curl(&[&with[..], &told].concat()).1,
            format!("200 {version}")
        );
    }
    check_many_streams(&base, &with);
    assert!(!process.has_panicked());
    // Plain HTTP is not for this port, and does no harm there.
    let (status, _) = curl(&[&format!("http://{address}/healthz")]);
    assert_ne!(status, Some(0));
    process.signal("TERM");
}

/// As proxies speak it that were told to: HTTP/2 from the first byte.
#[test]
fn http2_without_tls_carries_many_streams_on_one_connection() {
    let gateway = Gateway::demo(&[]);
    gateway.await_ready();
    let base = format!("http://{}", gateway.address);
    for (option, version) in [("--http2-prior-knowledge", "2"), ("--http1.1", "1.1")] {
        let url = format!("{base}/healthz");
        let told = ["-o", "/dev/null", "-w", "%{http_code} %{http_version}"];
        let told = curl(&[&told[..], &[option, &url]].concat()).1;
        assert_eq!(told, format!("200 {version}"));
    }
    let url = format!("{base}/stream?view=counter&view=top10");
    let told = ["-N", "--max-time", "2", "--http2-prior-knowledge", &url];
    assert!(curl(&told).1.contains("event: consistent\n"));
    // Many streams at once are more than curl 7.88 takes without TLS.
    node("h2c.test.mjs", &base);
    assert!(!gateway.process.has_panicked());
}

/// A client's empty SETTINGS frame.
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

/// What every HTTP/2 connection begins with.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#[test]
fn http2_without_tls_is_recognised_however_it_arrives_and_not_waited_for_for_ever() {
    let gateway = Gateway::demo(&[]);
    gateway.await_ready();
    let open = || {
        let socket = TcpStream::connect(gateway.address).expect("accepted");
        socket.set_read_timeout(Some(PATIENCE)).expect("set");
        socket.set_nodelay(true).expect("set");
        socket
    };
    // Whole, and byte by byte: the gateway's first frame is SETTINGS.
    for step in [PREFACE.len() + SETTINGS.len(), 1] {
        let mut socket = open();
        for piece in [PREFACE, SETTINGS].concat().chunks(step) {
            socket.write_all(piece).expect("sent");
        }
        let mut head = [0; 9];
        socket.read_exact(&mut head).expect("a frame");
        assert_eq!(head[3], 4, "SETTINGS: {head:?}");
    }
    // Never whole: closed, and the others do not notice.
    let mut bystander = Stream::open(gateway.address, "/counter/stream");
    bystander.expect("base");
    let mut stalled: Vec<TcpStream> = [1, 3, PREFACE.len() - 1, PREFACE.len()]
        .iter()
        .map(|length| {
            let mut socket = open();
            socket.write_all(&PREFACE[..*length]).expect("sent");
            socket
        })
        .collect();
    for socket in &mut stalled {
        let mut said = Vec::new();
        // The end, or a reset: what matters is that it does not wait.
        if let Err(error) = socket.read_to_end(&mut said) {
            assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
        }
    }
    bystander.expect("delta");
    // Almost: an answer of HTTP/1.1, or the end.
    let mut socket = open();
    socket
        .write_all(b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n")
        .expect("sent");
    let mut said = Vec::new();
    let _ = socket.read_to_end(&mut said);
    assert!(
        said.is_empty() || said.starts_with(b"HTTP/1.1 4"),
        "{said:?}"
    );
}

#[test]
fn http2_lets_chromium_hold_twenty_streams() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), &made_up());
    let (_process, address) = start(folder.path());
    node("http2.test.mjs", &format!("https://{address}"));
}

#[test]
fn http2_certificate_is_read_anew_at_sighup() {
    let folder = tempfile::tempdir().expect("a folder");
    let kept = tempfile::tempdir().expect("a folder");
    let (first, second) = (made_up(), made_up());
    write(folder.path(), &first);
    std::fs::write(kept.path().join("1"), &first.0).expect("write");
    std::fs::write(kept.path().join("2"), &second.0).expect("write");
    let (process, address) = start(folder.path());
    let trusted = |which: &str| {
        let authority = kept.path().join(which).display().to_string();
        let url = format!("https://{address}/healthz");
        curl(&["-o", "/dev/null", "--cacert", &authority, &url]).0 == Some(0)
    };
    assert!(trusted("1") && !trusted("2"));
    // Half a renewal changes nothing.
    std::fs::write(folder.path().join("cert.pem"), &second.0).expect("write");
    process.signal("HUP");
    process.await_log("the certificate stays as it is: private key is not that");
    assert!(trusted("1") && !trusted("2"));
    write(folder.path(), &second);
    process.signal("HUP");
    process.await_log("certificate read anew");
    assert!(trusted("2") && !trusted("1"));
}

#[test]
fn http2_certificate_that_is_no_good_is_refused_before_a_port_opens() {
    let refused = |arguments: &[&str], expected: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_viewcast"))
            .env_clear()
            .args([
                "check-config",
                "--upstream",
                "postgres://localhost",
                "--view",
                "a",
            ])
            .args(arguments)
            .output()
            .expect("the binary runs");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(64), "{told}");
        assert!(told.contains(expected), "{told}");
        assert!(!told.contains("PRIVATE KEY"), "{told}");
    };
    let file = |name: &str| format!("{KEYS}/{name}");
    let (cert, key, other) = (file("cert.pem"), file("es256.pem"), file("rs256.pem"));
    refused(&["--tls-cert", &cert], "--tls-cert given without --tls-key");
    refused(&["--tls-key", &key], "--tls-key given without --tls-cert");
    refused(
        &["--tls-cert", &cert, "--tls-key", &other],
        "not that of the certificate",
    );
    refused(
        &["--tls-cert", &key, "--tls-key", &key],
        "holds no PEM certificate",
    );
    refused(
        &["--tls-cert", &cert, "--tls-key", &cert],
        "holds no PEM private key",
    );
    refused(
        &["--tls-cert", "/no/such", "--tls-key", &key],
        "/no/such given by --tls-cert",
    );
}
