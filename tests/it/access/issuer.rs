//! A key set that comes over https: by whom the issuer's certificate must be
//! signed, and that keys still change there.

use jsonwebtoken::Algorithm;
use tempfile::TempDir;

use super::rotation::{Issuer, jwk, ok, status, token};
use super::{Way, ask, demo_on, taking_tokens};
use crate::support::gateway::{Gateway, Process};
use crate::support::tls_front::{Authority, Signed, server_config};

/// A gateway that trusts this CA only, and reads the set of that issuer.
fn start(trusted: &Authority, url: &str) -> (Gateway, TempDir) {
    let directory = tempfile::tempdir().expect("a folder");
    let roots = trusted.write(&directory, "roots.pem").display().to_string();
    let arguments = demo_on("127.0.0.1:0", &taking_tokens(["--jwt-jwks", url]));
    let process = Process::start_with(&arguments, &[("SSL_CERT_FILE", &roots)]);
    (Gateway::of(process), directory)
}

fn issuer(signed: &Signed) -> Issuer {
    let keys = ok(&[jwk("rsa", Algorithm::RS256, "rs256.pem")]);
    Issuer::start_with(keys, Some(server_config(signed, None)))
}

#[test]
fn key_set_over_https_is_read_from_who_the_trusted_ca_has_signed_and_again() {
    let authority = Authority::new("the CA");
    let issuer = issuer(&authority.sign(&["localhost"], false));
    let url = format!("https://localhost:{}/keys", issuer.port());
    let (gateway, _directory) = start(&authority, &url);
    gateway.await_ready();
    let old = token(Some("rsa"), Algorithm::RS256, "rs256.pem");
    let new = token(Some("ed"), Algorithm::EdDSA, "eddsa.pem");
    assert_eq!((status(&gateway, &old), issuer.asked()), (200, 1));
    // Only the new key is left: the old one's tokens end with the set's reading.
    issuer.publish(ok(&[jwk("ed", Algorithm::EdDSA, "eddsa.pem")]));
    assert_eq!((status(&gateway, &new), issuer.asked()), (200, 2));
    assert_eq!(status(&gateway, &old), 401);
}

#[test]
fn key_set_over_https_from_anybody_else_is_not_taken_and_the_log_says_why() {
    let (authority, another) = (Authority::new("the CA"), Authority::new("another CA"));
    for (signed, why) in [
        (another.sign(&["localhost"], false), "UnknownIssuer"),
        (authority.sign(&["localhost"], true), "certificate expired"),
        (
            authority.sign(&["elsewhere.example"], false),
            "not valid for name",
        ),
    ] {
        let issuer = issuer(&signed);
        let url = format!("https://localhost:{}/keys", issuer.port());
        let (gateway, _directory) = start(&authority, &url);
        let line = gateway.process.await_log("key set for tokens: no answer");
        assert!(
            line.contains("WARN") && line.contains(why),
            "{line} lacks {why}"
        );
        // Nothing can be verified, so nobody is let in.
        let token = token(Some("rsa"), Algorithm::RS256, "rs256.pem");
        let response = ask(&gateway, "/top10", Way::Header, &token);
        assert_eq!(response.status, 503, "{why}");
        assert_eq!(issuer.asked(), 0, "{why}");
    }
}
