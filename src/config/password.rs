//! Where an upstream's password comes from, if its address has none.

use std::path::PathBuf;

use crate::cli::settings::{Setting, serve};

use super::environment::{Environment, variable};
use super::error::ConfigError;
use super::layer::Given;
use super::place::Place;
use super::upstream::files::{self, FileProblem};
use super::upstream::{PasswordSource, Upstream};

/// What gives an upstream's password beside its address.
pub const SETTINGS: [Setting; 2] = [serve::password_file, serve::password_command];

/// What is said of an address whose password is only the mask of one.
const MASKED: &str = ", its password is masked and nothing else gives one";

/// The upstream with a password from the first place that gives one: the
/// address, the file that `--password-file` gives or what `--password-command`
/// prints, PGPASSWORD, the password file of libpq. Also what `check-config`
/// notes about it.
pub fn complete(
    mut upstream: Upstream,
    password_file: Option<Given>,
    password_command: Option<Given>,
    environment: &dyn Environment,
) -> Result<(Upstream, &'static str), ConfigError> {
    if let Some(given) = password_file {
        // Read in any case: a file that is not there is worth knowing.
        let path = PathBuf::from(given.values.first().map(String::as_str).unwrap_or_default());
        let password = files::password(&path)
            .map_err(|problem| secret_file(given.place.to_string(), path.clone(), problem))?;
        if !upstream.has_password() {
            upstream.set_password(&password, PasswordSource::File(path));
            return Ok((upstream, ", password from password_file"));
        }
    }
    if upstream.has_password() {
        return Ok((upstream, ""));
    }
    if let Some(line) = password_command.and_then(|given| given.values.into_iter().next()) {
        // It is not run before there is something to connect to.
        upstream.set_password_command(&line);
        return Ok((upstream, ", password from password_command"));
    }
    if let Some(password) = variable(environment, "PGPASSWORD") {
        let place = || Place::Environment("PGPASSWORD".into());
        let password = password
            .into_string()
            .map_err(|_| ConfigError::NotUnicode { place: place() })?;
        upstream.set_password(&password, PasswordSource::Fixed);
        return Ok((upstream, ", password from PGPASSWORD"));
    }
    let (upstream, note) = passfile(upstream, environment)?;
    let is_missing = note.is_empty() && upstream.is_masked();
    Ok((upstream, if is_missing { MASKED } else { note }))
}

/// From libpq's password file: the one that was named must be there and
/// readable; the one in the home directory is taken if it is.
fn passfile(
    mut upstream: Upstream,
    environment: &dyn Environment,
) -> Result<(Upstream, &'static str), ConfigError> {
    let of_variable = || variable(environment, "PGPASSFILE").map(PathBuf::from);
    let (named, what, note) = match upstream.passfile() {
        Some(path) => (Some(path), "passfile", ", password from passfile"),
        None => (of_variable(), "PGPASSFILE", ", password from PGPASSFILE"),
    };
    if let Some(path) = named {
        let text = files::passfile(&path)
            .map_err(|problem| secret_file(what.to_owned(), path.clone(), problem))?;
        let found = upstream.take_passwords(&text, path);
        return Ok((upstream, if found { note } else { "" }));
    }
    let Some(home) = variable(environment, "HOME") else {
        return Ok((upstream, ""));
    };
    let path = PathBuf::from(home).join(".pgpass");
    let note = match files::passfile(&path) {
        Ok(text) if upstream.take_passwords(&text, path.clone()) => ", password from ~/.pgpass",
        Ok(_) => "",
        Err(FileProblem::Read(_)) => {
            // It may be there when it is looked for again.
            upstream.take_passwords("", path);
            ""
        }
        Err(FileProblem::Exposed) => ", ~/.pgpass is not used since others may read it",
        Err(_) => ", ~/.pgpass cannot be used",
    };
    Ok((upstream, note))
}

fn secret_file(what: String, path: PathBuf, problem: FileProblem) -> ConfigError {
    ConfigError::SecretFile {
        what,
        path,
        problem,
    }
}
