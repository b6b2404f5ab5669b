//! An SSE client: our socket, and the decoder of another project, so that what
//! the gateway encodes is read by code that knows nothing of it.

use std::net::SocketAddr;

use bytes::BytesMut;
use russe::{Decoder, Event as Decoded};
use tokio_util::codec::Decoder as _;

use super::http::{self, Response};
use super::unpack::{Dictionary, Unpacker};

/// One thing a stream said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Event {
    /// Its name.
    pub name: String,
    /// Its own id, if it has one.
    pub id: Option<String>,
    /// Its data.
    pub data: String,
}

impl Event {
    /// Whether it is a heartbeat, or a word on the upstream.
    pub fn is_noise(&self) -> bool {
        self.name == "upstream" || self.name == "delta" && self.data == "[]"
    }
}

/// A stream that is being read.
pub struct Stream {
    pub response: Response,
    /// Unpacks what comes, if it comes packed.
    unpacker: Option<Unpacker>,
    decoder: Decoder,
    buffer: BytesMut,
    /// The last id seen, which a reconnecting client sends.
    pub last_id: Option<String>,
    /// The reconnection time, in milliseconds.
    pub retry_ms: Option<u128>,
    /// Comments so far.
    pub comments: usize,
}

impl Stream {
    /// Opens a stream of a path, e.g. `/top10/stream`.
    pub fn open(address: SocketAddr, path: &str) -> Stream {
        Stream::open_with(address, path, &[])
    }

    /// Opens a stream where another one ended.
    pub fn resume(address: SocketAddr, path: &str, last_id: &str) -> Stream {
        Stream::open_with(address, path, &[("Last-Event-ID", last_id)])
    }

    /// Opens a stream with headers.
    pub fn open_with(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Stream {
        Stream::of(http::request(address, "GET", path, headers), path)
    }

    /// Opens a stream as a browser that has the view's dictionary, with more headers.
    pub fn open_with_dictionary(
        address: SocketAddr,
        path: &str,
        dictionary: &Dictionary,
        headers: &[(&str, &str)],
    ) -> Stream {
        let headers = [&dictionary.headers(), headers].concat();
        let response = http::request(address, "GET", path, &headers);
        assert_eq!(response.header("content-encoding"), Some("dcz"));
        Stream::coded(response, path, Some(Unpacker::with(dictionary)))
    }

    /// The stream that is the answer to a request for this path.
    pub fn of(response: Response, path: &str) -> Stream {
        let unpacker = match response.header("content-encoding") {
            Some("gzip") => Some(Unpacker::gzip()),
            other => {
                assert_eq!(other, None, "an encoding that we do not know");
                None
            }
        };
        Stream::coded(response, path, unpacker)
    }

    fn coded(response: Response, path: &str, unpacker: Option<Unpacker>) -> Stream {
        assert_eq!(response.status, 200, "{path}");
        assert_eq!(
            response.header("content-type"),
            Some("text/event-stream; charset=utf-8")
        );
        Stream {
            response,
            unpacker,
            decoder: Decoder::default(),
            buffer: BytesMut::new(),
            last_id: None,
            retry_ms: None,
            comments: 0,
        }
    }

    /// Whether it comes compressed.
    pub fn is_packed(&self) -> bool {
        self.unpacker.is_some()
    }

    /// The next event; `None` at a proper end of the stream.
    pub fn next(&mut self) -> Option<Event> {
        self.try_next().expect("the stream goes on")
    }

    /// The next event, or the way the connection broke.
    pub fn try_next(&mut self) -> Result<Option<Event>, std::io::Error> {
        loop {
            if let Some(event) = self.decoded()? {
                return Ok(Some(event));
            }
            if !self.receive()? {
                return Ok(None);
            }
        }
    }

    /// Takes in what comes next without waiting for an event.
    pub fn feed(&mut self) -> Result<(), std::io::Error> {
        assert!(self.receive()?, "the stream goes on");
        let event = self.decoded()?;
        assert_eq!(event, None, "only comments were expected");
        Ok(())
    }

    /// The next event that has arrived whole.
    fn decoded(&mut self) -> Result<Option<Event>, std::io::Error> {
        while let Some(decoded) = self
            .decoder
            .decode(&mut self.buffer)
            .map_err(std::io::Error::other)?
        {
            match decoded {
                Decoded::Message(message) => return Ok(Some(self.take(message))),
                Decoded::Comment(_) => self.comments += 1,
                Decoded::Retry(time) => self.retry_ms = Some(time.as_millis()),
            }
        }
        Ok(None)
    }

    /// Reads a piece; `false` at the stream's proper end.
    fn receive(&mut self) -> Result<bool, std::io::Error> {
        if let Some(piece) = self.response.piece()? {
            match &mut self.unpacker {
                None => self.buffer.extend_from_slice(&piece),
                Some(unpacker) => self.buffer.extend_from_slice(&unpacker.unpack(&piece)?),
            }
            return Ok(true);
        }
        if let Some(unpacker) = &mut self.unpacker {
            self.buffer.extend_from_slice(&unpacker.finish()?);
        }
        let left = String::from_utf8_lossy(&self.buffer);
        assert!(left.trim().is_empty(), "ended inside an event: {left:?}");
        Ok(false)
    }

    fn take(&mut self, message: russe::Message) -> Event {
        let id = message.id.map(|id| id.to_string());
        if id.is_some() {
            self.last_id.clone_from(&id);
        }
        Event {
            name: message
                .event
                .map_or_else(|| "message".to_owned(), |name| name.to_string()),
            id,
            data: message.data.to_string(),
        }
    }

    /// The next event, which must have this name.
    pub fn expect(&mut self, name: &str) -> Event {
        let event = self.next().expect("another event");
        assert_eq!(event.name, name, "{event:?}");
        event
    }
}
