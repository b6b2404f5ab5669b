//! The matrix: token, view, algorithm and way.

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::{ALGORITHMS, Way, ask, claims, gateway_with, now, read, signed, with};
use crate::support::gateway::Gateway;

/// Every path that tells of the view.
fn paths(view: &str) -> [String; 2] {
    [format!("/{view}"), format!("/{view}/stream")]
}

/// Tokens that are good for nothing, whatever they say.
fn bad_tokens(algorithm: Algorithm, signing: &str, verifying: &str) -> Vec<(&'static str, String)> {
    let all = claims(&["*"]);
    let sign = |claims: &Value| signed(algorithm, signing, claims);
    let good = sign(&all);
    let parts: Vec<&str> = good.split('.').collect();
    // Base64 of {"alg":"none"}.
    let none = format!("eyJhbGciOiJub25lIn0.{}.", parts[1]);
    let public = EncodingKey::from_secret(&read(verifying));
    let confused = encode(&Header::new(Algorithm::HS256), &all, &public).expect("signs");
    let other = signed(Algorithm::EdDSA, "other.pem", &all);
    let mut altered = parts[2].to_owned();
    altered.replace_range(
        3..4,
        if altered.as_bytes()[3] == b'A' {
            "B"
        } else {
            "A"
        },
    );
    let mut bad = vec![
        ("of another key", other),
        ("unsigned", none),
        ("stripped", format!("{}.{}.", parts[0], parts[1])),
        ("altered", format!("{}.{}.{altered}", parts[0], parts[1])),
        ("cut", good[..good.len() - 8].to_owned()),
        ("two parts", format!("{}.{}", parts[0], parts[1])),
        ("no token", "x".to_owned()),
        ("oversized", format!("{good}{}", "A".repeat(8192))),
        (
            "expired",
            sign(&with(all.clone(), "exp", json!(now() - 3600))),
        ),
        (
            "without an end",
            sign(&with(all.clone(), "exp", Value::Null)),
        ),
        (
            "not valid yet",
            sign(&with(all.clone(), "nbf", json!(now() + 3600))),
        ),
        (
            "of another issuer",
            sign(&with(all.clone(), "iss", json!("https://evil.example"))),
        ),
        (
            "without an issuer",
            sign(&with(all.clone(), "iss", Value::Null)),
        ),
        (
            "for another audience",
            sign(&with(all.clone(), "aud", json!("other"))),
        ),
        (
            "without an audience",
            sign(&with(all.clone(), "aud", Value::Null)),
        ),
    ];
    // The secret's own file is no public key that anybody could know.
    if algorithm != Algorithm::HS256 {
        bad.push(("public key as a secret", confused));
    }
    bad
}

#[test]
fn access_matrix_of_token_view_algorithm_and_way_has_no_hole() {
    for (algorithm, signing, verifying) in ALGORITHMS {
        for url in [false, true] {
            let more: &[&str] = if url { &["--allow-url-token"] } else { &[] };
            let gateway = gateway_with(verifying, more);
            for way in [Way::Header, Way::Cookie, Way::Query] {
                check_way(&gateway, way, url, (algorithm, signing, verifying));
            }
        }
    }
}

fn check_way(gateway: &Gateway, way: Way, url: bool, key: (Algorithm, &str, &str)) {
    let (algorithm, signing, verifying) = key;
    let told = format!("{algorithm:?} {way:?}, in addresses: {url}");
    let heard = way != Way::Query || url;
    let sees = |token: &str, view: &str| {
        let [rows, stream] = paths(view);
        let rows = ask(gateway, &rows, way, token);
        if rows.status == 200 {
            let caching = rows.header("cache-control");
            assert_eq!(caching, Some("private, no-cache"), "{told}");
        }
        let rows = rows.status;
        let stream = ask(gateway, &stream, way, token).status;
        // A name that ends like the default view's is answered alike.
        assert_eq!(rows == 200, stream == 200, "{told} {view}");
        stream
    };
    let grants: [(&[&str], &[&str], &[&str]); 4] = [
        (
            &["top10"],
            &["top10"],
            &["counter", "nosuch", "mz_catalog.mz_views"],
        ),
        (
            &["mz_*", "count*"],
            &["counter", "mz_catalog.mz_views"],
            &["top10", "nosuch"],
        ),
        (&["*"], &["top10", "counter"], &[]),
        (&[], &[], &["top10", "counter", "nosuch"]),
    ];
    for (views, seen, unseen) in grants {
        let token = signed(algorithm, signing, &claims(views));
        for view in seen {
            assert_eq!(
                sees(&token, view),
                if heard { 200 } else { 401 },
                "{told} {view}"
            );
        }
        for view in unseen {
            assert_eq!(
                sees(&token, view),
                if heard { 403 } else { 401 },
                "{told} {view}"
            );
        }
        for path in ["/views", "/views.d.ts"] {
            let list = ask(gateway, path, way, &token).status;
            assert_eq!(list, if heard { 200 } else { 401 }, "{told} {path}");
        }
    }
    for (kind, token) in bad_tokens(algorithm, signing, verifying) {
        for path in [
            "/top10",
            "/top10/stream",
            "/top10/sql",
            "/view/stream",
            "/nosuch",
            "/views",
            "/views.d.ts",
        ] {
            let response = ask(gateway, path, way, &token);
            assert_eq!(response.status, 401, "{told} {kind} {path}");
            let challenge = response.header("www-authenticate").expect("a challenge");
            assert!(
                challenge.starts_with("Bearer realm=\"viewcast\""),
                "{challenge}"
            );
            assert_eq!(challenge.contains("invalid_token"), heard, "{told} {kind}");
        }
    }
}
