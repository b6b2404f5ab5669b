//! The parameters of an address that the crate does not know, taken out of it.

use percent_encoding::percent_decode_str;

/// The parameters that are ours, by their names in libpq.
pub const OURS: [&str; 5] = ["sslmode", "sslrootcert", "sslcert", "sslkey", "passfile"];

/// Parameters of libpq that change what a connection is worth, and so are
/// refused rather than ignored.
const NOT_SUPPORTED: [&str; 14] = [
    "gssencmode",
    "krbsrvname",
    "requirepeer",
    "requiressl",
    "require_auth",
    "service",
    "sslcertmode",
    "sslcompression",
    "sslcrl",
    "sslcrldir",
    "sslpassword",
    "sslsni",
    "ssl_max_protocol_version",
    "ssl_min_protocol_version",
];

/// An address in two parts.
#[derive(Debug, PartialEq, Eq)]
pub struct Split {
    /// What the crate is to read.
    pub rest: String,
    /// What is ours, in order.
    pub ours: Vec<(&'static str, String)>,
}

/// Splits an address. The error is a parameter that is not supported; whatever
/// else is wrong is left for the crate to find.
pub fn split(text: &str) -> Result<Split, &'static str> {
    let mut split = Split {
        rest: String::new(),
        ours: Vec::new(),
    };
    let is_url = ["postgres://", "postgresql://"]
        .iter()
        .any(|scheme| text.starts_with(scheme));
    match is_url {
        true => of_url(text, &mut split)?,
        false => of_pairs(text, &mut split)?,
    }
    Ok(split)
}

/// Takes a parameter if it is ours; whether it was taken.
fn take(key: &str, value: &str, split: &mut Split) -> Result<bool, &'static str> {
    if let Some(key) = NOT_SUPPORTED.into_iter().find(|known| *known == key) {
        return Err(key);
    }
    let ours = OURS.into_iter().find(|known| *known == key);
    split.ours.extend(ours.map(|key| (key, value.to_owned())));
    Ok(ours.is_some())
}

fn of_url(text: &str, split: &mut Split) -> Result<(), &'static str> {
    // As the crate sees it: up to the first "@" is a user and a password, in
    // which a "?" may stand as it is.
    let host = text.find('@').unwrap_or(0);
    let after = text.get(host..).unwrap_or_default();
    let Some(mark) = after.find('?').and_then(|at| at.checked_add(host)) else {
        split.rest = text.to_owned();
        return Ok(());
    };
    let (before, query) = text.split_at(mark);
    let mut kept = Vec::new();
    for parameter in query.trim_start_matches('?').split('&') {
        let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        if !take(&decoded(key), &decoded(value), split)? {
            kept.push(parameter);
        }
    }
    split.rest = before.to_owned();
    if !kept.is_empty() {
        split.rest.push('?');
        split.rest.push_str(&kept.join("&"));
    }
    Ok(())
}

fn of_pairs(text: &str, split: &mut Split) -> Result<(), &'static str> {
    let mut rest = text.trim_start();
    while let Some((key, value, after)) = pair(rest) {
        if !take(key.trim_end(), &value, split)? {
            let length = rest.len().saturating_sub(after.len());
            split.rest.push_str(rest.get(..length).unwrap_or_default());
            split.rest.push(' ');
        }
        rest = after.trim_start();
    }
    // What makes no pair, if anything.
    split.rest.push_str(rest);
    Ok(())
}

/// The first key, its value with quotes and backslashes undone, and what
/// follows; `None` where there is no whole pair.
fn pair(text: &str) -> Option<(&str, String, &str)> {
    let (key, after) = text.split_once('=')?;
    if key.trim_end().contains(char::is_whitespace) {
        return None;
    }
    let after = after.trim_start();
    let (quoted, start) = match after.strip_prefix('\'') {
        Some(inner) => (true, inner),
        None => (false, after),
    };
    let mut value = String::new();
    let mut chars = start.chars();
    loop {
        let rest = chars.as_str();
        match chars.next() {
            Some('\\') => value.extend(chars.next()),
            Some('\'') if quoted => return Some((key, value, chars.as_str())),
            Some(c) if c.is_whitespace() && !quoted => return Some((key, value, rest)),
            Some(c) => value.push(c),
            None if quoted => return None,
            None => return Some((key, value, rest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, rest: &str, ours: &[(&'static str, &str)]) {
        let split = split(text).expect(text);
        assert_eq!(split.rest.trim_end(), rest, "{text}");
        let listed: Vec<_> = split.ours.iter().map(|(k, v)| (*k, v.as_str())).collect();
        assert_eq!(listed, ours, "{text}");
    }

    #[test]
    fn parameters_of_a_url_are_taken_out_of_its_query() {
        check("postgres://h", "postgres://h", &[]);
        check("postgres://h/d?", "postgres://h/d?", &[]);
        check(
            "postgres://u:p@h:1/d?sslmode=require",
            "postgres://u:p@h:1/d",
            &[("sslmode", "require")],
        );
        check(
            "postgresql://h/d?options=-c%20a%3Db&ssl%6Dode=verify-ca&application_name=x&sslrootcert=%2Fa%20b",
            "postgresql://h/d?options=-c%20a%3Db&application_name=x",
            &[("sslmode", "verify-ca"), ("sslrootcert", "/a b")],
        );
        // In a password, a question mark begins nothing.
        check(
            "postgres://u:p?sslmode=x@h/d?passfile=y",
            "postgres://u:p?sslmode=x@h/d",
            &[("passfile", "y")],
        );
    }

    #[test]
    fn parameters_of_pairs_are_taken_with_their_quotes() {
        check("host=h port=1", "host=h port=1", &[]);
        check(
            "host=h  sslmode = 'verify-full' port=1 sslkey=/a\\ b",
            "host=h port=1",
            &[("sslmode", "verify-full"), ("sslkey", "/a b")],
        );
        check(
            "password='it\\'s sslmode=x' sslrootcert='a b'",
            "password='it\\'s sslmode=x'",
            &[("sslrootcert", "a b")],
        );
        // Left as they are for the crate to refuse.
        check("host=h sslmode", "host=h sslmode", &[]);
        check("host=h sslkey='x", "host=h sslkey='x", &[]);
    }

    #[test]
    fn parameters_that_would_be_ignored_are_refused() {
        assert_eq!(split("postgres://h/d?sslcrl=x"), Err("sslcrl"));
        assert_eq!(split("host=h sslpassword=x"), Err("sslpassword"));
    }
}
