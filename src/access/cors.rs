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

/// Headers that pages of allowed origins may send, beside those that need no
/// leave: our own, and those that libraries for tracing add to every request,
/// which without leave they would break.
const HEADERS: [&str; 21] = [
    "Accept",
    "Authorization",
    "Cache-Control",
    "If-None-Match",
    "Last-Event-ID",
    "Viewcast-Stream",
    "baggage",
    "b3",
    "elastic-apm-traceparent",
    "newrelic",
    "pragma",
    "request-id",
    "sentry-trace",
    "traceparent",
    "tracestate",
    "uber-trace-id",
    "x-amzn-trace-id",
    "x-cloud-trace-context",
    "x-correlation-id",
    "x-request-id",
    "x-requested-with",
];

/// Beginnings of such names: one library sends several.
const HEADER_PREFIXES: [&str; 2] = ["x-b3-", "x-datadog-"];

/// A header that pages of other origins may send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedHeader {
    /// Any of them.
    Any,
    /// The one of this name, in lower case.
    Named(String),
    /// All whose names begin so, in lower case.
    Prefixed(String),
}

impl AllowedHeader {
    /// Reads `*`, a name, or the beginning of names with a `*` behind it.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        if text == "*" {
            return Some(AllowedHeader::Any);
        }
        let prefix = text.strip_suffix('*');
        let name = prefix.unwrap_or(&text);
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(plain) {
            return None;
        }
        let name = name.to_owned();
        Some(match prefix {
            Some(_) => AllowedHeader::Prefixed(name),
            None => AllowedHeader::Named(name),
        })
    }

    /// The text that reads back as this header.
    pub fn text(&self) -> String {
        match self {
            AllowedHeader::Any => "*".to_owned(),
            AllowedHeader::Named(name) => name.clone(),
            AllowedHeader::Prefixed(prefix) => format!("{prefix}*"),
        }
    }

    fn takes(&self, name: &str) -> bool {
        match self {
            AllowedHeader::Any => true,
            AllowedHeader::Named(own) => own == name,
            AllowedHeader::Prefixed(prefix) => name.starts_with(prefix),
        }
    }
}

/// What a preflight is told of the headers it asks for. `*` would mean none to
/// a request with credentials, so they are told by their names.
pub fn headers<'a>(given: &[AllowedHeader], asked: impl IntoIterator<Item = &'a str>) -> String {
    let given_names = given.iter().filter_map(|header| match header {
        AllowedHeader::Named(name) => Some(name.as_str()),
        AllowedHeader::Any | AllowedHeader::Prefixed(_) => None,
    });
    let mut names: Vec<String> = Vec::new();
    let mut add = |name: &str| {
        if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            names.push(name.to_owned());
        }
    };
    HEADERS.into_iter().chain(given_names).for_each(&mut add);
    for name in asked.into_iter().flat_map(|line| line.split(',')) {
        // What is no name is nobody's header.
        let Some(AllowedHeader::Named(name)) = AllowedHeader::parse(name) else {
            continue;
        };
        let is_known = HEADER_PREFIXES
            .iter()
            .any(|prefix| name.starts_with(prefix));
        if is_known || given.iter().any(|header| header.takes(&name)) {
            add(&name);
        }
    }
    names.join(", ")
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

    #[test]
    fn header_of_tracing_may_be_sent_and_others_when_allowed() {
        let given = |texts: &[&str]| -> Vec<AllowedHeader> {
            let parse = |text: &&str| AllowedHeader::parse(text).expect("a header");
            texts.iter().map(parse).collect()
        };
        let has = |given: &[AllowedHeader], asked: &str, name: &str| {
            let told = headers(given, [asked]);
            let found = told
                .split(", ")
                .filter(|told| told.eq_ignore_ascii_case(name))
                .count();
            assert!(found <= 1, "{told}");
            found == 1
        };
        for name in [
            "traceparent",
            "Last-Event-ID",
            "x-b3-traceid",
            "x-datadog-trace-id",
        ] {
            assert!(
                has(&[], "TraceParent,X-B3-TraceId, x-datadog-trace-id", name),
                "{name}"
            );
        }
        assert!(!has(&[], "x-mine", "x-mine") && !has(&[], "a b\r\n, *", "*"));
        assert!(has(&given(&["X-Mine"]), "", "x-mine"));
        assert!(has(&given(&["x-m*"]), "X-Mine", "x-mine"));
        assert!(!has(&given(&["x-m*"]), "X-Other", "x-other"));
        assert!(has(&given(&["*"]), "X-Mine", "x-mine"));
        for bad in ["", "a b", "a:b", "*-a", "a**", "\u{fc}"] {
            assert_eq!(AllowedHeader::parse(bad), None, "{bad}");
        }
        for text in ["*", "x-a", "x-a-*"] {
            assert_eq!(
                AllowedHeader::parse(text).map(|it| it.text()),
                Some(text.to_owned())
            );
        }
    }
}
