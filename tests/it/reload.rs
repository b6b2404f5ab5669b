//! SIGHUP has the settings read again: what can change without ending streams
//! changes, what cannot is said, and one mistake changes nothing.

use std::path::PathBuf;

use viewcast::cli::settings::serve;
use viewcast::config::reload::AT_ONCE;

use crate::support::follower::Follower;
use crate::support::gateway::{Gateway, wait_for};
use crate::support::http::{get, request};
use crate::support::materialize::{Generation, Materialize, row};
use crate::support::sse::Stream;

mod access;
mod views;

const APP: &str = "https://app.example";
const OTHER: &str = "https://other.example";

/// A gateway with a file of settings.
struct Operated {
    gateway: Gateway,
    file: PathBuf,
    /// What the file always begins with.
    begin: String,
    _folder: tempfile::TempDir,
}

impl Operated {
    /// Starts it with this behind the upstream's address.
    fn start(server: &Materialize, settings: &str, flags: &[&str]) -> Self {
        Operated::start_at(&server.url(), settings, flags)
    }

    /// The same of any address.
    fn start_at(url: &str, settings: &str, flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("viewcast.toml");
        let begin = format!("upstream = {url:?}\n");
        std::fs::write(&file, format!("{begin}{settings}")).expect("written");
        let path = file.display().to_string();
        let gateway = Gateway::start(&[&["--config", &path][..], flags].concat());
        gateway.await_ready();
        Operated {
            gateway,
            file,
            begin,
            _folder: folder,
        }
    }

    /// Changes the file; what the log says of it.
    fn reload(&self, settings: &str) -> String {
        self.reload_text(&format!("{}{settings}", self.begin))
    }

    /// The same with all of the file.
    fn reload_text(&self, text: &str) -> String {
        std::fs::write(&self.file, text).expect("written");
        self.hang_up()
    }

    /// Sends the signal; what the log says until all is done.
    fn hang_up(&self) -> String {
        let process = &self.gateway.process;
        let before = process.log().len();
        process.signal("HUP");
        // What cannot change is said before what has.
        let is_last = |line: &String| {
            line.contains("settings read anew") || line.contains("the old settings stay")
        };
        wait_for("settings are read again", || {
            process.log().iter().skip(before).any(is_last)
        });
        let log = process.log();
        log.get(before..).expect("a log only grows").join("\n")
    }

    /// Which origin is allowed to read, where this one asks.
    fn shares_with(&self, origin: &str) -> bool {
        let answer = request(self.gateway.address, "GET", "/views", &[("Origin", origin)]);
        answer.header("access-control-allow-origin") == Some(origin)
    }

    /// How often settings were read again with this outcome.
    fn reloads(&self, result: &str) -> u64 {
        let begin = format!("viewcast_reloads_total{{result=\"{result}\"}} ");
        let text = get(self.gateway.address, "/metrics").text();
        let mut lines = text.lines();
        let count = lines.find_map(|line| line.strip_prefix(&begin));
        count.expect("a counter").parse().expect("a number")
    }
}

/// A server with two views of a row each.
fn server() -> Materialize {
    let server = Materialize::start(Generation::Modern);
    for view in ["v", "w"] {
        server.create_view(view, &[("n", "integer")]);
        server.commit(view, vec![(row(["0"]), 1)]);
    }
    server
}

#[test]
fn reload_of_origins_counts_at_once_and_ends_no_stream() {
    let server = server();
    let begin = "view = [\"v\"]\n";
    let operated = Operated::start(&server, begin, &[]);
    let mut client = Follower::join(&server, &operated.gateway, "v");
    assert!(!operated.shares_with(APP));
    for (round, (given, others)) in [(APP, OTHER), (OTHER, APP)].into_iter().enumerate() {
        let told = operated.reload(&format!("{begin}allow_origin = [{given:?}]"));
        assert!(
            told.contains("settings read anew, changed: allow_origin"),
            "{told}"
        );
        assert!(operated.shares_with(given) && !operated.shares_with(others));
        let at = server.commit("v", vec![(row([round.to_string().as_str()]), 1)]);
        client.reach(at);
    }
    let told = operated.reload(&format!("{begin}allow_origin = [{OTHER:?}]"));
    assert!(
        told.contains("settings read anew: nothing to change"),
        "{told}"
    );
    assert_eq!(
        (operated.reloads("ok"), operated.reloads("refused")),
        (3, 0)
    );
    // A proxy that is believed from now on, and a host that is one of ours.
    let named = |host: &str| {
        let text = format!("GET /views HTTP/1.1\r\nHost: {host}\r\n\r\n");
        crate::support::http::send(operated.gateway.address, text.as_bytes(), "GET").status
    };
    assert_eq!(named("our.example"), 403);
    operated.reload(&format!("{begin}allow_host = [\"our.example\"]"));
    assert_eq!(named("our.example"), 200);
    let at = server.commit("v", vec![(row(["9"]), 1)]);
    client.reach(at);
}

/// Flags go before the file, as at the start.
#[test]
fn reload_goes_by_flags_before_the_file() {
    let server = server();
    let begin = "view = [\"v\"]\n";
    let operated = Operated::start(&server, begin, &["--allow-origin", APP]);
    let told = operated.reload(&format!("{begin}allow_origin = [{OTHER:?}]"));
    assert!(told.contains("nothing to change"), "{told}");
    assert!(operated.shares_with(APP) && !operated.shares_with(OTHER));
}

#[test]
fn reload_of_a_broken_file_changes_nothing() {
    let server = server();
    let good = format!("view = [\"v\"]\nallow_origin = [{APP:?}]\n");
    let operated = Operated::start(&server, &good, &[]);
    let mut client = Follower::join(&server, &operated.gateway, "v");
    let other = format!("view = [\"v\"]\nallow_origin = [{OTHER:?}]\n");
    for (bad, place) in [
        ("max_connections = 0", "line 4"),
        ("no_such_key = 1", "line 4"),
        ("drain = ", "line 4"),
        ("filter = [\"nothing:n\"]", "line 4"),
    ] {
        let told = operated.reload(&format!("{other}{bad}\n"));
        let is_it = |line: &&str| {
            line.contains("the old settings stay: ")
                && line.contains("viewcast.toml")
                && line.contains(place)
        };
        assert_eq!(told.lines().filter(is_it).count(), 1, "{told}");
        assert!(
            operated.shares_with(APP) && !operated.shares_with(OTHER),
            "{bad}"
        );
    }
    let said = "could not be read";
    std::fs::remove_file(&operated.file).expect("removed");
    let told = operated.hang_up();
    assert!(
        told.contains("the old settings stay: ") && told.contains(said),
        "{told}"
    );
    assert_eq!(
        (operated.reloads("ok"), operated.reloads("refused")),
        (0, 5)
    );
    let at = server.commit("v", vec![(row(["1"]), 1)]);
    client.reach(at);
    operated.reload(&other);
    assert!(operated.shares_with(OTHER) && !operated.shares_with(APP));
}

#[test]
fn reload_says_what_takes_a_restart() {
    let server = server();
    let begin = "view = [\"v\"]\nworkers = 2\n";
    let with = |password: &str| {
        let user = format!("materialize:{password}@");
        server.url().replacen("materialize@", &user, 1)
    };
    let operated = Operated::start_at(&with("hush"), begin, &[]);
    let mut client = Follower::join(&server, &operated.gateway, "v");
    // Another password is another address, though none is shown.
    let secret = with("hush-hush");
    let text = format!(
        "upstream = {secret:?}\nview = [\"v\"]\nworkers = 3\nheartbeat = \"1s\"\n\
         allow_origin = [{APP:?}]\n"
    );
    // Each time until they count.
    for round in 0..2 {
        let told = operated.reload_text(&text);
        let line = "changed in the file: takes effect at the next start";
        let line = told.lines().find(|it| it.contains(line)).expect("said");
        for key in ["upstream", "workers", "heartbeat"] {
            assert!(line.contains(key), "{line}");
        }
        assert!(
            !line.contains("allow_origin") && !told.contains("hush"),
            "{told}"
        );
        assert_eq!(told.contains("changed: allow_origin"), round == 0, "{told}");
    }
    let at = server.commit("v", vec![(row(["1"]), 1)]);
    client.reach(at);
    // Those of the start again: there is nothing left to say.
    let told = operated.reload(&format!("{begin}allow_origin = [{APP:?}]"));
    assert!(!told.contains("next start"), "{told}");
}

#[test]
fn reload_of_limits_counts_for_streams_to_come() {
    let server = server();
    let limited = |count: usize| format!("view = [\"v\"]\nmax_connections_per_view = {count}\n");
    let operated = Operated::start(&server, &limited(1), &[]);
    let address = operated.gateway.address;
    let mut first = Follower::join(&server, &operated.gateway, "v");
    let refused = || {
        let mut stream = Stream::open(address, "/v/stream");
        stream.next().expect("an event").name == "full"
    };
    assert!(refused());
    operated.reload(&limited(2));
    let mut second = Follower::join(&server, &operated.gateway, "v");
    assert!(refused());
    // Who is served goes on, though there are too many now.
    operated.reload(&limited(1));
    let at = server.commit("v", vec![(row(["1"]), 1)]);
    first.reach(at);
    second.reach(at);
    drop(second);
    assert!(refused());
}

/// The table of docs/OPERATIONS.md says which settings count at once.
#[test]
fn reload_is_documented_for_each_setting() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/OPERATIONS.md");
    let text = std::fs::read_to_string(path).expect("the document");
    let (_, section) = text
        .split_once("### What SIGHUP changes")
        .expect("a section");
    let section = section.split("\n## ").next().expect("its end");
    let (_, table) = section.split_once("| setting |").expect("a table");
    let is_named = |flag: &str| table.contains(&format!("`--{flag}`"));
    for setting in serve::ALL {
        let is_at_once = AT_ONCE.iter().any(|it| it.key == setting.key);
        assert_eq!(is_named(&setting.flag()), is_at_once, "{}", setting.flag());
    }
}
