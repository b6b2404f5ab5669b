//! The gateway as it is shipped, on a port that stays the same.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

pub struct Gateway {
    pub address: SocketAddr,
    arguments: Vec<String>,
    child: Child,
}

/// A port that nobody has just now.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// The program that is measured.
pub fn binary() -> Command {
    let binary = std::env::var_os("BENCH_BINARY");
    let mut command = Command::new(binary.unwrap_or_else(|| env!("CARGO_BIN_EXE_viewcast").into()));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("VIEWCAST_") {
            command.env_remove(name);
        }
    }
    command.env_remove("RUST_LOG");
    let log = std::env::var_os("GAPS_LOG").is_some();
    let out = || if log { Stdio::inherit() } else { Stdio::null() };
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(out());
    command
}

impl Gateway {
    pub fn start(arguments: &[String]) -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let mut arguments = arguments.to_vec();
        arguments.extend(["--listen".to_owned(), address.to_string()]);
        let child = binary().args(&arguments).spawn().unwrap();
        let gateway = Gateway {
            address,
            arguments,
            child,
        };
        gateway.await_ready();
        gateway
    }

    /// Waits until every view can be had.
    pub fn await_ready(&self) {
        let end = Instant::now() + Duration::from_secs(30);
        while !self.is_ready() && Instant::now() < end {
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn is_ready(&self) -> bool {
        let ask = || -> std::io::Result<String> {
            let mut socket = TcpStream::connect(self.address)?;
            socket.set_read_timeout(Some(Duration::from_secs(2)))?;
            let host = self.address;
            write!(
                socket,
                "GET /readyz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
            )?;
            let mut head = [0; 12];
            socket.read_exact(&mut head)?;
            Ok(String::from_utf8_lossy(&head).into_owned())
        };
        ask().is_ok_and(|head| head.ends_with("200"))
    }

    /// Ends it as an operator does, and starts it again once it has ended.
    pub fn restart(&mut self) {
        let _ = Command::new("kill")
            .args(["-s", "TERM", &self.child.id().to_string()])
            .status();
        let _ = self.child.wait();
        self.child = binary().args(&self.arguments).spawn().unwrap();
        self.await_ready();
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
