//! A front that ends TLS before a server that has none, and the certificates
//! for it: it speaks SSLRequest as a PostgreSQL server does.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, crypto::ring};
use tempfile::TempDir;

const CANCEL_REQUEST: i32 = 80_877_102;
const SSL_REQUEST: i32 = 80_877_103;

/// A CA of the test's own.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    der: CertificateDer<'static>,
}

/// A certificate that a CA has signed, and its key.
pub struct Signed {
    pub pem: String,
    pub key_pem: String,
    der: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Authority {
            pem: certificate.pem(),
            der: certificate.der().clone(),
            issuer: Issuer::new(params, key),
        }
    }

    /// A certificate for these names, valid now or no more.
    pub fn sign(&self, names: &[&str], expired: bool) -> Signed {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).unwrap();
        if expired {
            params.not_before = date_time_ymd(2019, 1, 1);
            params.not_after = date_time_ymd(2020, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Signed {
            pem: certificate.pem(),
            key_pem: key.serialize_pem(),
            der: certificate.der().clone(),
            key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        }
    }

    /// Its certificate as a file.
    pub fn write(&self, directory: &TempDir, name: &str) -> PathBuf {
        write_secret(directory, name, &self.pem)
    }
}

/// A file that only its owner may read.
pub fn write_secret(directory: &TempDir, name: &str, text: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let path = directory.path().join(name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    path
}

/// How a server does TLS; clients of `wants_clients_of` only, if it is given.
pub fn server_config(signed: &Signed, wants_clients_of: Option<&Authority>) -> Arc<ServerConfig> {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match wants_clients_of {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(authority.der.clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let chain = vec![signed.der.clone()];
    Arc::new(
        builder
            .with_single_cert(chain, signed.key.clone_key())
            .unwrap(),
    )
}

/// What came through a front.
#[derive(Default)]
pub struct Seen {
    pub encrypted: AtomicUsize,
    pub plain: AtomicUsize,
    pub encrypted_cancels: AtomicUsize,
}

impl Seen {
    /// Sessions: with TLS, and without.
    pub fn sessions(&self) -> (usize, usize) {
        let count = |counter: &AtomicUsize| counter.load(Ordering::SeqCst);
        (count(&self.encrypted), count(&self.plain))
    }
}

/// A front on a free port of loopback, until the test's end.
pub struct Front {
    pub address: SocketAddr,
    pub seen: Arc<Seen>,
}

impl Front {
    /// Without a configuration it answers that it has no TLS.
    pub fn start(backend: SocketAddr, config: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        let seen = Arc::new(Seen::default());
        let of_all = Arc::clone(&seen);
        thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                let (config, seen) = (config.clone(), Arc::clone(&of_all));
                thread::spawn(move || {
                    // An error is the end of the connection, whatever it is.
                    let _ = serve(socket, backend, config, &seen);
                });
            }
        });
        Front { address, seen }
    }

    /// How to connect to it by name, with these parameters.
    pub fn url(&self, parameters: &str) -> String {
        let port = self.address.port();
        format!("postgres://materialize@localhost:{port}/materialize?{parameters}")
    }
}

fn serve(
    mut socket: TcpStream,
    backend: SocketAddr,
    config: Option<Arc<ServerConfig>>,
    seen: &Seen,
) -> std::io::Result<()> {
    let mut first = [0; 8];
    socket.read_exact(&mut first)?;
    if code(&first) == SSL_REQUEST {
        match config {
            Some(config) => {
                socket.write_all(b"S")?;
                return encrypted(socket, backend, config, seen);
            }
            None => socket.write_all(b"N")?,
        }
        socket.read_exact(&mut first)?;
    }
    if code(&first) != CANCEL_REQUEST {
        seen.plain.fetch_add(1, Ordering::SeqCst);
    }
    let mut server = TcpStream::connect(backend)?;
    server.write_all(&first)?;
    let (mut from_server, mut to_client) = (server.try_clone()?, socket.try_clone()?);
    thread::spawn(move || {
        let _ = std::io::copy(&mut from_server, &mut to_client);
        let _ = to_client.shutdown(Shutdown::Both);
    });
    let copied = std::io::copy(&mut socket, &mut server);
    let _ = server.shutdown(Shutdown::Both);
    copied.map(drop)
}

/// The code of a first message.
fn code(first: &[u8]) -> i32 {
    i32::from_be_bytes(first[4..8].try_into().expect("four bytes"))
}

fn encrypted(
    mut socket: TcpStream,
    backend: SocketAddr,
    config: Arc<ServerConfig>,
    seen: &Seen,
) -> std::io::Result<()> {
    let mut tls = ServerConnection::new(config).expect("a valid configuration");
    while tls.is_handshaking() {
        tls.complete_io(&mut socket)?;
    }
    let server = TcpStream::connect(backend)?;
    let tls = Arc::new(Mutex::new(tls));
    let (other, from_server, to_client) =
        (Arc::clone(&tls), server.try_clone()?, socket.try_clone()?);
    thread::spawn(move || {
        let _ = encrypt(&other, from_server, &to_client);
        let _ = to_client.shutdown(Shutdown::Both);
    });
    let decrypted = decrypt(&tls, &mut socket, &server, seen);
    let _ = server.shutdown(Shutdown::Both);
    decrypted
}

fn encrypt(
    tls: &Mutex<ServerConnection>,
    mut from: TcpStream,
    mut to: &TcpStream,
) -> std::io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let length = from.read(&mut buffer)?;
        let mut tls = tls.lock().unwrap();
        if length == 0 {
            tls.send_close_notify();
        } else {
            tls.writer().write_all(&buffer[..length])?;
        }
        while tls.wants_write() {
            tls.write_tls(&mut to)?;
        }
        if length == 0 {
            return Ok(());
        }
    }
}

fn decrypt(
    tls: &Mutex<ServerConnection>,
    from: &mut TcpStream,
    mut to: &TcpStream,
    seen: &Seen,
) -> std::io::Result<()> {
    let mut is_first = true;
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let mut plain = Vec::new();
        match tls.lock().unwrap().reader().read_to_end(&mut plain) {
            Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
            _ => {}
        }
        if is_first && plain.len() >= 8 {
            is_first = false;
            match code(&plain) {
                CANCEL_REQUEST => seen.encrypted_cancels.fetch_add(1, Ordering::SeqCst),
                _ => seen.encrypted.fetch_add(1, Ordering::SeqCst),
            };
        }
        to.write_all(&plain)?;
        let length = from.read(&mut buffer)?;
        if length == 0 {
            return Ok(());
        }
        let mut tls = tls.lock().unwrap();
        let mut received = &buffer[..length];
        while !received.is_empty() {
            tls.read_tls(&mut received)?;
            tls.process_new_packets().map_err(std::io::Error::other)?;
        }
    }
}
