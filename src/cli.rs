//! The command line: what may be typed, and what it means.
//!
//! Nothing is validated here but the shape: every value stays the text that was
//! typed, or `None`, so that the configuration can tell "not given" from "given
//! as the default" when it merges the layers.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::limits;

pub mod groups;
pub mod settings;

#[cfg(feature = "demo")]
use settings::DemoFlags;
use settings::{DefaultValue, ServeFlags};

/// Exit status of wrong usage or configuration, `EX_USAGE` of sysexits.h.
pub const WRONG_USAGE: u8 = 64;

/// The variable that names the configuration file.
pub const CONFIG_VARIABLE: &str = "VIEWCAST_CONFIG";

const EXAMPLES: &str = "\
Every setting has a flag (--retention-age), an environment variable
(VIEWCAST_RETENTION_AGE) and a key in the TOML file given by --config
(retention_age). Flags win over the environment, the environment over the
file, the file over the default. `viewcast check-config` shows the result.

Examples:
  Watch Wikipedia's edits live, with nothing else installed:
    viewcast demo

  Stream two views of a Materialize:
    viewcast --upstream postgres://materialize@localhost:6875/materialize \\
        --view top10 --view public.orders

  Read one of them:
    curl -N http://localhost:8080/top10/stream

  Keep the password out of the process list:
    PGPASSWORD=... viewcast --config /etc/viewcast.toml

Logging goes to stderr and is set by RUST_LOG, e.g. RUST_LOG=viewcast=debug.
Exit status: 0 done, 1 failed while running, 64 wrong usage or configuration.";

/// Where the rest is, below the short help.
const MORE: &str = "\
Examples:
  viewcast demo
  viewcast --upstream postgres://materialize@localhost:6875/materialize --view top10
  curl -N http://localhost:8080/top10/stream

Every setting, with its variable, its default and an example: viewcast --help-all
Man page: viewcast man | man -l -      Completions: viewcast completions bash";

/// Streams Materialize views to browsers as Server-Sent Events
///
/// One tail per view serves every browser: a base, then the deltas, exact to
/// the row and the timestamp. Without a subcommand, viewcast serves.
#[derive(Parser)]
#[command(
    name = "viewcast",
    version,
    help_expected = true,
    args_conflicts_with_subcommands = true,
    after_long_help = EXAMPLES,
    after_help = MORE
)]
struct Cli {
    #[command(flatten)]
    serve: ServeArgs,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve views of a Materialize (also without this word)
    Serve(ServeArgs),
    /// Serve a recording of Wikipedia's edits, with no Materialize needed
    ///
    /// The same gateway in front of an embedded stand-in for Materialize that
    /// keeps its views while the edits of one day in 2015 are replayed. With
    /// --upstream, the edits are replayed into that real Materialize instead.
    #[cfg(feature = "demo")]
    Demo(Box<DemoArgs>),
    /// Print the merged configuration with secrets masked, or its errors
    ///
    /// The output is itself a configuration file that means the same, but for
    /// passwords, which are masked; a comment on each line says which layer the
    /// value came from. Exits with 64 on any error.
    CheckConfig(CheckArgs),
    /// Print the rows of the views as TypeScript, for views.d.ts
    ///
    /// Asks the Materialize for the columns of the views that `serve` would
    /// stream with the same settings, prints a type of each one's rows, and
    /// ends. A running gateway has the same file at /views.d.ts.
    Types(ServeArgs),
    /// Print a completion script for a shell
    #[command(hide = true)]
    Completions {
        /// Shell to complete for
        shell: clap_complete::Shell,
    },
    /// Print the man page, of the program or of one subcommand
    #[command(hide = true)]
    Man {
        /// Subcommand to describe, e.g. demo
        subcommand: Option<String>,
    },
    /// Ask a running gateway whether it is well: exit 0 if it is, else 1
    ///
    /// It is found by the settings it was started with: give the same flags,
    /// variables and file. Over TLS its certificate is not looked at.
    #[command(hide = true)]
    Healthcheck {
        /// Ask at this address instead, e.g. http://127.0.0.1:8080/healthz
        url: Option<String>,
        #[command(flatten)]
        serve: ServeArgs,
    },
}

#[derive(Args, Clone)]
struct CheckArgs {
    /// Ask the server, too: whether a gateway would get what it needs
    ///
    /// Which version it is and as which role one is logged in; whether the
    /// cluster has replicas, each view is there and may be read, and the columns
    /// exist that rows are asked for by. Exits with 1 if something is wrong.
    #[arg(long)]
    connect: bool,
    #[command(flatten)]
    serve: ServeArgs,
}

#[derive(Args, Clone)]
struct ServeArgs {
    /// Read settings from this TOML file
    ///
    /// config/viewcast.example.toml shows every key. Example: /etc/viewcast.toml
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    settings: ServeFlags,
}

#[cfg(feature = "demo")]
#[derive(Args)]
struct DemoArgs {
    #[command(flatten)]
    serve: ServeArgs,
    #[command(flatten)]
    demo: DemoFlags,
    #[command(flatten)]
    stand_in: StandIn,
}

/// How the demo's stand-in is run; for tests, and so without a variable or key.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct StandIn {
    /// Run the stand-in for Materialize alone, without the gateway
    #[arg(long, hide = true)]
    pub only_upstream: bool,
    /// Accept SQL connections on this address
    #[arg(long, hide = true, value_name = "ADDR:PORT")]
    pub listen_upstream: Option<SocketAddr>,
    /// Behave like a server of before (tail) or after (subscribe) version 0.27
    #[arg(long, hide = true, value_name = "DIALECT")]
    pub demo_dialect: Option<StandInDialect>,
    /// Be the environment of this id, also after a restart
    #[arg(long, hide = true, value_name = "ID")]
    pub demo_environment: Option<String>,
}

/// The generation of Materialize that the stand-in behaves like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StandInDialect {
    /// Knows `TAIL` only.
    Tail,
    /// Knows `SUBSCRIBE` only.
    Subscribe,
}

/// What the command line asks for.
#[derive(Clone)]
pub enum Invocation {
    /// Serve views of a Materialize.
    Serve(Flags),
    /// Serve the demo.
    Demo(Flags, StandIn),
    /// Print the merged configuration, and ask the server as well or not.
    CheckConfig(Flags, bool),
    /// Print the rows of the views as TypeScript.
    Types(Flags),
    /// Print this text to stdout: a completion script or a man page.
    Print(Vec<u8>),
    /// Ask the gateway at this URL, or the one so configured, whether it is well.
    Healthcheck(Option<String>, Flags),
}

/// The flags that were given, as typed. No `Debug`: they may hold a password.
#[derive(Clone, Default)]
pub struct Flags {
    /// The configuration file, if one was named.
    pub config: Option<PathBuf>,
    /// Key and values of each setting given; every list has at least one.
    pub given: Vec<(&'static str, Vec<String>)>,
}

impl From<ServeArgs> for Flags {
    fn from(args: ServeArgs) -> Self {
        Self {
            config: args.config,
            given: args.settings.given(),
        }
    }
}

/// Reads the command line, the program's name first.
///
/// The error is clap's: it prints itself, to stdout with status 0 for `--help`
/// and `--version`, and to stderr for wrong usage.
pub fn parse<T>(args: impl IntoIterator<Item = T>) -> Result<Invocation, clap::Error>
where
    T: Into<OsString> + Clone,
{
    let matches = command().try_get_matches_from(args)?;
    let cli = Cli::from_arg_matches(&matches)?;
    Ok(match cli.command {
        None => Invocation::Serve(cli.serve.into()),
        Some(Command::Serve(args)) => Invocation::Serve(args.into()),
        #[cfg(feature = "demo")]
        Some(Command::Demo(args)) => {
            let mut flags = Flags::from(args.serve);
            flags.given.extend(args.demo.given());
            Invocation::Demo(flags, args.stand_in)
        }
        Some(Command::CheckConfig(args)) => {
            Invocation::CheckConfig(args.serve.into(), args.connect)
        }
        Some(Command::Types(args)) => Invocation::Types(args.into()),
        Some(Command::Completions { shell }) => Invocation::Print(completions(shell)),
        Some(Command::Man { subcommand }) => Invocation::Print(man(subcommand.as_deref())?),
        Some(Command::Healthcheck { url, serve }) => Invocation::Healthcheck(url, serve.into()),
    })
}

/// The whole command line as clap knows it, its help completed with each
/// setting's variable and default from the one table.
pub fn command() -> clap::Command {
    let command = complete_help(Cli::command());
    let names: Vec<String> = command
        .get_subcommands()
        .map(|subcommand| subcommand.get_name().to_owned())
        .collect();
    names.into_iter().fold(command, |command, name| {
        command.mut_subcommand(&name, |subcommand| match name.as_str() {
            "demo" => complete_help(for_demo(subcommand)),
            _ => complete_help(subcommand),
        })
    })
}

/// Says what the demo makes of the flags it shares with `serve`.
fn for_demo(command: clap::Command) -> clap::Command {
    command
        .mut_arg("upstream", |arg| {
            let short = "Replay the edits into the Materialize at this address";
            arg.help(short).long_help(format!(
                "{short}\n\nIts tables and views are created if they are missing. Without this, the \
                 edits go to the stand-in built in. Example: \
                 postgres://materialize@localhost:6875/materialize"
            ))
        })
        .mut_arg("view", |arg| {
            let views = limits::DEMO_VIEWS.join(", ");
            let short = "Stream this view only; repeat it for several";
            arg.help(short)
                .long_help(format!("{short}\n\nDefault: {views}."))
        })
}

fn complete_help(command: clap::Command) -> clap::Command {
    groups::grouped(with_notes(command))
}

/// Says of each setting which variable has it, and its default.
fn with_notes(command: clap::Command) -> clap::Command {
    let has =
        |command: &clap::Command, id: &str| command.get_arguments().any(|arg| arg.get_id() == id);
    let mut command = command;
    if has(&command, "config") {
        command = command.mut_arg("config", |arg| with_note(arg, CONFIG_VARIABLE, None));
    }
    for setting in settings::all() {
        if has(&command, setting.key) {
            let default = match (setting.default)() {
                DefaultValue::None | DefaultValue::Empty => None,
                DefaultValue::Text(text) => Some(text),
                DefaultValue::Computed(_, text) => Some(text.to_owned()),
            };
            command = command.mut_arg(setting.key, |arg| {
                let arg = with_note(arg, &setting.variable(), default.as_deref());
                match setting.is_switch() {
                    // The flag alone switches it on; what follows is no value.
                    true => arg
                        .num_args(0..=1)
                        .require_equals(true)
                        .default_missing_value("true"),
                    false => arg,
                }
            });
        }
    }
    command
}

/// Adds the variable and the default to an argument's help; to the short one
/// only the default, so that it stays short.
fn with_note(arg: clap::Arg, variable: &str, default: Option<&str>) -> clap::Arg {
    let short = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let long = arg.get_long_help().map(ToString::to_string);
    let long = long.unwrap_or_else(|| short.clone());
    match default {
        Some(default) => arg
            .help(format!("{short} [default: {default}]"))
            .long_help(format!("{long}\n\n[env: {variable}, default: {default}]")),
        None => arg.long_help(format!("{long}\n\n[env: {variable}]")),
    }
}

fn completions(shell: clap_complete::Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(), "viewcast", &mut script);
    script
}

fn man(subcommand: Option<&str>) -> Result<Vec<u8>, clap::Error> {
    let mut command = command();
    command.build();
    if let Some(name) = subcommand {
        let Some(found) = command.find_subcommand(name) else {
            let message = format!("there is no subcommand \"{name}\"");
            return Err(command.error(clap::error::ErrorKind::InvalidSubcommand, message));
        };
        return render(found.clone());
    }
    render(command)
}

fn render(command: clap::Command) -> Result<Vec<u8>, clap::Error> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    Ok(page)
}
