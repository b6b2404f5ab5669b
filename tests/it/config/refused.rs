//! What a configuration is refused for, and in which words.

use std::ffi::OsString;
use std::path::PathBuf;

use viewcast::cli::StandIn;
use viewcast::{config, limits};

use super::Given;

#[test]
fn config_bad_value_is_refused_by_the_name_its_giver_knows() {
    let accepts = "hint: Give a duration from 10ms to 1h with its unit, e.g. 15s.";
    for bad in ["15", "0s", "9ms", "2h", "soon", "-1s", ""] {
        let expected = format!("error: invalid value {bad:?} for --heartbeat\n{accepts}");
        Given::least().flag("heartbeat", &[bad]).refused(&expected);
    }
    let expected = format!("error: invalid value \"15\" for VIEWCAST_HEARTBEAT\n{accepts}");
    Given::least()
        .variable("VIEWCAST_HEARTBEAT", "15")
        .refused(&expected);
    let expected = format!(
        "error: invalid value \"15\" for \"heartbeat\" in viewcast.toml, line 2\n{accepts}"
    );
    Given::least().file("\nheartbeat = 15").refused(&expected);
}

#[test]
fn config_bad_value_of_each_kind_is_refused_with_what_is_accepted() {
    let table = [
        (
            "listen",
            "8080",
            "an IP address and a port, e.g. 127.0.0.1:8080 or [::]:8080",
        ),
        (
            "listen",
            "localhost:8080",
            "an IP address and a port, e.g. 127.0.0.1:8080 or [::]:8080",
        ),
        ("workers", "0", "a whole number from 1 to 256"),
        ("workers", "1025", "a whole number from 1 to 256"),
        ("workers", "1.5", "a whole number from 1 to 256"),
        ("max_connections", "0", "a whole number from 1 to 1000000"),
        (
            "max_connections_per_address",
            "many",
            "a whole number from 1 to 1000000, or none",
        ),
        (
            "max_connections_per_view",
            "0",
            "a whole number from 1 to 1000000, or none",
        ),
        (
            "trusted_proxy",
            "proxy.example",
            "an address or a network, 256 at the most, e.g. 192.0.2.7 or 10.0.0.0/8",
        ),
        (
            "stall_timeout",
            "0s",
            "a duration from 1s to 1h with its unit, e.g. 60s",
        ),
        (
            "drain",
            "2h",
            "a duration from 0s to 1h with its unit, e.g. 5s",
        ),
        (
            "retention_bytes",
            "1023",
            "a size from 1KiB to 64GiB, e.g. 64MiB",
        ),
        (
            "retention_bytes",
            "65GiB",
            "a size from 1KiB to 64GiB, e.g. 64MiB",
        ),
        (
            "retention_bytes",
            "much",
            "a size from 1KiB to 64GiB, e.g. 64MiB",
        ),
        (
            "retention_age",
            "0s",
            "a duration from 1s to 7days with its unit, e.g. 10m",
        ),
        (
            "max_view_bytes",
            "0",
            "a size from 1KiB to 512GiB, e.g. 4GiB",
        ),
        (
            "reconnect_max",
            "1ms",
            "a duration from 10ms to 1h with its unit, e.g. 10s",
        ),
        (
            "upstream_timeout",
            "1ms",
            "a duration from 100ms to 1h with its unit, e.g. 10s",
        ),
        (
            "catalog_interval",
            "1ms",
            "a duration from 100ms to 1h with its unit, e.g. 2s",
        ),
        ("dialect", "COPY", "auto, tail or subscribe"),
    ];
    for (key, bad, accepts) in table {
        let flag = key.replace('_', "-");
        let expected = format!("error: invalid value {bad:?} for --{flag}\nhint: Give {accepts}.");
        Given::least().flag(key, &[bad]).refused(&expected);
    }
    let table = [
        ("rate", "NaN", "a number from 0.001 to 1000000"),
        ("rate", "0", "a number from 0.001 to 1000000"),
        ("rate", "inf", "a number from 0.001 to 1000000"),
        ("live", "maybe", "true or false"),
        (
            "live_url",
            "ftp://a/",
            "an http or https URL without a user or a password",
        ),
        ("seed_edits", "-1", "a whole number from 0 to 1000000"),
        (
            "tick",
            "9ms",
            "a duration from 10ms to 1h with its unit, e.g. 1s",
        ),
    ];
    for (key, bad, accepts) in table {
        let given = Given::default().flag(key, &[bad]);
        let errors = config::load_demo(&given.flags, &StandIn::default(), &given.lookup());
        let flag = key.replace('_', "-");
        let expected =
            format!("error: invalid value {bad:?} for --{flag}\nhint: Give {accepts}.\n");
        assert_eq!(errors.expect_err(key).report(), expected);
    }
}

#[test]
fn config_live_edits_do_not_go_into_an_upstream() {
    let given = Given::least().flag("live", &["true"]);
    let errors = config::load_demo(&given.flags, &StandIn::default(), &given.lookup());
    assert_eq!(
        errors.expect_err("refused").report(),
        "error: --live and --upstream given together\nhint: Live edits go to the stand-in, \
         into an upstream the recording is replayed: leave one of the two out.\n"
    );
    let given = Given::default().file("live = true\nlive_url = \"http://a/\"\n");
    let demo = config::load_demo(&given.flags, &StandIn::default(), &given.lookup());
    assert_eq!(demo.expect("config").live.as_deref(), Some("http://a/"));
    Given::least()
        .file("workers = true\n")
        .refused("error: a boolean given for \"workers\" in viewcast.toml, line 1\nhint: Give a text in quotes, or a number.");
}

#[test]
fn config_unknown_key_is_refused_with_the_nearest_known_one() {
    Given::least().file("workers = 2\nhartbeat = \"1s\"\n").refused(
        "error: unknown key \"hartbeat\" in viewcast.toml, line 2\nhint: Did you mean \"heartbeat\"?",
    );
    Given::least().file("retention-age = \"1m\"").refused(
        "error: unknown key \"retention-age\" in viewcast.toml, line 1\n\
         hint: Did you mean \"retention_age\"?",
    );
    Given::least().file("views = [\"a\"]").refused(
        "error: unknown key \"views\" in viewcast.toml, line 1\nhint: Did you mean \"view\"?",
    );
    Given::least().file("zzz = 1").refused(
        "error: unknown key \"zzz\" in viewcast.toml, line 1\n\
         hint: config/viewcast.example.toml shows every key.",
    );
}

#[test]
fn config_wrong_type_in_the_file_is_refused() {
    for (value, found) in [
        ("true", "a boolean"),
        ("[\"1s\"]", "a list"),
        ("{ seconds = 1 }", "a table"),
        ("2020-01-01", "a date"),
        ("0x10", "an integer"),
    ] {
        Given::least()
            .file(&format!("heartbeat = {value}"))
            .refused(&format!(
                "error: {found} given for \"heartbeat\" in viewcast.toml, line 1\n\
             hint: Give a text in quotes, or a number."
            ));
    }
    for (value, found) in [
        ("3", "an integer"),
        ("[3]", "a list"),
        ("[[\"a\"]]", "a list"),
    ] {
        Given::least()
            .file(&format!("view = {value}"))
            .refused(&format!(
                "error: {found} given for \"view\" in viewcast.toml, line 1\n\
             hint: Give a list of names, e.g. [\"top10\", \"public.orders\"]."
            ));
    }
}

#[test]
fn config_file_that_is_no_toml_is_refused_with_its_line() {
    let given = Given::least().file("workers = 2\nlisten = 127.0.0.1:8080\n");
    let errors = given.load().expect_err("no TOML");
    let report = errors.report();
    assert!(
        report.contains("viewcast.toml is not TOML, line 2: "),
        "{report}"
    );
    let twice = Given::least().file("workers = 2\nworkers = 3\n");
    let report = twice.load().expect_err("twice").report();
    assert!(
        report.contains("is not TOML, line 2: duplicate key"),
        "{report}"
    );
    let both = Given::least().file("# Views.\nview = [\"a\"]\n\n[view.b]\n");
    let report = both.load().expect_err("a list and a table").report();
    let hint =
        "`view` is a list in line 2, and a table in line 4: with tables, leave the list out.";
    assert!(report.contains(hint), "{report}");
}

#[test]
fn config_file_that_cannot_be_read_is_refused() {
    let mut given = Given::least();
    given.flags.config = Some(PathBuf::from("/no/such/file"));
    given.refused(
        "error: configuration file viewcast.toml could not be read: No such file or directory \
         (os error 2)\nhint: Check the path given by --config or VIEWCAST_CONFIG.",
    );
    let large = "#".repeat(usize::try_from(limits::CONFIG_FILE_BYTES_MAX).expect("usize") + 1);
    Given::least().file(&large).refused(
        "error: configuration file viewcast.toml is larger than 1048576 bytes\n\
         hint: Check that it is the file you mean.",
    );
}

#[test]
fn config_all_errors_are_told_at_once() {
    let given = Given::default()
        .flag("workers", &["0"])
        .file("listn = 1\ndialect = \"x\"");
    let report = given.load().expect_err("five errors").report();
    assert_eq!(report.matches("error: ").count(), 5, "{report}");
    assert_eq!(report.matches("hint: ").count(), 5, "{report}");
}

#[test]
fn config_bad_views_are_refused() {
    let least = || Given::default().flag("upstream", &["postgres://localhost"]);
    least().refused("error: no view given\nhint: Name at least one, e.g. --view top10.");
    least()
        .file("view = []")
        .refused("error: no view given\nhint: Name at least one, e.g. --view top10.");
    least().file("view = ['a', 'b,c']").refused(
        "error: view name \"b,c\" holds ',' outside double quotes in \"view\" in viewcast.toml, line 1\n\
         hint: Put that part in double quotes, as in SQL, e.g. public.\"my view\".",
    );
    least().flag("view", &["a.b", "A . b"]).refused(
        "error: view name \"A . b\" holds ' ' outside double quotes in --view\n\
         hint: Put that part in double quotes, as in SQL, e.g. public.\"my view\".",
    );
    least().variable("VIEWCAST_VIEW", "a.b,\"a\".B").refused(
        "error: view \"\"a\".B\" given twice in VIEWCAST_VIEW\n\
         hint: Name each view once; without double quotes, upper and lower case are the same.",
    );
    least().variable("VIEWCAST_VIEW", "a,\"b,c").refused(
        "error: a double quote in VIEWCAST_VIEW is never closed\n\
         hint: Close it; inside a quoted name, write a double quote twice.",
    );
    let many: Vec<String> = (0..=limits::VIEWS_MAX).map(|n| format!("v{n}")).collect();
    least().variable("VIEWCAST_VIEW", many.join(",")).refused(
        "error: 1025 views given in VIEWCAST_VIEW, and 1024 are the most\n\
         hint: Spread the views over several gateways.",
    );
}

#[test]
fn config_bad_upstream_is_refused_without_repeating_it() {
    for bad in [
        "hunter2",
        "localhost:6875",
        "mysql://u:hunter2@localhost/d",
        "postgres://u:hunter2@localhost:port/d",
        "postgres://u:x@h/d?hunter2=1",
        "postgres://",
        "user=u password=hunter2",
        "host=h hunter2=1",
    ] {
        let given = Given::least().flag("upstream", &[bad]);
        let report = given.load().expect_err(bad).report();
        assert!(
            report.starts_with("error: invalid address for --upstream\n"),
            "{report}"
        );
        assert!(!report.contains("hunter2"), "{report}");
    }
    let missing = Given::default().flag("view", &["a"]);
    assert!(
        missing
            .load()
            .expect_err("none")
            .report()
            .starts_with("error: no upstream given\n")
    );
}

#[cfg(unix)]
#[test]
fn config_variable_that_is_no_unicode_is_refused() {
    use std::os::unix::ffi::OsStringExt;
    let bytes = OsString::from_vec(vec![b'a', 0xff]);
    Given::least()
        .variable("VIEWCAST_LISTEN", bytes)
        .refused("error: VIEWCAST_LISTEN is not valid Unicode\nhint: Set it to UTF-8 text.");
}
