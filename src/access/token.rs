//! Whether a token is good.

use std::time::Duration;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Validation, decode, decode_header};

use super::claims::{Claims, Grant};
use super::denied::Denied;
use super::json::Unambiguous;
use super::key::KeySet;
use crate::limits::JWT_BYTES_MAX;

/// What every token has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The one `iss`.
    pub issuer: String,
    /// What `aud` is, or lists.
    pub audience: String,
}

/// What a token grants at this time, since 1970.
pub fn verify(token: &str, keys: &KeySet, rules: &Rules, now: Duration) -> Result<Grant, Denied> {
    if token.len() > JWT_BYTES_MAX {
        return Err(Denied::TooLong);
    }
    let header = decode_header(token).map_err(|_| Denied::Malformed)?;
    // What must be understood, and is not (RFC 7515, 4.1.11).
    if header.crit.is_some() || header.enc.is_some() || header.zip.is_some() {
        return Err(Denied::Malformed);
    }
    let id = header.kid.as_deref();
    let mut why = Denied::Algorithm;
    for key in keys.candidates(id, header.alg) {
        let validation = validation(key.algorithm, rules);
        match decode::<Unambiguous>(token, &key.verifying, &validation) {
            Ok(data) => return Claims::grant(data.claims.0, now),
            Err(error) => why = reason(error.kind()),
        }
        if why != Denied::Signature {
            break;
        }
    }
    // A key that is named and not here may be one that was made since.
    let is_named = id.is_none_or(|id| keys.names(id));
    match why {
        Denied::Algorithm | Denied::Signature if !is_named => Err(Denied::UnknownKey),
        why => Err(why),
    }
}

/// The library compares signature, issuer and audience. The times are compared
/// by ourselves, since it would take the clock's time and not ours.
fn validation(algorithm: Algorithm, rules: &Rules) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.set_required_spec_claims(&["exp", "iss", "aud"]);
    validation.set_issuer(&[&rules.issuer]);
    validation.set_audience(&[&rules.audience]);
    validation
}

fn reason(kind: &ErrorKind) -> Denied {
    match kind {
        ErrorKind::InvalidSignature => Denied::Signature,
        ErrorKind::InvalidIssuer => Denied::Issuer,
        ErrorKind::InvalidAudience => Denied::Audience,
        ErrorKind::InvalidAlgorithm => Denied::Algorithm,
        ErrorKind::MissingRequiredClaim(claim) if claim == "iss" => Denied::Issuer,
        ErrorKind::MissingRequiredClaim(claim) if claim == "aud" => Denied::Audience,
        ErrorKind::MissingRequiredClaim(_) | ErrorKind::Json(_) => Denied::Claims,
        _ => Denied::Malformed,
    }
}

#[cfg(test)]
mod tests;
