//! HTTP/1 on one connection, plain or with TLS: request after request, each
//! answered by the application.
//!
//! All requests are read here, and all answers but streams in chunks are
//! written here, so that every way in has the same rules: a refusal has
//! words, HTTP/1.0 gets no chunks, and a client that has closed its side after
//! its request is answered before the connection ends.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime};

use actix_http::{ConnectionType, Request};
use actix_service::Service;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ResponseHead, ServiceResponse};
use actix_web::http::header::{CONNECTION, CONTENT_LENGTH, HeaderMap, HttpDate, TRANSFER_ENCODING};
use actix_web::http::{Method, StatusCode, Version};
use actix_web::rt::time::{Instant, timeout};
use actix_web::{Error, HttpMessage as _, HttpResponse};
use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::{AsyncWriteExt as _, ReadBuf};

use crate::limits::{
    CHUNK_COPIED_BYTES_MAX, LINGER_BYTES_MAX, LINGER_TIMEOUT, PIPELINED_BYTES_MAX, READ_BYTES,
    REQUEST_HEAD_TIMEOUT, STREAM_INPUT_BYTES_MAX,
};
use crate::relay::event::form::LAST_CHUNK;
use crate::relay::subscribe::source::Source;

use super::content::Content;
use super::error::HttpError;
use super::link::Link;
use super::request_head::{Asked, Found, find};
use super::slot::Slot;

/// How a body without a length says where it ends.
const CHUNKED: &str = "transfer-encoding: chunked\r\n";

/// What every HTTP/2 connection begins with (RFC 9113, 3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What comes next on a connection.
pub enum Next {
    /// A request, good or not.
    Request(Asked),
    /// HTTP/2.
    Http2,
    /// Nothing.
    End,
}

/// What is to be done after an answer.
pub enum After {
    /// Wait for another request.
    Next,
    /// Close the connection.
    Close,
    /// Write this head, then serve the stream on the socket.
    Stream(Vec<u8>, Source),
}

/// A connection, and what was read from it and not yet used.
pub struct Http1<IO> {
    /// The connection.
    pub io: IO,
    /// Who is at its other end.
    pub peer: Option<SocketAddr>,
    /// Bytes that were read and are not yet part of a request.
    pub heard: Vec<u8>,
    is_first: bool,
    /// The client has closed its side.
    is_deaf: bool,
}

impl<IO: Link> Http1<IO> {
    /// A connection that was just opened.
    pub fn new(io: IO, peer: Option<SocketAddr>) -> Self {
        Http1 {
            io,
            peer,
            heard: Vec::new(),
            is_first: true,
            is_deaf: false,
        }
    }

    /// The next request, if its first byte is there within this time.
    pub async fn next(&mut self, patience: Duration) -> Next {
        let mut deadline = Instant::now() + patience;
        let mut is_begun = false;
        loop {
            if self.heard.iter().all(|byte| matches!(byte, b'\r' | b'\n')) {
                self.heard = Vec::new();
            } else if !is_begun {
                is_begun = true;
                deadline = Instant::now() + REQUEST_HEAD_TIMEOUT;
            }
            if self.is_first && self.heard.starts_with(PREFACE) {
                return Next::Http2;
            }
            let is_silent =
                self.heard.is_empty() || (self.is_first && PREFACE.starts_with(&self.heard));
            if !is_silent && let Found::Whole(asked, length) = find(&self.heard) {
                self.is_first = false;
                self.heard.drain(..length.min(self.heard.len()));
                return Next::Request(asked);
            }
            let error = if self.is_deaf {
                HttpError::MalformedRequest
            } else {
                let left = deadline.saturating_duration_since(Instant::now());
                match timeout(left, poll_fn(|context| self.poll_hear(context))).await {
                    Ok(Ok(())) => continue,
                    Ok(Err(_)) => return Next::End,
                    Err(_) => HttpError::SlowHead,
                }
            };
            return match is_silent {
                true => Next::End,
                false => Next::Request(Asked::refused(error, &self.heard, HeaderMap::new())),
            };
        }
    }

    /// Reads what the client has sent; notes if it has closed its side.
    fn poll_hear(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut scratch = [0; READ_BYTES];
        let mut buffer = ReadBuf::new(&mut scratch);
        ready!(Pin::new(&mut self.io).poll_read(context, &mut buffer))?;
        self.is_deaf |= buffer.filled().is_empty();
        self.heard.extend_from_slice(buffer.filled());
        Poll::Ready(Ok(()))
    }

    /// Has the application answer, and sends what it says.
    pub async fn answer<A, B>(&mut self, app: &A, asked: Asked) -> io::Result<After>
    where
        A: Service<Request, Response = ServiceResponse<B>, Error = Error>,
        B: MessageBody + 'static,
    {
        let Asked {
            mut request,
            is_last,
        } = asked;
        request.head_mut().peer_addr = self.peer;
        let is_head = *request.method() == Method::HEAD;
        let takes_chunks = request.version() != Version::HTTP_10;
        let slot = Slot::default();
        request.extensions_mut().insert(slot.clone());
        let response: HttpResponse<BoxBody> = match app.call(request).await {
            Ok(response) => response.into_parts().1.map_into_boxed_body(),
            Err(error) => error.error_response(),
        };
        let (response, body) = response.into_parts();
        let content = match slot.take() {
            Some(source) if takes_chunks => {
                let head = head(response.head(), CHUNKED, true);
                return Ok(After::Stream(head, source));
            }
            source => Content::new(source, body),
        };
        let status = response.status();
        let is_bare = status == StatusCode::NOT_MODIFIED || status == StatusCode::NO_CONTENT;
        let size = content.size();
        let has_end = size != BodySize::Stream || is_head;
        let is_last =
            is_last || !has_end || response.head().connection_type() == ConnectionType::Close;
        let length = match size {
            BodySize::Stream => None,
            BodySize::None => Some(0),
            BodySize::Sized(length) => Some(length),
        };
        let framing = match length {
            _ if is_bare => String::new(),
            Some(length) => format!("content-length: {length}\r\n"),
            None if takes_chunks && !is_head => CHUNKED.to_owned(),
            None => String::new(),
        };
        let mut sending = Sending {
            front: BytesMut::from(&head(response.head(), &framing, is_last)[..]),
            piece: Bytes::new(),
            left: length,
            is_chunked: takes_chunks,
            is_fresh: true,
            is_over: is_bare || is_head,
            passed_over: 0,
            content,
        };
        drop(response);
        poll_fn(|context| sending.poll(self, context)).await?;
        Ok(if is_last { After::Close } else { After::Next })
    }

    /// Closes the connection after an answer. What the client still sends is read
    /// and dropped for a while: if there were unread bytes at the close, the
    /// kernel would reset the connection, and the client might lose the answer.
    pub async fn close(mut self) {
        let linger = async {
            self.io.shutdown().await?;
            let mut heard = 0;
            while !self.is_deaf && heard < LINGER_BYTES_MAX {
                self.heard.clear();
                poll_fn(|context| self.poll_hear(context)).await?;
                heard += self.heard.len();
            }
            io::Result::Ok(())
        };
        // The connection is closed in any case.
        drop(timeout(LINGER_TIMEOUT, linger).await);
    }
}

/// An answer on its way out.
struct Sending {
    /// What goes out first.
    front: BytesMut,
    /// What goes out behind it, without a copy.
    piece: Bytes,
    /// Bytes of the body to come, where that is known.
    left: Option<u64>,
    is_chunked: bool,
    /// The body has not been asked yet.
    is_fresh: bool,
    /// The body has ended: what is left to send is in `front` and `piece`.
    is_over: bool,
    /// Bytes that the client has sent while its stream runs; they are dropped.
    passed_over: usize,
    content: Content,
}

impl Sending {
    fn poll<IO: Link>(
        &mut self,
        http: &mut Http1<IO>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        // A client that has left is noticed here, and not at the next write.
        while !http.is_deaf && http.heard.len() <= PIPELINED_BYTES_MAX {
            match http.poll_hear(context)? {
                Poll::Ready(()) if http.is_deaf => self.content.end_soon(),
                Poll::Ready(()) => {}
                Poll::Pending => break,
            }
            // What the client sends while a stream runs is never a request.
            if self.left.is_none() {
                self.passed_over = self.passed_over.saturating_add(http.heard.len());
                http.heard = Vec::new();
            }
            if self.passed_over > STREAM_INPUT_BYTES_MAX {
                return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
            }
        }
        loop {
            // The head is sent together with what there is of the body already, in
            // one packet.
            if self.is_over || !self.is_fresh {
                ready!(self.poll_write(&mut http.io, context))?;
            }
            if self.is_over {
                return Pin::new(&mut http.io).poll_flush(context);
            }
            self.is_fresh = false;
            match self.content.poll_next(context) {
                Poll::Ready(Some(Ok(bytes))) => self.add(bytes)?,
                Poll::Ready(Some(Err(()))) => return Poll::Ready(Err(io::ErrorKind::Other.into())),
                Poll::Ready(None) => self.end()?,
                // An end that is held back need not wait for a client that has left.
                Poll::Pending if http.is_deaf && self.content.is_held() => self.end()?,
                Poll::Pending => {
                    ready!(self.poll_write(&mut http.io, context))?;
                    ready!(Pin::new(&mut http.io).poll_flush(context))?;
                    return Poll::Pending;
                }
            }
        }
    }

    fn add(&mut self, bytes: Bytes) -> io::Result<()> {
        if let Some(left) = &mut self.left {
            let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            *left = left.checked_sub(length).ok_or(io::ErrorKind::InvalidData)?;
            self.piece = bytes;
        } else if !self.is_chunked {
            self.piece = bytes;
        } else if !bytes.is_empty() {
            // An empty chunk would end the body.
            self.front
                .extend_from_slice(format!("{:X}\r\n", bytes.len()).as_bytes());
            self.piece = bytes;
        }
        Ok(())
    }

    /// The end of the body; it is an error where it was to be longer.
    fn end(&mut self) -> io::Result<()> {
        self.is_over = true;
        match self.left {
            None if self.is_chunked => self.front.extend_from_slice(LAST_CHUNK),
            None | Some(0) => {}
            Some(_) => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
        Ok(())
    }

    fn poll_write<IO: Link>(
        &mut self,
        io: &mut IO,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let is_chunk = self.left.is_none() && self.is_chunked;
        if is_chunk && !self.piece.is_empty() && self.piece.len() <= CHUNK_COPIED_BYTES_MAX {
            self.front.extend_from_slice(&self.piece);
            self.front.extend_from_slice(b"\r\n");
            self.piece = Bytes::new();
        }
        while !self.front.is_empty() || !self.piece.is_empty() {
            let parts = [IoSlice::new(&self.front), IoSlice::new(&self.piece)];
            let length = ready!(Pin::new(&mut *io).poll_write_vectored(context, &parts))?;
            if length == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            let of_front = length.min(self.front.len());
            self.front.advance(of_front);
            self.piece.advance(length.saturating_sub(of_front));
            if is_chunk && length > of_front && self.piece.is_empty() {
                self.front.extend_from_slice(b"\r\n");
            }
        }
        // An empty `Bytes` still points into the frame, and would keep it in memory.
        self.piece = Bytes::new();
        Poll::Ready(Ok(()))
    }
}

/// A response's head, with a line that says where the body ends.
fn head(response: &ResponseHead, framing: &str, is_last: bool) -> Vec<u8> {
    let reason = response.status.canonical_reason().unwrap_or_default();
    let date = HttpDate::from(SystemTime::now());
    let status = response.status.as_str();
    let close = if is_last { "connection: close\r\n" } else { "" };
    let mut out =
        format!("HTTP/1.1 {status} {reason}\r\n{framing}{close}date: {date}\r\n").into_bytes();
    for (name, value) in response.headers() {
        if [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING].contains(name) {
            continue;
        }
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            out.extend_from_slice(part);
        }
    }
    out.extend_from_slice(b"\r\n");
    out
}
