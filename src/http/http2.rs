//! HTTP/2: the streams of one connection, each with its own window.
//!
//! The HTTP/2 part of actix-web asks a response for bytes only once the client
//! has room for them, and otherwise waits, for ever if need be. A stream whose
//! window stays shut could neither end, nor would anybody notice that its client
//! has reset it. Here each stream is looked at while it waits: one that the client
//! has reset is dropped at once, and one that took nothing for the stall timeout
//! is ended, while the others go on.

use std::cell::Cell;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use actix_http::Request;
use actix_service::Service;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ResponseHead, ServiceResponse};
use actix_web::http::header::{
    CONNECTION, CONTENT_LENGTH, DATE, HeaderValue, HttpDate, TRANSFER_ENCODING, UPGRADE,
};
use actix_web::http::{Method, Version};
use actix_web::rt::spawn;
use actix_web::rt::time::{Sleep, sleep, timeout};
use actix_web::web::Bytes;
use actix_web::{Error, HttpMessage as _, HttpResponse};
use h2::server::{Builder, SendResponse};
use h2::{Reason, RecvStream, SendStream};
use log::debug;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::limits::{
    HTTP2_ASKING_GRACE, HTTP2_FRAME_BYTES_MAX, HTTP2_HEADER_BYTES_MAX, HTTP2_IDLE,
    HTTP2_RECEIVE_BYTES_MAX, HTTP2_RESET_STREAMS_MAX, HTTP2_RESETS_PENDING_MAX, HTTP2_STREAMS_MAX,
    HTTP2_UNSENT_BYTES_MAX, OUTLET_WRITES_MAX, REQUEST_HEAD_TIMEOUT, STALL_LOOKS, STALL_TICK_MAX,
    STALL_TICK_MIN,
};

use super::content::Content;
use super::patience::{Patience, is_waited_out};
use super::progress::Watch;
use super::slot::Slot;

/// Serves a connection until it ends.
pub async fn serve<T, A, B>(connection: T, peer: Option<SocketAddr>, app: Rc<A>, watch: Watch)
where
    T: AsyncRead + AsyncWrite + Unpin,
    A: Service<Request, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(HTTP2_STREAMS_MAX)
        .max_send_buffer_size(HTTP2_UNSENT_BYTES_MAX)
        .max_header_list_size(HTTP2_HEADER_BYTES_MAX)
        .initial_window_size(HTTP2_RECEIVE_BYTES_MAX)
        .initial_connection_window_size(HTTP2_RECEIVE_BYTES_MAX)
        .max_concurrent_reset_streams(HTTP2_RESET_STREAMS_MAX)
        .max_pending_accept_reset_streams(HTTP2_RESETS_PENDING_MAX);
    let handshake = timeout(REQUEST_HEAD_TIMEOUT, builder.handshake(connection)).await;
    let Ok(Ok(mut connection)) = handshake else {
        return;
    };
    // When the client last sent a request. Each stream that is being served has
    // a copy, so their number tells whether any is.
    let asked = Rc::new(Cell::new(Instant::now()));
    let mut is_leaving = false;
    loop {
        let next = poll_fn(|context| connection.poll_accept(context));
        match timeout(HTTP2_IDLE, next).await {
            Ok(Some(Ok((request, respond)))) => {
                let (app, watch) = (Rc::clone(&app), watch.clone());
                asked.set(Instant::now());
                let asked = Rc::clone(&asked);
                spawn(answer(request, respond, peer, app, watch, asked));
            }
            Ok(Some(Err(error))) => return debug!("connection ended: {error}"),
            Ok(None) => return,
            Err(_) if Rc::strong_count(&asked) > 1 => {}
            Err(_) if is_leaving => return,
            Err(_) => {
                connection.graceful_shutdown();
                is_leaving = true;
            }
        }
    }
}

/// Answers one request. Its body is not read: no request here needs one.
async fn answer<A, B>(
    request: http::Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    peer: Option<SocketAddr>,
    app: Rc<A>,
    watch: Watch,
    asked: Rc<Cell<Instant>>,
) where
    A: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody + 'static,
{
    let (parts, _) = request.into_parts();
    let is_head = parts.method == Method::HEAD;
    let slot = Slot::default();
    let mut request = Request::new();
    let head = request.head_mut();
    head.method = parts.method;
    head.uri = parts.uri;
    head.version = parts.version;
    head.headers = parts.headers.into();
    head.peer_addr = peer;
    request.extensions_mut().insert(slot.clone());
    let response = {
        let mut call = pin!(app.call(request));
        poll_fn(|context| match respond.poll_reset(context) {
            Poll::Ready(_) => Poll::Ready(None),
            Poll::Pending => call.as_mut().poll(context).map(Some),
        })
        .await
    };
    drop(app);
    let response: HttpResponse<BoxBody> = match response {
        // The client takes its request back.
        None => return,
        Some(Ok(response)) => response.into_parts().1.map_into_boxed_body(),
        Some(Err(error)) => error.error_response(),
    };
    let (response, body) = response.into_parts();
    let content = Content::new(slot.take(), body);
    let size = content.size();
    let is_over = is_head || matches!(size, BodySize::None | BodySize::Sized(0));
    let Ok(stream) = respond.send_response(prepared(response.head(), size), is_over) else {
        return;
    };
    drop(response);
    if !is_over {
        let mut sending = Sending {
            stream,
            content,
            unsent: Bytes::new(),
            is_begun: false,
            patience: Patience::default(),
            wait: None,
            watch,
            asked,
        };
        // A task of its own: this one holds room for all that answering takes, as long as
        // it lasts.
        spawn(poll_fn(move |context| sending.poll(context)));
    }
}

/// A response's head as HTTP/2 has it.
fn prepared(head: &ResponseHead, size: BodySize) -> http::Response<()> {
    let mut response = http::Response::new(());
    *response.status_mut() = head.status;
    *response.version_mut() = Version::HTTP_2;
    let headers = response.headers_mut();
    for (name, value) in head.headers.iter() {
        // Headers that tell in HTTP/1.1 where a message ends. In HTTP/2 the
        // frames tell it, and these headers are forbidden.
        if ![CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE].contains(name) {
            headers.append(name, value.clone());
        }
    }
    if let BodySize::Sized(length) = size {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    if !headers.contains_key(DATE) {
        let date = HttpDate::from(std::time::SystemTime::now()).to_string();
        if let Ok(date) = HeaderValue::from_str(&date) {
            headers.insert(DATE, date);
        }
    }
    response
}

/// A response on its way.
struct Sending {
    stream: SendStream<Bytes>,
    content: Content,
    /// What is left of a piece for which there was no room.
    unsent: Bytes,
    /// A part of that piece was sent already.
    is_begun: bool,
    patience: Patience,
    /// Runs while there is no room.
    wait: Option<Wait>,
    watch: Watch,
    /// When the client has asked for something on this connection last.
    asked: Rc<Cell<Instant>>,
}

/// When to look again.
struct Wait {
    /// When the stream was found to be over, if it was.
    due: Option<Instant>,
    timer: Pin<Box<Sleep>>,
}

impl Sending {
    /// Sends for as long as there is something and room for it.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        // The client wants it no more, or is gone.
        if self.stream.poll_reset(context).is_ready() {
            return Poll::Ready(());
        }
        for _ in 0..OUTLET_WRITES_MAX {
            if self.unsent.is_empty() {
                self.patience.rest();
                match ready!(self.content.poll_next(context)) {
                    Some(Ok(bytes)) => (self.unsent, self.is_begun) = (bytes, false),
                    Some(Err(())) => return self.reset(Reason::INTERNAL_ERROR),
                    None => return self.end(),
                }
                continue;
            }
            let wanted = self.unsent.len().min(HTTP2_FRAME_BYTES_MAX);
            self.stream.reserve_capacity(wanted);
            let room = match self.stream.capacity() {
                0 => match self.stream.poll_capacity(context) {
                    Poll::Ready(Some(Ok(room))) => room,
                    Poll::Ready(None | Some(Err(_))) => return Poll::Ready(()),
                    Poll::Pending => return self.poll_wait(context),
                },
                room => room,
            };
            if room == 0 {
                continue;
            }
            (self.wait, self.is_begun) = (None, true);
            let taken = u64::try_from(room.min(self.unsent.len())).unwrap_or(u64::MAX);
            let stall_timeout = self.watch.stall_timeout();
            self.patience.take(taken, Instant::now(), stall_timeout);
            let piece = match room < self.unsent.len() {
                true => self.unsent.split_to(room),
                // An empty `Bytes` would still keep the whole base in memory.
                false => std::mem::take(&mut self.unsent),
            };
            if self.stream.send_data(piece, false).is_err() {
                return Poll::Ready(());
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Waits for room in the stream's window; gives up a peer that makes none.
    fn poll_wait(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let stall_timeout = self.watch.stall_timeout();
        let tick = (stall_timeout / STALL_LOOKS / 2).clamp(STALL_TICK_MIN, STALL_TICK_MAX);
        if self.wait.is_none() {
            self.patience.idle_since(Instant::now());
        }
        let wait = self.wait.get_or_insert_with(|| Wait {
            due: None,
            timer: Box::pin(sleep(tick)),
        });
        while wait.timer.as_mut().poll(context).is_ready() {
            let now = Instant::now();
            wait.timer.as_mut().reset((now + tick).into());
            // Where the connection itself has no room, it is the connection's
            // progress that counts, and that is looked after elsewhere.
            if self.watch.is_blocked() {
                continue;
            }
            if wait.due.is_none() && self.content.is_due() {
                wait.due = Some(now);
            }
            let is_inside = self.is_begun || !self.content.is_at_event();
            let mut since = self.patience.idle_since(now);
            if is_inside {
                since = since.max(self.asked.get().min(since + HTTP2_ASKING_GRACE));
            }
            if is_waited_out(since, wait.due, now, stall_timeout, is_inside) {
                return self.let_go(is_inside);
            }
        }
        Poll::Pending
    }

    /// Ends a stream that takes nothing: in order where it stands between two
    /// events, since the end itself needs no room.
    fn let_go(&mut self, is_inside: bool) -> Poll<()> {
        match is_inside {
            true => self.reset(Reason::CANCEL),
            false => self.end(),
        }
    }

    fn end(&mut self) -> Poll<()> {
        // If this fails, it has ended already.
        drop(self.stream.send_data(Bytes::new(), true));
        Poll::Ready(())
    }

    fn reset(&mut self, reason: Reason) -> Poll<()> {
        self.stream.send_reset(reason);
        Poll::Ready(())
    }
}
