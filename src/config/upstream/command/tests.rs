use super::*;

fn run(line: &str) -> Result<String, String> {
    PasswordCommand::new(line).password()
}

#[test]
fn password_command_prints_the_password_alone() {
    assert_eq!(run("printf 'a b\\n'"), Ok("a b".to_owned()));
    assert_eq!(run("echo x >&2; printf secret"), Ok("secret".to_owned()));
    for (line, expected) in [
        ("true", "prints no password: what it prints is empty"),
        (
            "printf 'secret\\nmore'; echo why >&2",
            "prints no password: what it prints has more than one line: why",
        ),
        (
            "printf '\\377'",
            "prints no password: what it prints is not UTF-8 text",
        ),
        (
            "echo secret; echo 'token has'  >&2; echo expired >&2; exit 3",
            "failed, exit status: 3: token has expired",
        ),
        ("nosuchcommand 2>/dev/null", "failed, exit status: 127"),
    ] {
        assert_eq!(run(line), Err(expected.to_owned()), "{line}");
    }
}

#[test]
fn password_command_is_not_waited_for_for_ever() {
    // By itself, and by what it leaves behind.
    for line in ["echo who are you >&2; sleep 60", "sleep 60 & echo secret"] {
        let mut command = PasswordCommand::new(line);
        command.limit = Duration::from_millis(300);
        let begin = Instant::now();
        let error = command.password().expect_err("late");
        assert!(begin.elapsed() < Duration::from_secs(10), "{line}");
        assert!(error.starts_with("did not end within 0.3 s"), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }
}

#[test]
fn password_command_is_run_once_for_all_who_connect_at_once() {
    let directory = tempfile::tempdir().expect("directory");
    let file = directory.path().join("runs");
    let line = format!("echo x >> '{0}'; wc -l < '{0}'", file.display());
    let command = PasswordCommand::new(&line);
    let first = command.password();
    assert_eq!(command.password(), first);
    thread::sleep(PASSWORD_COMMAND_FRESH);
    assert_ne!(command.password(), first);
}
