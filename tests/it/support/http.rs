//! A small HTTP/1.1 client over a plain socket, so that tests see the very
//! bytes and decide themselves when to read.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use socket2::{Domain, Socket, Type};

use super::gateway::PATIENCE;

/// A response, its body read on demand.
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    reader: BufReader<TcpStream>,
    chunked: bool,
    length: Option<usize>,
    ended: bool,
}

/// Sends a request and reads the head of the response.
pub fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
) -> Response {
    send(
        address,
        head(address, method, path, headers).as_bytes(),
        method,
    )
}

fn head(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)]) -> String {
    let mut lines = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\n");
    for (name, value) in headers {
        lines.push_str(&format!("{name}: {value}\r\n"));
    }
    lines.push_str("\r\n");
    lines
}

/// A GET of whose answer the kernel holds little until it is read.
pub fn narrow(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Response {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).expect("a socket");
    socket.set_recv_buffer_size(4 * 1024).expect("a small one");
    socket
        .connect(&address.into())
        .expect("the gateway accepts");
    let mut socket = TcpStream::from(socket);
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = head(address, "GET", path, headers);
    socket
        .write_all(head.as_bytes())
        .expect("the request is sent");
    Response::read(socket, "GET")
}

/// Sends any bytes and reads the head of a response.
pub fn send(address: SocketAddr, bytes: &[u8], method: &str) -> Response {
    let mut socket = TcpStream::connect(address).expect("the gateway accepts");
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.set_nodelay(true).unwrap();
    socket.write_all(bytes).expect("the request is sent");
    Response::read(socket, method)
}

/// A GET without headers.
pub fn get(address: SocketAddr, path: &str) -> Response {
    request(address, "GET", path, &[])
}

impl Response {
    fn read(socket: TcpStream, method: &str) -> Response {
        let mut reader = BufReader::new(socket);
        let line = read_line(&mut reader).expect("a status line");
        let status = line.split(' ').nth(1).and_then(|word| word.parse().ok());
        let mut headers = Vec::new();
        loop {
            let line = read_line(&mut reader).expect("a header");
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').expect("a colon");
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut response = Response {
            status: status.unwrap_or_else(|| panic!("no status in {line:?}")),
            headers,
            reader,
            chunked: false,
            length: None,
            ended: method == "HEAD",
        };
        response.chunked = response.header("transfer-encoding") == Some("chunked");
        response.length = response
            .header("content-length")
            .map(|text| text.parse().unwrap());
        response
    }

    /// The port of our end of the connection.
    pub fn local_port(&self) -> u16 {
        let address = self.reader.get_ref().local_addr();
        address.expect("connected").port()
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The next piece of the body; `None` at its end. `Err` where the
    /// connection broke before the body's proper end.
    pub fn piece(&mut self) -> Result<Option<Vec<u8>>, std::io::Error> {
        if self.ended {
            return Ok(None);
        }
        if !self.chunked {
            let mut body = Vec::new();
            match self.length {
                Some(length) => {
                    body.resize(length, 0);
                    self.reader.read_exact(&mut body)?;
                }
                None => drop(self.reader.read_to_end(&mut body)?),
            }
            self.ended = true;
            return Ok(Some(body));
        }
        let size = read_line(&mut self.reader)?;
        let size = usize::from_str_radix(&size, 16).map_err(std::io::Error::other)?;
        let mut chunk = vec![0; size + 2];
        self.reader.read_exact(&mut chunk)?;
        chunk.truncate(size);
        self.ended = size == 0;
        Ok((!self.ended).then_some(chunk))
    }

    /// The whole body as text.
    pub fn text(&mut self) -> String {
        let mut all = Vec::new();
        while let Some(piece) = self.piece().expect("the body arrives whole") {
            all.extend_from_slice(&piece);
        }
        String::from_utf8(all).expect("UTF-8")
    }

    /// The whole body as JSON.
    pub fn json(&mut self) -> serde_json::Value {
        serde_json::from_str(&self.text()).expect("JSON")
    }
}

fn read_line(reader: &mut BufReader<TcpStream>) -> Result<String, std::io::Error> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    line.truncate(line.trim_end_matches(['\r', '\n']).len());
    Ok(line)
}
