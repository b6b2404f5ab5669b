//! The layers that a configuration is merged from: flags, environment, file.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use super::error::{ConfigError, Place};
use super::file;
use super::views::ViewTable;
use crate::cli::settings;
use crate::cli::{CONFIG_VARIABLE, Flags};

/// Looks an environment variable up; an argument so that tests need not touch
/// the environment of their process.
pub type Environment<'e> = dyn Fn(&str) -> Option<OsString> + 'e;

/// What one layer gives for one setting, still as text.
#[derive(Clone)]
pub struct Given {
    /// The texts: at least one.
    pub values: Vec<String>,
    /// Whether a text may hold several names separated by commas.
    pub separated: bool,
    /// Where they were given.
    pub place: Place,
}

/// The settings that one layer gives, by key.
pub type Layer = BTreeMap<&'static str, Given>;

/// All layers, the one that wins first; the file's tables of views; and what was wrong with them already.
pub fn layers(
    flags: &Flags,
    environment: &Environment<'_>,
) -> (Vec<Layer>, Vec<ViewTable>, Vec<ConfigError>) {
    let mut errors = Vec::new();
    let mut tables = Vec::new();
    let mut found = vec![
        flag_layer(flags),
        environment_layer(environment, &mut errors),
    ];
    let path = flags
        .config
        .clone()
        .or_else(|| variable(environment, CONFIG_VARIABLE).map(PathBuf::from));
    if let Some(path) = path {
        let (layer, of_file) = file::layer(&path, &mut errors);
        found.push(layer);
        tables = of_file;
    }
    (found, tables, errors)
}

/// A variable's value; one that is set to nothing counts as not set, as
/// compose files and unit files leave them.
pub fn variable(environment: &Environment<'_>, name: &str) -> Option<OsString> {
    environment(name).filter(|value| !value.is_empty())
}

fn flag_layer(flags: &Flags) -> Layer {
    let given = flags.given.iter().map(|(key, values)| {
        let place = Place::Flag(format!("--{}", key.replace('_', "-")));
        let values = values.clone();
        let separated = false;
        (
            *key,
            Given {
                values,
                separated,
                place,
            },
        )
    });
    given.collect()
}

fn environment_layer(environment: &Environment<'_>, errors: &mut Vec<ConfigError>) -> Layer {
    let mut layer = Layer::new();
    for setting in settings::all() {
        let name = setting.variable();
        let Some(value) = variable(environment, &name) else {
            continue;
        };
        let place = Place::Environment(name);
        match value.into_string() {
            Ok(value) => {
                let values = vec![value];
                let separated = true;
                layer.insert(
                    setting.key,
                    Given {
                        values,
                        separated,
                        place,
                    },
                );
            }
            Err(_) => errors.push(ConfigError::NotUnicode { place }),
        }
    }
    layer
}
