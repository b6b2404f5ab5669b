//! What the text of a setting means: one kind of value each, pure.

use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;

use super::dialect::Dialect;
use crate::access::cors::AllowedHeader;
use crate::cli::settings::size_text;
use crate::limits;
use crate::model::name::ViewName;

/// Reads a text; `None` if it is not accepted.
type Parse<T> = Box<dyn Fn(&str) -> Option<T>>;

/// How one kind of value is read, described and shown again.
pub struct Kind<T> {
    /// What is accepted: the end of the sentence "Give ...".
    pub accepts: String,
    /// Reads a text; `None` if it is not accepted.
    pub parse: Parse<T>,
    /// The value as TOML.
    pub show: fn(&T) -> String,
}

/// A duration with its unit, between two bounds.
pub fn duration(min: Duration, max: Duration, example: &str) -> Kind<Duration> {
    let text = humantime::format_duration;
    Kind {
        accepts: format!(
            "a duration from {} to {} with its unit, e.g. {example}",
            text(min),
            text(max)
        ),
        parse: Box::new(move |given| {
            let duration = humantime::parse_duration(given.trim()).ok()?;
            (min..=max).contains(&duration).then_some(duration)
        }),
        show: |duration| toml_text(&humantime::format_duration(*duration).to_string()),
    }
}

/// A size in bytes, with or without a unit, between two bounds.
pub fn size(min: u64, max: u64, example: &str) -> Kind<u64> {
    Kind {
        accepts: format!(
            "a size from {} to {}, e.g. {example}",
            size_text(min),
            size_text(max)
        ),
        parse: Box::new(move |given| {
            let size = bytesize::ByteSize::from_str(given.trim()).ok()?.as_u64();
            (min..=max).contains(&size).then_some(size)
        }),
        show: |size| toml_text(&size_text(*size)),
    }
}

/// A number between two bounds; `noun` says which kind, with its article.
pub fn number<T>(noun: &str, min: T, max: T) -> Kind<T>
where
    T: FromStr + PartialOrd + Display + Copy + 'static,
{
    Kind {
        accepts: format!("{noun} from {min} to {max}"),
        parse: Box::new(move |given| {
            let number = given.trim().parse().ok()?;
            // NaN is in no range.
            (min..=max).contains(&number).then_some(number)
        }),
        show: T::to_string,
    }
}

/// A number between two bounds, or "none" for no limit.
pub fn number_or_none(min: usize, max: usize) -> Kind<Option<usize>> {
    Kind {
        accepts: format!("a whole number from {min} to {max}, or none"),
        parse: Box::new(move |given| {
            if given.trim() == "none" {
                return Some(None);
            }
            let number = given.trim().parse().ok()?;
            (min..=max).contains(&number).then_some(Some(number))
        }),
        show: |number| number.map_or_else(|| toml_text("none"), |number| number.to_string()),
    }
}

/// An IP network; an address is one of its own.
pub fn network() -> Kind<IpNet> {
    Kind {
        accepts: format!(
            "an address or a network, {} at the most, e.g. 192.0.2.7 or 10.0.0.0/8",
            limits::TRUSTED_PROXIES_MAX
        ),
        parse: Box::new(|given| {
            let given = given.trim();
            let network = given.parse::<IpNet>().ok();
            network.or_else(|| given.parse::<IpAddr>().ok().map(IpNet::from))
        }),
        show: |network| toml_text(&network.to_string()),
    }
}

/// On or off.
pub fn switch() -> Kind<bool> {
    Kind {
        accepts: "true or false".into(),
        parse: Box::new(|given| given.trim().parse().ok()),
        show: bool::to_string,
    }
}

/// An IP address and port.
pub fn address() -> Kind<SocketAddr> {
    Kind {
        accepts: "an IP address and a port, e.g. 127.0.0.1:8080 or [::]:8080".into(),
        parse: Box::new(|given| given.trim().parse().ok()),
        show: |address| toml_text(&address.to_string()),
    }
}

/// A schema's name, as SQL reads it.
pub fn schema() -> Kind<String> {
    let part = |given: &str| match ViewName::parse(given).ok()?.parts() {
        [part] => Some(part.clone()),
        _ => None,
    };
    Kind {
        accepts: format!(
            "at most {} schemas, each by its name alone, e.g. sales or \"Sales\"",
            limits::SCHEMAS_MAX
        ),
        parse: Box::new(part),
        show: |schema| toml_text(&format!("\"{}\"", schema.replace('"', "\"\""))),
    }
}

/// Any text but an empty one.
pub fn text() -> Kind<String> {
    Kind {
        accepts: "a text that is not empty".into(),
        parse: Box::new(|given| (!given.is_empty()).then(|| given.to_owned())),
        show: |text| toml_text(text),
    }
}

/// An address on the web.
pub fn web_address() -> Kind<String> {
    Kind {
        accepts: "an http or https URL without a user or a password".to_owned(),
        parse: Box::new(|given| {
            let rest = given.strip_prefix("http")?;
            let rest = rest.strip_prefix('s').unwrap_or(rest).strip_prefix("://")?;
            let is_plain = |c: char| c.is_ascii_graphic() && c != '@';
            (!rest.is_empty() && rest.chars().all(is_plain)).then(|| given.to_owned())
        }),
        show: |url| toml_text(url),
    }
}

/// Whether something is done for who asks for it.
pub fn compress() -> Kind<bool> {
    Kind {
        accepts: "auto or off".into(),
        parse: one_of(&[("auto", true), ("off", false)]),
        show: |is_auto| toml_text(if *is_auto { "auto" } else { "off" }),
    }
}

/// A path without a slash at its end, of characters that are written as they are.
pub fn base_path() -> Kind<String> {
    let is_part = |part: &str| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
        !matches!(part, "" | "." | "..") && part.chars().all(is_plain)
    };
    Kind {
        accepts: format!(
            "a path of letters, digits and -._~, {} bytes at the most, e.g. /live",
            limits::BASE_PATH_BYTES_MAX
        ),
        parse: Box::new(move |given| {
            let given = given.trim();
            let path = given.strip_suffix('/').unwrap_or(given);
            let parts = path.strip_prefix('/')?.split('/');
            let is_good = path.len() <= limits::BASE_PATH_BYTES_MAX && { parts }.all(is_part);
            is_good.then(|| path.to_owned())
        }),
        show: |path| toml_text(path),
    }
}

/// Whether a line of the log is JSON.
pub fn log_format() -> Kind<bool> {
    Kind {
        accepts: "text or json".into(),
        parse: one_of(&[("text", false), ("json", true)]),
        show: |is_json| toml_text(if *is_json { "json" } else { "text" }),
    }
}

/// Whether a view is gone that may not be read any more.
pub fn revoked() -> Kind<bool> {
    Kind {
        accepts: "gone or lost".into(),
        parse: one_of(&[("gone", true), ("lost", false)]),
        show: |is_gone| toml_text(if *is_gone { "gone" } else { "lost" }),
    }
}

/// The statement that asks for a view's changes.
pub fn dialect() -> Kind<Dialect> {
    Kind {
        accepts: "auto, tail or subscribe".into(),
        parse: one_of(&[
            ("auto", Dialect::Auto),
            ("tail", Dialect::Tail),
            ("subscribe", Dialect::Subscribe),
        ]),
        show: |dialect| toml_text(&dialect.to_string()),
    }
}

/// Reads one of these words, and nothing else.
fn one_of<T: Copy + 'static>(words: &'static [(&'static str, T)]) -> Parse<T> {
    Box::new(|given| {
        let found = words.iter().find(|(word, _)| *word == given.trim());
        found.map(|(_, value)| *value)
    })
}

/// Splits a list of names at its commas, except inside double quotes; `None`
/// if a quote is never closed. Blank items are dropped, so a comma at the end
/// does no harm.
pub fn split_names(list: &str) -> Option<Vec<String>> {
    let mut names = vec![String::new()];
    let mut quoted = false;
    for c in list.chars() {
        // A doubled quote inside a name closes and opens again: no change.
        quoted ^= c == '"';
        match names.last_mut() {
            Some(name) if quoted || c != ',' => name.push(c),
            _ => names.push(String::new()),
        }
    }
    names.retain(|name| !name.trim().is_empty());
    (!quoted).then_some(names)
}

/// A text as TOML writes it, quoted and escaped, on one line whatever it holds.
pub fn toml_text(text: &str) -> String {
    match text.contains(char::is_control) {
        true => basic(text),
        false => toml::Value::String(text.to_owned()).to_string(),
    }
}

/// A text as a TOML basic string.
pub fn basic(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

/// A header that pages of other origins may send.
pub fn header() -> Kind<AllowedHeader> {
    Kind {
        accepts: "a header's name, e.g. x-app-version or x-app-*, or *".into(),
        parse: Box::new(AllowedHeader::parse),
        show: |header| toml_text(&header.text()),
    }
}
