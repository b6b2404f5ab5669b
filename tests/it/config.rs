//! The configuration: which layer wins, what is shown, and what never is.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use viewcast::cli::settings::{self, DefaultValue, demo};
use viewcast::cli::{Flags, StandIn};
use viewcast::config::{self, Config, error::ConfigErrors};
use viewcast::limits;

mod access;
mod cascade;
mod refused;
mod shown;
mod upstream;
mod views;

/// One configuration in the making: flags, variables, a file.
#[derive(Default)]
struct Given {
    flags: Flags,
    variables: Vec<(String, OsString)>,
    directory: Option<TempDir>,
}

impl Given {
    /// What serving needs at least, as flags.
    fn least() -> Self {
        let given = Self::default().flag("upstream", &["postgres://localhost"]);
        given.flag("view", &["top10"])
    }

    fn flag(mut self, key: &'static str, values: &[&str]) -> Self {
        self.flags.given.retain(|(given, _)| *given != key);
        let values = values.iter().map(ToString::to_string).collect();
        self.flags.given.push((key, values));
        self
    }

    fn variable(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    fn file(mut self, text: &str) -> Self {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join("viewcast.toml");
        std::fs::write(&path, text).expect("write");
        self.flags.config = Some(path);
        self.directory = Some(directory);
        self
    }

    fn lookup(&self) -> impl Fn(&str) -> Option<OsString> {
        |name| {
            let found = self.variables.iter().find(|(given, _)| given == name);
            found.map(|(_, value)| value.clone())
        }
    }

    fn load(&self) -> Result<Config, ConfigErrors> {
        config::load(&self.flags, &self.lookup())
    }

    /// What `check-config` prints.
    #[track_caller]
    fn shown(&self) -> String {
        let shown = config::check(&self.flags, &self.lookup());
        let (_, shown) = shown.unwrap_or_else(|errors| panic!("{}", errors.report()));
        shown
    }

    /// The same without where each value came from.
    #[track_caller]
    fn values(&self) -> Vec<String> {
        let shown = self.shown();
        let values = shown.lines().map(|line| match line.rsplit_once("  # ") {
            Some((value, _)) => value.to_owned(),
            None => panic!("no source in {line:?}"),
        });
        values.collect()
    }

    /// The line of `check-config` for a key, split at its comment.
    fn line(&self, key: &str) -> (String, String) {
        let shown = self.shown();
        let line = shown.lines().find(|line| {
            line.starts_with(&format!("{key} = "))
                || line.starts_with(&format!("# {key} is not set"))
        });
        let (toml, source) = line.and_then(|line| line.rsplit_once("  # ")).expect(key);
        (toml.to_owned(), source.to_owned())
    }

    /// Loads, expecting exactly these errors and hints; the file is called
    /// viewcast.toml in them.
    #[track_caller]
    fn refused(&self, expected: &str) {
        let errors = self.load().expect_err("refused");
        let mut report = errors.report();
        if let Some(path) = &self.flags.config {
            report = report.replace(&path.display().to_string(), "viewcast.toml");
        }
        assert_eq!(report.trim_end(), expected.trim_end());
    }
}

/// Without these nothing is served.
const REQUIRED: [&str; 2] = ["upstream", "view"];

/// What a key makes sense with.
fn with_company(given: Given, key: &str) -> Given {
    let company: &[(&'static str, &str)] = match key {
        "auth" | "jwt_key_file" | "jwt_jwks" | "jwt_issuer" | "jwt_audience" | "jwt_cookie"
        | "allow_url_token" => &[
            ("auth", "jwt"),
            ("jwt_jwks", "https://issuer.example/keys"),
            ("jwt_issuer", "issuer"),
            ("jwt_audience", "audience"),
        ],
        "tls_cert" => &[("tls_key", "tests/data/keys/es256.pem")],
        "tls_key" => &[("tls_cert", "tests/data/keys/cert.pem")],
        _ => &[],
    };
    let others = company.iter().filter(|(other, _)| *other != key);
    others.fold(given, |given, (other, value)| given.flag(other, &[value]))
}

/// For every key three values that differ from each other and from the default,
/// each as it is written and as it is shown.
fn samples(key: &str) -> [(&'static str, &'static str); 3] {
    match key {
        "password_file" => password_files(),
        "cluster" | "cluster_replica" | "password_command" => {
            [("one", "\"one\""), ("Two", "\"Two\""), ("it's", "\"it's\"")]
        }
        "search_path" => [
            ("a", "['\"a\"']"),
            ("B", "['\"b\"']"),
            ("\"C\"", "['\"C\"']"),
        ],
        "upstream" => [
            ("postgres://a@h1:1/d", "\"postgres://a@h1:1/d\""),
            (
                "host=h2 port=2",
                "\"postgres://materialize@h2:2/materialize\"",
            ),
            (
                "postgresql://h3:3",
                "\"postgres://materialize@h3:3/materialize\"",
            ),
        ],
        "view" => [("a", "[\"a\"]"), ("b", "[\"b\"]"), ("c", "[\"c\"]")],
        "listen" | "metrics_listen" => [
            ("127.0.0.1:1", "\"127.0.0.1:1\""),
            ("127.0.0.1:2", "\"127.0.0.1:2\""),
            ("[::1]:3", "\"[::1]:3\""),
        ],
        "filter" => [
            ("top10:a", "[\"top10:a\"]"),
            ("top10:b,c", "[\"top10:b\", \"top10:c\"]"),
            ("top10:\"x\"", "[\"top10:x\"]"),
        ],
        "max_connections"
        | "max_connections_per_address"
        | "max_connections_per_view"
        | "max_windows_per_view"
        | "max_windows_per_address" => [("7", "7"), ("8", "8"), ("9", "9")],
        "trusted_proxy" => [
            ("10.0.0.0/8", "[\"10.0.0.0/8\"]"),
            ("192.0.2.1", "[\"192.0.2.1/32\"]"),
            ("fd00::/8,192.0.2.2", "[\"fd00::/8\", \"192.0.2.2/32\"]"),
        ],
        "tls_cert" => [
            ("tests/data/keys/cert.pem", "\"tests/data/keys/cert.pem\""),
            (
                "./tests/data/keys/cert.pem",
                "\"./tests/data/keys/cert.pem\"",
            ),
            (
                "tests/../tests/data/keys/cert.pem",
                "\"tests/../tests/data/keys/cert.pem\"",
            ),
        ],
        "tls_key" => [
            ("tests/data/keys/es256.pem", "\"tests/data/keys/es256.pem\""),
            (
                "./tests/data/keys/es256.pem",
                "\"./tests/data/keys/es256.pem\"",
            ),
            (
                "tests/../tests/data/keys/es256.pem",
                "\"tests/../tests/data/keys/es256.pem\"",
            ),
        ],
        "allow_host" => [
            ("a.example", "[\"a.example\"]"),
            ("B.example:8443", "[\"b.example:8443\"]"),
            ("*, [::1]:80", "[\"*\", \"[::1]:80\"]"),
        ],
        "allow_origin" => [
            ("https://a.example", "[\"https://a.example\"]"),
            ("HTTP://B.example:80", "[\"http://b.example\"]"),
            ("*,http://c:1", "[\"*\", \"http://c:1\"]"),
        ],
        "allow_header" => [
            ("X-A", "[\"x-a\"]"),
            ("x-a-*, *", "[\"x-a-*\", \"*\"]"),
            ("a,b", "[\"a\", \"b\"]"),
        ],
        "auth" => [("jwt", "\"jwt\""), ("jwt ", "\"jwt\""), ("jwt", "\"jwt\"")],
        "jwt_key_file" => [
            ("tests/data/keys/hs256.txt", "\"tests/data/keys/hs256.txt\""),
            (
                "tests/data/keys/rs256.pub.pem",
                "\"tests/data/keys/rs256.pub.pem\"",
            ),
            (
                "tests/data/keys/eddsa.pub.pem",
                "\"tests/data/keys/eddsa.pub.pem\"",
            ),
        ],
        "jwt_jwks" => [
            ("https://a.example/keys", "\"https://a.example/keys\""),
            (
                "http://127.0.0.1:1/keys?x=1",
                "\"http://127.0.0.1:1/keys?x=1\"",
            ),
            ("tests/data/keys/jwks.json", "\"tests/data/keys/jwks.json\""),
        ],
        "jwt_issuer" | "jwt_audience" | "jwt_cookie" => {
            [("a", "\"a\""), ("b", "\"b\""), ("c", "\"c\"")]
        }
        "allow_url_token" | "show_sql" => [("true", "true"), ("true", "true"), ("true", "true")],
        "workers" => [("101", "101"), ("102", "102"), ("103", "103")],
        "heartbeat" | "stall_timeout" | "drain" | "retention_age" | "upstream_timeout"
        | "reconnect_max" | "catalog_interval" | "tick" => [
            ("21s", "\"21s\""),
            ("1m 2s", "\"1m 2s\""),
            ("23m", "\"23m\""),
        ],
        "min_interval" => [
            ("250ms", "\"250ms\""),
            ("1s 500ms", "\"1s 500ms\""),
            ("7s", "\"7s\""),
        ],
        "retention_bytes" | "max_view_bytes" => [
            ("4096", "\"4KiB\""),
            ("1MB", "\"1000000B\""),
            ("3 GiB", "\"3GiB\""),
        ],
        "revoked" => [
            ("lost", "\"lost\""),
            ("gone", "\"gone\""),
            ("lost", "\"lost\""),
        ],
        "base_path" => [("/a", "\"/a\""), ("/b/", "\"/b\""), ("/c/d", "\"/c/d\"")],
        "log_format" => [
            ("json", "\"json\""),
            ("text", "\"text\""),
            ("json", "\"json\""),
        ],
        "compress" => [
            ("auto", "\"auto\""),
            ("off", "\"off\""),
            ("auto", "\"auto\""),
        ],
        "dialect" => [
            ("tail", "\"tail\""),
            ("subscribe", "\"subscribe\""),
            ("tail", "\"tail\""),
        ],
        "rate" => [("1.5", "1.5"), ("26", "26"), ("27", "27")],
        "live" => [("true", "true"), ("false", "false"), ("true", "true")],
        "live_url" => [
            ("http://a/", "\"http://a/\""),
            ("https://b:1/c?d=e", "\"https://b:1/c?d=e\""),
            ("http://127.0.0.1:9/", "\"http://127.0.0.1:9/\""),
        ],
        "seed_edits" => [("0", "0"), ("2", "2"), ("3", "3")],
        _ => panic!("add samples for the new key {key:?}"),
    }
}

/// Three files with a password, and how they are shown.
fn password_files() -> [(&'static str, &'static str); 3] {
    // Kept for as long as the tests run; they hold nothing of worth.
    static FILES: std::sync::LazyLock<(TempDir, [(String, String); 3])> =
        std::sync::LazyLock::new(|| {
            let directory = tempfile::tempdir().expect("directory");
            let files = ["one", "two", "three"].map(|name| {
                let path = directory.path().join(name);
                std::fs::write(&path, "secret\n").expect("write");
                let path = path.display().to_string();
                (path.clone(), format!("{path:?}"))
            });
            (directory, files)
        });
    let [one, two, three] = &FILES.1;
    [one, two, three].map(|(path, shown)| (path.as_str(), shown.as_str()))
}

#[test]
fn config_each_key_flag_beats_environment_beats_file_beats_default() {
    for setting in settings::all() {
        let key = setting.key;
        let [flag, variable, file] = samples(key);
        let check = |given: &Given, shown: &str, source: &str| {
            let (toml, from) = given.line(key);
            assert_eq!(toml, format!("{key} = {shown}"));
            assert!(from.starts_with(source), "{key}: {from}");
        };
        // What is required and not under test comes from flags; see `least`.
        let mut given = Given::least();
        given.flags.given.retain(|(given, _)| *given != key);
        match (setting.default)() {
            DefaultValue::None if REQUIRED.contains(&key) => {
                assert!(given.load().is_err(), "{key} is required");
            }
            DefaultValue::None => {
                let unset = (format!("# {key} is not set"), "default".to_owned());
                assert_eq!(given.line(key), unset);
            }
            DefaultValue::Text(_) if demo::ALL.iter().any(|setting| setting.key == key) => {
                assert!(!given.shown().contains(key), "{key} is for the demo");
            }
            DefaultValue::Text(text) => {
                let given = with_company(Given::least(), key);
                let (toml, from) = given.line(key);
                assert_eq!(toml.replace('"', ""), format!("{key} = {text}"));
                assert_eq!(from, "default");
            }
            DefaultValue::Empty => check(&given, "[]", "default"),
            DefaultValue::Computed(text, note) => {
                check(&given, &text, &format!("default, {note}"));
            }
        }
        let given = with_company(given, key);
        let given = given.file(&format!("{key} = {:?}\n", file.0));
        check(&given, file.1, "file ");
        let given = given.variable(&setting.variable(), variable.0);
        check(
            &given,
            variable.1,
            &format!("environment {}", setting.variable()),
        );
        let given = given.flag(key, &[flag.0]);
        check(&given, flag.1, &format!("flag --{}", setting.flag()));
    }
}

#[test]
fn config_numbers_in_the_file_need_no_quotes() {
    let text = "workers = 3\nretention_bytes = 65536\nrate = 2.5\nseed_edits = 1_000\n";
    let given = Given::least().file(text);
    assert_eq!(given.line("workers").0, "workers = 3");
    assert_eq!(
        given.line("retention_bytes").0,
        "retention_bytes = \"64KiB\""
    );
    assert_eq!(given.line("rate").0, "rate = 2.5");
    assert_eq!(given.line("seed_edits").0, "seed_edits = 1000");
}

#[test]
fn config_empty_variable_counts_as_not_set() {
    let given = Given::least()
        .variable("VIEWCAST_LISTEN", "")
        .variable("VIEWCAST_CONFIG", "");
    let config = given.load().expect("config");
    assert_eq!(config.listen.to_string(), limits::LISTEN_DEFAULT);
}

#[test]
fn config_file_may_be_named_by_the_environment() {
    let mut given = Given::least().file("workers = 7");
    let path = given.flags.config.take().expect("path");
    let given = given.variable("VIEWCAST_CONFIG", path);
    assert_eq!(given.load().expect("config").workers, 7);
}

#[test]
fn config_list_of_views_is_split_at_commas_outside_quotes() {
    let texts = |given: &Given| {
        let config = given
            .load()
            .unwrap_or_else(|errors| panic!("{}", errors.report()));
        let texts = config.views.iter().map(|view| view.text().to_owned());
        texts.collect::<Vec<_>>()
    };
    let least = || Given::default().flag("upstream", &["postgres://localhost"]);
    let list = "top10, public.\"a, b\"\"c,\" ,mz_internal.mz_frontiers,";
    let expected = ["top10", "public.\"a, b\"\"c,\"", "mz_internal.mz_frontiers"];
    assert_eq!(texts(&least().variable("VIEWCAST_VIEW", list)), expected);
    assert_eq!(texts(&least().file(&format!("view = '{list}'"))), expected);
    let file = "view = ['top10', 'public.\"a, b\"\"c,\"', \"mz_internal.mz_frontiers\"]";
    assert_eq!(texts(&least().file(file)), expected);
    assert_eq!(texts(&least().flag("view", &expected)), expected);
    assert_eq!(texts(&least().flag("view", &[list])), expected);
    let split = ["top10,public.\"a, b\"\"c,\"", "mz_internal.mz_frontiers"];
    assert_eq!(texts(&least().flag("view", &split)), expected);
}

#[test]
fn config_secret_is_never_shown() {
    for upstream in [
        "postgres://me:hunter2@db:6875/mz",
        "postgres://me:hunter%32@db:6875/mz",
        "postgres://db:6875/mz?user=me&password=hunter2",
        "host=db port=6875 user=me password=hunter2 dbname=mz",
        "host=db port=6875 user=me password='hunter2' dbname=mz application_name=x",
    ] {
        let given = Given::least().flag("upstream", &[upstream]);
        let config = given.load().expect("config");
        assert_eq!(
            config.upstream.postgres().get_password(),
            Some(b"hunter2".as_slice())
        );
        let shown = [
            format!("{config:?}"),
            format!("{:#?}", config.upstream),
            config.upstream.to_string(),
            given.line("upstream").0,
        ];
        for shown in shown {
            assert!(!shown.contains("hunter"), "{shown}");
            assert!(shown.contains("postgres://me:***@db:6875/mz"), "{shown}");
        }
    }
}

#[test]
fn config_pgpassword_fills_in_only_a_missing_password() {
    let password = |upstream: &str| {
        let given = Given::least().flag("upstream", &[upstream]);
        let given = given.variable("PGPASSWORD", "from-env");
        let config = given.load().expect("config");
        assert!(!format!("{config:?}").contains("from-env"));
        let from = given.line("upstream").1;
        let password = config
            .upstream
            .postgres()
            .get_password()
            .map(<[u8]>::to_vec);
        (
            String::from_utf8(password.unwrap_or_default()).expect("UTF-8"),
            from,
        )
    };
    let (found, from) = password("postgres://me@db/mz");
    assert_eq!(
        (found.as_str(), from.as_str()),
        ("from-env", "flag --upstream, password from PGPASSWORD")
    );
    let (found, from) = password("postgres://me:own@db/mz");
    assert_eq!((found.as_str(), from.as_str()), ("own", "flag --upstream"));
}

#[test]
fn config_names_follow_from_the_key() {
    for setting in settings::all() {
        let key = setting.key;
        assert!(
            key.bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_'),
            "{key}"
        );
        assert_eq!(setting.flag().replace('-', "_"), key);
        assert_eq!(
            setting.variable(),
            format!("VIEWCAST_{}", key.to_uppercase())
        );
    }
}

#[test]
fn config_example_file_shows_every_key_at_its_default() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/viewcast.example.toml");
    let text = std::fs::read_to_string(path).expect("the example");
    let text = text.replace("/run/secrets/materialize", samples("password_file")[0].0);
    assert!(
        Given::default().file(&text).load().is_ok(),
        "it loads as it stands"
    );

    // "#key" is a default taken out; "# text" is prose.
    let lines = text.lines().map(|line| match line.strip_prefix('#') {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase()) => rest,
        _ => line,
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    // The files that the example names stand elsewhere here.
    let text = text.replace("/etc/viewcast/issuer.pem", "tests/data/keys/es256.pub.pem");
    let text = text.replace("/etc/viewcast/cert.pem", "tests/data/keys/cert.pem");
    let text = text.replace("/etc/viewcast/key.pem", "tests/data/keys/es256.pem");
    // Of these two, one gives the password.
    let without = |key: &str| {
        let lines = text.lines().filter(|line| !line.starts_with(key));
        Given::default().file(&lines.collect::<Vec<_>>().join("\n"))
    };
    let (given, by_command) = (without("password_command "), without("password_file "));
    for setting in settings::all() {
        let given = match setting.key {
            "password_command" => &by_command,
            _ => &given,
        };
        let (toml, from) = given.line(setting.key);
        assert!(
            from.starts_with("file "),
            "{} is not in the example",
            setting.key
        );
        if let DefaultValue::Text(default) = (setting.default)() {
            assert_eq!(
                toml.replace('"', ""),
                format!("{} = {default}", setting.key)
            );
        }
    }
}

#[test]
fn config_of_the_demo_needs_nothing() {
    let given = Given::default();
    let stand_in = StandIn::default();
    let demo = config::load_demo(&given.flags, &stand_in, &given.lookup()).expect("config");
    assert!(demo.replay_into.is_none());
    assert_eq!(demo.tick, Duration::from_secs(1));
    let address = "127.0.0.1:5000".parse().expect("address");
    let gateway = demo.gateway(config::upstream::Upstream::at(address), String::new());
    assert_eq!(
        gateway.upstream.to_string(),
        "postgres://materialize@127.0.0.1:5000/materialize"
    );
    let views: Vec<_> = gateway.views.iter().map(|view| view.text()).collect();
    assert_eq!(views, limits::DEMO_VIEWS);

    let given = Given::least()
        .flag("rate", &["2.5"])
        .flag("seed_edits", &["7"]);
    let demo = config::load_demo(&given.flags, &stand_in, &given.lookup()).expect("config");
    let into = demo.replay_into.expect("an upstream").to_string();
    assert_eq!(into, "postgres://materialize@localhost:6875/materialize");
    assert_eq!((demo.rate, demo.seed_edits), (2.5, 7));
}
