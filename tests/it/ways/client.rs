//! A client for each way in.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::ffi::OsStringExt as _;
use std::process::{Command, Stdio};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, crypto::ring};
use tempfile::TempDir;

use crate::support::gateway::{Gateway, PATIENCE, Process};
use crate::support::materialize::{Generation, Materialize, row};

/// A way in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Way {
    Plain,
    Reused,
    Tls,
    TlsReused,
    H2,
    H2c,
}

/// A request, and the status that it is to be answered with.
#[derive(Clone, Debug)]
pub struct Row {
    pub method: &'static str,
    pub target: String,
    pub headers: Vec<(String, Vec<u8>)>,
    pub status: u16,
}

impl Row {
    pub fn new(method: &'static str, target: &str, status: u16) -> Row {
        Row {
            method,
            target: target.to_owned(),
            headers: Vec::new(),
            status,
        }
    }

    pub fn with(mut self, name: &str, value: &str) -> Row {
        self.headers
            .push((name.to_owned(), value.as_bytes().to_vec()));
        self
    }

    /// As HTTP/1.1 has it.
    pub fn bytes(&self, is_last: bool) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\n", self.method, self.target).into_bytes();
        if !self.headers.iter().any(|(name, _)| name == "host") {
            bytes.extend(b"Host: localhost\r\n");
        }
        for (name, value) in &self.headers {
            bytes.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        if is_last {
            bytes.extend(b"Connection: close\r\n");
        }
        bytes.extend(b"\r\n");
        bytes
    }
}

/// What came back: of a stream, up to its first id.
pub struct Answer {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// The connection ended behind it.
    pub is_closed: bool,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {:?}", self.text()))
    }

    fn parse(bytes: &[u8], is_closed: bool) -> Answer {
        let end = head_end(bytes)
            .unwrap_or_else(|| panic!("no head: {:?}", String::from_utf8_lossy(bytes)));
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1));
        let headers = lines.filter_map(|line| line.split_once(':'));
        Answer {
            status: status.and_then(|word| word.parse().ok()).expect("a status"),
            headers: headers
                .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
                .collect(),
            body: bytes[end..].to_vec(),
            is_closed,
        }
    }
}

fn head_end(bytes: &[u8]) -> Option<usize> {
    let found = bytes.windows(4).position(|window| window == b"\r\n\r\n");
    found.map(|at| at + 4)
}

/// Whether the answer is there as far as a test wants it.
fn is_enough(bytes: &[u8], is_head: bool) -> bool {
    let Some(end) = head_end(bytes) else {
        return false;
    };
    let answer = Answer::parse(bytes, false);
    let is_bare = is_head || answer.status == 204 || answer.status == 304;
    match answer.header("content-length") {
        _ if is_bare => true,
        Some(length) => bytes.len() >= end + length.parse::<usize>().expect("a number"),
        // The end of an event that has an id.
        None => {
            let text = answer.text();
            let id = text.find("\nid: ").map(|at| &text[at + 1..]);
            id.is_some_and(|id| id.contains("\n\n"))
        }
    }
}

/// Reads an answer, and not what may follow it.
pub fn read(io: &mut impl Read, is_head: bool) -> Answer {
    read_until(io, |bytes| is_enough(bytes, is_head))
}

/// Reads to the end of the connection.
pub fn read_all(io: &mut impl Read) -> Answer {
    read_until(io, |_| false)
}

fn read_until(io: &mut impl Read, is_enough: impl Fn(&[u8]) -> bool) -> Answer {
    let (mut bytes, mut piece) = (Vec::new(), [0; 16 * 1024]);
    while !is_enough(&bytes) {
        match io.read(&mut piece) {
            Ok(0) => return Answer::parse(&bytes, true),
            Ok(length) => bytes.extend_from_slice(&piece[..length]),
            Err(error) => panic!("{error} behind {:?}", String::from_utf8_lossy(&bytes)),
        }
    }
    Answer::parse(&bytes, false)
}

/// Two gateways on one view, one with TLS.
pub struct Ways {
    pub plain: Gateway,
    secure: Process,
    secure_address: SocketAddr,
    client: Arc<ClientConfig>,
    folder: TempDir,
    _upstream: Materialize,
}

impl Ways {
    pub fn start() -> Ways {
        let upstream = Materialize::start(Generation::Modern);
        upstream.create_view("v", &[("n", "integer"), ("b", "text")]);
        upstream.commit("v", vec![(row(["1", "gr\u{f6}\u{df}e"]), 1)]);
        let url = upstream.url();
        let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(file("cert.pem"), made.cert.pem()).expect("written");
        std::fs::write(file("key.pem"), made.signing_key.serialize_pem()).expect("written");
        let common = [
            "--upstream",
            &url,
            "--view",
            "v",
            "--filter",
            "v:n",
            "--heartbeat",
            "1h",
        ];
        let origin = ["--allow-origin", super::APP];
        let plain = Gateway::start(&[&common[..], &origin].concat());
        let tls = [
            "--tls-cert",
            &file("cert.pem"),
            "--tls-key",
            &file("key.pem"),
        ];
        let listen = ["--listen", "127.0.0.1:0"];
        let secure = Process::start(&[&common[..], &origin, &tls, &listen].concat());
        let line = secure.await_log("listening on https://");
        let (_, address) = line.split_once("https://").expect("an address");
        let secure_address = address.trim().parse().expect("an address");
        let mut roots = RootCertStore::empty();
        let der = rustls::pki_types::CertificateDer::from_pem_slice(made.cert.pem().as_bytes());
        roots.add(der.expect("PEM")).expect("a root");
        let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        plain.await_ready();
        let ways = Ways {
            plain,
            secure,
            secure_address,
            client: Arc::new(client),
            folder,
            _upstream: upstream,
        };
        let ready = Row::new("GET", "/readyz", 200);
        while ways.ask(Way::Tls, &ready).status != 200 {
            std::thread::park_timeout(std::time::Duration::from_millis(10));
        }
        ways
    }

    pub fn all(&self) -> [Way; 6] {
        [
            Way::Plain,
            Way::Reused,
            Way::Tls,
            Way::TlsReused,
            Way::H2,
            Way::H2c,
        ]
    }

    pub fn has_panicked(&self) -> bool {
        self.plain.process.has_panicked() || self.secure.has_panicked()
    }

    /// A connection without TLS.
    pub fn plain(&self) -> TcpStream {
        connect(self.plain.address)
    }

    /// One with it.
    pub fn secure(&self) -> StreamOwned<ClientConnection, TcpStream> {
        let name = ServerName::try_from("localhost").expect("a name");
        let connection = ClientConnection::new(Arc::clone(&self.client), name);
        StreamOwned::new(connection.expect("TLS"), connect(self.secure_address))
    }

    /// Asks over one of the ways.
    pub fn ask(&self, way: Way, asked: &Row) -> Answer {
        match way {
            Way::Plain => first(self.plain(), asked),
            Way::Reused => second(self.plain(), asked),
            Way::Tls => first(self.secure(), asked),
            Way::TlsReused => second(self.secure(), asked),
            Way::H2 | Way::H2c => self.curl(way, asked),
        }
    }

    fn curl(&self, way: Way, asked: &Row) -> Answer {
        let (base, version) = match way {
            Way::H2 => (format!("https://{}", self.secure_address), "--http2"),
            _ => (
                format!("http://{}", self.plain.address),
                "--http2-prior-knowledge",
            ),
        };
        let authority = self.folder.path().join("cert.pem");
        let mut command = Command::new("curl");
        command.args([
            "-sS",
            "-i",
            "-N",
            "--path-as-is",
            "--globoff",
            version,
            "--cacert",
        ]);
        command.arg(authority);
        match asked.method {
            "HEAD" => command.arg("--head"),
            method => command.args(["-X", method]),
        };
        // Nothing but what the row says, as over the other ways.
        for name in ["user-agent", "accept"] {
            if !asked.headers.iter().any(|(known, _)| known == name) {
                command.args(["-H", &format!("{name}:")]);
            }
        }
        for (name, value) in &asked.headers {
            let line = [name.as_bytes(), b": ", value].concat();
            command.arg("-H").arg(std::ffi::OsString::from_vec(line));
        }
        command.arg(format!("{base}{}", asked.target));
        let mut child = command.stdout(Stdio::piped()).spawn().expect("curl runs");
        let mut stdout = child.stdout.take().expect("piped");
        let answer = read(&mut stdout, asked.method == "HEAD");
        let _ = child.kill();
        let _ = child.wait();
        answer
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).expect("accepted");
    socket.set_read_timeout(Some(PATIENCE)).expect("set");
    socket.set_nodelay(true).expect("set");
    socket
}

fn first(mut io: impl Read + Write, asked: &Row) -> Answer {
    io.write_all(&asked.bytes(true)).expect("sent");
    io.flush().expect("sent");
    read(&mut io, asked.method == "HEAD")
}

/// Behind another request on the same connection.
fn second(mut io: impl Read + Write, asked: &Row) -> Answer {
    let before = Row::new("GET", "/healthz", 200);
    io.write_all(&before.bytes(false)).expect("sent");
    io.flush().expect("sent");
    assert_eq!(read(&mut io, false).status, 200);
    first(io, asked)
}
