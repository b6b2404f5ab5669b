//! Which rows of a view somebody may see, by what a token says of them.

use serde_json::Value;

use super::denied::Unmet;
use crate::limits::{CLAIM_DEPTH_MAX, CLAIM_VALUES_MAX};

/// Where in a token a value is: names of claims, joined by dots.
///
/// Names may hold dots themselves (`https://example.com/tenant.id`), so at each
/// object the longest name that is there counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimPath(String);

/// A rule of the operator's: the column has a value that the token has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowRule {
    /// The column.
    pub column: String,
    /// The claim with its value, or its values.
    pub claim: ClaimPath,
}

/// What a column must be for a row to be seen: one of these values, as texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Required {
    /// The column.
    pub column: String,
    /// The values; none shows no row.
    pub values: Vec<String>,
}

/// What stands before a claim's name.
const PREFIX: &str = "claim:";

impl ClaimPath {
    /// Reads `claim:NAME` or `claim:NAME.NAME`.
    pub fn parse(text: &str) -> Option<Self> {
        let path = text.strip_prefix(PREFIX)?;
        let is_path = !path.is_empty() && !path.contains(char::is_control);
        is_path.then(|| ClaimPath(path.to_owned()))
    }

    /// The text that is read as this one.
    pub fn text(&self) -> String {
        format!("{PREFIX}{}", self.0)
    }

    /// The value in a token; `None` where a name is not there.
    ///
    /// The longest name is taken at each step and not taken back: what a token
    /// means does not depend on what else is in it further down.
    fn find<'c>(&self, claims: &'c Value) -> Option<&'c Value> {
        let (mut value, mut path) = (claims, self.0.as_str());
        for _ in 0..CLAIM_DEPTH_MAX {
            let object = value.as_object()?;
            let ends = path.match_indices('.').map(|(at, _)| at);
            let ends = ends.chain([path.len()]);
            let (next, rest) = ends.rev().find_map(|end| {
                let (name, rest) = path.split_at_checked(end)?;
                Some((object.get(name)?, rest))
            })?;
            value = next;
            match rest.strip_prefix('.') {
                Some(rest) => path = rest,
                None => return Some(value),
            }
        }
        None
    }
}

/// What rules require of a token's bearer; each column of each rule.
pub fn required(rules: &[RowRule], claims: &Value) -> Result<Vec<Required>, Unmet> {
    let required = rules.iter().map(|rule| {
        let value = rule.claim.find(claims).ok_or(Unmet::Missing)?;
        Ok(Required {
            column: rule.column.clone(),
            values: values(value)?,
        })
    });
    required.collect()
}

/// The values that a claim allows: itself, or those of its list.
pub fn values(claim: &Value) -> Result<Vec<String>, Unmet> {
    match claim {
        // Said to be nothing, which is not the NULL of a row.
        Value::Null => Err(Unmet::Missing),
        Value::Array(list) if list.len() > CLAIM_VALUES_MAX => Err(Unmet::Many),
        Value::Array(list) => list.iter().map(value).collect(),
        claim => Ok(vec![value(claim)?]),
    }
}

/// One value as a text, which is compared by the column's type later.
fn value(claim: &Value) -> Result<String, Unmet> {
    match claim {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(is_true) => Ok(is_true.to_string()),
        // A whole number beyond 64 bits was rounded when it was read, and two of
        // them may have become one.
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() && float.abs() >= FLOAT_EXACT_MAX => Err(Unmet::Kind),
            _ => Ok(number.to_string()),
        },
        Value::Null | Value::Array(_) | Value::Object(_) => Err(Unmet::Kind),
    }
}

/// From here on a `f64` does not hold each whole number: 2^53.
const FLOAT_EXACT_MAX: f64 = 9_007_199_254_740_992.0;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn find(path: &str, claims: &Value) -> Option<Value> {
        let path = ClaimPath::parse(&format!("claim:{path}")).expect("a path");
        assert_eq!(path.text(), format!("claim:{}", path.0));
        path.find(claims).cloned()
    }

    #[test]
    fn claim_is_found_by_the_longest_name_that_is_there() {
        let claims = json!({
            "sub": "7",
            "https://example.com/tenant.id": 1,
            "https://example.com/tenant": { "id": 2, "name": 3 },
            "org": { "unit.name": "u", "unit": { "name": "other", "id": 4 }, "": 5 },
            "a.b": { "x": 6 },
            "a": { "b": { "c": 7 } },
            "none": null,
            "ends.": 8,
        });
        for (path, expected) in [
            ("sub", json!("7")),
            ("https://example.com/tenant.id", json!(1)),
            ("https://example.com/tenant.name", json!(3)),
            ("org.unit.name", json!("u")),
            ("org.", json!(5)),
            ("a.b.x", json!(6)),
            ("none", Value::Null),
            ("ends.", json!(8)),
        ] {
            assert_eq!(find(path, &claims), Some(expected), "{path}");
        }
        for path in [
            "Sub",
            "su",
            "sub.x",
            "sub.",
            ".sub",
            "org.unit",
            "org.unit.id",
            // "a.b" is there, and what it lacks is not looked for elsewhere.
            "a.b.c",
            "none.x",
            "tenant.id",
        ] {
            let found = find(path, &claims);
            let is_there = path == "org.unit" || path == "org.unit.id";
            assert_eq!(found.is_some(), is_there, "{path}: {found:?}");
        }
        assert_eq!(find("x", &json!([1])), None);
        for bad in ["", "sub", "claim:", "claim:a\nb", "Claim:sub", " claim:sub"] {
            assert_eq!(ClaimPath::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn claim_values_are_texts_and_nothing_else() {
        let texts = |values: &[&str]| -> Result<Vec<String>, Unmet> {
            Ok(values.iter().map(ToString::to_string).collect())
        };
        for (claim, expected) in [
            (json!("42"), texts(&["42"])),
            (json!(""), texts(&[""])),
            (json!(42), texts(&["42"])),
            (json!(-1.5), texts(&["-1.5"])),
            (json!(u64::MAX), texts(&["18446744073709551615"])),
            (json!(i64::MIN), texts(&["-9223372036854775808"])),
            (json!(true), texts(&["true"])),
            (json!(["a", 1, false]), texts(&["a", "1", "false"])),
            (json!([]), texts(&[])),
            (json!(null), Err(Unmet::Missing)),
            (json!([null]), Err(Unmet::Kind)),
            (json!([["a"]]), Err(Unmet::Kind)),
            (json!({ "a": 1 }), Err(Unmet::Kind)),
            (json!([{}]), Err(Unmet::Kind)),
            (json!(vec!["a"; CLAIM_VALUES_MAX + 1]), Err(Unmet::Many)),
        ] {
            assert_eq!(values(&claim), expected, "{claim}");
        }
        let rounded: Value = serde_json::from_str("18446744073709551617").expect("a number");
        assert_eq!(values(&rounded), Err(Unmet::Kind));
        assert!(values(&json!(vec!["a"; CLAIM_VALUES_MAX])).is_ok());
    }
}
