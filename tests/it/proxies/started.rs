//! nginx, HAProxy and Caddy on free ports, each with our own file of `config/`
//! but for the addresses in it.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::gateway::PATIENCE;

/// A proxy that there is a file for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Nginx,
    Haproxy,
    Caddy,
}

impl Kind {
    pub const ALL: [Kind; 3] = [Kind::Nginx, Kind::Haproxy, Kind::Caddy];
}

/// A running proxy, killed when the test is over.
pub struct Proxy {
    child: Child,
    pub address: SocketAddr,
    _directory: TempDir,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that nobody has just now. A proxy cannot tell which one it was given
/// for port 0, so it is drawn here.
pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address")
}

impl Proxy {
    /// Starts one in front of a gateway.
    pub fn start(kind: Kind, gateway: SocketAddr) -> Self {
        Proxy::start_changed(kind, gateway, &[])
    }

    /// The same, with more replaced in its file.
    pub fn start_changed(kind: Kind, gateway: SocketAddr, changes: &[(&str, &str)]) -> Self {
        // Somebody else may take the port before it does.
        for _ in 0..5 {
            if let Some(proxy) = Proxy::try_start(kind, gateway, changes) {
                return proxy;
            }
        }
        panic!("{kind:?} does not start");
    }

    fn try_start(kind: Kind, gateway: SocketAddr, changes: &[(&str, &str)]) -> Option<Self> {
        let directory = tempfile::tempdir().expect("a directory");
        let address = free_address();
        let folder = directory.path();
        let mut command = match kind {
            Kind::Nginx => nginx(folder, address, gateway, changes),
            Kind::Haproxy => haproxy(folder, address, gateway, changes),
            Kind::Caddy => caddy(folder, address, gateway, changes),
        };
        let child = command.stdin(Stdio::null()).spawn();
        let child = child.unwrap_or_else(|error| {
            panic!("{command:?} does not start ({error}); `make prepare` installs it")
        });
        let mut proxy = Proxy {
            child,
            address,
            _directory: directory,
        };
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(address).is_err() {
            if proxy
                .child
                .try_wait()
                .expect("it can be waited for")
                .is_some()
            {
                return None;
            }
            assert!(Instant::now() < deadline, "{kind:?} does not listen");
            std::thread::park_timeout(Duration::from_millis(10));
        }
        Some(proxy)
    }
}

/// Our file with these texts replaced, each of which must be there.
fn ours(name: &str, replaced: &[(&str, &str)]) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("config")
        .join(name);
    let mut text = std::fs::read_to_string(path).expect("our file");
    for (from, to) in replaced {
        assert!(text.contains(from), "no {from:?} in {name}");
        text = text.replace(from, to);
    }
    text
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("written");
    path.display().to_string()
}

/// Debian keeps servers where not everybody looks.
fn command(name: &str) -> Command {
    let sbin = Path::new("/usr/sbin").join(name);
    if sbin.exists() {
        return Command::new(sbin);
    }
    Command::new(name)
}

fn nginx(
    folder: &Path,
    address: SocketAddr,
    gateway: SocketAddr,
    changes: &[(&str, &str)],
) -> Command {
    let listen = format!("listen {address};");
    let server = format!("server {gateway};");
    let replaced = [
        ("listen 80;", &*listen),
        ("server 127.0.0.1:8080;", &*server),
    ];
    let file = ours("nginx.conf", &[&replaced, changes].concat());
    let inner = write(folder, "viewcast.conf", &file);
    let place = folder.display();
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {place}/{name};"))
        .join(" ");
    // One process, so that killing it leaves none.
    let outer = format!(
        "daemon off; master_process off; pid {place}/pid; error_log stderr error;\n\
         events {{ }}\nhttp {{ access_log off; {temporary} include {inner}; }}\n"
    );
    let outer = write(folder, "nginx.conf", &outer);
    let mut command = command("nginx");
    command.args(["-p", &place.to_string(), "-e", "stderr", "-c", &outer]);
    command
}

fn haproxy(
    folder: &Path,
    address: SocketAddr,
    gateway: SocketAddr,
    changes: &[(&str, &str)],
) -> Command {
    let later = write(folder, "later.http", &ours("later.http", &[]));
    let bind = format!("bind {address}");
    let gateway = gateway.to_string();
    let replaced = [
        ("bind :80", &*bind),
        ("127.0.0.1:8080", &*gateway),
        ("/etc/haproxy/later.http", &*later),
    ];
    let file = ours("haproxy.cfg", &[&replaced, changes].concat());
    let file = write(folder, "haproxy.cfg", &file);
    let mut command = command("haproxy");
    // In the foreground, without a master.
    command.args(["-db", "-q", "-f", &file]);
    command
}

fn caddy(
    folder: &Path,
    address: SocketAddr,
    gateway: SocketAddr,
    changes: &[(&str, &str)],
) -> Command {
    let site = format!("http://{address} {{");
    let gateway = gateway.to_string();
    let replaced = [("example.com {", &*site), ("127.0.0.1:8080", &*gateway)];
    let file = ours("Caddyfile", &[&replaced, changes].concat());
    // Its other door would be the same port for all.
    let file = write(folder, "Caddyfile", &format!("{{\n\tadmin off\n}}\n{file}"));
    let mut command = command("caddy");
    command
        .args(["run", "--adapter", "caddyfile", "--config", &file])
        .env("HOME", folder)
        .env_remove("XDG_DATA_HOME")
        .env_remove("XDG_CONFIG_HOME")
        .stderr(Stdio::null());
    command
}
