//! Signals that people send to a server: none of them cuts a stream, and SIGHUP
//! has certificate, keys and passwords read anew.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use serde_json::json;

use crate::support::follower::Follower;
use crate::support::gateway::{Gateway, PATIENCE, Process};
use crate::support::http::request;
use crate::support::materialize::{Auth, Generation, Materialize, row};
use crate::support::sse::Stream;
use crate::support::tls_front::write_secret;

#[test]
fn sighup_and_its_like_end_neither_process_nor_stream() {
    let stand_in = Process::start(&["demo", "--only-upstream"]);
    let line = stand_in.await_log("stand-in for Materialize on ");
    let (_, url) = line.split_once("Materialize on ").expect("a URL");
    let served = [
        "--upstream",
        url.trim(),
        "--view",
        "counter",
        "--heartbeat",
        "50ms",
    ];
    for gateway in [Gateway::start(&served), Gateway::demo(&[])] {
        gateway.await_ready();
        let mut stream = Stream::open(gateway.address, "/counter/stream");
        stream.next().expect("a base");
        for name in ["USR1", "USR2", "HUP", "HUP"] {
            gateway.process.signal(name);
        }
        gateway.process.await_log("SIGUSR1 means nothing here");
        gateway.process.await_log("SIGUSR2 means nothing here");
        gateway.process.await_log("SIGHUP: reading certificate");
        for _ in 0..3 {
            stream.next().expect("it goes on");
        }
        // This one ends it, but between two events.
        gateway.process.signal("QUIT");
        gateway.process.await_log("SIGQUIT: ending all streams");
        while stream.next().is_some() {}
        let mut process = gateway.process;
        assert_eq!(process.await_exit().code(), Some(0));
    }
    for name in ["HUP", "USR1", "USR2"] {
        stand_in.signal(name);
    }
    let mut stand_in = stand_in;
    stand_in.signal("TERM");
    assert_eq!(stand_in.await_exit().code(), Some(0));
}

/// Before anything is served, too: while the upstream is waited for.
#[cfg(unix)]
#[test]
fn sighup_while_an_upstream_is_waited_for_ends_nothing() {
    use std::os::unix::process::ExitStatusExt;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
    let url = format!("postgres://{}", nobody.local_addr().expect("an address"));
    drop(nobody);
    let mut process = Process::start(&["demo", "--listen", "127.0.0.1:0", "--upstream", &url]);
    process.await_log("the replay will try again");
    process.signal("HUP");
    process.signal("TERM");
    let status = process.await_exit();
    assert_ne!(status.signal(), Some(1), "SIGHUP ended it");
}

#[test]
fn sighup_reads_the_password_anew_for_the_next_connection() {
    let server = Materialize::start(Generation::Modern);
    server.create_view("v", &[("n", "integer")]);
    server.require_password(Auth::Scram, "first");
    let folder = tempfile::tempdir().expect("a folder");
    let [host, port] = {
        let address = server.address();
        [address.ip().to_string(), address.port().to_string()]
    };
    let line = |password: &str| format!("{host}:{port}:materialize:materialize:{password}\n");
    let url = format!("postgres://materialize@{host}:{port}/materialize");
    let secret = |name: &str, text: &str| write_secret(&folder, name, text).display().to_string();
    let (file, passfile) = (
        secret("password", "first"),
        secret("passfile", &line("first")),
    );
    let least = [&of_the_view(&url)[..], &["--listen", "127.0.0.1:0"]].concat();
    let of_file = Process::start(&[&least[..], &["--password-file", &file]].concat());
    let of_passfile = Process::start_with(&least, &[("PGPASSFILE", &passfile)]);
    let gateways = [of_file, of_passfile].map(Gateway::of);
    gateways.iter().for_each(Gateway::await_ready);

    // A file that says nothing changes nothing.
    secret("password", "");
    secret("passfile", "# nothing\n");
    for gateway in &gateways {
        gateway.process.signal("HUP");
        gateway
            .process
            .await_log("what the upstream is connected with stays as it is: file ");
    }
    server.cut_all();
    server.commit("v", vec![(row(["1"]), 1)]);
    let mut streams = gateways
        .each_ref()
        .map(|gateway| Stream::open(gateway.address, "/v/stream"));
    let until = |stream: &mut Stream, text: &str| {
        while !stream.next().expect("it goes on").data.contains(text) {}
    };
    streams
        .iter_mut()
        .for_each(|stream| until(stream, "{\"n\":1}"));

    server.require_password(Auth::Scram, "second");
    secret("password", "second");
    secret("passfile", &line("second"));
    for gateway in &gateways {
        gateway.process.signal("HUP");
        gateway
            .process
            .await_log("files of the upstream's connections read anew");
    }
    server.cut_all();
    server.commit("v", vec![(row(["2"]), 1)]);
    streams
        .iter_mut()
        .for_each(|stream| until(stream, "{\"n\":2}"));
    for gateway in &gateways {
        let log = gateway.process.log().join("\n");
        assert!(!log.contains("first") && !log.contains("second"), "{log}");
    }
}

/// A server that asks for a password, with a view of a row.
fn guarded(password: &str) -> Materialize {
    let server = Materialize::start(Generation::Modern);
    server.create_view("v", &[("n", "integer")]);
    server.commit("v", vec![(row(["0"]), 1)]);
    server.require_password(Auth::Cleartext, password);
    server
}

/// Arguments of a gateway of the server's view that comes back at once.
fn of_the_view(url: &str) -> [&str; 6] {
    ["--upstream", url, "--view", "v", "--reconnect-max", "100ms"]
}

/// A gateway that is started with these and more.
fn eager(server: &Materialize, more: &[&str]) -> Gateway {
    Gateway::start(&[&of_the_view(&server.url())[..], more].concat())
}

/// What `/readyz` says of the view.
fn reason(gateway: &Gateway, list: &str) -> String {
    let body = request(gateway.address, "GET", "/readyz", &[]).json();
    body[list][0]["reason"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// A token that lasts an hour: what is held is not lost by a login that is
/// refused, and the next one that is given is taken without a signal.
#[test]
fn password_that_changes_is_taken_for_the_next_connection() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = write_secret(&folder, "token", "hush-one")
        .display()
        .to_string();
    let printed = format!("cat '{file}'");
    for given in [["--password-file", &file], ["--password-command", &printed]] {
        write_secret(&folder, "token", "hush-one");
        let server = guarded("hush-one");
        let gateway = eager(&server, &given);
        let mut client = Follower::join(&server, &gateway, "v");
        // The old one counts no more.
        server.require_password(Auth::Cleartext, "hush-two");
        server.cut_all();
        client.until_upstream("lost");
        let deadline = Instant::now() + PATIENCE;
        while !reason(&gateway, "impaired").contains("refuses the login") {
            assert!(Instant::now() < deadline, "not told");
        }
        let line = gateway.process.await_log("password authentication failed");
        assert!(line.contains("Check the user and the password"), "{line}");
        let at = server.commit("v", vec![(row(["1"]), 1)]);
        write_secret(&folder, "token", "hush-two");
        client.until_upstream("live");
        client.reach(at);
        assert_eq!(client.table.bases, 1, "{given:?}");
        // What cannot be had leaves what was good in force.
        std::fs::remove_file(&file).expect("removed");
        server.cut_all();
        let at = server.commit("v", vec![(row(["2"]), 1)]);
        client.reach(at);
        let line = gateway
            .process
            .await_log("the upstream's password stays as it was");
        assert!(line.contains("No such file"), "{line}");
        let log = gateway.process.log().join("\n");
        assert!(!log.contains("hush"), "{log}");
    }
}

#[test]
fn password_command_that_fails_is_told_with_its_words() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("token").display().to_string();
    let command = format!("echo hush; test -e '{file}' || {{ echo no token yet >&2; exit 3; }}");
    let server = guarded("hush");
    let gateway = eager(&server, &["--password-command", &command]);
    let line = gateway
        .process
        .await_log("the upstream's password cannot be read");
    let words = "the password command failed, exit status: 3: no token yet";
    assert!(line.contains(words), "{line}");
    assert!(reason(&gateway, "waiting").contains("password"));
    std::fs::write(&file, "").expect("written");
    gateway.await_ready();
    let log = gateway.process.log().join("\n");
    assert!(!log.contains("hush"), "{log}");
}

/// A token signed with a secret.
fn token(secret: &str) -> String {
    let claims = json!({
        "iss": "i", "aud": "a", "exp": 4_000_000_000_u64, "viewcast": { "views": ["*"] },
    });
    let key = EncodingKey::from_secret(secret.as_bytes());
    encode(&Header::new(Algorithm::HS256), &claims, &key).expect("signs")
}

fn key_set(secret: &str) -> String {
    let key = jsonwebtoken::jwk::Jwk::from_encoding_key(
        &EncodingKey::from_secret(secret.as_bytes()),
        Algorithm::HS256,
    );
    json!({ "keys": [key.expect("a JWK")] }).to_string()
}

/// Asks until the answer is this one: the keys are read by another thread.
fn await_status(gateway: &Gateway, token: &str, wanted: u16) {
    let bearer = format!("Bearer {token}");
    let deadline = std::time::Instant::now() + crate::support::gateway::PATIENCE;
    loop {
        let headers = [("Authorization", bearer.as_str())];
        let status = request(gateway.address, "GET", "/counter", &headers).status;
        if status == wanted {
            return;
        }
        assert!(
            std::time::Instant::now() < deadline,
            "{status}, not {wanted}"
        );
        std::thread::park_timeout(std::time::Duration::from_millis(10));
    }
}

#[test]
fn sighup_reads_keys_anew() {
    const SECRETS: [&str; 2] = [
        "the first secret of thirty-two bytes",
        "another secret of thirty-two bytes!!",
    ];
    let folder = tempfile::tempdir().expect("a folder");
    for flag in ["--jwt-key-file", "--jwt-jwks"] {
        let text = |secret: &str| match flag {
            "--jwt-key-file" => secret.to_owned(),
            _ => key_set(secret),
        };
        let path = folder.path().join(flag);
        let write = |text: &str| std::fs::write(&path, text).expect("written");
        write(&text(SECRETS[0]));
        let file = path.display().to_string();
        let rules = ["--auth", "jwt", "--jwt-issuer", "i", "--jwt-audience", "a"];
        let gateway = Gateway::demo(&[&rules[..], &[flag, &file]].concat());
        gateway.await_ready();
        await_status(&gateway, &token(SECRETS[0]), 200);
        await_status(&gateway, &token(SECRETS[1]), 401);
        // What is no key changes nothing.
        write("short");
        gateway.process.signal("HUP");
        gateway.process.await_log(match flag {
            "--jwt-key-file" => "the key for tokens stays as it is: ",
            _ => "key set for tokens: ",
        });
        await_status(&gateway, &token(SECRETS[0]), 200);
        write(&text(SECRETS[1]));
        gateway.process.signal("HUP");
        await_status(&gateway, &token(SECRETS[1]), 200);
        await_status(&gateway, &token(SECRETS[0]), 401);
    }
}

/// Writes a certificate that ends in this year, and its key.
fn write_certificate(folder: &Path, year: i32) {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(year, 1, 1);
    let certificate = params.self_signed(&key).expect("a certificate");
    std::fs::write(folder.join("cert.pem"), certificate.pem()).expect("written");
    std::fs::write(folder.join("key.pem"), key.serialize_pem()).expect("written");
}

#[test]
fn certificate_that_has_expired_is_warned_of_at_the_start_and_at_sighup() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name).display().to_string();
    let (chain, key) = (file("cert.pem"), file("key.pem"));
    let start = || {
        let process = Process::start(&[
            "demo",
            "--listen",
            "127.0.0.1:0",
            "--tls-cert",
            &chain,
            "--tls-key",
            &key,
        ]);
        let line = process.await_log("listening on https://");
        let (_, address) = line.split_once("https://").expect("an address");
        let url = format!("https://{}/metrics", address.trim());
        (process, url)
    };
    let tells_end = |url: &str, end: &str| {
        let asked = Command::new("curl").args(["-sSk", url]).output();
        let metrics = String::from_utf8(asked.expect("curl runs").stdout).expect("text");
        let line = format!("\nviewcast_certificate_end_seconds {end}\n");
        assert!(metrics.contains(&line), "{metrics}");
    };
    write_certificate(folder.path(), 2021);
    let told = "cert.pem expired at 2021-01-01T00:00:00Z: renew it, then send SIGHUP";
    start().0.await_log(told);
    write_certificate(folder.path(), 4000);
    let (process, url) = start();
    tells_end(&url, "64060588800");
    process.signal("HUP");
    process.await_log("certificate read anew");
    assert!(!process.log().iter().any(|line| line.contains("expire")));
    write_certificate(folder.path(), 2021);
    process.signal("HUP");
    process.await_log(told);
    tells_end(&url, "1609459200");
}

/// By the gateway's own settings, with nothing else said.
#[test]
fn healthcheck_finds_the_gateway_by_its_settings() {
    let folder = tempfile::tempdir().expect("a folder");
    write_certificate(folder.path(), 4000);
    let file = |name: &str| folder.path().join(name).display().to_string();
    let (chain, key) = (file("cert.pem"), file("key.pem"));
    let check = |arguments: &[&str], variables: &[(&str, &str)]| {
        let arguments = [&["healthcheck"], arguments].concat();
        Process::start_with(&arguments, variables)
            .await_exit()
            .code()
    };
    let port_of = |process: &Process| {
        let line = process.await_log("listening on http");
        line.rsplit_once(':').expect("a port").1.trim().to_owned()
    };
    let plain = Process::start(&["demo", "--listen", "127.0.0.1:0"]);
    let tls = [
        "demo",
        "--listen",
        "0.0.0.0:0",
        "--tls-cert",
        &chain,
        "--tls-key",
        &key,
    ];
    let tls = Process::start(&tls);
    let (plain_port, tls_port) = (port_of(&plain), port_of(&tls));
    let of_tls = ["--tls-cert", &chain, "--tls-key", &key];
    for host in ["127.0.0.1", "0.0.0.0"] {
        let listen = format!("{host}:{plain_port}");
        assert_eq!(check(&["--listen", &listen], &[]), Some(0));
        assert_eq!(check(&[], &[("VIEWCAST_LISTEN", &listen)]), Some(0));
        let config = file("viewcast.toml");
        std::fs::write(&config, format!("listen = {listen:?}\n")).expect("written");
        assert_eq!(check(&["--config", &config], &[]), Some(0));
        assert_eq!(check(&[], &[("VIEWCAST_CONFIG", &config)]), Some(0));

        let listen = format!("{host}:{tls_port}");
        let listen = ["--listen", &listen];
        assert_eq!(check(&[&listen[..], &of_tls].concat(), &[]), Some(0));
        // It speaks nothing else there.
        assert_eq!(check(&listen, &[]), Some(1));
    }
    let url = format!("https://localhost:{tls_port}/healthz");
    assert_eq!(check(&[&url], &[]), Some(0));
    assert_eq!(check(&["--listen", "127.0.0.1:0"], &[]), Some(1));
    assert_eq!(check(&["--listen", "nowhere"], &[]), Some(64));
    assert_eq!(check(&[], &[("VIEWCAST_LISTN", "127.0.0.1:1")]), Some(64));
}
