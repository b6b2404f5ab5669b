//! How a connection begins, seen without taking it off the socket.
//!
//! Only what is a plain stream request at first sight is recognised, and the
//! preface of HTTP/2, by which the HTTP stack is told which of its two parts
//! is meant; all else is left to the first of them, untouched. So nothing here
//! has to be lenient, or to find the right words for what is wrong.

use std::cell::RefCell;
use std::future::poll_fn;
use std::task::Poll;

use actix_http::Request;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::http::{Method, Uri, Version};
use actix_web::rt::net::TcpStream;
use actix_web::rt::time::{Instant, sleep, timeout};
use tokio::io::ReadBuf;

use crate::limits::{
    PEEK_HEADERS_MAX, PEEK_PAUSES, PEEK_TIMEOUT, PREFACE_PAUSE, REQUEST_HEAD_TIMEOUT,
};

/// How the path of every stream ends.
const STREAM_SUFFIX: &str = "/stream";

/// Headers that announce more than a head, or another protocol.
const NOT_PLAIN: [&str; 4] = ["content-length", "transfer-encoding", "upgrade", "expect"];

/// What every HTTP/2 connection begins with (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What is at the beginning of a socket.
enum Found {
    /// A whole head of so many bytes.
    Stream(Box<Request>, usize),
    /// The beginning of one, perhaps.
    Part,
    /// HTTP/2 without TLS.
    Http2,
    /// The beginning of that, perhaps.
    PartOfPreface,
    /// Anything else.
    Other,
}

/// How a connection begins.
pub enum Opening {
    /// With this request for a stream, which is taken off the socket.
    Stream(Request),
    /// With HTTP/2; nothing is taken.
    Http2,
    /// With anything else; nothing is taken.
    Other,
    /// With nothing whole in the time that a head may take.
    Slow,
}

/// Finds out how the connection begins.
pub async fn opening(socket: &TcpStream, scratch: &RefCell<Vec<u8>>) -> Opening {
    // Who says nothing for a moment is left to the HTTP stack's own timer.
    let Ok(Ok(())) = timeout(PEEK_TIMEOUT, socket.readable()).await else {
        return Opening::Other;
    };
    let mut pauses = PEEK_PAUSES.into_iter();
    let deadline = Instant::now() + REQUEST_HEAD_TIMEOUT;
    loop {
        let pause = match peek(socket, scratch).await {
            Found::Stream(mut request, length) => {
                if !take(socket, scratch, length) {
                    return Opening::Other;
                }
                request.head_mut().peer_addr = socket.peer_addr().ok();
                return Opening::Stream(*request);
            }
            Found::Http2 => return Opening::Http2,
            Found::Other => return Opening::Other,
            // Heads of several segments are rare, and the second one is near.
            Found::Part => match pauses.next() {
                Some(pause) => pause,
                None => return Opening::Other,
            },
            // Neither part of the HTTP stack would know what to do with it.
            Found::PartOfPreface if Instant::now() >= deadline => return Opening::Slow,
            Found::PartOfPreface => pauses.next().unwrap_or(PREFACE_PAUSE),
        };
        sleep(pause).await;
    }
}

async fn peek(socket: &TcpStream, scratch: &RefCell<Vec<u8>>) -> Found {
    poll_fn(|context| {
        // One buffer for all connections of the thread: it is free again
        // before anybody else's turn.
        let mut scratch = scratch.borrow_mut();
        let mut buffer = ReadBuf::new(&mut scratch);
        match socket.poll_peek(context, &mut buffer) {
            Poll::Ready(Ok(_)) => Poll::Ready(find(buffer.filled())),
            Poll::Ready(Err(_)) => Poll::Ready(Found::Other),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Takes what was seen off the socket; whether that worked, as it always does.
fn take(socket: &TcpStream, scratch: &RefCell<Vec<u8>>, length: usize) -> bool {
    let mut scratch = scratch.borrow_mut();
    let Some(head) = scratch.get_mut(..length) else {
        return false;
    };
    socket.try_read(head).is_ok_and(|taken| taken == length)
}

fn find(bytes: &[u8]) -> Found {
    if bytes.starts_with(PREFACE) {
        return Found::Http2;
    }
    if !bytes.is_empty() && PREFACE.starts_with(bytes) {
        return Found::PartOfPreface;
    }
    let mut headers = [httparse::EMPTY_HEADER; PEEK_HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut headers);
    match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => match request(&parsed) {
            Some(request) => Found::Stream(Box::new(request), length),
            None => Found::Other,
        },
        Ok(httparse::Status::Partial) if bytes.starts_with(b"GET ") => Found::Part,
        Ok(httparse::Status::Partial) | Err(_) => Found::Other,
    }
}

/// The request, if it is a plain one for a stream.
fn request(parsed: &httparse::Request<'_, '_>) -> Option<Request> {
    let target = parsed.path?;
    let path = target.split('?').next()?;
    // The stream of several views is left to the HTTP stack, too.
    let is_stream = path.starts_with('/') && path.ends_with(STREAM_SUFFIX) && path != STREAM_SUFFIX;
    if parsed.method? != "GET" || parsed.version? != 1 || !is_stream {
        return None;
    }
    let mut request = Request::new();
    let head = request.head_mut();
    head.method = Method::GET;
    head.version = Version::HTTP_11;
    head.uri = target.parse::<Uri>().ok()?;
    for header in parsed.headers.iter() {
        let name = HeaderName::from_bytes(header.name.as_bytes()).ok()?;
        if NOT_PLAIN.contains(&name.as_str()) {
            return None;
        }
        let value = HeaderValue::from_bytes(header.value).ok()?;
        head.headers.append(name, value);
    }
    Some(request)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::HttpMessage as _;

    #[test]
    fn request_for_a_stream_is_recognised() {
        let text = b"GET /top10/stream?x=/a HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nx-a: 2\r\n\r\nrest";
        let Found::Stream(request, length) = find(text) else {
            panic!("not recognised");
        };
        assert_eq!(length, text.len() - "rest".len());
        assert_eq!(request.uri().to_string(), "/top10/stream?x=/a");
        let values: Vec<_> = request.headers().get_all("x-a").collect();
        assert_eq!(values, ["1", "2"]);
    }

    #[test]
    fn request_for_anything_else_is_left_alone() {
        for text in [
            "GET /top10 HTTP/1.1\r\n\r\n",
            "GET /a?b=/stream HTTP/1.1\r\n\r\n",
            "GET /stream?view=a&view=b HTTP/1.1\r\n\r\n",
            "HEAD /top10/stream HTTP/1.1\r\n\r\n",
            "POST /top10/stream HTTP/1.1\r\n\r\n",
            "GET /top10/stream HTTP/1.0\r\n\r\n",
            "GET http://h/top10/stream HTTP/1.1\r\n\r\n",
            "GET /top10/stream HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
            "GET /top10/stream HTTP/1.1\r\nUpgrade: websocket\r\n\r\n",
            "GET /top10/stream HTTP/1.1\r\nbad header: 1\r\n\r\n",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\n",
            "PUT",
            "POST /top10/stream HT",
            "\u{16}\u{3}\u{1}",
            "",
        ] {
            assert!(matches!(find(text.as_bytes()), Found::Other), "{text:?}");
        }
        assert!(matches!(find(b"GET /top10/stream HT"), Found::Part));
    }

    #[test]
    fn preface_of_http2_is_recognised_from_its_first_byte() {
        for length in 1..PREFACE.len() {
            let part = PREFACE.get(..length).unwrap();
            assert!(matches!(find(part), Found::PartOfPreface), "{length}");
        }
        let settings = [PREFACE, &[0, 0, 0, 4, 0, 0, 0, 0, 0]].concat();
        for bytes in [PREFACE, &settings] {
            assert!(matches!(find(bytes), Found::Http2));
        }
    }
}
