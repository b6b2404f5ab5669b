//! The gateway's own certificate: what browsers are shown over TLS.

use std::time::{Duration, UNIX_EPOCH};

use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_cert::der::Decode as _;

use crate::limits::CERTIFICATE_ENDS_SOON;

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

/// When a certificate counts, as time since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// From when on.
    pub begin: Duration,
    /// Until when.
    pub end: Duration,
}

/// What browsers think, or soon will, of a certificate's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Untimely {
    /// It is refused until then.
    #[error("counts only from {} on", date(*.0))]
    NotYet(Duration),
    /// It has been refused since then.
    #[error("expired at {}", date(*.0))]
    Expired(Duration),
    /// It will be refused after that.
    #[error("expires at {}", date(*.0))]
    Soon(Duration),
}

impl Validity {
    /// Of a certificate as DER; `None` where it cannot be read.
    pub fn of(certificate: &[u8]) -> Option<Self> {
        let certificate = x509_cert::Certificate::from_der(certificate).ok()?;
        let validity = certificate.tbs_certificate.validity;
        Some(Validity {
            begin: validity.not_before.to_unix_duration(),
            end: validity.not_after.to_unix_duration(),
        })
    }

    /// What is to be said of it at this time, if anything.
    pub fn judge(self, now: Duration) -> Option<Untimely> {
        if now < self.begin {
            Some(Untimely::NotYet(self.begin))
        } else if now > self.end {
            Some(Untimely::Expired(self.end))
        } else if self.end.saturating_sub(now) <= CERTIFICATE_ENDS_SOON {
            Some(Untimely::Soon(self.end))
        } else {
            None
        }
    }
}

/// A time as people write it. A certificate may end in the year 9999, and none
/// ends later.
fn date(time: Duration) -> String {
    let time = UNIX_EPOCH.checked_add(time).unwrap_or(UNIX_EPOCH);
    humantime::format_rfc3339_seconds(time).to_string()
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

    #[test]
    fn certificate_is_judged_by_its_time() {
        let day = Duration::from_secs(24 * 60 * 60);
        let (begin, end) = (100 * day, 465 * day);
        let validity = Validity { begin, end };
        for (now, expected) in [
            (99 * day, Some(Untimely::NotYet(begin))),
            (100 * day, None),
            (434 * day, None),
            (435 * day, Some(Untimely::Soon(end))),
            (465 * day, Some(Untimely::Soon(end))),
            (466 * day, Some(Untimely::Expired(end))),
        ] {
            assert_eq!(validity.judge(now), expected, "{now:?}");
        }
        let told = Untimely::Expired(end).to_string();
        assert_eq!(told, "expired at 1971-04-11T00:00:00Z");
    }

    #[test]
    fn certificate_tells_its_time() {
        let pem = CertificateDer::from_pem_slice(file!("cert.pem")).expect("PEM");
        let validity = Validity::of(&pem).expect("a certificate");
        assert!(validity.begin < validity.end, "{validity:?}");
        assert_eq!(Validity::of(b"none"), None);
    }
}
