//! Where a request carries its token.
//!
//! What is explicit goes before what comes along by itself: the header, then
//! the query parameter where that is allowed, then the cookie. The first that
//! is there counts, good or not: a bad token in the header is never made good
//! by a cookie. Two in one place are ambiguous, and refused.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// The query parameter, as RFC 6750 calls it.
pub const PARAMETER: &str = "access_token";

/// One place holds more than one token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ambiguous;

/// Where tokens may be.
#[derive(Clone, Debug)]
pub struct Places {
    /// The cookie's name.
    pub cookie: String,
    /// Whether the query parameter counts.
    pub url: bool,
}

impl Places {
    /// The token of a request, if it carries one.
    pub fn find<'r>(
        &self,
        authorization: impl IntoIterator<Item = &'r [u8]>,
        query: &'r str,
        cookies: impl IntoIterator<Item = &'r [u8]>,
    ) -> Result<Option<Cow<'r, str>>, Ambiguous> {
        if let Some(token) = bearer(authorization)? {
            return Ok(Some(token));
        }
        if self.url
            && let Some(token) = only(parameters(query))?
        {
            return Ok(Some(token));
        }
        // Other cookies are somebody else's, whatever bytes they are of.
        let pairs = cookies
            .into_iter()
            .flat_map(|line| line.split(|byte| *byte == b';'));
        only(pairs.filter_map(|pair| self.cookie_value(pair)))
    }

    fn cookie_value<'r>(&self, pair: &'r [u8]) -> Option<Cow<'r, str>> {
        let at = memchr::memchr(b'=', pair)?;
        let (name, value) = pair.split_at(at);
        let value = value.strip_prefix(b"=").unwrap_or(value).trim_ascii();
        let bare = value
            .strip_prefix(b"\"")
            .and_then(|value| value.strip_suffix(b"\""));
        let value = bare.unwrap_or(value);
        (name.trim_ascii() == self.cookie.as_bytes()).then(|| String::from_utf8_lossy(value))
    }
}

/// The token of the one `Authorization` header, if its scheme is ours. Another
/// scheme is for somebody else, such as the proxy in front. What is no text is
/// no good token either, and is left for who judges it.
fn bearer<'r>(
    headers: impl IntoIterator<Item = &'r [u8]>,
) -> Result<Option<Cow<'r, str>>, Ambiguous> {
    let Some(header) = only(headers)? else {
        return Ok(None);
    };
    let header = header.trim_ascii();
    let end = memchr::memchr(b' ', header).unwrap_or(header.len());
    let (scheme, token) = header.split_at(end);
    let is_ours = scheme.eq_ignore_ascii_case(b"bearer");
    Ok(is_ours.then(|| String::from_utf8_lossy(token.trim_ascii())))
}

fn parameters(query: &str) -> impl Iterator<Item = Cow<'_, str>> {
    query.split('&').filter_map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = percent_decode_str(name).decode_utf8_lossy();
        (name == PARAMETER).then(|| percent_decode_str(value).decode_utf8_lossy())
    })
}

fn only<T>(items: impl IntoIterator<Item = T>) -> Result<Option<T>, Ambiguous> {
    let mut items = items.into_iter();
    match (items.next(), items.next()) {
        (first, None) => Ok(first),
        (_, Some(_)) => Err(Ambiguous),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(
        url: bool,
        headers: &[&str],
        query: &str,
        cookies: &[&str],
    ) -> Result<Option<String>, Ambiguous> {
        let places = Places {
            cookie: "viewcast_token".to_owned(),
            url,
        };
        let headers = headers.iter().map(|text| text.as_bytes());
        let cookies = cookies.iter().map(|text| text.as_bytes());
        places
            .find(headers, query, cookies)
            .map(|found| found.map(Cow::into_owned))
    }

    #[test]
    fn token_is_found_where_it_may_be() {
        let some = |text: &str| Ok(Some(text.to_owned()));
        for header in [
            "Bearer a.b.c",
            "bearer a.b.c",
            "BEARER   a.b.c ",
            " Bearer a.b.c",
        ] {
            assert_eq!(find(false, &[header], "", &[]), some("a.b.c"), "{header}");
        }
        assert_eq!(find(false, &["Bearer"], "", &[]), some(""));
        assert_eq!(find(true, &[], "x=1&access_token=a.b", &[]), some("a.b"));
        assert_eq!(find(true, &[], "access%5Ftoken=a%2Eb", &[]), some("a.b"));
        assert_eq!(find(false, &[], "access_token=a.b", &[]), Ok(None));
        for cookie in [
            "viewcast_token=t",
            "a=b; viewcast_token=t; c",
            "x=1;viewcast_token=\"t\"",
        ] {
            assert_eq!(find(false, &[], "", &[cookie]), some("t"), "{cookie}");
        }
        for other in [
            "viewcast_tokens=t",
            "Viewcast_Token=t",
            "viewcast_token",
            "xviewcast_token=t",
        ] {
            assert_eq!(find(false, &[], "", &[other]), Ok(None), "{other}");
        }
    }

    #[test]
    fn token_that_is_explicit_goes_first_good_or_not() {
        let all = |headers: &[&str]| find(true, headers, "access_token=q", &["viewcast_token=c"]);
        assert_eq!(all(&["Bearer h"]), Ok(Some("h".to_owned())));
        assert_eq!(all(&["Bearer "]), Ok(Some(String::new())));
        assert_eq!(all(&[]), Ok(Some("q".to_owned())));
        assert_eq!(all(&["Basic YTpi"]), Ok(Some("q".to_owned())));
        let cookie = find(
            false,
            &["Basic YTpi"],
            "access_token=q",
            &["viewcast_token=c"],
        );
        assert_eq!(cookie, Ok(Some("c".to_owned())));
    }

    #[test]
    fn token_is_found_beside_bytes_that_are_no_text() {
        let places = Places {
            cookie: "viewcast_token".to_owned(),
            url: false,
        };
        let find = |header: Option<&'static [u8]>, cookie: &'static [u8]| {
            let found = places.find(header, "", [cookie]);
            found.map(|found| found.map(Cow::into_owned))
        };
        let some = |text: &str| Ok(Some(text.to_owned()));
        let cookie = b"a=\xff\xfe; viewcast_token=t; \x01=\x80";
        assert_eq!(find(None, cookie), some("t"));
        assert_eq!(find(Some(b"Basic \xff"), cookie), some("t"));
        // One's own is taken for a bad one.
        assert_eq!(find(Some(b"Bearer \xff"), cookie), some("\u{fffd}"));
        assert_eq!(find(None, b"viewcast_token=\xff"), some("\u{fffd}"));
    }

    #[test]
    fn token_twice_in_one_place_is_ambiguous() {
        for headers in [
            ["Bearer a", "Bearer a"],
            ["Basic x", "Bearer a"],
            ["Bearer a", ""],
        ] {
            assert_eq!(find(false, &headers, "", &[]), Err(Ambiguous));
        }
        let twice = "access_token=a&access_token=a";
        assert_eq!(find(true, &[], twice, &[]), Err(Ambiguous));
        for cookies in [
            &["viewcast_token=a; viewcast_token=b"][..],
            &["viewcast_token=a", "viewcast_token=a"],
        ] {
            assert_eq!(find(false, &[], "", cookies), Err(Ambiguous));
        }
    }
}
