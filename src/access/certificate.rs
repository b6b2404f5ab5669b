//! The gateway's own certificate: what browsers are shown over TLS.

use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

/// Why two files are no certificate with its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// No certificate in the file, or a damaged one.
    #[error("certificate file holds no PEM certificate")]
    NoCertificate,
    /// No private key in the file, or a damaged one.
    #[error("key file holds no PEM private key")]
    NoKey,
    /// A key of a kind that TLS does not use.
    #[error("private key is of a kind that TLS does not use")]
    Kind,
    /// The key of another certificate.
    #[error("private key is not that of the certificate")]
    Mismatch,
}

impl CertificateError {
    /// What to do about it, as a full sentence.
    pub fn hint(self) -> &'static str {
        match self {
            CertificateError::NoCertificate => {
                "Give the server's certificate first, then those of the authorities in between."
            }
            CertificateError::NoKey | CertificateError::Kind => {
                "Give an unencrypted RSA, ECDSA or Ed25519 key as PEM."
            }
            CertificateError::Mismatch => "Check that both files belong together.",
        }
    }
}

/// Reads a chain of certificates and the key of the first one.
pub fn certified(chain: &[u8], key: &[u8]) -> Result<CertifiedKey, CertificateError> {
    let chain: Result<Vec<CertificateDer<'static>>, _> =
        CertificateDer::pem_slice_iter(chain).collect();
    let chain = chain.map_err(|_| CertificateError::NoCertificate)?;
    if chain.is_empty() {
        return Err(CertificateError::NoCertificate);
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| CertificateError::NoKey)?;
    CertifiedKey::from_der(chain, key, &default_provider()).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => CertificateError::Mismatch,
        rustls::Error::InvalidCertificate(_) => CertificateError::NoCertificate,
        _ => CertificateError::Kind,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    macro_rules! file {
        ($name:literal) => {
            include_bytes!(concat!("../../tests/data/keys/", $name)).as_slice()
        };
    }

    #[test]
    fn certificate_goes_with_its_own_key_alone() {
        let refused = |chain, key| certified(chain, key).map(drop).expect_err("refused");
        assert!(certified(file!("cert.pem"), file!("es256.pem")).is_ok());
        for (chain, key, why) in [
            (
                file!("cert.pem"),
                file!("rs256.pem"),
                CertificateError::Mismatch,
            ),
            (
                file!("cert.pem"),
                file!("eddsa.pem"),
                CertificateError::Mismatch,
            ),
            (
                file!("cert.pem"),
                file!("es256.pub.pem"),
                CertificateError::NoKey,
            ),
            (file!("cert.pem"), b"", CertificateError::NoKey),
            (
                file!("es256.pem"),
                file!("es256.pem"),
                CertificateError::NoCertificate,
            ),
            (b"", file!("es256.pem"), CertificateError::NoCertificate),
        ] {
            assert_eq!(refused(chain, key), why);
            assert!(why.hint().ends_with('.'));
        }
    }
}
