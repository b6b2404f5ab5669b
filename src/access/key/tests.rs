use super::*;

macro_rules! file {
    ($name:literal) => {
        include_bytes!(concat!("../../../tests/data/keys/", $name)).as_slice()
    };
}

#[test]
fn key_of_each_kind_has_its_one_algorithm() {
    for (bytes, algorithm) in [
        (file!("hs256.txt"), Algorithm::HS256),
        (file!("rs256.pub.pem"), Algorithm::RS256),
        (file!("rs256.pkcs1.pem"), Algorithm::RS256),
        (file!("es256.pub.pem"), Algorithm::ES256),
        (file!("eddsa.pub.pem"), Algorithm::EdDSA),
    ] {
        let key = Key::from_file(bytes).expect("a key");
        assert_eq!(key.algorithm, algorithm);
        assert!(!format!("{key:?}").contains("secret for tests"));
        for other in [
            Algorithm::HS256,
            Algorithm::RS256,
            Algorithm::ES256,
            Algorithm::EdDSA,
        ] {
            let set = KeySet::of(key.clone());
            let found = set.candidates(Some("x"), other).count();
            assert_eq!(found, usize::from(other == algorithm));
        }
    }
}

/// The DER of a PEM file, and its base64 without the lines around.
fn bare(pem: &[u8]) -> (Vec<u8>, String) {
    let text = std::str::from_utf8(pem).expect("PEM");
    let base64: String = text.lines().filter(|line| !line.starts_with('-')).collect();
    let mut der = Vec::new();
    let digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bits, mut count) = (0u32, 0);
    for c in base64.chars().filter(|c| *c != '=') {
        let digit = digits.find(c).expect("base64");
        bits = bits << 6 | u32::try_from(digit).expect("small");
        count += 6;
        if count >= 8 {
            count -= 8;
            der.push(u8::try_from(bits >> count & 0xff).expect("a byte"));
        }
    }
    (der, base64)
}

#[test]
fn key_that_is_public_is_never_taken_for_a_secret() {
    let jwk: &[u8] = br#"{"kty":"oct","k":"c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"}"#;
    assert_eq!(Key::from_file(jwk).expect_err("JSON"), KeyError::Bare);
    let ssh = b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ1 somebody@somewhere";
    assert_eq!(Key::from_file(ssh).expect_err("ssh"), KeyError::Bare);
    for pem in [
        file!("rs256.pub.pem"),
        file!("rs256.pkcs1.pem"),
        file!("es256.pub.pem"),
        file!("es384.pub.pem"),
        file!("eddsa.pub.pem"),
        file!("cert.pem"),
    ] {
        let (der, base64) = bare(pem);
        assert_eq!(Key::from_file(&der).expect_err("DER"), KeyError::Bare);
        assert_eq!(
            Key::from_file(base64.as_bytes()).expect_err("base64"),
            KeyError::Bare
        );
    }
}

#[test]
fn key_that_is_no_good_is_refused_with_the_reason() {
    let two = [file!("rs256.pub.pem"), file!("es256.pub.pem")].concat();
    let damaged = String::from_utf8_lossy(file!("es256.pub.pem")).replace("MFkw", "MFkx");
    for (bytes, why) in [
        (file!("rs256.pem"), KeyError::NotPublic),
        (file!("es256.pem"), KeyError::NotPublic),
        (file!("cert.pem"), KeyError::NotPublic),
        (&two, KeyError::NotPublic),
        (b"-----BEGIN PUBLIC KEY-----", KeyError::Unsupported),
        (damaged.as_bytes(), KeyError::Unsupported),
        (file!("es384.pub.pem"), KeyError::Unsupported),
        (file!("weak.pub.pem"), KeyError::RsaSize { bits: 1024 }),
        (b"", KeyError::ShortSecret { bytes: 0 }),
        (
            b"thirty-one bytes are too short.\n",
            KeyError::ShortSecret { bytes: 31 },
        ),
    ] {
        let error = Key::from_file(bytes).expect_err("refused");
        assert_eq!(error, why);
        assert!(error.hint().ends_with('.'));
    }
    assert!(Key::from_file(b"thirty-two bytes are long enough\n").is_ok());
}

#[test]
fn key_set_takes_what_it_can_use_and_nothing_else() {
    // The examples of RFC 7517, A.1, and of RFC 8037, A.2.
    let ec = r#""kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM""#;
    let ed = r#""kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#;
    let oct = r#""kty":"oct","k":"c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0""#;
    let count = |keys: &[String], symmetric| {
        let text = format!("{{\"keys\":[{}]}}", keys.join(","));
        KeySet::from_jwks(text.as_bytes(), symmetric).map(|set| set.len())
    };
    let key = |fields: &str, more: &str| format!("{{{fields}{more}}}");
    for good in [
        key(ec, ""),
        key(ec, r#","alg":"ES256","use":"sig","key_ops":["verify"]"#),
        key(ed, r#","alg":"EdDSA""#),
    ] {
        assert_eq!(count(std::slice::from_ref(&good), false), Ok(1), "{good}");
        assert_eq!(
            count(&[good, "{\"kty\":\"new\"}".into(), "3".into()], false),
            Ok(1)
        );
    }
    for bad in [
        key(ec, r#","use":"enc""#),
        key(ec, r#","alg":"HS256""#),
        key(ec, r#","alg":"RS256""#),
        key(ec, r#","key_ops":["sign"]"#),
        key(&ec.replace("P-256", "P-384"), ""),
        key(&ec.replace("4Etl", "5Etl"), ""),
        key(
            &ed.replace("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "11qY"),
            "",
        ),
        key(
            &ed.replace("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", ""),
            "",
        ),
        key(r#""kty":"RSA","n":"AQAB","e":"AQAB""#, ""),
        key(oct, ""),
    ] {
        assert_eq!(
            count(std::slice::from_ref(&bad), false),
            Err(KeyError::NoneUsable),
            "{bad}"
        );
    }
    assert_eq!(
        count(&[key(oct, "")], true),
        Ok(1),
        "a secret counts in a file"
    );
    assert_eq!(count(&[], true), Err(KeyError::NoneUsable));
    assert_eq!(count(&vec![key(ec, ""); 65], true), Err(KeyError::TooMany));
    for bad in ["", "[]", "{}", "{\"keys\":3}", "<html>"] {
        assert_eq!(
            KeySet::from_jwks(bad.as_bytes(), true).expect_err(bad),
            KeyError::Json
        );
    }
}
