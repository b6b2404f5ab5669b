//! The client's role over HTTP/2 with TLS: six streams a connection, as a browser's
//! page has them.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::tally::{Tally, Unpack};
use crate::{Io, now_us, secure};

const STREAMS_PER_CONNECTION: usize = 6;
/// Room for a stream and for a connection, in bytes: what browsers give.
const STREAM_WINDOW: u32 = 6 * 1024 * 1024;
const CONNECTION_WINDOW: u32 = 15 * 1024 * 1024;
/// Longest time without any event at all before the rest counts as lost.
const PATIENCE: Duration = Duration::from_secs(30);

/// What all streams tell of.
struct Shared {
    tally: RefCell<Tally>,
    /// Something came.
    news: Notify,
}

/// The arguments of `client`; ENCODING and REUSED mean nothing here.
pub fn run(arguments: &[String]) -> Io<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let word = |at: usize| arguments[at].as_str();
    let shared = Rc::new(Shared {
        tally: RefCell::new(Tally::new(
            [word(2), word(3), word(4), word(5), word(9)],
            Unpack::Nothing,
        )),
        news: Notify::new(),
    });
    let local = LocalSet::new();
    local.block_on(&runtime, follow(arguments, Rc::clone(&shared)));
    let tally = shared.tally.borrow();
    tally.report()
}

async fn follow(arguments: &[String], shared: Rc<Shared>) {
    let address: SocketAddr = arguments[0].parse().unwrap();
    let count: usize = arguments[2].parse().unwrap();
    let tls = TlsConnector::from(secure::client(
        Path::new(&arguments[7]),
        &[b"h2".as_slice()],
    ));
    let mut at = 0;
    while at < count {
        let mut send = connect(&tls, address).await;
        for _ in 0..STREAMS_PER_CONNECTION.min(count - at) {
            let path = arguments[1].replace("{}", &at.to_string());
            let uri = format!("https://localhost{path}");
            let request = http::Request::get(uri).body(()).unwrap();
            send = send.ready().await.unwrap();
            let (answer, _) = send.send_request(request, true).unwrap();
            spawn_local(read(at, answer, Rc::clone(&shared)));
            at += 1;
        }
    }
    while !shared.tally.borrow_mut().is_over() {
        if timeout(PATIENCE, shared.news.notified()).await.is_err() {
            break;
        }
    }
}

async fn connect(tls: &TlsConnector, address: SocketAddr) -> SendRequest<Bytes> {
    let socket = TcpStream::connect(address).await.unwrap();
    let name = "localhost".try_into().unwrap();
    let session = tls.connect(name, socket).await.unwrap();
    let (send, connection) = h2::client::Builder::new()
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .handshake(session)
        .await
        .unwrap();
    spawn_local(connection);
    send
}

/// Reads a stream for as long as it lasts.
async fn read(at: usize, answer: h2::client::ResponseFuture, shared: Rc<Shared>) {
    let answer = answer.await.unwrap();
    assert_eq!(answer.status(), 200, "subscriber {at}");
    shared.tally.borrow_mut().head(at);
    let mut body = answer.into_body();
    while let Some(data) = body.data().await {
        let data = data.unwrap();
        let mut tally = shared.tally.borrow_mut();
        tally.bytes(at, data.len());
        tally.body(at, &data, now_us());
        drop(tally);
        let flow = body.flow_control();
        flow.release_capacity(data.len()).unwrap();
        shared.news.notify_one();
    }
    panic!("subscriber {at}: the stream ended");
}
