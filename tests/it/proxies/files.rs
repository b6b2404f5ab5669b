//! How each proxy is told to run our file of `config/`, in the foreground and,
//! where it can, in one process: killing that leaves none behind.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::started::Kind;

/// Where a proxy stands, what is behind it, and what else is replaced in its file.
pub struct Site<'a> {
    pub folder: &'a Path,
    pub address: SocketAddr,
    pub gateway: SocketAddr,
    pub changes: &'a [(&'a str, &'a str)],
}

pub fn command_of(kind: Kind, site: &Site<'_>) -> Command {
    match kind {
        Kind::Nginx => nginx(site),
        Kind::Haproxy => haproxy(site),
        Kind::Caddy => caddy(site),
        Kind::Varnish => varnish(site),
        Kind::Apache => apache(site),
        Kind::Lighttpd => lighttpd(site),
        Kind::Envoy => envoy(site),
    }
}

impl Site<'_> {
    /// Our file with these texts replaced, each of which must be there, and
    /// then the changes.
    fn ours(&self, name: &str, replaced: &[(&str, &str)]) -> String {
        let mut text = ours(name);
        for (from, to) in replaced.iter().chain(self.changes) {
            assert!(text.contains(from), "no {from:?} in {name}");
            text = text.replace(from, to);
        }
        text
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.folder.join(name);
        fs::write(&path, text).expect("written");
        path.display().to_string()
    }
}

fn ours(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("config")
        .join(name);
    fs::read_to_string(path).expect("our file")
}

/// Debian keeps servers where not everybody looks, and what it lacks is where
/// `make prepare` puts it.
fn command(name: &str) -> Command {
    let venv = concat!(env!("CARGO_MANIFEST_DIR"), "/target/venv/bin");
    let places = [Path::new("/usr/sbin"), Path::new(venv)];
    let found = places.map(|place| place.join(name));
    let found = found.iter().find(|path| path.exists());
    Command::new(found.map_or(Path::new(name), |path| path))
}

fn nginx(site: &Site<'_>) -> Command {
    let listen = format!("listen {};", site.address);
    let server = format!("server {};", site.gateway);
    let file = site.ours(
        "nginx.conf",
        &[("listen 80;", &listen), ("server 127.0.0.1:8080;", &server)],
    );
    let inner = site.write("viewcast.conf", &file);
    let place = site.folder.display();
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {place}/{name};"))
        .join(" ");
    let outer = format!(
        "daemon off; master_process off; pid {place}/pid; error_log stderr error;\n\
         events {{ }}\nhttp {{ access_log off; {temporary} include {inner}; }}\n"
    );
    let outer = site.write("nginx.conf", &outer);
    let mut command = command("nginx");
    command.args(["-p", &place.to_string(), "-e", "stderr", "-c", &outer]);
    command
}

fn haproxy(site: &Site<'_>) -> Command {
    let later = site.write("later.http", &ours("later.http"));
    let bind = format!("bind {}", site.address);
    let gateway = site.gateway.to_string();
    let file = site.ours(
        "haproxy.cfg",
        &[
            ("bind :80", &bind),
            ("127.0.0.1:8080", &gateway),
            ("/etc/haproxy/later.http", &later),
        ],
    );
    let file = site.write("haproxy.cfg", &file);
    let mut command = command("haproxy");
    // In the foreground, without a master.
    command.args(["-db", "-q", "-f", &file]);
    command
}

fn caddy(site: &Site<'_>) -> Command {
    let host = format!("http://{} {{", site.address);
    let gateway = site.gateway.to_string();
    let file = site.ours(
        "Caddyfile",
        &[("example.com {", &host), ("127.0.0.1:8080", &gateway)],
    );
    // Its other door would be the same port for all.
    let file = site.write("Caddyfile", &format!("{{\n\tadmin off\n}}\n{file}"));
    let mut command = command("caddy");
    command
        .args(["run", "--adapter", "caddyfile", "--config", &file])
        .env("HOME", site.folder)
        .env_remove("XDG_DATA_HOME")
        .env_remove("XDG_CONFIG_HOME")
        .stderr(Stdio::null());
    command
}

fn varnish(site: &Site<'_>) -> Command {
    let host = format!(".host = \"{}\";", site.gateway.ip());
    let port = format!(".port = \"{}\";", site.gateway.port());
    let file = site.ours(
        "varnish.vcl",
        &[
            (".host = \"127.0.0.1\";", &host),
            (".port = \"8080\";", &port),
        ],
    );
    let file = site.write("viewcast.vcl", &file);
    let place = site.folder.join("varnish").display().to_string();
    let listen = site.address.to_string();
    let mut command = command("varnishd");
    command
        .args(["-F", "-j", "none", "-n", &place, "-a", &listen])
        .args(["-f", &file, "-s", "malloc,16m"])
        // Silence is no reason to end a stream while it is looked at.
        .args(["-p", "pipe_timeout=3600"])
        .stderr(Stdio::null());
    command
}

/// What the file needs of Apache, and mod_deflate, which must not get at streams.
const APACHE_MODULES: [&str; 10] = [
    "mpm_event",
    "authz_core",
    "alias",
    "asis",
    "env",
    "filter",
    "deflate",
    "mime",
    "proxy",
    "proxy_http",
];

fn apache(site: &Site<'_>) -> Command {
    let place = site.folder.display().to_string();
    // As root it becomes somebody else, who has to find the answer below.
    fs::set_permissions(site.folder, PermissionsExt::from_mode(0o755)).expect("it is ours");
    site.write("later.asis", &ours("later.asis"));
    let host = format!("<VirtualHost {}>", site.address);
    let gateway = site.gateway.to_string();
    let answers = format!("{place}/");
    let file = site.ours(
        "apache.conf",
        &[
            ("<VirtualHost *:80>", &host),
            ("127.0.0.1:8080", &gateway),
            ("/etc/apache2/viewcast/", &answers),
        ],
    );
    let inner = site.write("viewcast.conf", &file);
    let modules = APACHE_MODULES
        .map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"))
        .concat();
    let outer = format!(
        "{modules}ServerName localhost\nListen {}\nUser nobody\nGroup nogroup\n\
         ServerRoot {place}\nDefaultRuntimeDir {place}\nPidFile {place}/pid\n\
         ErrorLog {place}/error.log\nTypesConfig /dev/null\nInclude {inner}\n",
        site.address
    );
    let outer = site.write("apache.conf", &outer);
    let mut command = command("apache2");
    command.args(["-X", "-f", &outer]).stderr(Stdio::null());
    command
}

fn lighttpd(site: &Site<'_>) -> Command {
    let later = site.write("later.lua", &ours("later.lua"));
    let host = format!("\"host\" => \"{}\"", site.gateway.ip());
    let port = format!("\"port\" => {}", site.gateway.port());
    let file = site.ours(
        "lighttpd.conf",
        &[
            ("\"host\" => \"127.0.0.1\"", &host),
            ("\"port\" => 8080", &port),
            ("/etc/lighttpd/later.lua", &later),
        ],
    );
    let outer = format!(
        "server.bind = \"{}\"\nserver.port = {}\nserver.document-root = \"{}\"\n{file}",
        site.address.ip(),
        site.address.port(),
        site.folder.display()
    );
    let outer = site.write("lighttpd.conf", &outer);
    let mut command = command("lighttpd");
    command.args(["-D", "-f", &outer]).stderr(Stdio::null());
    command
}

fn envoy(site: &Site<'_>) -> Command {
    let at = |address: SocketAddr| {
        format!(
            "address: {}, port_value: {} }}",
            address.ip(),
            address.port()
        )
    };
    let file = site.ours(
        "envoy.yaml",
        &[
            ("address: 0.0.0.0, port_value: 80 }", &at(site.address)),
            ("address: 127.0.0.1, port_value: 8080 }", &at(site.gateway)),
        ],
    );
    let file = site.write("envoy.yaml", &file);
    let mut command = command("envoy");
    command
        .args(["-c", &file, "-l", "error"])
        // Another one on this machine is none of its business.
        .args(["--disable-hot-restart", "--concurrency", "1"]);
    command
}
