//! Why a token is not good.

use crate::limits::JWT_BYTES_MAX;

/// Why a token is not good. Clients are told what they can act on; the rest is
/// for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Larger than any token need be.
    #[error("token is longer than {JWT_BYTES_MAX} bytes")]
    TooLong,
    /// Not three parts of base64, not JSON, or with demands we do not know.
    #[error("token is malformed")]
    Malformed,
    /// An algorithm that no key is for; `none` is none.
    #[error("token is signed by an algorithm that no key is for")]
    Algorithm,
    /// A `kid` that no key has.
    #[error("token is signed by a key that is not known")]
    UnknownKey,
    /// The signature is not that of any key.
    #[error("signature is not right")]
    Signature,
    /// Another issuer, or none.
    #[error("token is of another issuer")]
    Issuer,
    /// For another audience, or none.
    #[error("token is for another audience")]
    Audience,
    /// A claim is missing, of a wrong type, or there twice.
    #[error("token's claims are not as they should be")]
    Claims,
    /// Past its `exp`.
    #[error("token has expired")]
    Expired,
    /// Before its `nbf`.
    #[error("token is not valid yet")]
    NotYet,
}
