//! What `check-config` prints: all that is in force, as a configuration that
//! means the same.

use viewcast::cli::settings;

use super::{Given, REQUIRED, samples, with_company};

/// Prints it, reads that as a file, and prints it again.
#[track_caller]
fn comes_back(given: &Given) {
    let values = given.values();
    let again = Given::default().file(&given.shown());
    assert_eq!(again.values(), values);
}

#[test]
fn config_shown_means_the_same_for_every_key() {
    for setting in settings::all() {
        let key = setting.key;
        for (sample, _) in samples(key) {
            let given = with_company(Given::least(), key);
            comes_back(&given.flag(key, &[sample]));
        }
    }
    for views in [
        "view = { a = { description = 'x \"y\"\\z', columns = ['p', \"q\\nr\"] }, b = {} }",
        "[view.a]\nquery = \"\"\"SELECT 1,\n 'x # y' AS t\"\"\"\n[view.\"B c\"]\nrelation = 's.\"T t\"'\nas = 'ä/b'",
        "view = ['s.*', 'd.\"S,\".*']",
        "view = ['a', 's.\"x, y\"']\nfilter = ['a:\"p,q\"', 'a:r', 's.\"x, y\":z']",
        "[view.a]\nfilter = ['x', \"y\\n\"]\n[view.'s.*']\nfilter = ['z']",
    ] {
        let mut given = Given::least().file(views);
        given.flags.given.retain(|(key, _)| *key != REQUIRED[1]);
        comes_back(&given);
    }
}

#[test]
fn config_shown_is_on_one_line_each_without_padding() {
    let given = Given::least()
        .flag("cluster", &["a\nworkers = 3 # \u{1b}"])
        .flag("search_path", &["\"x\ny\""]);
    comes_back(&given);
    for line in given.shown().lines() {
        let (value, source) = line.split_once("  # ").expect("a source");
        assert_eq!((value.trim(), source.trim()), (value, source));
    }
    let odd = tempfile::tempdir().expect("directory");
    let path = odd.path().join("a\nrate = 7\n#");
    std::fs::write(&path, "workers = 2").expect("write");
    let mut given = Given::least();
    given.flags.config = Some(path);
    comes_back(&given);
    assert!(!given.shown().contains("\nrate"));
}

/// Every parameter that is obeyed is shown, in both forms, and comes back.
#[test]
fn config_shown_has_every_parameter_of_the_address() {
    let root = "postgres://materialize@h:6875/materialize";
    for (parameter, shown) in [
        ("channel_binding=require", "?channel_binding=require"),
        ("channel_binding=disable", "?channel_binding=disable"),
        ("channel_binding=prefer", ""),
        ("connect_timeout=3", "?connect_timeout=3"),
        // libpq's "none given", so ours is in force.
        ("connect_timeout=0", ""),
        ("tcp_user_timeout=4", "?tcp_user_timeout=4"),
        (
            "target_session_attrs=read-write",
            "?target_session_attrs=read%2Dwrite",
        ),
        (
            "target_session_attrs=read-only",
            "?target_session_attrs=read%2Donly",
        ),
        ("target_session_attrs=any", ""),
        ("load_balance_hosts=random", "?load_balance_hosts=random"),
        ("keepalives=0", "?keepalives=0"),
        ("keepalives=1", ""),
        ("keepalives_idle=7200", "?keepalives_idle=7200"),
        ("keepalives_interval=5", "?keepalives_interval=5"),
        ("keepalives_retries=6", "?keepalives_retries=6"),
        ("keepalives_count=6", "?keepalives_retries=6"),
        ("options=-c%20a%3Db", "?options=-c%20a%3Db"),
        ("application_name=x%26y", "?application_name=x%26y"),
        ("sslmode=require", "?sslmode=require"),
        ("hostaddr=10.0.0.1", "?hostaddr=10.0.0.1"),
        (
            "sslmode=require&sslnegotiation=direct",
            "?sslnegotiation=direct&sslmode=require",
        ),
        ("sslnegotiation=postgres", ""),
        // Given twice, the last one counts.
        ("sslmode=disable&sslmode=require", "?sslmode=require"),
    ] {
        let url = format!("postgres://h/materialize?{parameter}");
        let decoded = parameter
            .replace("%20", " ")
            .replace("%3D", "=")
            .replace("%26y", "&y");
        let pairs = decoded.split('&').filter(|_| !decoded.contains("x&y"));
        let pairs: Vec<_> = pairs
            .filter_map(|pair| pair.split_once('='))
            .map(|(key, value)| format!("{key}='{value}'"))
            .collect();
        let pairs = format!("host=h {}", pairs.join(" "));
        for address in [url, pairs] {
            if address == "host=h " {
                continue;
            }
            let given = Given::least().flag("upstream", &[&address]);
            let shown = shown.replace("%2D", "-");
            assert_eq!(
                given.line("upstream").0,
                format!("upstream = \"{root}{shown}\"")
            );
            comes_back(&given);
        }
    }
}

#[test]
fn config_shown_has_every_host_with_its_port() {
    for (address, hosts) in [
        ("postgres://h", "h:6875"),
        ("postgres://h:1", "h:1"),
        ("postgres://a,b:1,[::1]", "a:6875,b:1,[::1]:6875"),
        ("postgres://a,b/?port=7", "a:7,b:7"),
        ("host=a,b port=1,", "a:1,b:6875"),
        ("host=a,b", "a:6875,b:6875"),
        ("host=::1 port=2", "[::1]:2"),
        ("hostaddr=10.0.0.1", "10.0.0.1:6875"),
        ("host=/var/run/mz", "%2Fvar%2Frun%2Fmz:6875"),
    ] {
        let given = Given::least().flag("upstream", &[address]);
        let shown = format!("upstream = \"postgres://materialize@{hosts}/materialize\"");
        assert_eq!(given.line("upstream").0, shown);
        comes_back(&given);
    }
    for bad in [
        "postgres://h:0",
        "postgres://h:1/d?port=2",
        "postgres://a,b/?port=1,2,3",
    ] {
        let given = Given::least().flag("upstream", &[bad]);
        assert!(given.load().is_err(), "{bad}");
    }
}

/// A mask that is read back is no password: the other ways to give one count.
#[test]
fn config_shown_with_a_masked_password_can_be_completed() {
    let given = Given::least().flag("upstream", &["postgres://me:hunter2@h/d"]);
    comes_back(&given);
    let masked = || Given::default().file(&given.shown());
    let (_, note) = masked().line("upstream");
    assert!(
        note.ends_with(", its password is masked and nothing else gives one"),
        "{note}"
    );
    let completed = masked().variable("PGPASSWORD", "hunter3");
    let (_, note) = completed.line("upstream");
    assert!(note.ends_with(", password from PGPASSWORD"), "{note}");
    // From elsewhere, it is not shown, and is found there again.
    let given = Given::least().variable("PGPASSWORD", "hunter2");
    let (shown, _) = given.line("upstream");
    assert_eq!(
        shown,
        "upstream = \"postgres://materialize@localhost:6875/materialize\""
    );
}

#[test]
fn config_shown_has_nothing_that_is_not_in_force() {
    let shown = Given::least().shown();
    for key in [
        "rate",
        "seed_edits",
        "live",
        "tick",
        "jwt_cookie",
        "allow_url_token",
    ] {
        assert!(!shown.contains(key), "{key} in {shown}");
    }
    let shown = Given::least().file("rate = 7").shown();
    assert!(shown.contains("\nrate = 7  # file "), "{shown}");
    assert!(shown.contains(", for the demo alone\n"), "{shown}");
}
