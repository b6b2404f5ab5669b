//! The settings of access: what belongs together, and what is never shown.

use viewcast::access::host::AllowedHost;
use viewcast::config;

use super::Given;

const KEYS: &str = "tests/data/keys";

/// What asks for tokens, with a key.
fn jwt() -> Given {
    Given::least()
        .flag("auth", &["jwt"])
        .flag("jwt_key_file", &[&format!("{KEYS}/hs256.txt")])
        .flag("jwt_issuer", &["issuer"])
        .flag("jwt_audience", &["audience"])
}

fn without(mut given: Given, key: &str) -> Given {
    given.flags.given.retain(|(given, _)| *given != key);
    given
}

#[test]
fn config_of_tokens_is_whole_or_refused() {
    assert!(jwt().load().expect("good").access.tokens.is_some());
    assert!(Given::least().load().expect("good").access.tokens.is_none());
    without(jwt(), "jwt_key_file").refused(
        "error: tokens cannot be checked without a key\n\
         hint: Give --jwt-key-file or --jwt-jwks, of whoever issues the tokens.",
    );
    without(jwt(), "jwt_issuer").refused(
        "error: tokens cannot be checked without an issuer\n\
         hint: Give --jwt-issuer, the \"iss\" that tokens must have.",
    );
    without(jwt(), "jwt_audience").refused(
        "error: tokens cannot be checked without an audience\n\
         hint: Give --jwt-audience, the \"aud\" that tokens must have.",
    );
    // Whoever sets a key and forgets to ask for tokens is told.
    for key in ["jwt_key_file", "jwt_issuer", "jwt_audience"] {
        let value = format!("{KEYS}/hs256.txt");
        let flag = key.replace('_', "-");
        Given::least().flag(key, &[&value]).refused(&format!(
            "error: --{flag} given, but no token is asked for\n\
             hint: Add --auth jwt, or leave it out."
        ));
        let none = Given::least().flag(key, &[&value]).flag("auth", &["none"]);
        assert!(none.load().is_err());
    }
    Given::least()
        .flag("auth", &["basic"])
        .refused("error: invalid value \"basic\" for --auth\nhint: Give none or jwt.");
}

#[test]
fn config_key_that_is_no_good_is_refused_before_a_port_opens() {
    let with = |file: &str| jwt().flag("jwt_key_file", &[file]);
    with(&format!("{KEYS}/rs256.pem")).refused(
        "error: PEM file is not one public key in the file given by --jwt-key-file\n\
         hint: Give the public key alone, e.g. from `openssl pkey -in key.pem -pubout` or \
         `openssl x509 -in cert.pem -noout -pubkey`.",
    );
    with("no/such/file").refused(
        "error: file no/such/file given by --jwt-key-file could not be read: No such file or \
         directory (os error 2)\nhint: Check the path, and who may read the file.",
    );
    let set = jwt().flag("jwt_jwks", &["Cargo.toml"]);
    let report = set.load().expect_err("no key set").report();
    assert!(report.contains("not JSON with a list \"keys\" in the file given by --jwt-jwks"));
}

#[test]
fn config_key_set_by_http_is_for_this_machine() {
    let with = |url: &str| {
        without(jwt(), "jwt_key_file")
            .flag("jwt_jwks", &[url])
            .load()
    };
    for good in [
        "https://login.example.com/keys",
        "https://login.example.com:8443/keys?x=1",
        "http://localhost:1/keys",
        "http://127.0.0.1/keys",
        "http://[::1]:1/",
    ] {
        assert!(with(good).is_ok(), "{good}");
    }
    for bad in [
        "http://login.example.com/keys",
        "http://localhost.example.com/keys",
        "http://localhost@login.example.com/keys",
        "https://me:hunter2@login.example.com/keys",
        "ftp://login.example.com/keys",
        "file:///etc/keys",
        "https://",
        "https://a b/keys",
        "https://a/keys\r\nX: y",
    ] {
        assert!(with(bad).is_err(), "{bad}");
    }
}

#[test]
fn config_key_is_never_shown() {
    let secret = std::fs::read_to_string(format!("{KEYS}/hs256.txt")).expect("the key");
    let given = jwt();
    let config = given.load().expect("good");
    let (_, shown) = config::check(&given.flags, &given.lookup()).expect("good");
    let bytes: Vec<String> = secret
        .bytes()
        .take(8)
        .map(|byte| byte.to_string())
        .collect();
    for text in [format!("{config:?}"), format!("{config:#?}"), shown] {
        assert!(!text.contains(secret.trim()), "{text}");
        let spaced = text.split_whitespace().collect::<String>();
        assert!(!spaced.contains(&bytes.join(",")), "{text}");
    }
}

#[test]
fn config_switch_is_on_by_its_flag_alone() {
    let parse = |flags: &[&str]| {
        let all = ["viewcast"].iter().chain(flags);
        match viewcast::cli::parse(all) {
            Ok(viewcast::cli::Invocation::Serve(flags)) => flags.given,
            _ => panic!("{flags:?}"),
        }
    };
    let on = ("allow_url_token", vec!["true".to_owned()]);
    assert_eq!(parse(&["--allow-url-token"]), vec![on.clone()]);
    assert_eq!(parse(&["--allow-url-token", "--workers", "3"]).len(), 2);
    let off = ("allow_url_token", vec!["false".to_owned()]);
    assert_eq!(parse(&["--allow-url-token=false"]), [off]);
    let given = jwt().file("allow_url_token = true\n");
    let tokens = given.load().expect("good").access.tokens.expect("tokens");
    assert!(tokens.places.url);
    Given::least()
        .flag("allow_url_token", &["yes"])
        .refused("error: invalid value \"yes\" for --allow-url-token\nhint: Give true or false.");
}

#[test]
fn config_hosts_and_origins_are_names() {
    let given = Given::least().flag("allow_host", &["A.example", "[::1]:80"]);
    let hosts = given.load().expect("good").access.hosts;
    let texts: Vec<_> = hosts.iter().map(AllowedHost::text).collect();
    assert_eq!(texts, ["a.example", "[::1]:80"]);
    Given::least().flag("allow_host", &["http://a"]).refused(
        "error: invalid value \"http://a\" for --allow-host\n\
         hint: Give a host, with or without a port, e.g. example.com or example.com:8443, or *.",
    );
    Given::least().flag("allow_origin", &["null"]).refused(
        "error: invalid value \"null\" for --allow-origin\n\
         hint: Give an origin without a path, e.g. https://example.com, or *.",
    );
    Given::least().flag("jwt_cookie", &["a b"]).refused(
        "error: invalid value \"a b\" for --jwt-cookie\n\
         hint: Give the name of a cookie, e.g. viewcast_token.",
    );
}
