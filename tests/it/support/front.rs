//! A gateway with or without TLS, and peers that speak to it by hand, on each
//! way in, reading as slowly as they like.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, crypto::ring};
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;

use super::gateway::{PATIENCE, Process};
use super::http2::{frame, literal, preface};

/// A way in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// HTTP/1.1, without TLS or with it, as the gateway is.
    Http1,
    /// HTTP/2, the same.
    Http2,
}

/// A gateway, and what its certificate is trusted by.
pub struct Front {
    pub process: Process,
    pub address: SocketAddr,
    trust: Option<RootCertStore>,
    folder: TempDir,
}

/// Something to read from and write to.
trait Line: Read + Write + Send {}
impl<T: Read + Write + Send> Line for T {}

/// A connection whose bytes are seen as they are below HTTP.
pub struct Peer {
    line: Box<dyn Line>,
    /// How many streams of HTTP/2 it has begun.
    streams: u32,
    address: SocketAddr,
}

impl Front {
    /// Starts a gateway on a port of the system's choice.
    pub fn start(arguments: &[&str], is_secure: bool) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut all = arguments.to_vec();
        all.extend(["--listen", "127.0.0.1:0"]);
        if !is_secure {
            let process = Process::start(&all);
            return Front::of(process, "http://", None, folder);
        }
        let names = vec!["127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
        let (chain, key) = (
            folder.path().join("cert.pem"),
            folder.path().join("key.pem"),
        );
        std::fs::write(&chain, made.cert.pem()).expect("write");
        std::fs::write(&key, made.signing_key.serialize_pem()).expect("write");
        let (chain, key) = (chain.display().to_string(), key.display().to_string());
        all.extend(["--tls-cert", &chain, "--tls-key", &key]);
        let process = Process::start(&all);
        let mut trust = RootCertStore::empty();
        let der = CertificateDer::from_pem_slice(made.cert.pem().as_bytes()).expect("PEM");
        trust.add(der).expect("an anchor");
        Front::of(process, "https://", Some(trust), folder)
    }

    fn of(process: Process, scheme: &str, trust: Option<RootCertStore>, folder: TempDir) -> Self {
        let line = process.await_log("listening on http");
        let (_, address) = line.split_once(scheme).expect("an address");
        let address = address.trim().parse().expect("an address");
        Front {
            process,
            address,
            trust,
            folder,
        }
    }

    /// A path of it, for curl and its like.
    pub fn url(&self, path: &str) -> String {
        let scheme = if self.trust.is_some() {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://{}{path}", self.address)
    }

    /// The file by which its certificate is trusted, where it has one.
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    /// A connection; its kernel takes little for it where a buffer is given.
    pub fn connect(&self, way: Way, buffer: Option<usize>) -> Peer {
        let domain = Domain::for_address(self.address);
        let socket = Socket::new(domain, Type::STREAM, None).expect("a socket");
        if let Some(bytes) = buffer {
            socket.set_recv_buffer_size(bytes).expect("a small buffer");
        }
        socket.connect(&self.address.into()).expect("accepted");
        let socket = TcpStream::from(socket);
        socket.set_read_timeout(Some(PATIENCE)).expect("set");
        socket.set_nodelay(true).expect("set");
        let line: Box<dyn Line> = match &self.trust {
            None => Box::new(socket),
            Some(trust) => Box::new(secured(socket, trust.clone(), way)),
        };
        Peer {
            line,
            streams: 0,
            address: self.address,
        }
    }

    /// The body of an answer.
    pub fn get(&self, path: &str) -> String {
        let mut peer = self.connect(Way::Http1, None);
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            self.address
        );
        peer.write(head.as_bytes());
        let mut answer = Vec::new();
        // An end without a farewell of TLS is one as well.
        let _ = peer.line.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (_, body) = answer.split_once("\r\n\r\n").expect("a head");
        body.to_owned()
    }

    /// Streams of all views.
    pub fn subscribers(&self) -> u64 {
        let list: serde_json::Value = serde_json::from_str(&self.get("/views")).expect("JSON");
        let views = list["views"].as_array().expect("a list");
        let counts = views.iter().map(|view| view["subscribers"].as_u64());
        counts.map(|count| count.expect("a count")).sum()
    }

    /// Waits until there are so many.
    pub fn await_subscribers(&self, count: u64) {
        let deadline = Instant::now() + PATIENCE;
        while self.subscribers() != count {
            assert!(
                Instant::now() < deadline,
                "{} streams, not {count} in time",
                self.subscribers()
            );
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    /// Waits until every view has a base.
    pub fn await_ready(&self) {
        let deadline = Instant::now() + PATIENCE;
        while !self.get("/readyz").contains("\"ready\"") {
            assert!(Instant::now() < deadline, "not ready in time");
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }
}

fn secured(
    socket: TcpStream,
    trust: RootCertStore,
    way: Way,
) -> StreamOwned<ClientConnection, TcpStream> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions();
    let builder = builder.expect("versions").with_root_certificates(trust);
    let mut config = builder.with_no_client_auth();
    config.alpn_protocols = vec![match way {
        Way::Http1 => b"http/1.1".to_vec(),
        Way::Http2 => b"h2".to_vec(),
    }];
    let name = ServerName::try_from("127.0.0.1").expect("a name");
    let client = ClientConnection::new(Arc::new(config), name).expect("a client");
    StreamOwned::new(client, socket)
}

impl Peer {
    pub fn write(&mut self, bytes: &[u8]) {
        self.line.write_all(bytes).expect("sent");
        self.line.flush().expect("sent");
    }

    /// Asks in HTTP/1.1.
    pub fn ask(&mut self, path: &str) {
        let head = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.address);
        self.write(head.as_bytes());
    }

    /// Begins HTTP/2, with so much room in each stream.
    pub fn begin_http2(&mut self, window: u32) {
        self.write(&preface(window));
    }

    /// Asks in HTTP/2; the stream's number.
    pub fn ask_http2(&mut self, path: &str, headers: &[(&str, &str)]) -> u32 {
        let (stream, bytes) = self.request_http2(path, headers);
        self.write(&bytes);
        stream
    }

    /// A request that is yet to be sent, and its stream.
    pub fn request_http2(&mut self, path: &str, headers: &[(&str, &str)]) -> (u32, Vec<u8>) {
        let stream = 2 * self.streams + 1;
        self.streams += 1;
        let authority = self.address.to_string();
        let fixed = [
            (":method", "GET"),
            (":scheme", "http"),
            (":path", path),
            (":authority", &authority),
        ];
        let all = fixed.iter().chain(headers);
        let head: Vec<u8> = all.flat_map(|(name, value)| literal(name, value)).collect();
        // The end of the headers, and of the request.
        (stream, frame(1, 5, stream, &head))
    }

    /// Gives room, to a stream or (0) to the connection.
    pub fn give_room(&mut self, stream: u32, bytes: u32) {
        self.write(&frame(8, 0, stream, &bytes.to_be_bytes()));
    }

    /// The next frame: its kind, flags, stream and payload.
    pub fn read_frame(&mut self) -> (u8, u8, u32, Vec<u8>) {
        let mut head = [0; 9];
        self.line.read_exact(&mut head).expect("a frame");
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        let mut payload = vec![0; usize::try_from(length).expect("a length")];
        self.line.read_exact(&mut payload).expect("a payload");
        (head[3], head[4], stream, payload)
    }

    /// Reads so many bytes, whatever they are.
    pub fn read(&mut self, bytes: usize) {
        let mut taken = vec![0; bytes];
        self.line.read_exact(&mut taken).expect("still served");
    }

    /// Reads until this has come; all that came.
    pub fn read_until(&mut self, text: &str) -> String {
        let mut seen = Vec::new();
        while !seen.ends_with(text.as_bytes()) {
            let mut byte = [0];
            self.line.read_exact(&mut byte).expect("still served");
            seen.extend(byte);
        }
        String::from_utf8(seen).expect("UTF-8")
    }

    /// Waits until the other side has closed, whatever it says before.
    pub fn await_end(&mut self) {
        let mut scratch = vec![0; 64 * 1024];
        loop {
            match self.line.read(&mut scratch) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) => {
                    let waits = [ErrorKind::WouldBlock, ErrorKind::TimedOut];
                    assert!(!waits.contains(&error.kind()), "not closed in time");
                    return;
                }
            }
        }
    }
}
