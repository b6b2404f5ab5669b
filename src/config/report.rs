//! The merged configuration as `check-config` prints it.

use super::error::Place;
use super::merge::Entry;

/// One line per setting: TOML, and where the value came from as a comment.
pub fn render(entries: &[Entry]) -> String {
    let lines: Vec<(String, String)> = entries.iter().map(line).collect();
    let width = lines.iter().map(|(toml, _)| toml.chars().count()).max();
    let width = width.unwrap_or_default();
    let padded = lines
        .iter()
        .map(|(toml, source)| format!("{toml:<width$}  # {source}\n"));
    padded.collect()
}

fn line(entry: &Entry) -> (String, String) {
    let toml = match &entry.toml {
        Some(value) => format!("{} = {value}", entry.key),
        None => format!("# {} is not set", entry.key),
    };
    let source = match &entry.place {
        Place::Flag(flag) => format!("flag {flag}"),
        Place::Environment(variable) => format!("environment {variable}"),
        Place::File { path, line, .. } => format!("file {}, line {line}", path.display()),
        Place::Default(None) => "default".to_owned(),
        Place::Default(Some(note)) => format!("default, {note}"),
    };
    (toml, format!("{source}{}", entry.note))
}
