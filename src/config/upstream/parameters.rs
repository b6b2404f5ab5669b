//! An address as it is given, in two parts: what the crate is to read, with the
//! ports that it would take for PostgreSQL's, and what it does not know.

use percent_encoding::percent_decode_str;

use crate::limits::UPSTREAM_PORT_DEFAULT;

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
    /// The names of the parameters that are left to the crate, in its spelling.
    pub given: Vec<String>,
}

/// The crate's name of a parameter, where libpq has another one.
fn in_its_spelling(key: &str) -> &str {
    match key {
        "keepalives_count" => "keepalives_retries",
        key => key,
    }
}

/// Splits an address. The error is a parameter that is not supported; whatever
/// else is wrong is left for the crate to find.
pub fn split(text: &str) -> Result<Split, &'static str> {
    let mut split = Split {
        rest: String::new(),
        ours: Vec::new(),
        given: Vec::new(),
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
    let scheme = text.find("://").map_or(0, |at| at.saturating_add(3));
    let host = text.find('@').map_or(scheme, |at| at.saturating_add(1));
    let (before, after) = text.split_at(host);
    let (authority, path) = after.split_at(after.find(['/', '?']).unwrap_or(after.len()));
    let (path, query) = match path.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path, None),
    };
    let mut kept = Vec::new();
    let mut ports = None;
    for parameter in query.into_iter().flat_map(|query| query.split('&')) {
        let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let key = decoded(key);
        if key == "port" {
            ports = Some(decoded(value));
        } else if !take(&key, &decoded(value), split)? {
            let key = in_its_spelling(&key);
            split.given.push(key.to_owned());
            kept.push(match parameter.split_once('=') {
                Some((_, value)) => format!("{key}={value}"),
                None => parameter.to_owned(),
            });
        }
    }
    let (authority, left) = with_ports(authority, ports);
    kept.extend(left.map(|ports| format!("port={ports}")));
    split.rest = format!("{before}{authority}{path}");
    // An empty query is as it was given.
    if !kept.is_empty() || query == Some("") {
        split.rest.push('?');
        split.rest.push_str(&kept.join("&"));
    }
    Ok(())
}

/// Hosts with a port each: their own, or the one of the parameter `port`, or a
/// Materialize's. Also what of that parameter has no host to go with.
fn with_ports(authority: &str, ports: Option<String>) -> (String, Option<String>) {
    let ports = ports.map(|ports| filled(&ports));
    if authority.is_empty() {
        return (String::new(), ports);
    }
    let hosts: Vec<(&str, &str)> = authority.split(',').map(host_and_port).collect();
    let common: Vec<&str> = ports.iter().flat_map(|ports| ports.split(',')).collect();
    let has_its_own = hosts.iter().any(|(_, port)| !port.is_empty());
    let fits = common.len() <= 1 || common.len() == hosts.len();
    if !common.is_empty() && (has_its_own || !fits) {
        // The crate finds more ports than hosts.
        return (authority.to_owned(), ports);
    }
    let default = UPSTREAM_PORT_DEFAULT.to_string();
    let hosts = hosts.iter().enumerate().map(|(at, (host, port))| {
        let common = common.get(at).or(common.first()).copied();
        let port = match *port {
            "" => common.unwrap_or(&default),
            port => port,
        };
        format!("{host}:{port}")
    });
    (hosts.collect::<Vec<_>>().join(","), None)
}

/// A host as it stands in a URL, and its port or nothing.
fn host_and_port(text: &str) -> (&str, &str) {
    let end = text.find(']').filter(|_| text.starts_with('['));
    let (address, rest) = text.split_at(end.map_or(0, |at| at.saturating_add(1)));
    match rest.split_once(':') {
        Some((host, port)) => {
            let length = address.len().saturating_add(host.len());
            (text.get(..length).unwrap_or_default(), port)
        }
        None => (text, ""),
    }
}

/// A list of ports, with a Materialize's where one is left out.
fn filled(ports: &str) -> String {
    let default = UPSTREAM_PORT_DEFAULT.to_string();
    let ports = ports.split(',').map(|port| match port.trim() {
        "" => default.as_str(),
        port => port,
    });
    ports.collect::<Vec<_>>().join(",")
}

fn of_pairs(text: &str, split: &mut Split) -> Result<(), &'static str> {
    let mut rest = text.trim_start();
    let mut ports = None;
    while let Some((key, value, after)) = pair(rest) {
        let key = key.trim_end();
        if key == "port" {
            ports = Some(filled(&value));
        } else if !take(key, &value, split)? {
            let spelt = in_its_spelling(key);
            split.given.push(spelt.to_owned());
            let length = rest.len().saturating_sub(after.len());
            let whole = rest.get(..length).unwrap_or_default();
            split.rest.push_str(&whole.replacen(key, spelt, 1));
            split.rest.push(' ');
        }
        rest = after.trim_start();
    }
    if let Some(ports) = ports {
        let quoted = ports.replace('\\', "\\\\").replace('\'', "\\'");
        split.rest.push_str(&format!("port='{quoted}' "));
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

/// The value of a parameter among those that are in force.
pub fn value_of<'o>(ours: &'o [(&'static str, String)], key: &str) -> Option<&'o str> {
    let mut ours = ours.iter();
    ours.find(|(other, _)| *other == key)
        .map(|(_, value)| value.as_str())
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
        check("postgres://h", "postgres://h:6875", &[]);
        check("postgres://h/d?", "postgres://h:6875/d?", &[]);
        check(
            "postgres://u:p@h:1/d?sslmode=require",
            "postgres://u:p@h:1/d",
            &[("sslmode", "require")],
        );
        check(
            "postgresql://h/d?options=-c%20a%3Db&ssl%6Dode=verify-ca&application_name=x&sslrootcert=%2Fa%20b",
            "postgresql://h:6875/d?options=-c%20a%3Db&application_name=x",
            &[("sslmode", "verify-ca"), ("sslrootcert", "/a b")],
        );
        // In a password, a question mark begins nothing.
        check(
            "postgres://u:p?sslmode=x@h/d?passfile=y",
            "postgres://u:p?sslmode=x@h:6875/d",
            &[("passfile", "y")],
        );
    }

    #[test]
    fn parameters_of_pairs_are_taken_with_their_quotes() {
        check("host=h port=1", "host=h port='1'", &[]);
        check(
            "host=h  sslmode = 'verify-full' port=1 sslkey=/a\\ b",
            "host=h port='1'",
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
    fn port_that_is_left_out_is_a_materializes() {
        for (text, rest) in [
            ("postgres://h1,h2:1/d", "postgres://h1:6875,h2:1/d"),
            ("postgres://h:/d", "postgres://h:6875/d"),
            ("postgres://u:p@[::1]/d", "postgres://u:p@[::1]:6875/d"),
            ("postgres://[::1]:7", "postgres://[::1]:7"),
            ("postgres://%2Ftmp/d", "postgres://%2Ftmp:6875/d"),
            ("postgres://h/d?port=7", "postgres://h:7/d"),
            ("postgres://a,b/d?port=7", "postgres://a:7,b:7/d"),
            ("postgres://a,b/d?port=7,", "postgres://a:7,b:6875/d"),
            ("postgres:///d?host=h", "postgres:///d?host=h"),
            (
                "postgres:///d?host=h&port=",
                "postgres:///d?host=h&port=6875",
            ),
            // More ports than hosts: left for the crate to refuse.
            ("postgres://h:1/d?port=7", "postgres://h:1/d?port=7"),
            ("postgres://h/d?port=7,8", "postgres://h/d?port=7,8"),
            ("host=a,b port=1,", "host=a,b port='1,6875'"),
            ("port='' host=a", "host=a port='6875'"),
        ] {
            check(text, rest, &[]);
        }
    }

    #[test]
    fn parameter_in_libpqs_spelling_is_the_crates() {
        check(
            "postgres://h:1/d?keepalives_count=3",
            "postgres://h:1/d?keepalives_retries=3",
            &[],
        );
        check(
            "host=h keepalives_count = 3",
            "host=h keepalives_retries = 3",
            &[],
        );
    }

    #[test]
    fn parameters_that_would_be_ignored_are_refused() {
        assert_eq!(split("postgres://h/d?sslcrl=x"), Err("sslcrl"));
        assert_eq!(split("host=h sslpassword=x"), Err("sslpassword"));
    }
}
