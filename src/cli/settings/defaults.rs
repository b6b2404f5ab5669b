//! What settings are when nobody gives them.

use crate::limits;
use crate::process;

/// What a setting is when no layer gives a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DefaultValue {
    /// Nothing: the setting is required, or decided where it is used.
    None,
    /// An empty list.
    Empty,
    /// This text, read by the same parser as any other layer's.
    Text(String),
    /// A text that depends on the machine, and how the help describes it.
    Computed(String, &'static str),
}

/// A size as people write it: the largest binary unit that divides it.
pub fn size_text(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB"];
    let mut size = bytes;
    for unit in units {
        let whole = size != 0 && size.is_multiple_of(1024);
        if !whole || unit == "GiB" {
            return format!("{size}{unit}");
        }
        size /= 1024;
    }
    format!("{bytes}B")
}

/// A text.
pub fn text(text: &str) -> DefaultValue {
    DefaultValue::Text(text.to_owned())
}

/// A duration, as people write it.
pub fn duration(duration: std::time::Duration) -> DefaultValue {
    DefaultValue::Text(humantime::format_duration(duration).to_string())
}

/// So many streams that files are left for everything else.
pub fn share_of_files() -> DefaultValue {
    let files = process::open_files_max();
    let connections = files.map_or(limits::CONNECTIONS_FALLBACK, |it| limits::room(it, 0));
    let connections = connections.clamp(1, limits::CONNECTIONS_MAX);
    DefaultValue::Computed(
        connections.to_string(),
        "nine tenths of the files the process may open, beside those of its views",
    )
}

/// As many threads as the machine has cores.
pub fn one_per_core() -> DefaultValue {
    // A machine that does not say how many cores it has still serves.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = cores.min(limits::WORKERS_MAX);
    DefaultValue::Computed(workers.to_string(), "one per core")
}
