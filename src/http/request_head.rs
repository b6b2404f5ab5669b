//! The head of an HTTP/1.1 request, read the same way wherever it came in.
//!
//! What is wrong with a head is told in words like every other refusal, so a
//! head that cannot be read still becomes a request, with the [`Verdict`] on
//! it, which the application answers. What somebody else put into a header or
//! into the query, proxies and tracing above all, never makes a request bad
//! that is good without it: a header's value and the query may hold any bytes.

use actix_http::Request;
use actix_web::HttpMessage as _;
use actix_web::http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING,
};
use actix_web::http::{Method, Uri, Version};
use percent_encoding::{AsciiSet, CONTROLS, percent_encode};

use crate::limits::{REQUEST_HEAD_BUFFER_BYTES_MAX, REQUEST_HEAD_BYTES_MAX, REQUEST_HEADERS_MAX};

use super::error::HttpError;

/// What the bytes at the beginning of a request are.
pub enum Found {
    /// A whole head of so many bytes.
    Whole(Asked, usize),
    /// The beginning of one, perhaps.
    Part,
}

/// A request, good or not.
pub struct Asked {
    /// What the application is to answer.
    pub request: Request,
    /// Nothing behind it on the connection can be read as a request.
    pub is_last: bool,
}

/// What is wrong with a request that could not be read as one.
#[derive(Clone, Copy, Debug)]
pub struct Verdict(pub HttpError);

/// The characters of a query that the URI parser refuses; they are escaped.
const QUERY: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>');

impl Asked {
    /// A request that is refused for this; what was read of it tells how it is
    /// answered, and its headers who may read the answer.
    pub fn refused(error: HttpError, text: &[u8], headers: HeaderMap) -> Asked {
        let first = text.split(|byte| *byte == b'\n').next().map(line);
        let first = first.unwrap_or_default();
        let method = match first.starts_with(b"HEAD ") {
            true => Method::HEAD,
            false => Method::GET,
        };
        let version = match first.ends_with(b" HTTP/1.0") {
            true => Version::HTTP_10,
            false => Version::HTTP_11,
        };
        // Every field is set: actix reuses request objects, so a "new" one may
        // still have another client's address on it.
        let mut request = Request::new();
        let head = request.head_mut();
        (head.method, head.version, head.headers) = (method, version, headers);
        head.uri = Uri::from_static("/");
        request.extensions_mut().insert(Verdict(error));
        Asked {
            request,
            is_last: true,
        }
    }
}

/// Looks for a request at the beginning of these bytes.
pub fn find(bytes: &[u8]) -> Found {
    // RFC 9112, 2.2: an empty line before the request is passed over.
    let is_break = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let begin = bytes.iter().take_while(|byte| is_break(byte)).count();
    let text = bytes.get(begin..).unwrap_or_default();
    let refused = |error, headers| Found::Whole(Asked::refused(error, text, headers), bytes.len());
    if text.first().is_some_and(|byte| !is_token(&[*byte])) {
        // Not HTTP. It is refused at once: the peer may be waiting for an answer
        // before it sends more.
        return refused(HttpError::MalformedRequest, HeaderMap::new());
    }
    let Some(length) = head_length(text) else {
        if bytes.len() < REQUEST_HEAD_BUFFER_BYTES_MAX {
            return Found::Part;
        }
        let headers = match lines(text) {
            Ok(lines) => lines.headers,
            Err((_, headers)) => headers,
        };
        return refused(HttpError::HeadTooLarge, headers);
    };
    let head = text.get(..length).unwrap_or_default();
    match read(head) {
        Ok(asked) => Found::Whole(asked, begin.saturating_add(length)),
        Err((error, headers)) => refused(error, headers),
    }
}

/// Bytes up to and including the empty line.
fn head_length(text: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'\n', text).find_map(|at| match text.get(at + 1..)? {
        [b'\n', ..] => Some(at + 2),
        [b'\r', b'\n', ..] => Some(at + 3),
        _ => None,
    })
}

/// An error, and the headers that were read before it.
type Refused = (HttpError, HeaderMap);

fn read(head: &[u8]) -> Result<Asked, Refused> {
    let Lines {
        first,
        headers,
        bytes,
        count,
    } = lines(head)?;
    let bad = |error| move |headers| Err((error, headers));
    let mut words = first.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return bad(HttpError::MalformedRequest)(headers);
    };
    let version = match version {
        b"HTTP/1.0" => Version::HTTP_10,
        // A later minor version only adds to the first (RFC 9110, 2.5).
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'1'..=b'9'] => Version::HTTP_11,
        _ => return bad(HttpError::MalformedRequest)(headers),
    };
    let Ok(method) = Method::from_bytes(method) else {
        return bad(HttpError::MalformedRequest)(headers);
    };
    if bytes.saturating_add(target.len()) > REQUEST_HEAD_BYTES_MAX || count > REQUEST_HEADERS_MAX {
        return bad(HttpError::HeadTooLarge)(headers);
    }
    let uri = match uri(target, &method) {
        Ok(uri) => uri,
        Err(error) => return bad(error)(headers),
    };
    let Ok(has_body) = has_body(&headers) else {
        return bad(HttpError::MalformedRequest)(headers);
    };
    let is_last = version == Version::HTTP_10 || has_body || wants_close(&headers);
    let mut request = Request::new();
    let head = request.head_mut();
    (head.method, head.version, head.uri, head.headers) = (method, version, uri, headers);
    Ok(Asked { request, is_last })
}

/// The body's length cannot be told from the head.
struct Endless;

/// Whether anything but another request may follow. What it is, nobody here
/// asks: it is never read, so that nobody can hide a request in it. But where
/// it ends has to be said (RFC 9112, 6.3).
fn has_body(headers: &HeaderMap) -> Result<bool, Endless> {
    let parts = |name| {
        let values = headers.get_all(name).map(HeaderValue::as_bytes);
        values.flat_map(|value| value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii))
    };
    let mut lengths = parts(CONTENT_LENGTH);
    let first = lengths.next();
    let is_number = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    if first.is_some_and(|first| !is_number(first) || lengths.any(|other| other != first)) {
        return Err(Endless);
    }
    match parts(TRANSFER_ENCODING).last() {
        None => Ok(first.is_some_and(|length| length.iter().any(|digit| *digit != b'0'))),
        Some(last) if last.eq_ignore_ascii_case(b"chunked") => Ok(true),
        Some(_) => Err(Endless),
    }
}

fn wants_close(headers: &HeaderMap) -> bool {
    headers.get_all(CONNECTION).any(|value| {
        let mut words = value.as_bytes().split(|byte| *byte == b',');
        words.any(|word| word.trim_ascii().eq_ignore_ascii_case(b"close"))
    })
}

/// What is asked for.
fn uri(target: &[u8], method: &Method) -> Result<Uri, HttpError> {
    let target = target.split(|byte| *byte == b'#').next().unwrap_or(target);
    let (path, query) = match memchr::memchr(b'?', target) {
        Some(at) => (target.get(..at), target.get(at..)),
        None => (Some(target), None),
    };
    let path = path.unwrap_or_default();
    if !path.iter().all(u8::is_ascii_graphic) {
        return Err(HttpError::MalformedPath);
    }
    let mut text = String::from_utf8_lossy(path).into_owned();
    text.extend(percent_encode(query.unwrap_or_default(), QUERY));
    if text.len() > usize::from(u16::MAX) - 1 {
        return Err(HttpError::HeadTooLarge);
    }
    let uri: Uri = text.parse().map_err(|_| HttpError::MalformedPath)?;
    let is_origin = path.starts_with(b"/");
    // RFC 9112, 3.2: a path; or all of the address, as proxies are asked; or
    // what belongs to two methods that nobody answers here.
    let is_whole = uri.scheme().is_some() && uri.authority().is_some_and(|it| is_host(it.as_str()));
    let is_other = path == b"*" || *method == Method::CONNECT;
    match is_origin || is_whole || is_other {
        true => Ok(uri),
        false => Err(HttpError::MalformedPath),
    }
}

/// Whether an authority names a host, and no user (RFC 9110, 4.2.4).
fn is_host(authority: &str) -> bool {
    !authority.is_empty() && !authority.contains('@')
}

/// The lines of a head.
struct Lines<'h> {
    /// The first of them.
    first: &'h [u8],
    headers: HeaderMap,
    /// Bytes of names and values.
    bytes: usize,
    /// Headers, but for cookies, which HTTP/2 tells one by one.
    count: usize,
}

/// A line without its end.
fn line(text: &[u8]) -> &[u8] {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    text.strip_suffix(b"\r").unwrap_or(text)
}

/// Reads a head, or the beginning of one.
fn lines(head: &[u8]) -> Result<Lines<'_>, Refused> {
    let mut rest = head.split_inclusive(|byte| *byte == b'\n').map(line);
    let mut read = Lines {
        first: rest.next().unwrap_or_default(),
        headers: HeaderMap::new(),
        bytes: 0,
        count: 0,
    };
    let mut open: Option<(HeaderName, Vec<u8>)> = None;
    for line in rest.take_while(|line| !line.is_empty()) {
        let is_more = matches!(line.first(), Some(b' ' | b'\t'));
        // RFC 9112, 5.2: a value may go on in the next line.
        if let (true, Some((_, value))) = (is_more, &mut open) {
            value.push(b' ');
            value.extend_from_slice(line.trim_ascii());
            continue;
        }
        if let Some((name, value)) = open.take() {
            read.add(name, value);
        }
        let parts = memchr::memchr(b':', line).map(|at| line.split_at(at));
        // No name has a blank in it, and so none before the colon.
        let name = parts.map(|(name, _)| HeaderName::from_bytes(name));
        let (Some((_, value)), Some(Ok(name))) = (parts, name) else {
            return Err((HttpError::MalformedRequest, read.headers));
        };
        let value = value.strip_prefix(b":").unwrap_or(value);
        open = Some((name, value.trim_ascii().to_vec()));
    }
    if let Some((name, value)) = open {
        read.add(name, value);
    }
    Ok(read)
}

impl Lines<'_> {
    fn add(&mut self, name: HeaderName, mut value: Vec<u8>) {
        self.bytes = self.bytes.saturating_add(name.as_str().len());
        self.bytes = self.bytes.saturating_add(value.len());
        self.count = self.count.saturating_add(usize::from(name != COOKIE));
        // RFC 9110, 5.5: control characters are no reason to refuse anybody.
        for byte in &mut value {
            if byte.is_ascii_control() && *byte != b'\t' {
                *byte = b' ';
            }
        }
        if let Ok(value) = HeaderValue::from_bytes(value.trim_ascii()) {
            self.headers.append(name, value);
        }
    }
}

/// RFC 9110, 5.6.2.
fn is_token(bytes: &[u8]) -> bool {
    let is_other = |byte: u8| b"!#$%&'*+-.^_`|~".contains(&byte);
    let mut bytes = bytes.iter();
    bytes.all(|byte| byte.is_ascii_alphanumeric() || is_other(*byte))
}

#[cfg(test)]
mod tests;
