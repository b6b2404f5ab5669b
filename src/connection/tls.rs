//! TLS to a Materialize, with the meaning that libpq gives to `sslmode`.

use std::fmt;
use std::sync::Arc;

use postgres::config::SslMode as Negotiated;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_rustls::TlsConnector;

/// How much TLS is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SslMode {
    /// None.
    Disable,
    /// Where the server can; else without.
    Prefer,
    /// Encrypted; the certificate is verified only if roots are given.
    Require,
    /// And the certificate is from a known CA.
    VerifyCa,
    /// And it is for the host's name.
    VerifyFull,
}

impl SslMode {
    /// Every mode by its name.
    pub const ALL: [(&'static str, SslMode); 5] = [
        ("disable", SslMode::Disable),
        ("prefer", SslMode::Prefer),
        ("require", SslMode::Require),
        ("verify-ca", SslMode::VerifyCa),
        ("verify-full", SslMode::VerifyFull),
    ];
}

/// Which CAs are trusted.
#[derive(Debug)]
pub enum Roots {
    /// Those of the machine.
    Platform,
    /// These.
    Given(Vec<CertificateDer<'static>>),
}

/// A client's own certificate, with those that lead to its CA, and its key.
pub type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The machine has no CAs.
    #[error("no trusted CA certificates were found on this machine")]
    NoPlatformRoots,
    /// What was given as a CA's certificate is none.
    #[error("it holds no CA certificate that can be used")]
    BadRoots,
    /// Certificate and key do not fit, or are of an unknown kind.
    #[error("the client's certificate and key cannot be used: {0}")]
    Identity(rustls::Error),
    /// The library refuses to work.
    #[error("TLS cannot be set up: {0}")]
    Other(rustls::Error),
}

/// TLS as configured. Cheap to clone; `Debug` shows the mode alone.
#[derive(Clone)]
pub struct Tls {
    mode: SslMode,
    config: Option<Arc<ClientConfig>>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tls({:?})", self.mode)
    }
}

impl Tls {
    /// No TLS.
    pub fn off() -> Self {
        Tls {
            mode: SslMode::Disable,
            config: None,
        }
    }

    /// TLS of a mode; `direct` leaves out the question whether the server has
    /// TLS. Without roots, `require` and below verify nothing and the modes
    /// above it trust the machine's.
    pub fn new(
        mode: SslMode,
        roots: Option<Roots>,
        identity: Option<Identity>,
        direct: bool,
    ) -> Result<Self, TlsError> {
        let roots = match (mode, roots) {
            (SslMode::Disable, _) => return Ok(Tls::off()),
            (SslMode::VerifyCa | SslMode::VerifyFull, None) => Some(Roots::Platform),
            (_, roots) => roots,
        };
        // Named, since the process may have another library's choice.
        let provider = Arc::new(ring::default_provider());
        let verifier = verifier(mode, roots, &provider)?;
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Other)?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match identity {
            Some((certificates, key)) => builder
                .with_client_auth_cert(certificates, key)
                .map_err(TlsError::Identity)?,
            None => builder.with_no_client_auth(),
        };
        if direct {
            config.alpn_protocols = vec![b"postgresql".to_vec()];
        }
        let config = Some(Arc::new(config));
        Ok(Tls { mode, config })
    }

    /// What is asked of the server.
    pub(super) fn negotiated(&self) -> Negotiated {
        match self.mode {
            SslMode::Disable => Negotiated::Disable,
            SslMode::Prefer => Negotiated::Prefer,
            SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => Negotiated::Require,
        }
    }

    /// What makes the library's own connections; `None` without TLS.
    pub(super) fn maker(&self) -> Option<MakeRustlsConnect> {
        let config = self.config.as_ref()?;
        Some(MakeRustlsConnect::new(ClientConfig::clone(config)))
    }

    /// What makes ours; `None` without TLS.
    pub(super) fn connector(&self) -> Option<TlsConnector> {
        self.config.clone().map(TlsConnector::from)
    }

    /// Whether a connection without TLS will do where it fails.
    pub(super) fn falls_back(&self) -> bool {
        self.mode == SslMode::Prefer
    }
}

/// TLS to a web server: verified by the machine's CAs, or not at all.
pub fn of_a_client(is_verified: bool) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let (mode, roots) = match is_verified {
        true => (SslMode::VerifyFull, Some(Roots::Platform)),
        false => (SslMode::Require, None),
    };
    let verifier = verifier(mode, roots, &provider)?;
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Other)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth())
}

fn verifier(
    mode: SslMode,
    roots: Option<Roots>,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
    let chain = match roots {
        None => None,
        Some(roots) => {
            let store = Arc::new(store(roots)?);
            let built = WebPkiServerVerifier::builder_with_provider(store, Arc::clone(provider));
            Some(built.build().map_err(|_| TlsError::BadRoots)?)
        }
    };
    Ok(match (mode, chain) {
        (SslMode::VerifyFull, Some(chain)) => chain,
        (_, chain) => Arc::new(Lenient {
            chain,
            provider: Arc::clone(provider),
        }),
    })
}

fn store(roots: Roots) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    match roots {
        Roots::Given(certificates) => {
            for certificate in certificates {
                store.add(certificate).map_err(|_| TlsError::BadRoots)?;
            }
            match store.is_empty() {
                true => Err(TlsError::BadRoots),
                false => Ok(store),
            }
        }
        Roots::Platform => {
            let found = rustls_native_certs::load_native_certs();
            // Among a machine's hundred there may be one too old to be read.
            store.add_parsable_certificates(found.certs);
            match store.is_empty() {
                true => Err(TlsError::NoPlatformRoots),
                false => Ok(store),
            }
        }
    }
}

/// Verifies less than everything: that the peer has the certificate's key, and
/// where there are roots, that the certificate is theirs; not the name.
#[derive(Debug)]
struct Lenient {
    chain: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(chain) = &self.chain else {
            return Ok(ServerCertVerified::assertion());
        };
        let verified =
            chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verified {
            // The name is looked at last: all else is well.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let known = &self.provider.signature_verification_algorithms;
        known.supported_schemes()
    }
}
