//! Why a token is not good.

use crate::limits::{CLAIM_VALUES_MAX, JWT_BYTES_MAX};

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

impl Denied {
    /// The word for it in metrics.
    pub fn word(self) -> &'static str {
        match self {
            Denied::TooLong => "too_long",
            Denied::Malformed => "malformed",
            Denied::Algorithm => "algorithm",
            Denied::UnknownKey => "unknown_key",
            Denied::Signature => "signature",
            Denied::Issuer => "issuer",
            Denied::Audience => "audience",
            Denied::Claims => "claims",
            Denied::Expired => "expired",
            Denied::NotYet => "not_yet",
        }
    }
}

/// Why a token that grants a view shows no row of it: what says which rows its
/// bearer may see is missing, or says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unmet {
    /// A claim is not there, or null.
    #[error("access token lacks a claim that the view's rows are shown by")]
    Missing,
    /// A claim is an object, or a list that holds more than values.
    #[error("a claim that the view's rows are shown by has no values to compare with")]
    Kind,
    /// A claim has too many values.
    #[error("a claim that the view's rows are shown by has more than {CLAIM_VALUES_MAX} values")]
    Many,
}
