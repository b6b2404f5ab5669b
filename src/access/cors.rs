//! Which pages of other origins may read what we say (CORS).

/// An origin that may read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedOrigin {
    /// Every origin, but without credentials.
    Any,
    /// This origin, as browsers write it, with credentials.
    Exact(String),
}

impl AllowedOrigin {
    /// Reads `*` or `scheme://host[:port]`. `null`, which every sandboxed page
    /// calls itself, is no origin to trust.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text == "*" {
            return Some(AllowedOrigin::Any);
        }
        let (scheme, authority) = text.split_once("://")?;
        let scheme = scheme.to_ascii_lowercase();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        let (name, port) = super::host::split(authority)?;
        if !scheme.starts_with(|c: char| c.is_ascii_alphabetic()) || !scheme.bytes().all(plain) {
            return None;
        }
        // Browsers leave the scheme's own port out.
        let own = matches!(
            (scheme.as_str(), port),
            ("http", Some(80)) | ("https", Some(443))
        );
        let port = port.filter(|_| !own);
        let port = port.map_or_else(String::new, |port| format!(":{port}"));
        Some(AllowedOrigin::Exact(format!("{scheme}://{name}{port}")))
    }

    /// The text that reads back as this origin.
    pub fn text(&self) -> &str {
        match self {
            AllowedOrigin::Any => "*",
            AllowedOrigin::Exact(origin) => origin,
        }
    }
}

/// The origins of one gateway.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    any: bool,
    exact: Vec<String>,
}

/// What a response to some origin says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Nothing: the page may not read it, or is of our own origin.
    No,
    /// Every page may read it, without credentials.
    WithAll,
    /// Pages of this origin may, with credentials.
    With(String),
}

impl Origins {
    /// The rule that these origins make.
    pub fn new(given: &[AllowedOrigin]) -> Self {
        let exact = given.iter().filter_map(|origin| match origin {
            AllowedOrigin::Any => None,
            AllowedOrigin::Exact(origin) => Some(origin.clone()),
        });
        Origins {
            any: given.contains(&AllowedOrigin::Any),
            exact: exact.collect(),
        }
    }

    /// Whether any other origin may read: without, nothing is said at all.
    pub fn is_empty(&self) -> bool {
        !self.any && self.exact.is_empty()
    }

    /// Whether what is said depends on who asks, which caches have to know.
    pub fn varies(&self) -> bool {
        !self.exact.is_empty()
    }

    /// What to say to the origins that a request names: one, or none.
    pub fn share<'o>(&self, named: impl IntoIterator<Item = &'o [u8]>) -> Sharing {
        let mut named = named.into_iter();
        let (Some(origin), None) = (named.next(), named.next()) else {
            return Sharing::No;
        };
        match self.exact.iter().find(|exact| exact.as_bytes() == origin) {
            Some(exact) => Sharing::With(exact.clone()),
            None if self.any => Sharing::WithAll,
            None => Sharing::No,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins(given: &[&str]) -> Origins {
        let given: Vec<_> = given
            .iter()
            .map(|text| AllowedOrigin::parse(text).expect(text))
            .collect();
        Origins::new(&given)
    }

    fn share(origins: &Origins, named: &[&str]) -> Sharing {
        origins.share(named.iter().map(|name| name.as_bytes()))
    }

    #[test]
    fn origin_is_taken_only_exactly() {
        let origins = origins(&["https://a.example", "http://localhost:3000"]);
        let with = |origin: &str| Sharing::With(origin.to_owned());
        assert_eq!(
            share(&origins, &["https://a.example"]),
            with("https://a.example")
        );
        assert_eq!(
            share(&origins, &["http://localhost:3000"]),
            with("http://localhost:3000")
        );
        for bad in [
            "http://a.example",
            "https://a.example:444",
            "https://a.example.evil.example",
            "https://evil.example",
            "https://sub.a.example",
            "https://a.example/",
            "HTTPS://A.EXAMPLE",
            "null",
            "",
            "*",
        ] {
            assert_eq!(share(&origins, &[bad]), Sharing::No, "{bad}");
        }
        assert_eq!(share(&origins, &[]), Sharing::No);
        let twice = ["https://a.example", "https://a.example"];
        assert_eq!(share(&origins, &twice), Sharing::No);
    }

    #[test]
    fn origin_of_a_star_is_without_credentials() {
        let both = origins(&["*", "https://a.example"]);
        assert_eq!(share(&both, &["https://b.example"]), Sharing::WithAll);
        assert_eq!(
            share(&both, &["https://a.example"]),
            Sharing::With("https://a.example".to_owned())
        );
        assert!(both.varies() && !origins(&["*"]).varies());
        assert!(origins(&[]).is_empty() && !origins(&["*"]).is_empty());
        assert_eq!(share(&origins(&[]), &["https://a.example"]), Sharing::No);
    }

    #[test]
    fn origin_is_written_as_browsers_write_it() {
        for (given, text) in [
            ("HTTPS://A.example:443", "https://a.example"),
            ("http://a.example:80", "http://a.example"),
            ("http://a.example:443", "http://a.example:443"),
            ("http://[::1]:3000", "http://[::1]:3000"),
            ("capacitor://localhost", "capacitor://localhost"),
        ] {
            assert_eq!(AllowedOrigin::parse(given).expect(given).text(), text);
        }
        for bad in [
            "null",
            "a.example",
            "https://",
            "https://a/b",
            "https://*",
            "https://a b",
        ] {
            assert_eq!(AllowedOrigin::parse(bad), None, "{bad}");
        }
    }
}
