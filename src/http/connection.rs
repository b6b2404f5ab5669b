//! What happens on an accepted connection, with TLS or without.
//!
//! The first bytes tell HTTP/2 from HTTP/1. That works without TLS, too, where
//! proxies begin with HTTP/2 at once ("prior knowledge"). Each protocol has a
//! file of its own, and both ask the same application for answers. A stream over
//! HTTP/1.1 is written to the socket itself: it needs no buffer of its own, and no
//! event is copied but where it is encrypted.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_http::Request;
use actix_service::{IntoServiceFactory as _, Service, ServiceFactory, fn_factory};
use actix_utils::counter::Counter;
use actix_web::body::MessageBody;
use actix_web::dev::{AppConfig, ServiceRequest, ServiceResponse};
use actix_web::rt::net::TcpStream;
use actix_web::rt::time::timeout;
use actix_web::{App, Error};
use log::debug;
use rustls::ServerConfig;
use tokio_rustls::TlsAcceptor;

use crate::limits::{
    KEEP_ALIVE_TIMEOUT, REQUEST_HEAD_TIMEOUT, TLS_HANDSHAKE_TIMEOUT, TLS_HANDSHAKES_MAX,
    TLS_UNSENT_BYTES_MAX,
};

use super::http1::{After, Http1, Next};
use super::http2;
use super::link::{Begun, Link, Outgoing};
use super::progress::{Sweep, Watch};
use super::socket::set_up;
use super::transport::{Transport, forget_unsent};

type LocalBoxFuture<T> = Pin<Box<dyn Future<Output = T>>>;

/// The service of one worker's connections.
pub struct Connections<A> {
    app: Rc<A>,
    sweep: Rc<Sweep>,
    /// Where they are encrypted.
    secure: Option<Secure>,
}

/// How a worker's connections are encrypted.
#[derive(Clone)]
struct Secure {
    acceptor: TlsAcceptor,
    /// Handshakes that are under way.
    handshakes: Counter,
}

/// Makes the service of a worker, behind TLS if there is something to show, in
/// front of the application that `make_app` makes; call it on the worker's thread.
pub fn connections<T, B>(
    make_app: impl Fn() -> App<T> + Clone + 'static,
    stall_timeout: Duration,
    tls: Option<ServerConfig>,
) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = (), InitError = ()>
where
    T: ServiceFactory<
            ServiceRequest,
            Config = (),
            Response = ServiceResponse<B>,
            Error = Error,
            InitError = (),
        > + 'static,
    B: MessageBody + 'static,
{
    let acceptor = tls.map(|mut tls| {
        // In the order of preference.
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        TlsAcceptor::from(Arc::new(tls))
    });
    fn_factory(move || {
        let (make_app, acceptor) = (make_app.clone(), acceptor.clone());
        async move {
            let app = make_app().into_factory();
            let app = Rc::new(app.new_service(AppConfig::default()).await?);
            let secure = acceptor.map(|acceptor| Secure {
                acceptor,
                handshakes: Counter::new(TLS_HANDSHAKES_MAX),
            });
            Ok(Connections {
                app,
                sweep: Sweep::start(stall_timeout),
                secure,
            })
        }
    })
}

impl<A, B> Service<TcpStream> for Connections<A>
where
    A: Service<Request, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ();
    type Error = ();
    type Future = LocalBoxFuture<Result<(), ()>>;

    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), ()>> {
        // A handshake is dear: those who come meanwhile wait in the kernel.
        match &self.secure {
            Some(secure) if !secure.handshakes.available(context) => Poll::Pending,
            _ => Poll::Ready(Ok(())),
        }
    }

    fn call(&self, socket: TcpStream) -> Self::Future {
        let watch = self.sweep.watch(&socket);
        set_up(&socket, &watch);
        let (app, peer) = (Rc::clone(&self.app), socket.peer_addr().ok());
        let transport = Transport::new(socket, watch.clone());
        let Some(Secure {
            acceptor,
            handshakes,
        }) = &self.secure
        else {
            let plain = Http1::new(transport, peer);
            let conversation = Box::pin(converse(plain, app, watch.clone()));
            return Box::pin(Serving::new(conversation, watch));
        };
        let accepting = timeout(TLS_HANDSHAKE_TIMEOUT, acceptor.accept(transport));
        let (under_way, watched) = (handshakes.get(), watch.clone());
        let conversation = Box::pin(async move {
            let mut stream = Box::pin(accepting).await??;
            drop(under_way);
            // Bytes that the peer has no room for wait once, in the stream, and
            // not a second time in the TLS session's buffer.
            let session = stream.get_mut().1;
            session.set_buffer_limit(Some(TLS_UNSENT_BYTES_MAX));
            converse(Http1::new(stream, peer), app, watched).await
        });
        Box::pin(Serving::new(conversation, watch))
    }
}

/// A connection that is served until it ends, or its peer makes no progress any
/// more. A stream may last for days, and there may be ten thousand: what is
/// needed for requests alone is in a box of its own, and is dropped before the
/// stream begins.
struct Serving {
    watch: Watch,
    stage: Stage,
}

/// What a connection is used for.
enum Stage {
    /// Requests over HTTP/1.
    Conversation(LocalBoxFuture<io::Result<Outcome>>),
    /// HTTP/2.
    Http2(LocalBoxFuture<()>),
    /// A stream on its socket.
    Stream(Outgoing),
}

/// What a connection is used for after a conversation, if for anything.
type Outcome = Option<Stage>;

impl Serving {
    fn new(conversation: LocalBoxFuture<io::Result<Outcome>>, watch: Watch) -> Self {
        Serving {
            watch,
            stage: Stage::Conversation(conversation),
        }
    }
}

impl Future for Serving {
    type Output = Result<(), ()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), ()>> {
        if self.watch.has_stalled(context) {
            if let Stage::Stream(outgoing) = &self.stage {
                forget_unsent(outgoing.socket());
            }
            return Poll::Ready(Ok(()));
        }
        loop {
            let outcome = match &mut self.stage {
                Stage::Conversation(conversation) => ready!(conversation.as_mut().poll(context)),
                Stage::Http2(served) => return served.as_mut().poll(context).map(Ok),
                Stage::Stream(outgoing) => return outgoing.poll(context).map(Ok),
            };
            match outcome {
                Ok(Some(stage)) => self.stage = stage,
                Ok(None) => return Poll::Ready(Ok(())),
                // It is no error of ours: peers come and go.
                Err(error) => {
                    debug!("connection ended: {error}");
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

/// Answers one HTTP/1 request after the other, until the connection ends or is
/// to be used for a stream or for HTTP/2.
async fn converse<IO, A, B>(mut http: Http1<IO>, app: Rc<A>, watch: Watch) -> io::Result<Outcome>
where
    IO: Link + 'static,
    A: Service<Request, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    let mut patience = REQUEST_HEAD_TIMEOUT;
    loop {
        let asked = match http.next(patience).await {
            Next::Request(asked) => asked,
            Next::Http2 => {
                let peer = http.peer;
                let begun = Begun::new(http.io, http.heard);
                let served = http2::serve(begun, peer, app, watch);
                return Ok(Some(Stage::Http2(Box::pin(served))));
            }
            Next::End => {
                http.close().await;
                return Ok(None);
            }
        };
        match http.answer(&*app, asked).await? {
            After::Next => patience = KEEP_ALIVE_TIMEOUT,
            After::Close => {
                http.close().await;
                return Ok(None);
            }
            After::Stream(head, source) => {
                return Ok(http.io.deliver(head, source).map(Stage::Stream));
            }
        }
    }
}
