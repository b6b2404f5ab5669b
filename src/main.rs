//! The program: parse, load the configuration, start the logger, run.

use std::io::{self, Write};
use std::process::ExitCode;

use viewcast::cli::{self, Invocation, WRONG_USAGE};
use viewcast::{config, config::reload, healthcheck, launch, process};

fn main() -> ExitCode {
    // First: defaults depend on it.
    process::raise_open_files_max();
    let outcome = match cli::parse(std::env::args_os()) {
        Ok(invocation) => run(invocation),
        // Help and version are no error, but clap hands them back as one. With
        // nobody reading, the status is all that is left to tell.
        Err(told) => {
            let _ = told.print();
            return ExitCode::from(if told.use_stderr() { WRONG_USAGE } else { 0 });
        }
    };
    let Err((status, report)) = outcome else {
        return ExitCode::SUCCESS;
    };
    let _ = io::stderr().write_all(report.as_bytes());
    ExitCode::from(status)
}

/// Does what was asked; on failure, the exit status and what to say about it.
fn run(invocation: Invocation) -> Result<(), (u8, String)> {
    let environment = config::environment::OfProcess;
    let wrong = |errors: config::error::ConfigErrors| (WRONG_USAGE, errors.report());
    match invocation {
        Invocation::Print(text) => io::stdout().write_all(&text).map_err(failed),
        Invocation::Healthcheck(url, flags) => healthcheck::run(url, &flags, &environment),
        Invocation::CheckConfig(flags, asks) => {
            let (config, text) = config::check(&flags, &environment).map_err(wrong)?;
            launch::check(&config, &text, asks).map_err(failed)
        }
        Invocation::Types(flags) => {
            let config = config::load(&flags, &environment).map_err(wrong)?;
            launch::start_logger(config.logs_json);
            let text = launch::types(&config).map_err(|error| (1, error.report()))?;
            io::stdout().write_all(text.as_bytes()).map_err(failed)
        }
        Invocation::Serve(flags) => {
            let config = config::load(&flags, &environment).map_err(wrong)?;
            launch::start_logger(config.logs_json);
            launch::serve(&config, reload::of_serve(flags)).map_err(|error| (1, error.report()))
        }
        Invocation::Demo(flags, demo) => {
            let config = config::load_demo(&flags, &demo, &environment).map_err(wrong)?;
            launch::start_logger(config.logs_json());
            launch::demo(&config, reload::of_demo(flags, demo)).map_err(|error| (1, error.report()))
        }
    }
}

fn failed(error: impl std::fmt::Display) -> (u8, String) {
    (1, format!("error: {error}\n"))
}
