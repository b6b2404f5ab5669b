//! The rules of the house that a compiler does not know, checked by reading the
//! sources: who may import whom, how long a file and a function may be, and
//! where the program may give up.
//!
//! Each rule is a function from a source to its violations, and is first shown
//! a source that breaks it: a rule that cannot fail proves nothing.

use std::path::{Path, PathBuf};

mod circles;
mod scan;

use scan::{blank_prose, blank_tests, functions, imports, numbered};

/// Who may import whom; `lib` only lists the modules. A module may always
/// import itself. `config` may import `model` for the names of views alone.
const IMPORTS: &[(&str, &[&str])] = &[
    ("access", &["limits"]),
    ("cli", &["limits", "process"]),
    (
        "config",
        &["access", "cli", "connection", "limits", "model"],
    ),
    ("connection", &["limits"]),
    // Replaceable by the real server, and so knows nothing of the gateway.
    ("demo", &["limits"]),
    (
        "gateway",
        &[
            "access", "config", "http", "limits", "model", "process", "relay", "tail",
        ],
    ),
    ("healthcheck", &["cli", "config", "connection", "limits"]),
    ("http", &["access", "limits", "model", "process", "relay"]),
    ("launch", &["cli", "config", "demo", "gateway"]),
    ("lib", &[]),
    ("limits", &[]),
    (
        "main",
        &["cli", "config", "healthcheck", "launch", "process"],
    ),
    ("model", &[]),
    ("process", &["model"]),
    ("relay", &["limits", "model", "process"]),
    ("tail", &["connection", "limits", "model", "process"]),
];

/// What decides: values that are told the time and do nothing by themselves, so
/// that a simulation can run them. Files and folders below `src`.
const CORE: &[&str] = &[
    "access/",
    "gateway/drain.rs",
    "http/hasty.rs",
    "http/lag.rs",
    "http/limit.rs",
    "http/path.rs",
    "http/patience.rs",
    "http/query.rs",
    "http/query/",
    "http/readiness.rs",
    "http/refusal.rs",
    "http/standing.rs",
    "limits.rs",
    "limits/",
    "model/",
    "relay/",
    "tail/",
];

/// What of these folders is not: what carries out what they decide.
const SHELLS: &[&str] = &[
    // The publisher's and the relays' actors, their sockets and timers.
    "relay/shell/",
    // The threads, connections and questions of a tail and of the catalog.
    "tail/shell/",
];

/// What the core may not name: runtimes, threads, sockets, files, clocks.
const OUTSIDE: &[&str] = &[
    "actix",
    "tokio",
    "crossbeam",
    "std::thread",
    "thread::spawn",
    "thread::sleep",
    "TcpStream",
    "TcpListener",
    "std::fs",
    "std::env",
    "postgres::",
    "Instant::now",
    "SystemTime",
    ".elapsed()",
    "process::",
    // Seeded by itself.
    "Rng::new()",
];

/// Statics of the core: none of them may decide anything.
const STATICS: &[(&str, &str)] = &[
    // Tables of the compressors, which are reset for each piece.
    ("relay/event/gzip.rs", "DEFLATE"),
    ("relay/event/dictionary.rs", "CONTEXT"),
];

const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;
const MAIN_LINES_MAX: usize = 60;

/// What ends the program or the request instead of handing an error back.
const GIVING_UP: &[&str] = &[
    ".unwrap()",
    ".expect(",
    "panic!(",
    "unreachable!(",
    "todo!(",
    "unimplemented!(",
];

/// What several threads share, or what has an order of its own each time.
const SHARED_OR_UNORDERED: &[&str] = &["Mutex", "Condvar", "Atomic", "HashMap", "HashSet"];

/// Core that one thread has to itself.
const UNSHARED: &[&str] = &["access/", "gateway/drain.rs", "tail/"];

/// Channels that grow for as long as nobody reads.
const UNBOUNDED: &[&str] = &["unbounded", "std::sync::mpsc::channel"];

/// One source file: as written, and with comments, strings and tests blanked
/// out, line for line the same.
struct Source {
    /// Path below `src`, with `/`.
    path: String,
    text: String,
    code: String,
    /// The code without `#[cfg(test)]` items.
    shipped: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        let code = blank_prose(text);
        // A module of tests in a file of its own is declared `#[cfg(test)]`.
        let is_test = path.ends_with("/tests.rs") || path.ends_with("/oracle.rs");
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            shipped: if is_test {
                String::new()
            } else {
                blank_tests(&code)
            },
            code,
        }
    }

    /// The module at the crate's root that the file belongs to.
    fn module(&self) -> &str {
        module(&self.path)
    }
}

/// The module at the crate's root that the file of this path belongs to.
fn module(path: &str) -> &str {
    let first = path.split('/').next().unwrap_or_default();
    first.trim_end_matches(".rs")
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("read src") {
            let path: PathBuf = entry.expect("entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let below = path.strip_prefix(&root).expect("below src");
                let text = std::fs::read_to_string(&path).expect("UTF-8 source");
                found.push(Source::new(
                    &below.to_string_lossy().replace('\\', "/"),
                    &text,
                ));
            }
        }
    }
    assert!(found.len() > 5, "the sources were not found");
    found
}

/// Checks all sources by one rule, after a bad example has shown that it bites.
#[track_caller]
fn check(rule: impl Fn(&Source) -> Vec<String>, bad: &Source) {
    assert!(!rule(bad).is_empty(), "the rule misses its bad example");
    let violations: Vec<String> = sources().iter().flat_map(rule).collect();
    assert!(violations.is_empty(), "\n{}", violations.join("\n"));
}

#[test]
fn architecture_imports_follow_the_table() {
    let rule = |source: &Source| {
        let allowed = IMPORTS
            .iter()
            .find(|(module, _)| *module == source.module());
        let Some((module, allowed)) = allowed else {
            return vec![format!("{}: add the module to the table", source.path)];
        };
        imports(&source.shipped)
            .into_iter()
            .filter(|import| import != module && !allowed.contains(&import.as_str()))
            .map(|import| format!("{}: {module} may not import {import}", source.path))
            .collect()
    };
    for bad in [
        "use crate::tail::reader;",
        "use crate::{limits, http::routes};",
        "fn f() { crate::relay::g() }",
        "use viewcast::config;",
    ] {
        let bad = Source::new("demo/x.rs", bad);
        assert_eq!(rule(&bad).len(), 1, "{}", bad.text);
    }
    check(rule, &Source::new("model/row.rs", "use crate::limits;"));
}

#[test]
fn architecture_no_files_import_in_a_circle() {
    let rule = |sources: &[Source]| {
        let graph = circles::graph(sources);
        let found = circles::circles(&graph);
        found
            .iter()
            .map(|circle| circles::describe(&graph, circle))
            .collect::<Vec<String>>()
    };
    let tree = |files: &[(&str, &str)]| {
        let files = files.iter().map(|(path, text)| Source::new(path, text));
        rule(&files.collect::<Vec<Source>>())
    };
    for bad in [
        // A child takes from its parent what uses the child.
        [
            ("a.rs", "mod b; use b::X; pub struct Y;"),
            ("a/b.rs", "use super::Y; pub struct X;"),
        ],
        [
            ("a/mod.rs", "mod b; fn f() { b::g() }"),
            ("a/b.rs", "fn g() { super::h() }"),
        ],
        [("a.rs", "use crate::b::{c, D};"), ("b.rs", "use crate::a;")],
        // Also out of a module that is written out in its file.
        [
            ("a.rs", "mod i { use super::super::b::X; }"),
            ("b.rs", "use crate::a::Y;"),
        ],
    ] {
        assert_eq!(tree(&bad).len(), 1, "{bad:?}");
    }
    // A name that the parent passes on is its file's own.
    let passed_on = [
        ("a.rs", "mod b; mod c; pub use b::{X as Z};"),
        ("a/b.rs", "pub struct X;"),
        (
            "a/c.rs",
            "use super::Z; use super::b::X; mod i { use super::Z; }",
        ),
    ];
    assert_eq!(tree(&passed_on), Vec::<String>::new());
    let [first, second, _] = passed_on;
    let through = [
        first,
        second,
        ("a/b.rs", "use super::c::W;"),
        ("a/c.rs", "use super::Z;"),
    ];
    assert_eq!(tree(&through).len(), 1);
    let violations = rule(&sources());
    assert!(violations.is_empty(), "\n{}", violations.join("\n"));
}

#[test]
fn architecture_core_has_no_clock_no_chance_and_no_runtime() {
    let rule = |source: &Source| {
        if !is_in(&source.path, CORE) {
            return Vec::new();
        }
        let mut found = lines_with(source, OUTSIDE, &source.shipped);
        let lines = source.shipped.lines().enumerate();
        found.extend(lines.filter_map(|(at, line)| {
            // Functions of the crate draw from a generator that all share.
            let draws = line.split("fastrand::").skip(1);
            let mut draws = draws.filter(|rest| rest.starts_with(|c: char| c.is_lowercase()));
            let name = static_name(line);
            let is_known = |name| STATICS.contains(&(source.path.as_str(), name));
            let what = match (draws.next(), name.filter(|name| !is_known(name))) {
                (Some(_), _) => "a global random number",
                (None, Some(_)) => "a static",
                (None, None) => return None,
            };
            Some(format!("{}:{}: {what}", source.path, at + 1))
        }));
        found
    };
    for bad in [
        "use tokio::sync::mpsc;",
        "fn f(a: actix::Addr<A>) {}",
        "let now = std::time::Instant::now();",
        "use std::time::{Duration, SystemTime};",
        "if begun.elapsed() > WAIT {}",
        "let retry = fastrand::u64(1..5);",
        "let rng = fastrand::Rng::new();",
        "use crate::process::now;",
        "static LAST: Mutex<u64> = Mutex::new(0);",
        "pub static LAST: AtomicU64 = AtomicU64::new(0);",
        "fn f(error: &postgres::Error) {}",
    ] {
        let bad = Source::new("model/x.rs", bad);
        assert_eq!(rule(&bad).len(), 1, "{}", bad.text);
    }
    for good in [
        "fn f(rng: &mut fastrand::Rng, now: Instant) -> &'static str { \"\" }",
        "#[cfg(test)]\nmod tests { fn f() { Instant::now(); } }",
    ] {
        assert_eq!(rule(&Source::new("model/x.rs", good)), Vec::<String>::new());
    }
    // A list that names what is not there any more would excuse what comes.
    let sources = sources();
    for begin in CORE.iter().chain(SHELLS) {
        let is_there = sources.iter().any(|source| source.path.starts_with(begin));
        assert!(is_there, "{begin} is not there");
    }
    check(rule, &Source::new("model/x.rs", "use tokio::time;"));
}

/// The name of the static that a line declares, if it declares one.
fn static_name(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let line = line.strip_prefix("pub ").unwrap_or(line);
    let (name, _) = line.strip_prefix("static ")?.split_once(':')?;
    Some(name.trim())
}

#[test]
fn architecture_paths_climb_one_step() {
    // A longer climb could leave the module without naming the crate.
    let rule = |source: &Source| lines_with(source, &["super::super::"], &source.shipped);
    check(rule, &Source::new("model/a.rs", "use super::super::http;"));
}

#[test]
fn architecture_files_are_short() {
    let rule = |source: &Source| {
        let max = match source.path.as_str() {
            "main.rs" => MAIN_LINES_MAX,
            _ => FILE_LINES_MAX,
        };
        let lines = source.text.lines().count();
        let message = format!("{}: {lines} lines, {max} at the most", source.path);
        Vec::from_iter((lines > max).then_some(message))
    };
    check(
        rule,
        &Source::new("model/a.rs", &"\n".repeat(FILE_LINES_MAX + 1)),
    );
}

#[test]
fn architecture_functions_are_short() {
    let rule = |source: &Source| {
        functions(&source.code)
            .into_iter()
            .filter(|(_, lines)| *lines > FUNCTION_LINES_MAX)
            .map(|(at, lines)| format!("{}:{at}: a function of {lines} lines", source.path))
            .collect()
    };
    let body = "    g();\n".repeat(FUNCTION_LINES_MAX);
    check(
        rule,
        &Source::new("model/a.rs", &format!("fn f() {{\n{body}}}\n")),
    );
}

#[test]
fn architecture_giving_up_has_a_reason_beside_it() {
    let rule = |source: &Source| {
        let text: Vec<&str> = source.text.lines().collect();
        let explained = |line: usize| {
            let near = text.get(line.saturating_sub(3)..line).unwrap_or_default();
            near.iter()
                .any(|line| line.contains("//") || line.contains("reason = "))
        };
        let found = numbered(&source.shipped, GIVING_UP);
        let bare = found.into_iter().filter(|(line, _)| !explained(*line));
        bare.map(|(line, what)| format!("{}:{line}: {what} without a reason", source.path))
            .collect()
    };
    let reason = Source::new(
        "model/a.rs",
        "fn f() {\n    // Never empty.\n    x.unwrap();\n}",
    );
    assert_eq!(rule(&reason), Vec::<String>::new());
    let test = Source::new(
        "model/a.rs",
        "#[cfg(test)]\nmod tests {\n fn f() { x.unwrap(); }\n}",
    );
    assert_eq!(rule(&test), Vec::<String>::new());
    check(
        rule,
        &Source::new("model/a.rs", "fn f() {\n    x.unwrap();\n}"),
    );
}

#[test]
fn architecture_no_channel_is_unbounded() {
    let rule = |source: &Source| lines_with(source, UNBOUNDED, &source.code);
    check(
        rule,
        &Source::new(
            "tail/a.rs",
            "let (a, b) = crossbeam_channel::unbounded::<u8>();",
        ),
    );
}

#[test]
fn architecture_core_of_one_thread_shares_nothing_and_has_an_order() {
    let rule = |source: &Source| match is_in(&source.path, UNSHARED) {
        true => lines_with(source, SHARED_OR_UNORDERED, &source.shipped),
        false => Vec::new(),
    };
    check(rule, &Source::new("tail/a.rs", "use std::sync::Mutex;"));
}

/// Whether a path is one of these files, or in one of these folders, and no shell.
fn is_in(path: &str, list: &[&str]) -> bool {
    let begins = |list: &[&str]| list.iter().any(|begin| path.starts_with(begin));
    begins(list) && !begins(SHELLS)
}

/// A violation for each line of `code` that holds one of the words.
fn lines_with(source: &Source, words: &[&'static str], code: &str) -> Vec<String> {
    let found = numbered(code, words).into_iter();
    found
        .map(|(line, word)| format!("{}:{line}: {word}", source.path))
        .collect()
}
