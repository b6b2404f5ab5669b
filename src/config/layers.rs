//! The layers that a configuration is merged from: flags, environment, file.

use std::path::PathBuf;

use super::environment::{self, Environment, variable};
use super::error::ConfigError;
use super::file;
use super::layer::Layer;
use super::place::Place;
use super::views::table::ViewTable;
use crate::cli::{CONFIG_VARIABLE, Flags};

/// All layers, the one that wins first; the file's tables of views; and what was wrong with them already.
pub fn layers(
    flags: &Flags,
    environment: &dyn Environment,
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

fn flag_layer(flags: &Flags) -> Layer {
    let mut layer = Layer::default();
    for (key, values) in &flags.given {
        let place = Place::Flag(format!("--{}", key.replace('_', "-")));
        layer.add(key, values.clone(), place);
    }
    layer
}

fn environment_layer(environment: &dyn Environment, errors: &mut Vec<ConfigError>) -> Layer {
    let mut layer = Layer::default();
    for (setting, text, place) in environment::given(environment) {
        match text {
            Ok(text) => layer.add(setting.key, vec![text], place),
            Err(error) => {
                errors.push(error);
                layer.spoil(setting.key);
            }
        }
    }
    for (error, nearest) in environment::unknown(environment) {
        errors.push(error);
        match nearest {
            // The file it would have named may give anything.
            None | Some("config") => layer.is_doubtful = true,
            Some(key) => layer.spoil(key),
        }
    }
    layer
}
