//! The merged configuration as `check-config` prints it.

use super::merge::Entry;
use super::place::Place;
use crate::cli::settings::demo;

/// One line per setting that is in force: TOML, and where the value came from as
/// a comment. Settings of the demo alone are shown only where they are given.
pub fn render(entries: &[Entry]) -> String {
    let shown = entries.iter().filter(|entry| {
        let is_given = !matches!(entry.place, Place::Default(_));
        is_given || !is_of_demo(entry)
    });
    shown.map(line).collect()
}

fn is_of_demo(entry: &Entry) -> bool {
    demo::ALL.iter().any(|setting| setting.key == entry.key)
}

fn line(entry: &Entry) -> String {
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
    let demo = if is_of_demo(entry) {
        ", for the demo alone"
    } else {
        ""
    };
    // A path may hold anything, a comment ends with its line.
    let source = source.replace(char::is_control, "?");
    format!("{toml}  # {source}{}{demo}\n", entry.note)
}
