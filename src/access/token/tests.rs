use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::super::key::Key;
use super::*;
use crate::limits::{JWT_LEEWAY, JWT_LIFE_MAX};

const NOW: Duration = Duration::from_secs(2_000_000_000);

macro_rules! file {
    ($name:literal) => {
        include_bytes!(concat!("../../../tests/data/keys/", $name)).as_slice()
    };
}

fn rules() -> Rules {
    Rules {
        issuer: "https://issuer.example".to_owned(),
        audience: "viewcast".to_owned(),
    }
}

fn claims() -> Value {
    json!({
        "iss": "https://issuer.example",
        "aud": "viewcast",
        "exp": NOW.as_secs() + 60,
        "viewcast.views": ["top10", "mz_*"],
    })
}

/// The claims with one of them set, or taken out where it is null.
fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    let map = claims.as_object_mut().expect("an object");
    map.insert(name.to_owned(), value);
    map.retain(|_, value| !value.is_null());
    claims
}

fn secret() -> EncodingKey {
    EncodingKey::from_secret(file!("hs256.txt").trim_ascii_end())
}

fn keys(file: &[u8]) -> KeySet {
    KeySet::of(Key::from_file(file).expect("a key"))
}

fn signed(claims: &Value) -> String {
    encode(&Header::default(), claims, &secret()).expect("signs")
}

fn judge(token: &str) -> Result<Grant, Denied> {
    verify(token, &keys(file!("hs256.txt")), &rules(), NOW)
}

/// Every algorithm with the key that signs and the file that verifies.
fn algorithms() -> [(Algorithm, EncodingKey, &'static [u8]); 4] {
    let rsa = EncodingKey::from_rsa_pem(file!("rs256.pem")).expect("RSA");
    let ec = EncodingKey::from_ec_pem(file!("es256.pem")).expect("EC");
    let ed = EncodingKey::from_ed_pem(file!("eddsa.pem")).expect("Ed25519");
    [
        (Algorithm::HS256, secret(), file!("hs256.txt")),
        (Algorithm::RS256, rsa, file!("rs256.pub.pem")),
        (Algorithm::ES256, ec, file!("es256.pub.pem")),
        (Algorithm::EdDSA, ed, file!("eddsa.pub.pem")),
    ]
}

#[test]
fn token_is_good_with_its_own_key_and_with_no_other() {
    for (algorithm, signing, _) in algorithms() {
        let token = encode(&Header::new(algorithm), &claims(), &signing).expect("signs");
        for (other, _, file) in algorithms() {
            let outcome = verify(&token, &keys(file), &rules(), NOW);
            match other == algorithm {
                true => assert!(outcome.is_ok(), "{algorithm:?}: {outcome:?}"),
                false => assert_eq!(outcome, Err(Denied::Algorithm), "{algorithm:?} {other:?}"),
            }
        }
    }
    let other = EncodingKey::from_secret(b"another secret that is long enough, too");
    let token = encode(&Header::default(), &claims(), &other).expect("signs");
    assert_eq!(judge(&token), Err(Denied::Signature));
}

#[test]
fn token_signed_with_the_public_key_as_a_secret_is_refused() {
    for (_, _, file) in algorithms().into_iter().skip(1) {
        for secret in [file, file.trim_ascii_end()] {
            let forged = encode(
                &Header::new(Algorithm::HS256),
                &claims(),
                &EncodingKey::from_secret(secret),
            );
            let outcome = verify(&forged.expect("signs"), &keys(file), &rules(), NOW);
            assert_eq!(outcome, Err(Denied::Algorithm));
        }
    }
}

/// Base64url as tokens have it.
fn encoded(text: &str) -> String {
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let bits = chunk
            .iter()
            .fold(0u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - chunk.len()));
        for at in 0..=chunk.len() {
            let digit = usize::try_from(bits >> (18 - 6 * at) & 63).expect("small");
            out.push(char::from(digits[digit]));
        }
    }
    out
}

#[test]
fn token_without_a_signature_is_refused() {
    let payload = encoded(&claims().to_string());
    for header in [
        r#"{"alg":"none"}"#,
        r#"{"alg":"None","typ":"JWT"}"#,
        r#"{"alg":"NONE"}"#,
        r#"{"alg":""}"#,
        r#"{"typ":"JWT"}"#,
        r#"{"alg":null}"#,
        r#"{"alg":"HS1"}"#,
    ] {
        for signature in ["", "AAAA"] {
            let token = format!("{}.{payload}.{signature}", encoded(header));
            assert_eq!(judge(&token), Err(Denied::Malformed), "{header}");
        }
    }
    let token = format!("{}.{payload}.", encoded(r#"{"alg":"HS256"}"#));
    assert_eq!(judge(&token), Err(Denied::Signature));
    // Another header over the old signature.
    let good = signed(&claims());
    let (_, signature) = good.rsplit_once('.').expect("three parts");
    let token = format!(
        "{}.{payload}.{signature}",
        encoded(r#"{"alg":"HS256","x":1}"#)
    );
    assert_eq!(judge(&token), Err(Denied::Signature));
}

#[test]
fn token_that_demands_what_we_do_not_know_is_refused() {
    let header = Header {
        crit: Some(vec!["b64".to_owned()]),
        ..Header::default()
    };
    let token = encode(&header, &claims(), &secret()).expect("signs");
    assert_eq!(judge(&token), Err(Denied::Malformed));
    // A key that comes along with the token counts for nothing.
    let header = Header {
        jku: Some("https://evil.example/keys".to_owned()),
        ..Header::default()
    };
    let own = EncodingKey::from_secret(b"a secret of the attacker's own, also long");
    let token = encode(&header, &claims(), &own).expect("signs");
    assert_eq!(judge(&token), Err(Denied::Signature));
}

#[test]
fn token_of_no_shape_is_refused() {
    let good = signed(&claims());
    let long = format!("{good}{}", "A".repeat(JWT_BYTES_MAX));
    assert_eq!(judge(&long), Err(Denied::TooLong));
    for bad in ["", ".", "..", "a.b.c", "a.b", "Bearer", "\u{0}", "ü.ü.ü"] {
        assert_eq!(judge(bad), Err(Denied::Malformed), "{bad:?}");
    }
    for bad in [format!("{good}."), format!("x.{good}"), format!("{good}=")] {
        assert!(judge(&bad).is_err(), "{bad}");
    }
}

#[test]
fn token_of_another_issuer_or_audience_is_refused() {
    for issuer in [json!("https://issuer.example/"), json!("x"), json!("")] {
        assert_eq!(judge(&signed(&with("iss", issuer))), Err(Denied::Issuer));
    }
    for issuer in [json!(null), json!(["https://issuer.example"]), json!(3)] {
        let outcome = judge(&signed(&with("iss", issuer)));
        assert!(matches!(outcome, Err(Denied::Claims | Denied::Issuer)));
    }
    for audience in [
        json!("other"),
        json!(["a", "b"]),
        json!([]),
        json!(null),
        json!(3),
    ] {
        let outcome = judge(&signed(&with("aud", audience)));
        assert_eq!(outcome, Err(Denied::Audience));
    }
    assert!(judge(&signed(&with("aud", json!(["a", "viewcast"])))).is_ok());
}

#[test]
fn token_counts_from_its_beginning_to_its_end_with_leeway() {
    let (now, leeway) = (NOW.as_secs(), JWT_LEEWAY.as_secs());
    for (exp, outcome) in [
        (json!(now + 1), Ok(1)),
        (json!(now + 100), Ok(100)),
        (json!(now), Ok(leeway)),
        (json!(now - 10), Ok(leeway - 10)),
        (json!(now - leeway + 1), Ok(1)),
        (json!(now - leeway), Err(Denied::Expired)),
        (json!(now - 100_000), Err(Denied::Expired)),
        (json!(0), Err(Denied::Expired)),
        (json!(u64::MAX), Ok(JWT_LIFE_MAX.as_secs())),
        (json!(null), Err(Denied::Claims)),
        (json!("2000000060"), Err(Denied::Claims)),
        (json!(-1), Err(Denied::Claims)),
        (json!(1e300), Err(Denied::Claims)),
        (json!(true), Err(Denied::Claims)),
    ] {
        let found = judge(&signed(&with("exp", exp.clone())));
        let lasts = found.map(|grant| grant.lasts(NOW).as_secs());
        assert_eq!(lasts, outcome, "exp {exp}");
    }
    let half = judge(&signed(&with("exp", json!(2_000_000_000.5)))).expect("good");
    assert_eq!(half.lasts(NOW), Duration::from_millis(500));
    for (nbf, good) in [
        (json!(now - 1), true),
        (json!(now + leeway), true),
        (json!(now + leeway + 1), false),
        (json!(u64::MAX), false),
    ] {
        let outcome = judge(&signed(&with("nbf", nbf.clone())));
        assert_eq!(outcome.is_ok(), good, "nbf {nbf}");
        assert!(good || outcome == Err(Denied::NotYet));
    }
    for nbf in [json!("now"), json!(-1), json!([])] {
        assert_eq!(judge(&signed(&with("nbf", nbf))), Err(Denied::Claims));
    }
}

#[test]
fn token_grants_the_views_it_names_and_no_others() {
    let grant = judge(&signed(&claims())).expect("good");
    assert!(grant.may_see("top10") && grant.may_see("mz_internal.x"));
    assert!(!grant.may_see("orders") && !grant.may_see("top1") && !grant.metrics);
    let nested = with("viewcast", json!({"views": ["orders"], "metrics": true}));
    assert_eq!(judge(&signed(&nested)), Err(Denied::Claims), "in both ways");
    let mut nested = nested;
    nested
        .as_object_mut()
        .expect("an object")
        .remove("viewcast.views");
    let grant = judge(&signed(&nested)).expect("good");
    assert!(grant.may_see("orders") && !grant.may_see("top10") && grant.metrics);
    for none in [json!(null), json!([])] {
        let grant = judge(&signed(&with("viewcast.views", none))).expect("good");
        assert!(!grant.may_see("top10") && !grant.may_see(""));
    }
    for bad in [json!("top10"), json!(["top10", 3]), json!({"top10": true})] {
        assert_eq!(
            judge(&signed(&with("viewcast.views", bad))),
            Err(Denied::Claims)
        );
    }
    let twice = format!(
        "{}{}",
        r#"{"viewcast.views":["*"],"#,
        claims().to_string().trim_start_matches('{')
    );
    let twice = serde_json::value::RawValue::from_string(twice).expect("JSON");
    let token = encode(&Header::default(), &twice, &secret()).expect("signs");
    assert_eq!(
        judge(&token),
        Err(Denied::Claims),
        "a claim that is there twice"
    );
}

#[test]
fn token_with_a_claim_twice_is_refused_however_deep() {
    for claims in [
        r#""sub":"1","sub":"2""#,
        r#""org":{"tenant":"1","tenant":"2"}"#,
        r#""viewcast":{"rows":{"orders":{"id":"1"},"orders":{"id":"2"}}}"#,
    ] {
        let all = self::claims().to_string();
        let text = format!("{{{claims},{}", all.trim_start_matches('{'));
        let raw = serde_json::value::RawValue::from_string(text).expect("JSON");
        let token = encode(&Header::default(), &raw, &secret()).expect("signs");
        assert_eq!(judge(&token), Err(Denied::Claims), "{claims}");
    }
}

#[test]
fn token_names_its_key_where_there_are_several() {
    let jwks = |id: &str, secret: &str| {
        format!(r#"{{"kty":"oct","kid":"{id}","k":"{}"}}"#, encoded(secret))
    };
    let (one, two) = (
        "the first secret, of enough bytes",
        "the second secret, of enough bytes",
    );
    let text = format!(r#"{{"keys":[{},{}]}}"#, jwks("1", one), jwks("2", two));
    let set = KeySet::from_jwks(text.as_bytes(), true).expect("a set");
    let token = |id: Option<&str>, secret: &str| {
        let header = Header {
            kid: id.map(str::to_owned),
            ..Header::default()
        };
        let key = EncodingKey::from_secret(secret.as_bytes());
        encode(&header, &claims(), &key).expect("signs")
    };
    for (id, secret, outcome) in [
        (Some("1"), one, None),
        (Some("2"), two, None),
        (None, two, None),
        (Some("1"), two, Some(Denied::Signature)),
        (Some("3"), one, Some(Denied::UnknownKey)),
        (Some(""), one, Some(Denied::UnknownKey)),
        (
            None,
            "a third secret, of enough bytes....",
            Some(Denied::Signature),
        ),
    ] {
        let found = verify(&token(id, secret), &set, &rules(), NOW);
        assert_eq!(found.err(), outcome, "{id:?} {secret}");
    }
    // A key without an id serves every token, but does not stand for a new key.
    let both = set.and(&keys(file!("hs256.txt")));
    let unknown = verify(&token(Some("3"), one), &both, &rules(), NOW);
    assert_eq!(unknown, Err(Denied::UnknownKey));
    let fixed = token(
        Some("3"),
        "a secret for tests that is long enough to be one",
    );
    assert!(verify(&fixed, &both, &rules(), NOW).is_ok());
    assert_eq!(both.len(), 3);
    assert!(verify(&signed(&claims()), &both, &rules(), NOW).is_ok());
}
