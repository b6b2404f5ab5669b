//! `viewcast healthcheck`: asks a running gateway whether it is well, for
//! images and units where no `curl` is at hand.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use crate::limits;

/// Why a health check failed.
#[derive(Debug, thiserror::Error)]
pub enum HealthcheckError {
    /// The address is no http URL.
    #[error("\"{0}\" is not an http URL")]
    Url(String),
    /// Nobody answered in time, or not at all.
    #[error("no answer from {authority}: {error}")]
    Silent {
        /// Host and port asked.
        authority: String,
        /// What the operating system said.
        error: std::io::Error,
    },
    /// The answer was not 200.
    #[error("{authority} answered \"{status}\"")]
    Unwell {
        /// Host and port asked.
        authority: String,
        /// The first line of the answer.
        status: String,
    },
}

/// Sends one GET and is content with a 200.
pub fn check(url: &str) -> Result<(), HealthcheckError> {
    let (authority, path) = split(url).ok_or_else(|| HealthcheckError::Url(url.to_owned()))?;
    let answer = ask(&authority, path).map_err(|error| HealthcheckError::Silent {
        authority: authority.clone(),
        error,
    })?;
    let status = answer.lines().next().unwrap_or_default();
    match status.split(' ').nth(1) {
        Some("200") => Ok(()),
        _ => Err(HealthcheckError::Unwell {
            authority,
            status: status.to_owned(),
        }),
    }
}

/// Host with port, and path. A line break could smuggle a header in.
fn split(url: &str) -> Option<(String, &str)> {
    let rest = url.strip_prefix("http://")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let plain = !authority.is_empty() && url.bytes().all(|byte| byte.is_ascii_graphic());
    let path = if path.is_empty() { "/" } else { path };
    let bare_host = authority
        .rsplit_once(':')
        .is_none_or(|(_, port)| port.ends_with(']'));
    let port = if bare_host { ":80" } else { "" };
    plain.then(|| (format!("{authority}{port}"), path))
}

fn ask(authority: &str, path: &str) -> std::io::Result<String> {
    let deadline = Instant::now() + limits::HEALTHCHECK_TIMEOUT;
    let mut socket = connect(authority)?;
    socket.set_write_timeout(Some(limits::HEALTHCHECK_TIMEOUT))?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
    // In one piece, so that it leaves in one segment.
    socket.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    let mut piece = [0; 256];
    // The first line is all that counts; the rest need not be waited for.
    while !answer.contains(&b'\n') && answer.len() < limits::HEALTHCHECK_ANSWER_BYTES_MAX {
        let left = deadline.saturating_duration_since(Instant::now());
        // A timeout of zero would mean none.
        socket.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        match socket.read(&mut piece)? {
            0 => break,
            read => answer.extend(piece.iter().take(read)),
        }
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Tries each address of the host, as `localhost` has two.
fn connect(authority: &str) -> std::io::Result<TcpStream> {
    let mut failed = std::io::Error::from(std::io::ErrorKind::NotFound);
    for address in authority.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, limits::HEALTHCHECK_TIMEOUT) {
            Ok(socket) => return Ok(socket),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn answered(answer: &'static str) -> Result<(), HealthcheckError> {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let address = listener.local_addr().expect("address");
        let server = std::thread::spawn(move || {
            let (mut socket, _) = listener.accept().expect("accept");
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut piece = [0; 512];
                let read = socket.read(&mut piece).expect("read");
                assert!(read > 0, "the request ended early");
                request.extend_from_slice(&piece[..read]);
            }
            socket.write_all(answer.as_bytes()).expect("write");
            String::from_utf8_lossy(&request).into_owned()
        });
        let outcome = check(&format!("http://{address}/healthz"));
        let request = server.join().expect("server");
        assert!(
            request.starts_with("GET /healthz HTTP/1.1\r\n"),
            "{request}"
        );
        outcome
    }

    #[test]
    fn healthcheck_of_200_is_well_and_of_anything_else_is_not() {
        assert!(answered("HTTP/1.1 200 OK\r\n\r\n").is_ok());
        let error = answered("HTTP/1.1 503 Service Unavailable\r\n\r\n").expect_err("503");
        assert!(
            error
                .to_string()
                .ends_with("answered \"HTTP/1.1 503 Service Unavailable\"")
        );
        assert!(answered("").is_err());
        assert!(answered("SSH-2.0-x\r\n").is_err());
    }

    #[test]
    fn healthcheck_url_is_split_or_refused() {
        let split = |url| split(url).map(|(authority, path)| (authority, path.to_owned()));
        let some = |authority: &str, path: &str| Some((authority.to_owned(), path.to_owned()));
        assert_eq!(split("http://a:1/b/c"), some("a:1", "/b/c"));
        assert_eq!(split("http://a"), some("a:80", "/"));
        assert_eq!(split("http://[::1]/x"), some("[::1]:80", "/x"));
        assert_eq!(split("http://[::1]:9/x"), some("[::1]:9", "/x"));
        for bad in ["https://a/", "a", "http:///x", "http://a/ HTTP/1.1\r\nX: y"] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
