//! `demo --live`: Wikimedia's stream of recent changes, read as it happens.
//!
//! A client of Server-Sent Events with a thread of its own. It never holds the
//! demo up: edits go through a bounded channel, and the stand-in plays the
//! recording whenever this says that it has no connection.

use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_web::rt::time::{sleep, timeout};
use awc::http::header::{ACCEPT, CONTENT_TYPE, HeaderValue, USER_AGENT};
use awc::http::{StatusCode, Uri, Version};
use bytes::BytesMut;
use futures::StreamExt as _;
use futures::future::select;
use serde::Deserialize;
use tokio::sync::{mpsc, watch};
use tokio_util::codec::Decoder as _;

use super::feed::Edit;
use crate::limits;

const EVENT_STREAM: &str = "text/event-stream";

/// Wikimedia asks clients to say who they are, and where to find their makers.
const WHO: &str = concat!("viewcast/", env!("CARGO_PKG_VERSION"), " (demo)");

/// Wikipedias are named by the language they are written in.
const WIKIPEDIA: &str = ".wikipedia.org";

/// Why a connection was not made, or ended.
#[derive(Debug, thiserror::Error)]
enum LiveError {
    /// TLS could not be set up.
    #[error("TLS could not be set up")]
    Tls(#[from] rustls::Error),
    /// No connection, or no answer.
    #[error("{0}")]
    Send(String),
    /// An answer, but not a stream.
    #[error("the answer was {0}, not an event stream")]
    Answer(StatusCode),
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Payload(#[from] awc::error::PayloadError),
    /// The server ended the stream.
    #[error("the server ended the stream")]
    Ended,
    /// Nothing came for a while.
    #[error(
        "nothing came for {}",
        humantime::format_duration(limits::DEMO_LIVE_SILENCE_MAX)
    )]
    Silence,
    /// What came is no event stream.
    #[error("the stream is malformed: {0}")]
    Malformed(#[from] russe::Error),
    /// An event without an end.
    #[error("an event is longer than {} bytes", limits::DEMO_LIVE_EVENT_BYTES_MAX)]
    TooLong,
    /// Nobody takes the edits any more.
    #[error("the demo ended")]
    Closed,
}

/// The parts of a recent change that make an edit.
#[derive(Deserialize)]
struct Change {
    #[serde(rename = "type")]
    kind: String,
    server_name: String,
    title: String,
    user: String,
    length: Option<Length>,
}

/// A page's length in bytes, before and after.
#[derive(Deserialize)]
struct Length {
    old: Option<i64>,
    new: i64,
}

/// Where edits go, and what stands in for them.
pub(super) struct Sink {
    /// Takes the edits; their event time is set by whoever receives them.
    pub(super) edits: mpsc::Sender<Edit>,
    /// Whether there is a connection.
    pub(super) connected: Arc<AtomicBool>,
}

/// Reads the stream until `stop` says true; comes back after every end.
pub(super) fn run(url: &Uri, sink: &Sink, mut stop: watch::Receiver<bool>) {
    let runtime = match actix_web::rt::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            log::error!("live feed: cannot start: {error}; playing the recording");
            return;
        }
    };
    runtime.block_on(async {
        let reading = pin!(follow(url, sink));
        // An error means that whoever would say so is gone.
        let stopped = pin!(stop.wait_for(|stop| *stop));
        select(reading, stopped).await;
    });
}

/// Connects again for ever, with growing pauses, going on after the last event.
async fn follow(url: &Uri, sink: &Sink) {
    let host = url.host().unwrap_or_default();
    let mut place = Place::default();
    let mut pause = limits::DEMO_LIVE_BACKOFF_MIN;
    loop {
        let Err(error) = session(url, sink, &mut place).await;
        if matches!(error, LiveError::Closed) {
            return;
        }
        if sink.connected.swap(false, Ordering::Relaxed) {
            pause = limits::DEMO_LIVE_BACKOFF_MIN;
        }
        log::warn!("live feed: {host}: {error}; playing the recording meanwhile");
        // Half of it by chance, so that not everybody comes back at once.
        let wait = pause.mul_f64(0.5 + fastrand::f64() / 2.0).max(place.retry);
        sleep(wait.min(limits::DEMO_LIVE_BACKOFF_MAX)).await;
        pause = pause.saturating_mul(2).min(limits::DEMO_LIVE_BACKOFF_MAX);
    }
}

/// How far a stream has been read.
#[derive(Default)]
struct Place {
    /// The last event's id.
    id: Option<HeaderValue>,
    /// The server's wish for the pause before the next connection.
    retry: Duration,
}

/// One connection, from its request to its end.
async fn session(
    url: &Uri,
    sink: &Sink,
    place: &mut Place,
) -> Result<std::convert::Infallible, LiveError> {
    let mut request = client()?
        .get(url.clone())
        .insert_header((ACCEPT, EVENT_STREAM))
        .insert_header((USER_AGENT, WHO));
    if let Some(id) = &place.id {
        request = request.insert_header(("Last-Event-ID", id.clone()));
    }
    let sent = request.send().await;
    let mut response = sent.map_err(|error| LiveError::Send(error.to_string()))?;
    let kind = response.headers().get(CONTENT_TYPE);
    let is_stream = kind.is_some_and(|kind| kind.as_bytes().starts_with(EVENT_STREAM.as_bytes()));
    if response.status() != StatusCode::OK || !is_stream {
        return Err(LiveError::Answer(response.status()));
    }
    log::info!("live feed: reading {}", url.host().unwrap_or_default());
    sink.connected.store(true, Ordering::Relaxed);
    let mut decoder = russe::Decoder::default();
    let mut bytes = BytesMut::new();
    loop {
        let chunk = timeout(limits::DEMO_LIVE_SILENCE_MAX, response.next()).await;
        let chunk = chunk.map_err(|_| LiveError::Silence)?;
        bytes.extend_from_slice(&chunk.ok_or(LiveError::Ended)??);
        while let Some(event) = decoder.decode(&mut bytes)? {
            take(event, sink, place).await?;
        }
        if bytes.len() > limits::DEMO_LIVE_EVENT_BYTES_MAX {
            return Err(LiveError::TooLong);
        }
    }
}

async fn take(event: russe::Event, sink: &Sink, place: &mut Place) -> Result<(), LiveError> {
    let message = match event {
        russe::Event::Message(message) => message,
        russe::Event::Retry(retry) => {
            place.retry = retry;
            return Ok(());
        }
        _ => return Ok(()),
    };
    if let Some(edit) = edit(&message.data) {
        // A full channel holds up this connection, and nothing else.
        let sent = sink.edits.send(edit).await;
        sent.map_err(|_| LiveError::Closed)?;
    }
    // Only now: after an end, what was not taken is asked for again.
    if let Some(id) = message.id {
        // One that no header can carry is as good as none.
        place.id = HeaderValue::from_str(&id).ok();
    }
    Ok(())
}

/// The edit that a recent change tells of, if it is one of a Wikipedia. Log
/// entries, categories and other wikis are not.
fn edit(text: &str) -> Option<Edit> {
    let change: Change = serde_json::from_str(text).ok()?;
    if !matches!(change.kind.as_str(), "edit" | "new") {
        return None;
    }
    let wiki = change.server_name.strip_suffix(WIKIPEDIA)?.to_owned();
    let length = change.length?;
    let bytes = length.new.checked_sub(length.old.unwrap_or(0))?;
    // Addresses of people are not shown, in the recording neither.
    let anonymous = change.user.parse::<IpAddr>().is_ok();
    Some(Edit {
        event_ms: 0,
        wiki,
        page: change.title,
        user: (!anonymous).then_some(change.user),
        bytes: isize::try_from(bytes).ok()?,
    })
}

/// An HTTP/1.1 client: a stream that never ends gains nothing from HTTP/2.
fn client() -> Result<awc::Client, LiveError> {
    let mut roots = rustls::RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    // A machine without certificates fails at the handshake, with a reason.
    roots.add_parsable_certificates(found.certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = awc::Connector::new()
        .rustls_0_23(Arc::new(tls))
        .max_http_version(Version::HTTP_11)
        .timeout(limits::DEMO_LIVE_CONNECT_MAX);
    let client = awc::Client::builder()
        .connector(connector)
        // Until the answer's head; the stream itself is watched for silence.
        .timeout(limits::DEMO_LIVE_CONNECT_MAX)
        .disable_redirects();
    Ok(client.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANGE: &str = r#"{"type":"edit","server_name":"de.wikipedia.org","title":"Zürich","user":"Ada","length":{"old":100,"new":90},"bot":false}"#;

    #[test]
    fn change_of_a_wikipedia_is_an_edit() {
        let found = edit(CHANGE).unwrap();
        let user = found.user.as_deref();
        assert_eq!(
            (found.wiki.as_str(), found.page.as_str(), user, found.bytes),
            ("de", "Zürich", Some("Ada"), -10)
        );
        let new = CHANGE
            .replace("\"edit\"", "\"new\"")
            .replace("\"old\":100,", "");
        assert_eq!(edit(&new).unwrap().bytes, 90);
    }

    #[test]
    fn address_of_an_editor_is_dropped() {
        for address in ["192.0.2.7", "2001:db8::1"] {
            assert_eq!(edit(&CHANGE.replace("Ada", address)).unwrap().user, None);
        }
    }

    #[test]
    fn change_that_is_no_edit_of_a_wikipedia_is_none() {
        for (from, to) in [
            ("\"edit\"", "\"log\""),
            ("de.wikipedia.org", "www.wikidata.org"),
            ("de.wikipedia.org", "wikipedia.org.example"),
            ("\"length\":{\"old\":100,\"new\":90},", ""),
            ("90", "9e99"),
            ("{\"type\"", "[{\"type\""),
        ] {
            assert_eq!(edit(&CHANGE.replace(from, to)), None, "{to}");
        }
    }
}
