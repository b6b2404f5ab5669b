//! The server that is measured: the demo's stand-in, or any that is named.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::process::{Child, Command};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use postgres::{Client, NoTls, SimpleQueryMessage};

use crate::gateway::{binary, free_port};

/// The same after each restart.
const ENVIRONMENT: &str = "gaps-region-00000000-0000-4000-8000-000000000001-0";

/// Statements on a connection that is made anew after it broke.
pub struct Sql {
    url: String,
    client: Option<Client>,
}

impl Sql {
    pub fn new(url: String) -> Self {
        Sql { url, client: None }
    }

    /// Runs a statement; why not, in one line.
    pub fn run(&mut self, statement: &str) -> Result<(), String> {
        self.ask(statement).map(drop)
    }

    /// The first column of the rows of an answer; asked once more if the
    /// connection is found to be broken.
    pub fn ask(&mut self, statement: &str) -> Result<Vec<String>, String> {
        let was_connected = self.client.is_some();
        match self.ask_once(statement) {
            Err(_) if was_connected && self.client.as_ref().is_some_and(Client::is_closed) => {
                self.ask_once(statement)
            }
            answer => answer,
        }
    }

    fn ask_once(&mut self, statement: &str) -> Result<Vec<String>, String> {
        if self.client.as_ref().is_none_or(Client::is_closed) {
            let client = Client::connect(&self.url, NoTls);
            self.client = Some(client.map_err(|error| one_line(&error))?);
        }
        let client = self.client.as_mut().expect("connected just now");
        let answer = client
            .simple_query(statement)
            .map_err(|error| one_line(&error))?;
        let mut values = Vec::new();
        for message in answer {
            if let SimpleQueryMessage::Row(row) = message {
                values.push(row.get(0).unwrap_or_default().to_owned());
            }
        }
        Ok(values)
    }
}

fn one_line(error: &postgres::Error) -> String {
    match error.as_db_error() {
        Some(error) => format!(
            "{} {}",
            error.code().code(),
            error.message().replace('\n', " ")
        ),
        None => error.to_string(),
    }
}

/// How it is stopped and started.
enum Kind {
    StandIn {
        port: u16,
        child: Mutex<Option<Child>>,
    },
    Real {
        stop: Option<String>,
        start: Option<String>,
    },
}

pub struct Server {
    /// What it is, in words.
    pub words: String,
    pub url: String,
    /// Where it listens, for a proxy.
    pub address: SocketAddr,
    kind: Kind,
}

impl Server {
    pub fn start() -> Self {
        match std::env::var("MATERIALIZE_URL") {
            Ok(url) => Server::real(url),
            Err(_) => Server::stand_in(),
        }
    }

    fn stand_in() -> Self {
        let port = free_port();
        let server = Server {
            words: "the demo's stand-in".to_owned(),
            url: format!("postgres://materialize@127.0.0.1:{port}/materialize"),
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            kind: Kind::StandIn {
                port,
                child: Mutex::new(None),
            },
        };
        server.up().expect("the stand-in starts");
        server
    }

    fn real(url: String) -> Self {
        let config: postgres::Config = url
            .parse()
            .expect("MATERIALIZE_URL is a URL of PostgreSQL's");
        let host = match config.get_hosts().first() {
            Some(postgres::config::Host::Tcp(host)) => host.clone(),
            _ => panic!("MATERIALIZE_URL names no host"),
        };
        let port = config.get_ports().first().copied().unwrap_or(6875);
        let mut found = (host.as_str(), port)
            .to_socket_addrs()
            .expect("its host is known");
        let version = Sql::new(url.clone()).ask("SELECT mz_version()");
        let version = version.expect("MATERIALIZE_URL answers");
        Server {
            words: format!("Materialize {}", version.join("")),
            url,
            address: found.next().expect("its host has an address"),
            kind: Kind::Real {
                stop: std::env::var("MATERIALIZE_STOP").ok(),
                start: std::env::var("MATERIALIZE_START").ok(),
            },
        }
    }

    /// The same server through a proxy, as some role.
    pub fn url_through(&self, proxy: SocketAddr, role: Option<&str>) -> String {
        let (scheme, rest) = self.url.split_once("://").expect("a URL");
        let (user, rest) = rest.split_once('@').unwrap_or(("materialize", rest));
        let (_, database) = rest.split_once('/').unwrap_or((rest, "materialize"));
        format!("{scheme}://{}@{proxy}/{database}", role.unwrap_or(user))
    }

    /// Whether what was built is there after a restart.
    pub fn remembers(&self) -> bool {
        matches!(self.kind, Kind::Real { .. })
    }

    /// Ends it, as a crash or a machine does.
    pub fn down(&self) -> Result<(), String> {
        match &self.kind {
            Kind::StandIn { child, .. } => {
                if let Some(mut child) = child.lock().unwrap().take() {
                    let _ = child.kill();
                    let _ = child.wait();
                }
                Ok(())
            }
            Kind::Real { stop, start } => {
                start.as_deref().ok_or("no MATERIALIZE_START is set")?;
                shell(stop.as_deref().ok_or("no MATERIALIZE_STOP is set")?)
            }
        }
    }

    /// Starts it and waits until it listens.
    pub fn up(&self) -> Result<(), String> {
        match &self.kind {
            Kind::StandIn { port, child } => {
                let listen = format!("127.0.0.1:{port}");
                let arguments = [
                    "demo",
                    "--only-upstream",
                    "--listen-upstream",
                    &listen,
                    "--tick",
                    "50ms",
                    "--rate",
                    "1",
                    "--seed-edits",
                    "10",
                    "--demo-environment",
                    ENVIRONMENT,
                ];
                let started = binary().args(arguments).spawn();
                *child.lock().unwrap() = Some(started.map_err(|error| error.to_string())?);
            }
            Kind::Real { start, .. } => {
                shell(start.as_deref().ok_or("no MATERIALIZE_START is set")?)?;
            }
        }
        let end = Instant::now() + Duration::from_secs(120);
        while Sql::new(self.url.clone()).run("SELECT 1").is_err() {
            if Instant::now() > end {
                return Err("it does not answer".to_owned());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !self.remembers() {
            let _ = self.down();
        }
    }
}

fn shell(command: &str) -> Result<(), String> {
    let status = Command::new("/bin/sh").args(["-c", command]).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{command:?} ended with {status}")),
        Err(error) => Err(error.to_string()),
    }
}
