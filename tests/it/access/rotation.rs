//! Keys that change: the issuer's set, by URL and by file.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, Header, encode};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use super::{Way, ask, claims, signing_key, taking_tokens};
use crate::support::gateway::Gateway;
use crate::support::http::request;

/// An issuer that publishes its keys, or fails to.
pub(super) struct Issuer {
    address: SocketAddr,
    answer: Arc<Mutex<String>>,
    asked: Arc<AtomicUsize>,
}

impl Issuer {
    fn start(answer: String) -> Issuer {
        Issuer::start_with(answer, None)
    }

    /// The same, over TLS if a configuration is given.
    pub(super) fn start_with(answer: String, tls: Option<Arc<ServerConfig>>) -> Issuer {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let issuer = Issuer {
            address: listener.local_addr().expect("address"),
            answer: Arc::new(Mutex::new(answer)),
            asked: Arc::default(),
        };
        let (answer, asked) = (Arc::clone(&issuer.answer), Arc::clone(&issuer.asked));
        std::thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                match &tls {
                    None => serve(socket, &answer, &asked),
                    Some(tls) => {
                        let tls = ServerConnection::new(Arc::clone(tls)).expect("a configuration");
                        serve(StreamOwned::new(tls, socket), &answer, &asked);
                    }
                }
            }
        });
        issuer
    }

    pub(super) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(super) fn publish(&self, answer: String) {
        *self.answer.lock().unwrap() = answer;
    }

    pub(super) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn url(&self) -> String {
        format!("http://{}/keys", self.address)
    }
}

/// Answers one request.
fn serve(socket: impl Read + Write, answer: &Mutex<String>, asked: &AtomicUsize) {
    let mut reader = BufReader::new(socket);
    let mut lines = reader.by_ref().lines().map_while(Result::ok);
    let Some(first) = lines.next() else { return };
    while lines.next().is_some_and(|line| !line.is_empty()) {}
    if first.starts_with("GET /keys ") {
        asked.fetch_add(1, Ordering::SeqCst);
    }
    let text = answer.lock().unwrap().clone();
    let mut socket = reader.into_inner();
    let _ = socket.write_all(text.as_bytes());
    let _ = socket.flush();
}

pub(super) fn jwk(id: &str, algorithm: Algorithm, file: &str) -> Value {
    let jwk = Jwk::from_encoding_key(&signing_key(algorithm, file), algorithm).expect("a JWK");
    let mut jwk = serde_json::to_value(jwk).expect("JSON");
    jwk["kid"] = json!(id);
    jwk
}

pub(super) fn ok(keys: &[Value]) -> String {
    let body = json!({ "keys": keys }).to_string();
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}")
}

pub(super) fn token(id: Option<&str>, algorithm: Algorithm, file: &str) -> String {
    let mut header = Header::new(algorithm);
    header.kid = id.map(str::to_owned);
    encode(&header, &claims(&["*"]), &signing_key(algorithm, file)).expect("signs")
}

fn start(jwks: &str) -> Gateway {
    Gateway::demo(&taking_tokens(["--jwt-jwks", jwks]))
}

pub(super) fn status(gateway: &Gateway, token: &str) -> u16 {
    ask(gateway, "/top10", Way::Header, token).status
}

#[test]
fn key_set_at_a_url_is_read_again_for_an_unknown_key_but_not_for_each() {
    let rsa = jwk("rsa", Algorithm::RS256, "rs256.pem");
    let issuer = Issuer::start(ok(std::slice::from_ref(&rsa)));
    let gateway = start(&issuer.url());
    gateway.await_ready();
    assert_eq!(issuer.asked(), 1);
    let old = token(Some("rsa"), Algorithm::RS256, "rs256.pem");
    let new = token(Some("ed"), Algorithm::EdDSA, "eddsa.pem");
    assert_eq!(status(&gateway, &old), 200);

    // The issuer changes its keys: the first token of a new one has it asked.
    issuer.publish(ok(&[rsa, jwk("ed", Algorithm::EdDSA, "eddsa.pem")]));
    assert_eq!(status(&gateway, &new), 200);
    assert_eq!((status(&gateway, &old), issuer.asked()), (200, 2));

    // Made-up keys do not: the issuer is asked no more for a while.
    for at in 0..20 {
        let made_up = token(
            Some(&format!("made up {at}")),
            Algorithm::EdDSA,
            "other.pem",
        );
        assert_eq!(status(&gateway, &made_up), 401);
    }
    assert_eq!(issuer.asked(), 2);
    // A known name with another key behind it is no reason to ask.
    assert_eq!(
        status(&gateway, &token(Some("ed"), Algorithm::EdDSA, "other.pem")),
        401
    );
    assert_eq!(
        status(&gateway, &token(None, Algorithm::EdDSA, "eddsa.pem")),
        200
    );
}

#[test]
fn key_set_that_was_read_stays_in_force_while_the_issuer_is_ill() {
    let rsa = jwk("rsa", Algorithm::RS256, "rs256.pem");
    let issuer = Issuer::start(ok(&[rsa]));
    let gateway = start(&issuer.url());
    gateway.await_ready();
    issuer.publish("HTTP/1.1 500 Oops\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".into());
    let unknown = token(Some("ed"), Algorithm::EdDSA, "eddsa.pem");
    assert_eq!(status(&gateway, &unknown), 401);
    assert_eq!(issuer.asked(), 2);
    gateway
        .process
        .await_log("500 Internal Server Error, not 200");
    let old = token(Some("rsa"), Algorithm::RS256, "rs256.pem");
    assert_eq!(status(&gateway, &old), 200);
}

#[test]
fn key_set_that_cannot_be_trusted_is_not_taken() {
    let elsewhere = Issuer::start(ok(&[jwk("rsa", Algorithm::RS256, "rs256.pem")]));
    let secret = jwk("hs", Algorithm::HS256, "hs256.txt");
    let moved = format!(
        "HTTP/1.1 302 Found\r\nLocation: {}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        elsewhere.url()
    );
    let endless = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: 400000\r\n\r\n{{\"keys\":[{}",
        " ".repeat(300_000)
    );
    for (answer, why) in [
        (moved, "302 Found, not 200"),
        // Whoever can read a published secret can issue tokens.
        (ok(&[secret]), "key set has no key"),
        (ok(&[]), "key set has no key"),
        (endless, "larger than 262144 bytes"),
    ] {
        let issuer = Issuer::start(answer);
        let gateway = start(&issuer.url());
        gateway.process.await_log(why);
        // Nothing can be verified, so nobody is let in, and it says so.
        let token = token(Some("rsa"), Algorithm::RS256, "rs256.pem");
        let response = ask(&gateway, "/top10", Way::Header, &token);
        assert_eq!(response.status, 503, "{why}");
        assert!(response.header("retry-after").is_some());
        assert_eq!(request(gateway.address, "GET", "/readyz", &[]).status, 503);
        assert_eq!(elsewhere.asked(), 0);
    }
}

#[test]
fn key_set_in_a_file_may_hold_secrets_and_is_read_again_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("keys.json");
    let write = |keys: &[Value]| {
        std::fs::write(&path, json!({ "keys": keys }).to_string()).expect("write");
    };
    let secret = jwk("hs", Algorithm::HS256, "hs256.txt");
    write(std::slice::from_ref(&secret));
    let gateway = start(path.to_str().expect("UTF-8"));
    gateway.await_ready();
    assert_eq!(
        status(&gateway, &token(Some("hs"), Algorithm::HS256, "hs256.txt")),
        200
    );
    write(&[secret, jwk("ec", Algorithm::ES256, "es256.pem")]);
    assert_eq!(
        status(&gateway, &token(Some("ec"), Algorithm::ES256, "es256.pem")),
        200
    );
}
