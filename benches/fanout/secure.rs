//! TLS in the bench: a certificate of its own, and sessions on sockets that nobody
//! waits for.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};

use crate::Io;

/// The files of a certificate and its key, for clients and servers alike.
pub fn write_certificate(folder: &Path) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
}

/// What a client trusts, the certificate in this folder, and the protocols it offers.
pub fn client(folder: &Path, protocols: &[&[u8]]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let der = CertificateDer::from_pem_file(folder.join("cert.pem")).unwrap();
    roots.add(der).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Arc::new(config)
}

/// What a server shows: the certificate in this folder.
pub fn server(folder: &Path) -> Arc<ServerConfig> {
    let der = CertificateDer::from_pem_file(folder.join("cert.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(folder.join("key.pem")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![der], key)
        .unwrap();
    Arc::new(config)
}

/// A session that has been agreed on; the socket waits meanwhile.
pub fn connect(
    config: &Arc<ClientConfig>,
    socket: &mut (impl Read + Write),
) -> Io<ClientConnection> {
    let name = "localhost".try_into().unwrap();
    let mut session = ClientConnection::new(Arc::clone(config), name).unwrap();
    while session.is_handshaking() {
        session.complete_io(socket)?;
    }
    Ok(session)
}

/// The same from the server's side.
pub fn accept(
    config: &Arc<ServerConfig>,
    socket: &mut (impl Read + Write),
) -> Io<ServerConnection> {
    let mut session = ServerConnection::new(Arc::clone(config)).unwrap();
    while session.is_handshaking() {
        session.complete_io(socket)?;
    }
    Ok(session)
}
