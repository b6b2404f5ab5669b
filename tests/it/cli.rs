//! The command line, by running the real binary: statuses, help, output.

use std::process::{Command, Output};

use viewcast::cli::groups::GROUPS;
use viewcast::cli::settings::{self, DefaultValue};

use crate::golden;

const UPSTREAM: &str = "postgres://materialize@localhost:6875/materialize";

/// Runs viewcast with these arguments and variables, and no others.
fn viewcast(args: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_viewcast"))
        .args(args)
        .env_clear()
        .env("COLUMNS", "100")
        .envs(variables.iter().copied())
        .output()
        .expect("run viewcast")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8 output")
}

#[track_caller]
fn check_status(args: &[&str], status: i32) -> Output {
    let output = viewcast(args, &[]);
    let told = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(status), "{args:?}: {told}");
    output
}

#[test]
fn cli_is_consistent_and_every_flag_has_help() {
    viewcast::cli::command().debug_assert();
}

#[test]
fn cli_status_is_0_for_help_and_version_and_64_for_wrong_usage() {
    for args in [
        ["--help"].as_slice(),
        &["-h"],
        &["--version"],
        &["serve", "--help"],
        &["help", "check-config"],
    ] {
        let output = check_status(args, 0);
        assert!(output.stderr.is_empty() && !output.stdout.is_empty());
    }
    for args in [
        ["--no-such-flag"].as_slice(),
        &["no-such-command"],
        &["--heartbeat"],
        &["--heartbeat", "1s", "--heartbeat", "2s"],
        &["serve", "--rate", "3"],
        &["completions", "no-such-shell"],
        &["man", "no-such-command"],
        &[],
        &["serve"],
        &["check-config"],
        &["check-config", "--upstream", UPSTREAM, "--view", "my-view"],
        &[
            "--config",
            "/no/such/file",
            "--upstream",
            UPSTREAM,
            "--view",
            "a",
        ],
    ] {
        let output = check_status(args, 64);
        assert!(output.stdout.is_empty() && !output.stderr.is_empty());
    }
}

#[test]
fn cli_healthcheck_of_nobody_has_status_1() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
    let url = format!("http://{}/healthz", nobody.local_addr().expect("address"));
    drop(nobody);
    let output = check_status(&["healthcheck", &url], 1);
    assert!(text(&output.stderr).starts_with("error: no answer from 127.0.0.1:"));
}

#[test]
fn cli_help_is_as_recorded() {
    let help = |args: &[&str]| text(&check_status(args, 0).stdout);
    golden::check("help.txt", &help(&["--help-all"]));
    let short = help(&["--help"]);
    // A screen long, and the same by its short name.
    assert!(short.lines().count() <= 55, "{short}");
    assert_eq!(help(&["-h"]), short);
    golden::check("help_short.txt", &short);
    let types = help(&["types", "--help-all"]);
    assert!(
        types.contains("as TypeScript") && types.contains("--upstream"),
        "{types}"
    );
    golden::check(
        "help_check_config.txt",
        &help(&["check-config", "--help-all"]),
    );
    if cfg!(feature = "demo") {
        golden::check("help_demo.txt", &help(&["demo", "--help-all"]));
    }
}

#[test]
fn cli_help_has_each_setting_in_one_group() {
    let grouped = GROUPS.iter().flat_map(|(_, keys)| keys.iter().copied());
    let mut grouped: Vec<&str> = grouped.filter(|key| *key != "config").collect();
    let mut all: Vec<&str> = settings::all().map(|setting| setting.key).collect();
    grouped.sort_unstable();
    all.sort_unstable();
    assert_eq!(grouped, all);
}

#[test]
fn cli_errors_are_primary_and_hint_each_on_a_line() {
    let output = check_status(&["--heartbeat", "15", "--workers", "0"], 64);
    golden::check("errors.txt", &text(&output.stderr));
}

#[test]
fn cli_flag_help_names_its_variable_and_its_default() {
    let mut command = viewcast::cli::command();
    command.build();
    let demo_command = command.find_subcommand("demo").cloned();
    for setting in settings::all() {
        let shown = [Some(&command), demo_command.as_ref()];
        let arg = shown.into_iter().flatten().find_map(|command| {
            command
                .get_arguments()
                .find(|arg| arg.get_long() == Some(&setting.flag()))
        });
        let Some(arg) = arg else {
            // Without the demo, its settings are known to the file alone.
            let demo = settings::demo::ALL
                .iter()
                .any(|demo| demo.key == setting.key);
            assert!(
                demo && demo_command.is_none(),
                "--{} is no flag",
                setting.flag()
            );
            continue;
        };
        let help = arg
            .get_long_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        let variable = format!(
            "VIEWCAST_{}",
            setting.flag().to_uppercase().replace('-', "_")
        );
        assert!(help.contains(&format!("[env: {variable}")), "{help}");
        if let DefaultValue::Text(default) = (setting.default)() {
            assert!(help.contains(&format!("default: {default}]")), "{help}");
        }
        let first = help.lines().next().unwrap_or_default();
        assert!(first.len() <= 80 && !first.ends_with('.'), "{first}");
        assert!(
            help.contains("Example: ") || setting.key == "dialect",
            "{help}"
        );
    }
}

#[test]
fn cli_without_a_subcommand_is_serve() {
    let args = ["--upstream", UPSTREAM, "--view", "a", "--listen", "nowhere"];
    let bare = check_status(&args, 64);
    let serve = check_status(&[&["serve"], args.as_slice()].concat(), 64);
    assert_eq!(bare.stderr, serve.stderr);
}

#[test]
fn cli_check_config_prints_what_holds_with_the_password_masked() {
    let file = tempfile::tempdir().expect("directory");
    let path = file.path().join("viewcast.toml");
    std::fs::write(&path, "heartbeat = \"20s\"\nview = ['a', 'public.\"B\"']\n").expect("write");
    let path = path.to_str().expect("UTF-8 path");
    let output = viewcast(
        &["check-config", "--config", path, "--listen", "[::1]:0"],
        &[
            ("VIEWCAST_UPSTREAM", "postgres://me:hunter2@db:6875/mz"),
            ("VIEWCAST_WORKERS", "3"),
            ("VIEWCAST_MAX_CONNECTIONS", "5000"),
        ],
    );
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let shown = text(&output.stdout).replace(path, "viewcast.toml");
    golden::check("check_config.txt", &shown);
}

#[test]
fn cli_prints_completions_and_man_pages() {
    for shell in ["bash", "zsh", "fish"] {
        let script = text(&check_status(&["completions", shell], 0).stdout);
        assert!(script.contains("retention-bytes"), "{shell}");
    }
    let page = text(&check_status(&["man"], 0).stdout);
    assert!(
        page.contains(".TH viewcast 1") && page.contains("VIEWCAST_LISTEN"),
        "{page}"
    );
    let page = text(&check_status(&["man", "check-config"], 0).stdout);
    assert!(page.contains(".TH viewcast-check-config 1"), "{page}");
}
