//! What happens on an accepted connection with TLS: the client chooses HTTP/2
//! or HTTP/1.1 in the handshake, and every stream goes through that.

use std::fmt::Display;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_http::Request;
use actix_service::{IntoServiceFactory as _, Service, ServiceFactory, fn_factory};
use actix_tls::accept::rustls_0_23::{Acceptor, AcceptorService, TlsStream};
use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{AppConfig, ServiceResponse};
use actix_web::rt::net::TcpStream;
use rustls::ServerConfig;

use super::connection::{http1, say};
use super::http2;
use super::progress::Sweep;
use super::routes::app;
use super::socket::set_up;
use super::transport::Transport;
use super::views::Gateway;

/// The protocols that are offered, the better one first.
const HTTP2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

/// The service of one worker's connections with TLS.
pub struct SecureConnections<A, H> {
    acceptor: AcceptorService,
    app: Rc<A>,
    http1: Rc<H>,
    sweep: Rc<Sweep>,
}

/// Makes the service of a worker; call it on the worker's thread.
pub fn secure_connections(
    gateway: Gateway,
    mut tls: ServerConfig,
    address: SocketAddr,
    stall_timeout: Duration,
) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = (), InitError = ()> {
    tls.alpn_protocols = vec![HTTP2.to_vec(), HTTP1.to_vec()];
    let acceptor = Acceptor::new(tls);
    fn_factory(move || {
        let (gateway, acceptor) = (gateway.clone(), acceptor.clone());
        async move {
            let app = app(gateway).into_factory();
            let app = Rc::new(app.new_service(AppConfig::default()).await?);
            let http1 = http1(Rc::clone(&app), address).new_service(()).await?;
            let accepting = ServiceFactory::<Transport>::new_service(&acceptor, ());
            Ok(SecureConnections {
                acceptor: accepting.await?,
                app,
                http1: Rc::new(http1),
                sweep: Sweep::start(stall_timeout),
            })
        }
    })
}

impl<A, H, B> Service<TcpStream> for SecureConnections<A, H>
where
    A: Service<Request, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
    H: Service<(TlsStream<Transport>, Option<SocketAddr>), Response = ()> + 'static,
    H::Error: Display,
{
    type Response = ();
    type Error = ();
    type Future = Pin<Box<dyn Future<Output = Result<(), ()>>>>;

    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), ()>> {
        let acceptor = &self.acceptor;
        ready!(Service::<Transport>::poll_ready(acceptor, context)).map_err(|_| ())?;
        self.http1.poll_ready(context).map_err(|_| ())
    }

    fn call(&self, socket: TcpStream) -> Self::Future {
        let watch = self.sweep.watch(&socket);
        set_up(&socket, &watch);
        let peer = socket.peer_addr().ok();
        let (app, http1) = (Rc::clone(&self.app), Rc::clone(&self.http1));
        let accepting = self.acceptor.call(Transport::new(socket, watch.clone()));
        Box::pin(async move {
            let stream = match Box::pin(accepting).await {
                Ok(stream) => stream,
                Err(error) => {
                    say(format_args!("{error:?}"));
                    return Ok(());
                }
            };
            let is_http2 = stream.get_ref().1.alpn_protocol() == Some(HTTP2);
            if is_http2 {
                drop(http1);
                let served = http2::serve(stream, peer, app, watch.clone());
                Box::pin(watch.during(served)).await;
                return Ok(());
            }
            drop(app);
            let served = http1.call((stream, peer));
            if let Some(Err(error)) = Box::pin(watch.during(served)).await {
                say(error);
            }
            Ok(())
        })
    }
}
