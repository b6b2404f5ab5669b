//! Whose request it is: the address of the connection, or what a trusted proxy
//! says in its place.
//!
//! A proxy appends the address it was asked from, and passes on what its client
//! wrote before. So only the right end of a list is to be believed, up to and
//! including the first address that is no trusted proxy's.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use actix_web::HttpRequest;
use actix_web::http::header::{FORWARDED, HeaderMap, HeaderName, X_FORWARDED_FOR};
use ipnet::IpNet;

/// The proxies that are believed; none unless the operator names some.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// These networks.
    pub fn new(networks: Vec<IpNet>) -> Self {
        TrustedProxies(networks)
    }

    /// Who asks. A connection without an address, which TCP does not know,
    /// counts as one unspecified client.
    pub fn client_address(&self, request: &HttpRequest) -> IpAddr {
        let peer = request.peer_addr().map(|address| address.ip());
        self.resolve(
            peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            request.headers(),
        )
    }

    fn resolve(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        if !self.trusts(peer) {
            return peer;
        }
        let named = |name: HeaderName, parse: fn(&str) -> Option<IpAddr>| {
            headers
                .contains_key(&name)
                .then(|| self.walk(peer, &elements(headers, &name), parse))
        };
        let standard = named(FORWARDED, forwarded_for);
        let common = named(X_FORWARDED_FOR, address);
        match (standard, common) {
            (Some(one), Some(other)) if one == other => one,
            // A proxy writes one of the two and passes the other on as the
            // client made it up: where they differ, neither is believed.
            (Some(_), Some(_)) | (None, None) => peer,
            (Some(one), None) | (None, Some(one)) => one,
        }
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// From the right: the first address that is no trusted proxy's, or the
    /// last one that could be read.
    fn walk(&self, peer: IpAddr, list: &[String], parse: fn(&str) -> Option<IpAddr>) -> IpAddr {
        let mut client = peer;
        for element in list.iter().rev() {
            match parse(element) {
                Some(address) => client = address.to_canonical(),
                None => break,
            }
            if !self.trusts(client) {
                break;
            }
        }
        client
    }
}

/// The elements of a header, of all its lines in order.
fn elements(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    let lines = headers.get_all(name);
    lines
        // What is no text is an element that cannot be read.
        .flat_map(|line| split_outside_quotes(line.to_str().unwrap_or("?"), ','))
        .collect()
}

fn split_outside_quotes(text: &str, separator: char) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    for c in text.chars() {
        quoted ^= c == '"';
        match parts.last_mut() {
            Some(part) if quoted || c != separator => part.push(c),
            _ => parts.push(String::new()),
        }
    }
    parts
}

/// The address of an element of `Forwarded` (RFC 7239), e.g.
/// `for="[2001:db8::1]:4711";proto=https`.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let parameters = split_outside_quotes(element, ';');
    let mut values = parameters.iter().filter_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then_some(value)
    });
    let value = values.next()?.trim();
    // Named twice, it is anybody's guess.
    values.next().is_none().then_some(())?;
    let unquoted = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
    address(unquoted.unwrap_or(value))
}

/// An address with or without a port, as proxies write it.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|v| v.strip_suffix(']'));
    bare.unwrap_or(text)
        .parse::<IpAddr>()
        .ok()
        .or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in lines {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            map.append(name, HeaderValue::from_str(value).unwrap());
        }
        map
    }

    #[test]
    fn client_address_is_the_right_most_untrusted_one() {
        let trusted = ["10.0.0.0/8", "fd00::/8", "192.0.2.1/32"];
        let trusted = TrustedProxies::new(trusted.map(|net| net.parse().unwrap()).to_vec());
        const X: &str = "X-Forwarded-For";
        const F: &str = "Forwarded";
        type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);
        #[rustfmt::skip]
        let table: &[Case] = &[
            ("203.0.113.9", &[(X, "198.51.100.1")], "203.0.113.9"), // not a proxy of ours
            ("10.1.1.1", &[], "10.1.1.1"),
            ("10.1.1.1", &[(X, "198.51.100.1")], "198.51.100.1"),
            ("::ffff:10.1.1.1", &[(X, "::ffff:198.51.100.1")], "198.51.100.1"),
            ("10.1.1.1", &[(X, "1.2.3.4, 198.51.100.1, 192.0.2.1")], "198.51.100.1"),
            ("10.1.1.1", &[(X, "1.2.3.4"), (X, "198.51.100.1")], "198.51.100.1"),
            ("10.1.1.1", &[(X, "10.9.9.9, 10.8.8.8")], "10.9.9.9"),
            ("10.1.1.1", &[(X, "198.51.100.1, unknown")], "10.1.1.1"),
            ("10.1.1.1", &[(X, "198.51.100.1, unknown, 192.0.2.1")], "192.0.2.1"),
            ("10.1.1.1", &[(X, "198.51.100.1:4711")], "198.51.100.1"),
            ("10.1.1.1", &[(X, "[2001:db8::1]:4711")], "2001:db8::1"),
            ("10.1.1.1", &[(X, "")], "10.1.1.1"),
            ("10.1.1.1", &[(F, "for=198.51.100.1;proto=https")], "198.51.100.1"),
            ("10.1.1.1", &[(F, "for=1.2.3.4, proto=http;For=\"[2001:db8::1]:4711\"")], "2001:db8::1"),
            ("fd00::1", &[(F, "for=\"_hidden\"")], "fd00::1"),
            ("fd00::1", &[(F, "for=1.2.3.4;for=5.6.7.8")], "fd00::1"),
            ("fd00::1", &[(F, "by=\"a,b\";for=1.2.3.4")], "1.2.3.4"),
            ("10.1.1.1", &[(F, "for=1.2.3.4"), (X, "1.2.3.4")], "1.2.3.4"),
            ("10.1.1.1", &[(F, "for=1.2.3.4"), (X, "198.51.100.1")], "10.1.1.1"),
        ];
        for (peer, lines, expected) in table {
            let found = trusted.resolve(peer.parse().unwrap(), &headers(lines));
            assert_eq!(found.to_string(), *expected, "{peer} {lines:?}");
        }
        let nobody = TrustedProxies::default();
        let peer = "10.1.1.1".parse().unwrap();
        assert_eq!(nobody.resolve(peer, &headers(&[(X, "1.2.3.4")])), peer);
    }
}
