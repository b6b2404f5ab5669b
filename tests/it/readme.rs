//! What the README, and the documents that go on from it, tell a newcomer to
//! type is typed here.

use std::process::Command;

use crate::support::gateway::Gateway;
use crate::support::sse::Stream;

/// The documents whose shell blocks are tried, by their names.
const DOCUMENTS: &[(&str, &str)] = &[
    ("README.md", include_str!("../../README.md")),
    (
        "docs/AUTHENTICATION.md",
        include_str!("../../docs/AUTHENTICATION.md"),
    ),
    ("docs/FRONTEND.md", include_str!("../../docs/FRONTEND.md")),
    ("docs/START.md", include_str!("../../docs/START.md")),
];

/// The lines of all shell blocks, without comments and blank lines, and without
/// the file that an output goes to: a test writes no file into the sources.
fn commands(document: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for block in document.split("```sh\n").skip(1) {
        let block = block.split("```").next().expect("a block ends");
        let code = block.lines().map(|line| {
            let line = line.split("  #").next().unwrap_or("");
            line.split(" > ").next().unwrap_or("")
        });
        lines.extend(
            code.map(|line| line.trim().to_owned())
                .filter(|line| !line.is_empty()),
        );
    }
    lines
}

#[test]
fn readme_commands_do_what_they_say() {
    let gateway = Gateway::demo(&[]);
    gateway.await_ready();
    let base = Stream::open(gateway.address, "/top10/stream").expect("base");
    let id = base.id.expect("an id");
    let mut tried = Vec::new();
    for (name, document) in DOCUMENTS {
        let commands = commands(document);
        assert!(!commands.is_empty(), "{name} shows no command");
        for command in commands {
            let words: Vec<&str> = command.split_whitespace().collect();
            match words.as_slice() {
                ["make", target] => assert!(make_knows(target), "{command}"),
                ["viewcast", "types", rest @ ..] | ["viewcast", rest @ ..] => accepted(rest),
                ["curl", ..] => fetched(&command, &gateway, &id),
                ["cargo", "install", "--path", "."] | ["openssl", "rand", ..] | ["umask", ..] => {}
                other => panic!("{name}: nothing here tries {other:?}"),
            }
            tried.push(words[0].to_owned());
        }
    }
    for program in ["make", "viewcast", "curl"] {
        assert!(
            tried.iter().any(|word| word == program),
            "the documents show {program}"
        );
    }
}

/// `make -n` finds the target and what it hangs on.
fn make_knows(target: &str) -> bool {
    let status = Command::new("make")
        .args(["-n", target])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("make runs");
    status.status.success()
}

/// The flags are right: the configuration comes out valid.
///
/// It is tried beside README's file of rules and a secret, as the reader has them.
fn accepted(flags: &[&str]) {
    let directory = tempfile::tempdir().expect("directory");
    let (_, readme) = DOCUMENTS[0];
    let (_, file) = readme.split_once("```toml\n").expect("rules");
    let file = file.split("```").next().expect("a block ends");
    std::fs::write(directory.path().join("viewcast.toml"), file).expect("written");
    std::fs::write(directory.path().join("secret"), "s".repeat(44)).expect("written");
    let flags = match flags {
        ["demo", rest @ ..] => [&["--upstream", "postgres://m@localhost/m"], rest].concat(),
        all => all.to_vec(),
    };
    let output = Command::new(env!("CARGO_BIN_EXE_viewcast"))
        .arg("check-config")
        .args(&flags)
        .current_dir(directory.path())
        .output()
        .expect("the binary starts");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{flags:?}: {text}");
}

/// The request is answered; a stream is read for a moment.
fn fetched(command: &str, gateway: &Gateway, id: &str) {
    let command = command
        .replace("127.0.0.1:8080", &gateway.address.to_string())
        .replace("1690617099123-5f3a9c01b2d4", id);
    let output = Command::new("sh")
        .args([
            "-c",
            &command.replace("curl ", "curl -sS --fail --max-time 2 "),
        ])
        .output()
        .expect("a shell runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if command.contains("/stream") {
        // 28: the time was over, which is how reading a stream ends.
        assert_eq!(output.status.code(), Some(28), "{command}: {text}");
        assert!(text.starts_with("retry: "), "{command}: {text}");
        assert_eq!(
            text.contains("event: base") || text.contains(".base\n"),
            !command.contains("Last-Event-ID"),
            "{command}: {text}"
        );
    } else if command.contains("/metrics") {
        assert!(output.status.success(), "{command}: {output:?}");
        assert!(text.contains("# HELP viewcast_"), "{command}: {text}");
    } else if command.contains("/views.d.ts") {
        assert!(output.status.success(), "{command}: {output:?}");
        let types = "export interface Views {";
        assert!(text.contains(types), "{command}: {text}");
    } else {
        assert!(output.status.success(), "{command}: {output:?}");
        assert!(
            serde_json::from_str::<serde_json::Value>(&text).is_ok(),
            "{command}: {text}"
        );
    }
}
