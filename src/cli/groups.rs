//! What the help shows where: `--help` is a screen of what most need, `--help-all`
//! has every setting, and both are in groups.

use clap::{Arg, ArgAction, Command};

/// The groups in the order of the help, each with its settings by their keys.
pub const GROUPS: &[(&str, &[&str])] = &[
    (
        "Materialize",
        &[
            "config",
            "upstream",
            "password_file",
            "password_command",
            "cluster",
            "cluster_replica",
            "search_path",
            "upstream_timeout",
            "reconnect_max",
            "catalog_interval",
            "dialect",
        ],
    ),
    (
        "Views",
        &["view", "filter", "show_sql", "revoked", "max_view_bytes"],
    ),
    (
        "Serving",
        &[
            "listen",
            "base_path",
            "metrics_listen",
            "tls_cert",
            "tls_key",
            "trusted_proxy",
            "workers",
            "log_format",
        ],
    ),
    (
        "Who may read",
        &[
            "auth",
            "jwt_key_file",
            "jwt_jwks",
            "jwt_issuer",
            "jwt_audience",
            "jwt_cookie",
            "allow_url_token",
            "allow_host",
            "allow_origin",
            "allow_header",
        ],
    ),
    (
        "Streams",
        &[
            "min_interval",
            "compress",
            "heartbeat",
            "retention_bytes",
            "retention_age",
            "stall_timeout",
            "drain",
        ],
    ),
    (
        "Limits",
        &[
            "max_connections",
            "max_connections_per_address",
            "max_connections_per_view",
            "max_windows_per_view",
            "max_windows_per_address",
        ],
    ),
    (
        "The demo's edits",
        &["rate", "seed_edits", "live", "live_url", "tick"],
    ),
];

/// What is set by most who set anything.
const COMMON: &[&str] = &[
    "config",
    "upstream",
    "password_file",
    "cluster",
    "view",
    "listen",
    "base_path",
    "metrics_listen",
    "tls_cert",
    "tls_key",
    "trusted_proxy",
    "auth",
    "allow_origin",
    "min_interval",
    "drain",
    "rate",
    "live",
];

/// Puts the command's settings into their groups, and the others than the common
/// ones behind `--help-all`.
pub fn grouped(command: Command) -> Command {
    let known: Vec<String> = command
        .get_arguments()
        .map(|arg| arg.get_id().to_string())
        .collect();
    let all = GROUPS
        .iter()
        .flat_map(|(name, keys)| keys.iter().map(move |key| (*name, *key)));
    let here = all.filter(|(_, key)| known.iter().any(|known| known == key));
    let numbered: Vec<_> = here.zip(0..).collect();
    let command = numbered
        .into_iter()
        .fold(command, |command, ((group, key), order)| {
            command.mut_arg(key, |arg| {
                arg.help_heading(group)
                    .display_order(order)
                    .hide_short_help(!COMMON.contains(&key))
            })
        });
    let help = Arg::new("help")
        .short('h')
        .long("help")
        .action(ArgAction::HelpShort)
        .help("Print what most need");
    let all = Arg::new("help_all")
        .long("help-all")
        .action(ArgAction::HelpLong)
        .help("Print every setting, with its variable and an example");
    let command = command.disable_help_flag(true);
    command.next_line_help(false).arg(help).arg(all)
}
