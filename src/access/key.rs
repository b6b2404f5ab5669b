//! The keys that tokens are verified with: one from a file, or a set (JWKS).
//!
//! A key has exactly one algorithm, decided when it is read and never by a
//! token: so a public key can never serve as the secret of an HMAC.

use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse,
};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};
use serde::Deserialize;

use crate::limits::{JWKS_KEYS_MAX, JWT_KEY_TRIES_MAX, JWT_RSA_BITS, JWT_SECRET_BYTES_MIN};

/// Where a PEM block begins.
const PEM: &[u8] = b"-----BEGIN ";

/// How a public key in base64 without its PEM lines begins: RSA, P-256, P-384,
/// Ed25519. Taken for a secret, it would let everybody sign.
const BARE_KEYS: [&[u8]; 5] = [b"MII", b"MFkw", b"MHYw", b"MCow", b"ssh-"];

/// Why a text is no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Fewer bytes than the hash has.
    #[error("secret of {bytes} bytes is shorter than {JWT_SECRET_BYTES_MIN}")]
    ShortSecret {
        /// How many it has.
        bytes: usize,
    },
    /// A key in a form that could be mistaken for a secret.
    #[error("key is neither PEM nor a secret")]
    Bare,
    /// A certificate, a private key, or several blocks.
    #[error("PEM file is not one public key")]
    NotPublic,
    /// Another curve, another kind of key, or damaged.
    #[error("public key is not RSA, P-256 or Ed25519, or is damaged")]
    Unsupported,
    /// An RSA modulus that is too short, or longer than is verified.
    #[error("RSA key of {bits} bits is not between {} and {}", JWT_RSA_BITS.start(), JWT_RSA_BITS.end())]
    RsaSize {
        /// How many it has.
        bits: usize,
    },
    /// Not a key set.
    #[error("key set is not JSON with a list \"keys\"")]
    Json,
    /// A key set of which no key is of use.
    #[error("key set has no key for RS256, ES256 or EdDSA signatures")]
    NoneUsable,
    /// More keys than anybody has.
    #[error("key set has more than {JWKS_KEYS_MAX} keys")]
    TooMany,
}

impl KeyError {
    /// What to give instead, as a full sentence.
    pub fn hint(&self) -> &'static str {
        match self {
            KeyError::ShortSecret { .. } => "Make one with `openssl rand -base64 48`.",
            KeyError::Bare => {
                "Give a public key as PEM, with its BEGIN and END lines; a secret is any other text."
            }
            KeyError::NotPublic => {
                "Give the public key alone, e.g. from `openssl pkey -in key.pem -pubout` or \
                 `openssl x509 -in cert.pem -noout -pubkey`."
            }
            KeyError::Unsupported => "RS256, ES256 and EdDSA (Ed25519) keys are understood.",
            KeyError::RsaSize { .. } => "Make a key of 2048 bits or more.",
            KeyError::Json | KeyError::NoneUsable | KeyError::TooMany => {
                "Give the key set (JWKS) of the issuer, as RFC 7517 has it."
            }
        }
    }
}

/// One key with the one algorithm it verifies.
///
/// `Debug` shows no key material.
#[derive(Clone, Debug)]
pub struct Key {
    /// The `kid` that tokens name it by.
    id: Option<String>,
    /// What it verifies.
    pub algorithm: Algorithm,
    /// The key.
    pub verifying: DecodingKey,
}

impl Key {
    /// The key of a file: a public key as PEM, or else the secret of an HMAC.
    pub fn from_file(bytes: &[u8]) -> Result<Key, KeyError> {
        if memchr::memmem::find(bytes, PEM).is_some() {
            return Key::from_pem(bytes);
        }
        let secret = bytes.trim_ascii_end();
        let bare = BARE_KEYS.iter().any(|start| secret.starts_with(start));
        if bare || secret.starts_with(b"{") || is_der(bytes) {
            return Err(KeyError::Bare);
        }
        if secret.len() < JWT_SECRET_BYTES_MIN {
            let bytes = secret.len();
            return Err(KeyError::ShortSecret { bytes });
        }
        checked(None, Algorithm::HS256, DecodingKey::from_secret(secret))
    }

    fn from_pem(bytes: &[u8]) -> Result<Key, KeyError> {
        let labels = ["PUBLIC KEY-----", "RSA PUBLIC KEY-----"];
        let mut blocks = memchr::memmem::find_iter(bytes, PEM);
        let (Some(at), None) = (blocks.next(), blocks.next()) else {
            return Err(KeyError::NotPublic);
        };
        let label = bytes
            .get(at.saturating_add(PEM.len())..)
            .unwrap_or_default();
        if !labels
            .iter()
            .any(|known| label.starts_with(known.as_bytes()))
        {
            return Err(KeyError::NotPublic);
        }
        let rsa = DecodingKey::from_rsa_pem(bytes).map(|key| (Algorithm::RS256, key));
        let (algorithm, key) = rsa
            .or_else(|_| DecodingKey::from_ec_pem(bytes).map(|key| (Algorithm::ES256, key)))
            .or_else(|_| DecodingKey::from_ed_pem(bytes).map(|key| (Algorithm::EdDSA, key)))
            .map_err(|_| KeyError::Unsupported)?;
        checked(None, algorithm, key)
    }

    /// A key of a set; `None` for what is no key of ours.
    fn from_jwk(jwk: &Jwk, symmetric: bool) -> Option<Key> {
        let algorithm = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => Algorithm::RS256,
            AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
                Algorithm::ES256
            }
            AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
                Algorithm::EdDSA
            }
            AlgorithmParameters::OctetKey(_) if symmetric => Algorithm::HS256,
            _ => return None,
        };
        let common = &jwk.common;
        let named = common.key_algorithm;
        let signs = matches!(common.public_key_use, None | Some(PublicKeyUse::Signature));
        let operations = common.key_operations.as_ref();
        let verifies = operations.is_none_or(|list| list.contains(&KeyOperations::Verify));
        let fits = named.is_none_or(|named| named == KeyAlgorithm::from(algorithm));
        if !(signs && verifies && fits) {
            return None;
        }
        let key = DecodingKey::from_jwk(jwk).ok()?;
        checked(common.key_id.clone(), algorithm, key).ok()
    }
}

/// Refuses a key that is weak, or that the library would stumble over later.
fn checked(id: Option<String>, algorithm: Algorithm, key: DecodingKey) -> Result<Key, KeyError> {
    let length = || key.try_get_as_bytes().map_or(0, <[u8]>::len);
    let good = match algorithm {
        Algorithm::RS256 => {
            let bits = modulus_bits(&key).ok_or(KeyError::Unsupported)?;
            if !JWT_RSA_BITS.contains(&bits) {
                return Err(KeyError::RsaSize { bits });
            }
            true
        }
        // An uncompressed point of P-256: a byte, and twice 32.
        Algorithm::ES256 => length() == 65,
        Algorithm::EdDSA => length() == 32,
        _ => length() >= JWT_SECRET_BYTES_MIN,
    };
    // Whether the point lies on its curve shows when it is first used.
    if !good || jsonwebtoken::crypto::verify("AAAA", b"", &key, algorithm).is_err() {
        return Err(KeyError::Unsupported);
    }
    Ok(Key {
        id,
        algorithm,
        verifying: key,
    })
}

/// The bits of an RSA key's modulus.
fn modulus_bits(key: &DecodingKey) -> Option<usize> {
    let modulus = match key.kind() {
        DecodingKeyKind::RsaModulusExponent { n, .. } => n.clone(),
        DecodingKeyKind::SecretOrDer(_) => {
            let jwk = Jwk::from_decoding_key(key, None).ok()?;
            let key = DecodingKey::from_jwk(&jwk).ok()?;
            let DecodingKeyKind::RsaModulusExponent { n, .. } = key.kind() else {
                return None;
            };
            n.clone()
        }
    };
    let first = modulus.iter().position(|byte| *byte != 0)?;
    let top = usize::try_from(modulus.get(first)?.leading_zeros()).ok()?;
    Some((modulus.len() - first) * 8 - top)
}

/// Whether the bytes are one DER sequence that begins like a key.
fn is_der(bytes: &[u8]) -> bool {
    let (length, body) = match bytes {
        [0x30, short @ 0..=0x7f, body @ ..] => (usize::from(*short), body),
        [0x30, 0x81, one, body @ ..] => (usize::from(*one), body),
        [0x30, 0x82, high, low, body @ ..] => {
            (usize::from(u16::from_be_bytes([*high, *low])), body)
        }
        _ => return false,
    };
    length == body.len() && matches!(body.first(), Some(0x30 | 0x02))
}

/// All keys that tokens may be signed with.
#[derive(Clone, Debug, Default)]
pub struct KeySet(Vec<Key>);

impl KeySet {
    /// The set that holds one key, for tokens with whichever `kid`.
    pub fn of(key: Key) -> Self {
        KeySet(vec![key])
    }

    /// Reads a JWKS; keys for other purposes are passed over. Secrets count
    /// only in a set that is not published.
    pub fn from_jwks(text: &[u8], symmetric: bool) -> Result<Self, KeyError> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<serde_json::Value>,
        }
        let set: Set = serde_json::from_slice(text).map_err(|_| KeyError::Json)?;
        if set.keys.len() > JWKS_KEYS_MAX {
            return Err(KeyError::TooMany);
        }
        let keys = set.keys.into_iter().filter_map(|value| {
            let jwk = serde_json::from_value(value).ok()?;
            Key::from_jwk(&jwk, symmetric)
        });
        let keys: Vec<Key> = keys.collect();
        if keys.is_empty() {
            return Err(KeyError::NoneUsable);
        }
        Ok(KeySet(keys))
    }

    /// The keys of both sets.
    pub fn and(&self, other: &KeySet) -> KeySet {
        KeySet(self.0.iter().chain(&other.0).cloned().collect())
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The keys that a token with this `kid` may be signed with, whatever the
    /// algorithm. A key without an id serves every token, a token without an id
    /// is tried with every key, within a bound.
    pub fn candidates<'s>(
        &'s self,
        id: Option<&'s str>,
        algorithm: Algorithm,
    ) -> impl Iterator<Item = &'s Key> {
        let fits = move |key: &&Key| key.algorithm == algorithm && key.may_be(id);
        self.0.iter().filter(fits).take(JWT_KEY_TRIES_MAX)
    }

    /// Whether a key here has this id.
    pub fn names(&self, id: &str) -> bool {
        self.0.iter().any(|key| key.id.as_deref() == Some(id))
    }
}

impl Key {
    fn may_be(&self, id: Option<&str>) -> bool {
        match (&self.id, id) {
            (Some(own), Some(id)) => own == id,
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests;
