//! Which `Host` a request may name.
//!
//! A page of somebody else's can make its own name resolve to 127.0.0.1 and
//! then reads, as its own origin, what listens there (DNS rebinding). Its
//! requests carry its name in `Host`, which is how they are told apart.

use std::net::{IpAddr, Ipv4Addr};

/// A host that requests may name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedHost {
    /// Every host.
    Any,
    /// This host, at any port or at this one.
    Named {
        /// In lower case; an IPv6 address in brackets.
        name: String,
        /// The port, if only one will do.
        port: Option<u16>,
    },
}

impl AllowedHost {
    /// Reads `*`, a name or an address, the last two with or without a port.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text == "*" {
            return Some(AllowedHost::Any);
        }
        let (name, port) = split(text)?;
        Some(AllowedHost::Named { name, port })
    }

    /// The text that reads back as this host.
    pub fn text(&self) -> String {
        match self {
            AllowedHost::Any => "*".to_owned(),
            AllowedHost::Named { name, port: None } => name.clone(),
            AllowedHost::Named {
                name,
                port: Some(port),
            } => format!("{name}:{port}"),
        }
    }

    fn takes(&self, name: &str, port: Option<u16>) -> bool {
        match self {
            AllowedHost::Any => true,
            AllowedHost::Named {
                name: own,
                port: wanted,
            } => own == name && (wanted.is_none() || *wanted == port),
        }
    }
}

/// The hosts of one gateway.
#[derive(Clone, Debug)]
pub struct Hosts {
    /// `None` takes every host.
    allowed: Option<Vec<AllowedHost>>,
}

impl Hosts {
    /// The rule for a gateway that listens on `address`.
    ///
    /// With no host given, it checks only where rebinding would gain anything:
    /// on loopback without tokens. Elsewhere the names are the operator's
    /// affair, and a token is not sent to somebody else's page.
    pub fn new(given: &[AllowedHost], address: IpAddr, tokens: bool) -> Self {
        if given.is_empty() && (tokens || !address.is_loopback()) {
            return Hosts { allowed: None };
        }
        let own = match address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        };
        let always = ["localhost", "127.0.0.1", "[::1]", &own];
        let always = always.iter().map(|name| AllowedHost::Named {
            name: (*name).to_owned(),
            port: None,
        });
        Hosts {
            allowed: Some(always.chain(given.iter().cloned()).collect()),
        }
    }

    /// Whether a request may name this host. One that names none comes from no
    /// browser, and is fine.
    pub fn admit(&self, named: Option<&[u8]>) -> bool {
        let (Some(allowed), Some(text)) = (&self.allowed, named) else {
            return true;
        };
        let Some((name, port)) = std::str::from_utf8(text).ok().and_then(split) else {
            return false;
        };
        allowed.iter().any(|host| host.takes(&name, port))
    }
}

/// Whether a host is an address. Of such a page nobody can have the name lead
/// elsewhere: it came from there.
pub fn is_address(host: &[u8]) -> bool {
    let name = std::str::from_utf8(host).ok().and_then(split);
    name.is_some_and(|(name, _)| name.starts_with('[') || name.parse::<Ipv4Addr>().is_ok())
}

/// Whether this may be a host at all (RFC 3986, 3.2.2): of a name, an address
/// or nothing, and perhaps a port. Who it is, is another question.
pub fn is_well_formed(text: &[u8]) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+;=:[]".contains(byte);
    text.iter().all(is_plain)
}

/// The name in lower case without a dot at its end, and the port.
pub(super) fn split(text: &str) -> Option<(String, Option<u16>)> {
    let (name, port) = match text.rsplit_once(':') {
        // The colon of a bare IPv6 address is none of a port's.
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (text, None),
    };
    let port = match port {
        // RFC 3986, 3.2.3: an empty port is the usual one.
        None | Some("") => None,
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(digits.parse().ok()?)
        }
        Some(_) => return None,
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    let good = match name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'))
    {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !name.is_empty() && name.bytes().all(plain),
    };
    good.then(|| (name.to_ascii_lowercase(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(given: &[&str], address: &str, tokens: bool) -> Hosts {
        let given: Vec<_> = given
            .iter()
            .map(|text| AllowedHost::parse(text).expect(text))
            .collect();
        Hosts::new(&given, address.parse().expect("address"), tokens)
    }

    fn admits(hosts: &Hosts, named: &str) -> bool {
        hosts.admit(Some(named.as_bytes()))
    }

    #[test]
    fn host_that_is_none_is_told_from_one_that_is_not_ours() {
        for good in ["", "a", "A.example:80", "[::1]:80", "10.0.0.1", "a_b~c%20d"] {
            assert!(is_well_formed(good.as_bytes()), "{good}");
        }
        for bad in ["a b", "me@a", "a,b", "http://a", "a/b", "a\\b", "\u{fc}"] {
            assert!(!is_well_formed(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn host_on_loopback_is_one_of_our_own() {
        for address in ["127.0.0.1", "::1", "127.0.0.2"] {
            let hosts = hosts(&[], address, false);
            for good in [
                "localhost:",
                "[::1]:",
                "localhost",
                "LOCALHOST:8080",
                "127.0.0.1:1",
                "[::1]:8080",
                "localhost.",
            ] {
                assert!(admits(&hosts, good), "{address} {good}");
            }
            for bad in [
                "evil.example",
                "localhost.evil.example",
                "127.0.0.1.evil.example",
                "evil.example:8080",
                "localhost:x",
                "localhost:99999999",
                "me@localhost",
                "[::2]",
                "::1:8080:1",
                "",
                " localhost",
            ] {
                assert!(!admits(&hosts, bad), "{address} {bad}");
            }
            assert!(hosts.admit(None), "no browser leaves it out");
        }
        assert!(admits(&hosts(&[], "127.0.0.2", false), "127.0.0.2"));
    }

    #[test]
    fn host_elsewhere_or_with_tokens_is_checked_when_asked_to() {
        for open in [hosts(&[], "0.0.0.0", false), hosts(&[], "127.0.0.1", true)] {
            assert!(admits(&open, "anything.example"));
        }
        let named = hosts(&["a.example", "B.example:8443"], "0.0.0.0", true);
        for good in ["a.example", "A.example:1", "b.example:8443", "localhost"] {
            assert!(admits(&named, good), "{good}");
        }
        for bad in ["b.example", "b.example:1", "c.example", "x.a.example"] {
            assert!(!admits(&named, bad), "{bad}");
        }
        assert!(admits(&hosts(&["*"], "127.0.0.1", false), "x.example"));
    }

    #[test]
    fn host_that_is_an_address_is_nobodys_name() {
        let is_address = |name: &str| is_address(name.as_bytes());
        for address in ["10.1.2.3:8080", "10.1.2.3", "[fd00::1]:80", "[::1]"] {
            assert!(is_address(address), "{address}");
        }
        for name in [
            "rebound.example",
            "10.1.2.3.rebound.example",
            "0x7f.1",
            "",
            "[::2",
            "a b",
        ] {
            assert!(!is_address(name), "{name}");
        }
    }

    #[test]
    fn host_reads_back_from_its_text() {
        for text in ["*", "a.example", "a.example:80", "[::1]:80", "10.0.0.1"] {
            let host = AllowedHost::parse(text).expect(text);
            assert_eq!(host.text(), text);
        }
        for bad in ["", "http://a", "a/b", "a b", "a:b", "*.a"] {
            assert_eq!(AllowedHost::parse(bad), None, "{bad}");
        }
    }
}
