//! What a token says, and what that grants.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::denied::{Denied, Unmet};
use super::pattern::Pattern;
use super::rows::{Required, RowRule, required, values};
use crate::limits::{JWT_LEEWAY, JWT_LIFE_MAX};

/// Of each view the values that its columns must have.
type RowClaims = BTreeMap<String, BTreeMap<String, Value>>;

/// The claims we read; issuer and audience are compared where the signature is.
///
/// A claim of another type makes the token bad.
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
    #[serde(rename = "viewcast.rows")]
    rows: Option<RowClaims>,
}

/// The same as an object, which some issuers make of a name with a dot.
#[derive(Debug, Default, Deserialize)]
struct Nested {
    views: Option<Vec<String>>,
    metrics: Option<bool>,
    rows: Option<RowClaims>,
}

/// What the bearer of a token may do, and until when.
#[derive(Clone, PartialEq, Eq)]
pub struct Grant {
    views: Vec<Pattern>,
    /// Of the views that fit a pattern, the values that columns must have.
    rows: Vec<(Pattern, BTreeMap<String, Value>)>,
    /// All that the token says, for the rules of the operator.
    claims: Value,
    /// Whether `/metrics` may be read.
    pub metrics: bool,
    /// The `exp`, since 1970.
    expires: Duration,
}

/// Claims are nobody else's business.
impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant")
            .field("views", &self.views)
            .field("metrics", &self.metrics)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

impl Claims {
    /// What a token's claims grant at this time, since 1970.
    pub fn grant(claims: Value, now: Duration) -> Result<Grant, Denied> {
        let read = Claims::deserialize(&claims).map_err(|_| Denied::Claims)?;
        read.grant_with(claims, now)
    }

    fn grant_with(self, claims: Value, now: Duration) -> Result<Grant, Denied> {
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
        let rows = one(self.rows, nested.rows)?.unwrap_or_default();
        // Whoever writes a rule means to restrict something: a value that was
        // undefined where the token was made must not show all rows.
        if rows.values().any(BTreeMap::is_empty) {
            return Err(Denied::Claims);
        }
        let rows = rows.into_iter();
        Ok(Grant {
            views: views.iter().map(|view| Pattern::new(view)).collect(),
            rows: rows
                .map(|(view, rows)| (Pattern::new(&view), rows))
                .collect(),
            claims,
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

    /// What the operator's rules of a view require of the token's bearer.
    pub fn required_by(&self, rules: &[RowRule]) -> Result<Vec<Required>, Unmet> {
        required(rules, &self.claims)
    }

    /// What the token itself requires of the rows of a view: all that it says
    /// for names and patterns that fit.
    pub fn required_of(&self, view: &str) -> Result<Vec<Required>, Unmet> {
        let fitting = self
            .rows
            .iter()
            .filter(|(pattern, _)| pattern.matches(view));
        let required = fitting.flat_map(|(_, rows)| rows).map(|(column, value)| {
            Ok(Required {
                column: column.clone(),
                values: values(value)?,
            })
        });
        required.collect()
    }

    /// Whose token it is.
    pub fn subject(&self) -> Option<&Value> {
        self.claims.get("sub")
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::rows::ClaimPath;
    use super::*;
    use crate::limits::CLAIM_VALUES_MAX;

    const NOW: Duration = Duration::from_secs(2_000_000_000);

    fn claims(name: &str, value: Value) -> Value {
        let mut claims = json!({
            "iss": "https://issuer.example",
            "aud": "viewcast",
            "exp": NOW.as_secs() + 60,
            "viewcast.views": ["top10"],
        });
        claims[name] = value;
        claims
    }

    fn judge(name: &str, value: Value) -> Result<Grant, Denied> {
        Claims::grant(claims(name, value), NOW)
    }

    #[test]
    fn claims_say_which_rows_their_bearer_may_see() {
        let rule = |column: &str, claim: &str| RowRule {
            column: column.to_owned(),
            claim: ClaimPath::parse(claim).expect("a path"),
        };
        let required = |column: &str, values: &[&str]| Required {
            column: column.to_owned(),
            values: values.iter().map(ToString::to_string).collect(),
        };
        let rows = json!({
            "orders": { "customer_id": ["42", 43], "open": true },
            "s.*": { "tenant": "a" },
            "s.x": { "tenant": [] },
        });
        let grant = judge("viewcast.rows", rows.clone()).expect("good");
        let both = vec![
            required("customer_id", &["42", "43"]),
            required("open", &["true"]),
        ];
        assert_eq!(grant.required_of("orders"), Ok(both));
        assert_eq!(grant.required_of("top10"), Ok(vec![]));
        // What fits several has all of them.
        let both = vec![required("tenant", &["a"]), required("tenant", &[])];
        assert_eq!(grant.required_of("s.x"), Ok(both));
        let nested = judge("viewcast", json!({ "rows": rows })).expect("good");
        assert_eq!(nested.required_of("s.y"), grant.required_of("s.y"));
        assert!(nested.may_see("top10"));

        for bad in [
            json!([]),
            json!("orders"),
            json!({ "orders": [] }),
            json!({ "orders": "1" }),
            // What was undefined where the token was made.
            json!({ "orders": {} }),
        ] {
            let denied = judge("viewcast.rows", bad.clone());
            assert_eq!(denied, Err(Denied::Claims), "{bad}");
        }
        let mut both_ways = claims("viewcast.rows", json!({ "orders": { "id": "1" } }));
        both_ways["viewcast"] = json!({ "rows": { "orders": { "id": "2" } } });
        assert_eq!(Claims::grant(both_ways, NOW), Err(Denied::Claims));
        for (value, why) in [
            (json!(null), Unmet::Missing),
            (json!({ "eq": 1 }), Unmet::Kind),
            (json!([null]), Unmet::Kind),
            (json!(vec![1; CLAIM_VALUES_MAX + 1]), Unmet::Many),
        ] {
            let rows = json!({ "orders": { "id": value } });
            let grant = judge("viewcast.rows", rows).expect("good");
            assert_eq!(grant.required_of("orders"), Err(why));
            assert_eq!(grant.required_of("top10"), Ok(vec![]));
        }

        let grant = judge("https://example.com/tenant.id", json!(7)).expect("good");
        let by = |claim: &str| grant.required_by(&[rule("t", claim), rule("a", "claim:aud")]);
        let both = vec![required("t", &["7"]), required("a", &["viewcast"])];
        assert_eq!(by("claim:https://example.com/tenant.id"), Ok(both));
        assert_eq!(by("claim:sub"), Err(Unmet::Missing));
        // No business of whoever writes a log.
        assert!(!format!("{grant:?}").contains("tenant"));
    }
}
