//! What a token says, and what that grants.

use std::time::Duration;

use serde::Deserialize;

use super::denied::Denied;
use super::pattern::Pattern;
use crate::limits::{JWT_LEEWAY, JWT_LIFE_MAX};

/// The claims we read; issuer and audience are compared where the signature is.
///
/// A claim that is there twice, or of another type, makes the token bad.
#[derive(Debug, Deserialize)]
pub struct Claims {
    /// One issuer. (Some libraries also take a list of them.)
    #[serde(rename = "iss")]
    _issuer: String,
    exp: serde_json::Number,
    nbf: Option<serde_json::Number>,
    viewcast: Option<Nested>,
    #[serde(rename = "viewcast.views")]
    views: Option<Vec<String>>,
    #[serde(rename = "viewcast.metrics")]
    metrics: Option<bool>,
}

/// The same as an object, which some issuers make of a name with a dot.
#[derive(Debug, Default, Deserialize)]
struct Nested {
    views: Option<Vec<String>>,
    metrics: Option<bool>,
}

/// What the bearer of a token may do, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    views: Vec<Pattern>,
    /// Whether `/metrics` may be read.
    pub metrics: bool,
    /// The `exp`, since 1970.
    expires: Duration,
}

impl Claims {
    /// What the claims grant at this time, since 1970.
    pub fn grant(self, now: Duration) -> Result<Grant, Denied> {
        let expires = date(&self.exp)?;
        if expires.saturating_add(JWT_LEEWAY) <= now {
            return Err(Denied::Expired);
        }
        if let Some(begins) = &self.nbf
            && date(begins)? > now.saturating_add(JWT_LEEWAY)
        {
            return Err(Denied::NotYet);
        }
        let nested = self.viewcast.unwrap_or_default();
        let views = one(self.views, nested.views)?.unwrap_or_default();
        Ok(Grant {
            views: views.iter().map(|view| Pattern::new(view)).collect(),
            metrics: one(self.metrics, nested.metrics)?.unwrap_or(false),
            expires,
        })
    }
}

impl Grant {
    /// Whether the view of this name is granted, there or not.
    pub fn may_see(&self, view: &str) -> bool {
        self.views.iter().any(|pattern| pattern.matches(view))
    }

    /// How long a stream that begins now may last: until the token expires. One
    /// that begins later, within the leeway, lasts as long as that: time for a
    /// page to renew its cookie before a reconnect is refused.
    pub fn lasts(&self, now: Duration) -> Duration {
        let end = match now < self.expires {
            true => self.expires,
            false => self.expires.saturating_add(JWT_LEEWAY),
        };
        end.saturating_sub(now).min(JWT_LIFE_MAX)
    }
}

/// A claim that is given in one of two ways, but not in both.
fn one<T>(flat: Option<T>, nested: Option<T>) -> Result<Option<T>, Denied> {
    match (flat, nested) {
        (Some(_), Some(_)) => Err(Denied::Claims),
        (flat, nested) => Ok(flat.or(nested)),
    }
}

/// A NumericDate (RFC 7519): seconds since 1970, whole or not.
fn date(number: &serde_json::Number) -> Result<Duration, Denied> {
    if let Some(seconds) = number.as_u64() {
        return Ok(Duration::from_secs(seconds));
    }
    let seconds = number.as_f64().ok_or(Denied::Claims)?;
    Duration::try_from_secs_f64(seconds).map_err(|_| Denied::Claims)
}
