//! The configuration file: TOML to a layer.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::ConfigError;
use super::layer::{Given, Layer};
use super::place::Place;
use super::spelling::{is_surely, nearest_of};
use super::toml_source::{kind, line_at};
use super::views::table::{self, ViewTable};
use crate::cli::settings::{self, DefaultValue, Setting, serve};
use crate::limits;

/// Reads a file; whatever is wrong with it is added to `errors`.
pub fn layer(path: &Path, errors: &mut Vec<ConfigError>) -> (Layer, Vec<ViewTable>) {
    match read(path) {
        Ok(text) => parse(&text, path, errors),
        Err(error) => {
            errors.push(error);
            (unreadable(), Vec::new())
        }
    }
}

/// The layer of a file of which nothing is known.
fn unreadable() -> Layer {
    Layer {
        is_doubtful: true,
        ..Layer::default()
    }
}

fn read(path: &Path) -> Result<String, ConfigError> {
    let failed = |error: io::Error| {
        let path = path.to_owned();
        ConfigError::File { path, error }
    };
    let max = limits::CONFIG_FILE_BYTES_MAX;
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(max.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > max) {
        let path = path.to_owned();
        return Err(ConfigError::FileTooLarge { path, max });
    }
    String::from_utf8(bytes).map_err(|_| {
        failed(io::Error::new(
            io::ErrorKind::InvalidData,
            "it is not UTF-8 text",
        ))
    })
}

/// The lines, from 1, of a list of views and of a table of one, where a text has both:
/// which TOML does not take, in words that help nobody.
fn list_and_table(text: &str) -> Option<(usize, usize)> {
    let line = |is_it: fn(&str) -> bool| Some(text.lines().position(is_it)?.saturating_add(1));
    let list = line(|line| {
        line.split('=')
            .next()
            .is_some_and(|key| key.trim() == "view")
    })?;
    let table = line(|line| line.trim_start().starts_with("[view."))?;
    Some((list, table))
}

/// The layer that a file's text gives, and its tables of views.
pub fn parse(text: &str, path: &Path, errors: &mut Vec<ConfigError>) -> (Layer, Vec<ViewTable>) {
    let mut layer = Layer::default();
    let mut tables = Vec::new();
    let table = match DeTable::parse(text) {
        Ok(table) => table.into_inner(),
        Err(error) => {
            errors.push(ConfigError::Toml {
                path: path.to_owned(),
                line: line_at(text, error.span().map_or(0, |span| span.start)),
                message: error.message().to_owned(),
                both: list_and_table(text),
            });
            return (unreadable(), tables);
        }
    };
    let mut entries: Vec<_> = table.into_iter().collect();
    // In the order of the file, so that errors read from top to bottom.
    entries.sort_by_key(|(key, _)| key.span().start);
    for (key, value) in entries {
        let line = line_at(text, key.span().start);
        let key = key.into_inner();
        let Some(setting) = settings::all().find(|setting| setting.key == key) else {
            let nearest = nearest(&key);
            match nearest.filter(|meant| is_surely(&key, meant)) {
                Some(meant) => layer.spoil(meant),
                None => layer.is_doubtful = true,
            }
            errors.push(ConfigError::UnknownKey {
                nearest,
                key: key.into_owned(),
                path: path.to_owned(),
                line,
            });
            continue;
        };
        let place = Place::File {
            key: key.into_owned(),
            path: path.to_owned(),
            line,
        };
        if setting.key == serve::view.key
            && let DeValue::Table(_) = value.get_ref()
        {
            let DeValue::Table(views) = value.into_inner() else {
                continue;
            };
            let (given, found) = table::read(views, place, (path, text), errors);
            layer.given.insert(setting.key, Some(given));
            tables = found;
            continue;
        }
        match given(setting, value, place) {
            Ok(given) => drop(layer.given.insert(setting.key, Some(given))),
            Err(error) => {
                errors.push(error);
                layer.given.insert(setting.key, None);
            }
        }
    }
    (layer, tables)
}

/// The values of one key: a text or a number, or a list of texts where a setting takes several.
fn given(
    setting: Setting,
    value: Spanned<DeValue<'_>>,
    place: Place,
) -> Result<Given, ConfigError> {
    let many = (setting.default)() == DefaultValue::Empty || setting.key == serve::view.key;
    let accepts = match many {
        true if setting.key == serve::view.key => {
            "a list of names, e.g. [\"top10\", \"public.orders\"]"
        }
        true => "a list of texts",
        false if setting.is_switch() => "true or false",
        false => "a text in quotes, or a number",
    };
    let value = value.into_inner();
    let found = kind(&value);
    let wrong = |place| ConfigError::Type {
        place,
        found,
        accepts,
    };
    let (values, separated) = match value {
        DeValue::String(text) => (vec![text.into_owned()], true),
        DeValue::Integer(number) if !many && number.radix() == 10 => {
            (vec![number.as_str().to_owned()], false)
        }
        DeValue::Boolean(on) if setting.is_switch() => (vec![on.to_string()], false),
        DeValue::Float(number) if !many => (vec![number.as_str().to_owned()], false),
        DeValue::Array(list) if many => {
            let names = list.into_iter().map(|item| match item.into_inner() {
                DeValue::String(name) => Some(name.into_owned()),
                _ => None,
            });
            match names.collect::<Option<Vec<_>>>() {
                Some(names) => (names, false),
                None => return Err(wrong(place)),
            }
        }
        _ => return Err(wrong(place)),
    };
    Ok(Given {
        values,
        separated,
        place,
    })
}

/// The setting whose key looks most like this one, if any does.
fn nearest(key: &str) -> Option<&'static str> {
    nearest_of(key, settings::all().map(|setting| setting.key))
}
