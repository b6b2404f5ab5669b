//! What happens on an accepted connection.
//!
//! A request for a stream is answered by the application like every other,
//! with all that holds for the others. But where it comes first on a plain
//! HTTP/1.1 connection, the subscriber that the application grants is served
//! on the socket itself: the HTTP stack would keep two buffers per connection
//! and copy every event into one of them. All else goes to the HTTP stack; so
//! does HTTP/2 without TLS, as proxies speak it who know that we do.

use std::cell::RefCell;
use std::fmt::Display;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use actix_http::error::DispatchError;
use actix_http::{HttpService, Request};
use actix_service::{
    IntoServiceFactory as _, Service, ServiceFactory, ServiceFactoryExt as _, fn_factory,
};
use actix_web::body::{BodySize, BoxBody, MessageBody, to_bytes_limited};
use actix_web::dev::{AppConfig, ResponseHead, ServiceResponse};
use actix_web::http::header::{CONNECTION, CONTENT_LENGTH, HttpDate, TRANSFER_ENCODING};
use actix_web::rt::net::TcpStream;
use actix_web::{Error, HttpMessage as _, HttpResponse};
use log::debug;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};

use crate::limits::{PEEK_BYTES_MAX, REFUSAL_BYTES_MAX, REQUEST_HEAD_TIMEOUT};
use crate::relay::encoded::{Encoded, LAST_CHUNK};
use crate::relay::outlet::Delivery;

use super::http2;
use super::progress::Sweep;
use super::request_head::{Opening, opening};
use super::routes::app;
use super::socket::set_up;
use super::stream::{Slot, Source};
use super::transport::{Transport, forget_unsent};
use super::views::Gateway;

/// How a stream says where it ends.
const CHUNKED: &str = "transfer-encoding: chunked";

type LocalBoxFuture<T> = std::pin::Pin<Box<dyn Future<Output = T>>>;

/// The service of one worker's connections: the application, reached directly
/// by streams and through the HTTP stack by all else.
pub struct Connections<A, H> {
    app: Rc<A>,
    http1: Rc<H>,
    sweep: Rc<Sweep>,
    /// Where heads of requests are looked at.
    scratch: Rc<RefCell<Vec<u8>>>,
}

/// Makes the service of a worker; call it on the worker's thread.
pub fn connections(
    gateway: Gateway,
    address: SocketAddr,
    stall_timeout: Duration,
) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = (), InitError = ()> {
    fn_factory(move || {
        let gateway = gateway.clone();
        async move {
            let app = app(gateway).into_factory();
            let app = Rc::new(app.new_service(AppConfig::default()).await?);
            let http1 = http1(Rc::clone(&app), address).new_service(()).await?;
            Ok(Connections {
                app,
                http1: Rc::new(http1),
                sweep: Sweep::start(stall_timeout),
                scratch: Rc::new(RefCell::new(vec![0; PEEK_BYTES_MAX])),
            })
        }
    })
}

/// The HTTP stack's part for HTTP/1.1, before the application.
pub fn http1<T, A, B>(
    app: Rc<A>,
    address: SocketAddr,
) -> impl ServiceFactory<
    (T, Option<SocketAddr>),
    Config = (),
    Response = (),
    Error = DispatchError,
    InitError = (),
>
where
    T: AsyncRead + AsyncWrite + Unpin + 'static,
    A: Service<Request, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    let factory = fn_factory(move || {
        let app = Rc::clone(&app);
        async move { Ok::<_, ()>(app) }
    });
    HttpService::build()
        // A browser that closed its tab is noticed at once, not at the next
        // write.
        .h1_allow_half_closed(false)
        .client_request_timeout(REQUEST_HEAD_TIMEOUT)
        .local_addr(address)
        .h1(factory.map_err(|error: Error| error.error_response()))
}

impl<A, H, B> Service<TcpStream> for Connections<A, H>
where
    A: Service<Request, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
    H: Service<(Transport, Option<SocketAddr>), Response = ()> + 'static,
    H::Error: Display,
{
    type Response = ();
    type Error = ();
    type Future = LocalBoxFuture<Result<(), ()>>;

    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), ()>> {
        self.http1.poll_ready(context).map_err(|_| ())
    }

    fn call(&self, socket: TcpStream) -> Self::Future {
        let watch = self.sweep.watch(&socket);
        set_up(&socket, &watch);
        let (app, http1) = (Rc::clone(&self.app), Rc::clone(&self.http1));
        let scratch = Rc::clone(&self.scratch);
        Box::pin(async move {
            // Each of these lives no longer than it has to: what is held for
            // the time of a stream is held ten thousand times.
            let opening = Box::pin(opening(&socket, &scratch)).await;
            drop(scratch);
            let peer = socket.peer_addr().ok();
            let request = match opening {
                Opening::Stream(request) => request,
                Opening::Slow => return Ok(()),
                Opening::Http2 => {
                    let socket = Transport::new(socket, watch.clone());
                    let served = http2::serve(socket, peer, app, watch.clone());
                    Box::pin(watch.during(served)).await;
                    return Ok(());
                }
                Opening::Other => {
                    let socket = Transport::new(socket, watch.clone());
                    let served = http1.call((socket, peer));
                    if let Some(Err(error)) = Box::pin(watch.during(served)).await {
                        say(error);
                    }
                    return Ok(());
                }
            };
            drop(http1);
            let delivery = Box::pin(watch.during(answer(socket, request, app))).await;
            if let Some(Ok(Some(mut delivery))) = delivery
                && watch.during(&mut delivery).await.is_none()
            {
                forget_unsent(delivery.socket());
            }
            Ok(())
        })
    }
}

/// What ends a connection in the HTTP stack is nobody's fault here.
pub fn say(error: impl Display) {
    debug!("connection ended: {error}");
}

/// Has the application answer. Returns the stream, if it grants one, and else
/// sends its answer, which is the last one on this connection.
async fn answer<A, B>(
    mut socket: TcpStream,
    request: Request,
    app: Rc<A>,
) -> io::Result<Option<Delivery>>
where
    A: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody + 'static,
{
    let slot = Slot::default();
    request.extensions_mut().insert(slot.clone());
    let response: HttpResponse<BoxBody> = match app.call(request).await {
        Ok(response) => response.into_parts().1.map_into_boxed_body(),
        Err(error) => error.error_response(),
    };
    // Streams of several views are left to the HTTP stack.
    if let Some(Source::One(subscriber)) = slot.take() {
        let head = head(response.head(), CHUNKED);
        return Ok(Some(Delivery::new(socket, head, *subscriber)));
    }
    let (response, body) = response.into_parts();
    let size = body.size();
    // Without an error: what is refused is told in a few words.
    let Ok(Ok(body)) = to_bytes_limited(body, REFUSAL_BYTES_MAX).await else {
        return Ok(None);
    };
    let (framing, body) = match size {
        BodySize::Stream => {
            // An empty chunk would be the end already.
            let chunk = (!body.is_empty()).then(|| Encoded::copy_of(&body));
            let chunk = chunk.as_ref().map_or(&[][..], |it| it.chunk());
            (CHUNKED.to_owned(), [chunk, LAST_CHUNK].concat().into())
        }
        BodySize::None | BodySize::Sized(_) => (format!("content-length: {}", body.len()), body),
    };
    let bytes = [&head(response.head(), &framing)[..], &body].concat();
    socket.write_all(&bytes).await?;
    socket.shutdown().await?;
    Ok(None)
}

/// A response's head, with a line that says where the body ends.
fn head(response: &ResponseHead, framing: &str) -> Vec<u8> {
    let reason = response.status.canonical_reason().unwrap_or_default();
    let date = HttpDate::from(SystemTime::now());
    let mut out = format!(
        "HTTP/1.1 {} {reason}\r\n{framing}\r\nconnection: close\r\ndate: {date}\r\n",
        response.status.as_str(),
    )
    .into_bytes();
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
