//! One mistake is one error: what follows from it is not told beside it.

use std::ffi::OsString;

use viewcast::config::{self, Environment};

use super::Given;

/// The first words of each error.
#[track_caller]
fn errors(given: &Given) -> Vec<String> {
    let errors = given.load().expect_err("refused");
    errors.0.iter().map(ToString::to_string).collect()
}

#[test]
fn config_one_mistake_in_the_file_is_one_error() {
    let good = "upstream = 'postgres://h'\nview = ['a']\n";
    let jwt = "auth = 'jwt'\njwt_issuer = 'i'\njwt_audience = 'a'\njwt_jwks = 'https://i/k'\n";
    let tls = "tls_cert = 'tests/data/keys/cert.pem'\ntls_key = 'tests/data/keys/es256.pem'\n";
    let table = [
        // Nothing of the file is known.
        (good, "view = ['a']", "view = [a]", "is not TOML"),
        (
            good,
            "view = ['a']",
            "view = ['a']\nview = ['b']",
            "is not TOML",
        ),
        // A key that resembles another, or none.
        (good, "view =", "vew =", "unknown key \"vew\""),
        (good, "view =", "views =", "unknown key \"views\""),
        (good, "view =", "relations =", "unknown key \"relations\""),
        (good, "view =", "zzz =", "unknown key \"zzz\""),
        (good, "upstream =", "upstrem =", "unknown key \"upstrem\""),
        (good, "upstream =", "database =", "unknown key \"database\""),
        (jwt, "auth", "atuh", "unknown key \"atuh\""),
        (jwt, "jwt_issuer", "jwt_isuer", "unknown key \"jwt_isuer\""),
        (jwt, "jwt_jwks", "jwks", "unknown key \"jwks\""),
        (tls, "tls_key", "tls_kye", "unknown key \"tls_kye\""),
        // A value of another type, or none that makes sense.
        (
            good,
            "view = ['a']",
            "view = 3",
            "an integer given for \"view\"",
        ),
        (
            good,
            "view = ['a']",
            "view = [3]",
            "a list given for \"view\"",
        ),
        (
            good,
            "view = ['a']",
            "view = { a = 3 }",
            "an integer given for \"view.a\"",
        ),
        (
            good,
            "upstream = 'postgres://h'",
            "upstream = true",
            "a boolean given",
        ),
        (
            jwt,
            "auth = 'jwt'",
            "auth = 3",
            "invalid value \"3\" for \"auth\"",
        ),
        (
            jwt,
            "auth = 'jwt'",
            "auth = ['jwt']",
            "a list given for \"auth\"",
        ),
        (
            jwt,
            "auth = 'jwt'",
            "auth = 'jwtt'",
            "invalid value \"jwtt\"",
        ),
        (
            jwt,
            "jwt_audience = 'a'",
            "jwt_audience = 3.5\njwt_audience2 = 1",
            "unknown key",
        ),
        (
            tls,
            "tls_cert = '",
            "tls_cert = [] #'",
            "a list given for \"tls_cert\"",
        ),
        // A table of a view.
        (
            good,
            "view = ['a']",
            "[view.\"Big Spenders\"]\nqeury = 'SELECT 1'",
            "unknown key \"view.Big Spenders.qeury\"",
        ),
        (
            good,
            "view = ['a']",
            "[view.\"Big Spenders\"]\nrelation = 3",
            "an integer given for \"view.Big Spenders.relation\"",
        ),
    ];
    for (text, from, to, expected) in table {
        assert!(text.contains(from), "{from}");
        let changed = text.replace(from, to);
        let whole = match text == good {
            true => changed,
            false => format!("{good}{changed}"),
        };
        let errors = errors(&Given::default().file(&whole));
        assert_eq!(errors.len(), 1, "{to}: {errors:#?}");
        assert!(errors[0].contains(expected), "{to}: {errors:#?}");
    }
}

#[test]
fn config_file_that_is_not_there_is_one_error() {
    let mut given = Given::default();
    given.flags.config = Some("/no/such/file".into());
    assert_eq!(errors(&given).len(), 1);
    // What is wrong elsewhere is told all the same.
    let given = given.flag("workers", &["0"]);
    assert_eq!(errors(&given).len(), 2);
}

/// An environment that can be listed.
struct Variables(Vec<(&'static str, OsString)>);

impl Environment for Variables {
    fn value(&self, name: &str) -> Option<OsString> {
        let found = self.0.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.clone())
    }

    fn names(&self) -> Vec<OsString> {
        self.0.iter().map(|(name, _)| (*name).into()).collect()
    }
}

#[track_caller]
fn report(variables: &[(&'static str, &str)]) -> String {
    let variables = variables.iter().map(|(name, value)| (*name, value.into()));
    let variables = Variables(variables.collect());
    match config::load(&Given::default().flags, &variables) {
        Ok(_) => String::new(),
        Err(errors) => errors.report(),
    }
}

#[test]
fn config_variable_that_is_not_known_is_refused_with_the_nearest() {
    let upstream = ("VIEWCAST_UPSTREAM", "postgres://h");
    let view = ("VIEWCAST_VIEW", "a");
    assert_eq!(report(&[upstream, view]), "");
    assert_eq!(
        report(&[upstream, ("VIEWCAST_VEIW", "a")]),
        "error: unknown variable VIEWCAST_VEIW\nhint: Did you mean VIEWCAST_VIEW?\n"
    );
    assert_eq!(
        report(&[upstream, view, ("VIEWCAST_QQQ", "a")]),
        "error: unknown variable VIEWCAST_QQQ\nhint: `viewcast --help-all` shows every variable.\n"
    );
    assert_eq!(
        report(&[("VIEWCAST_CONFIGS", "/etc/viewcast.toml")]),
        "error: unknown variable VIEWCAST_CONFIGS\nhint: Did you mean VIEWCAST_CONFIG?\n"
    );
    // Set to nothing is not set; what Kubernetes sets is not ours.
    let service = [
        ("VIEWCAST_QQQ", ""),
        ("VIEWCAST_SERVICE_HOST", "10.0.0.1"),
        ("VIEWCAST_PORT_80_TCP_ADDR", "10.0.0.1"),
    ];
    assert_eq!(report(&[&[upstream, view], &service[..]].concat()), "");
}
