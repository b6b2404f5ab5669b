//! Values in canonical form, by type: two texts of one value become one.
//!
//! A value comes as a person writes it, from a request or a token, or as it
//! stands in the JSON of a row. What can be compared without a look at its
//! digits is taken from the row as it stands.

mod number;
mod time;
mod uuid;

use crate::model::value::push_string;

/// How values of a type are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    /// True before false.
    Boolean,
    /// By value.
    Integer {
        /// The smallest there is.
        min: i128,
        /// The largest.
        max: i128,
    },
    /// By value, whatever the scale; NaN is NaN.
    Numeric,
    /// As floats of 32 bits; -0 is 0 and NaN is NaN.
    Real,
    /// The same of 64 bits.
    Double,
    /// Byte for byte.
    Text,
    /// Byte for byte, but for blanks at the end.
    Padded,
    /// By value.
    Uuid,
    /// By value.
    Date,
    /// By value.
    Time,
    /// By value; of a time zone, none is to be given but UTC.
    Timestamp {
        /// Whether Materialize prints the zone.
        has_zone: bool,
    },
}

impl Comparison {
    /// How values of a type are compared, by its name as Materialize prints it.
    /// `None` where they cannot be, and of types that are not known.
    pub(super) fn of(sql_type: &str) -> Option<Self> {
        let integer = |min: i128, max: i128| Some(Comparison::Integer { min, max });
        match without_modifier(sql_type).as_str() {
            "boolean" | "bool" => Some(Comparison::Boolean),
            "smallint" | "int2" => integer(i16::MIN.into(), i16::MAX.into()),
            "integer" | "int" | "int4" => integer(i32::MIN.into(), i32::MAX.into()),
            "bigint" | "int8" => integer(i64::MIN.into(), i64::MAX.into()),
            "uint2" => integer(0, u16::MAX.into()),
            "uint4" | "oid" => integer(0, u32::MAX.into()),
            "uint8" | "mz_timestamp" => integer(0, u64::MAX.into()),
            "numeric" | "decimal" | "dec" => Some(Comparison::Numeric),
            "real" | "float4" => Some(Comparison::Real),
            "double precision" | "float8" | "float" | "double" => Some(Comparison::Double),
            "text" | "character varying" | "varchar" | "string" | "name" | "\"char\"" => {
                Some(Comparison::Text)
            }
            "character" | "char" | "bpchar" => Some(Comparison::Padded),
            "uuid" => Some(Comparison::Uuid),
            "date" => Some(Comparison::Date),
            "time" | "time without time zone" => Some(Comparison::Time),
            "timestamp" | "timestamp without time zone" => {
                Some(Comparison::Timestamp { has_zone: false })
            }
            "timestamptz" | "timestamp with time zone" => {
                Some(Comparison::Timestamp { has_zone: true })
            }
            _ => None,
        }
    }

    /// The canonical form of a value as a person writes it; `None` where it is
    /// none of the type.
    pub(super) fn parse(self, text: &str) -> Option<String> {
        let mut out = String::new();
        // SQL does not mind blanks around what is no text.
        let bare = text.trim_matches(' ');
        match self {
            Comparison::Boolean => out.push_str(boolean(bare)?),
            Comparison::Integer { min, max } => {
                let value = number::integer(bare).filter(|it| (min..=max).contains(it))?;
                out = value.to_string();
            }
            Comparison::Numeric => number::push_decimal(bare, &mut out)?,
            Comparison::Real => number::push_real(bare, &mut out)?,
            Comparison::Double => number::push_double(bare, &mut out)?,
            Comparison::Text => out = inside(text),
            Comparison::Padded => out = inside(text.trim_end_matches(' ')),
            Comparison::Uuid => out = uuid::parse(bare)?,
            Comparison::Date => out = time::date(bare)?,
            Comparison::Time => out = time::time(bare)?,
            Comparison::Timestamp { has_zone } => out = time::timestamp(bare, has_zone)?,
        }
        Some(out)
    }

    /// The canonical form of a value that stands in a row as this JSON; `None`
    /// of NULL. `scratch` is room for it where it differs.
    ///
    /// What is none of its type, against all that was promised, equals itself.
    pub(super) fn read<'a>(self, json: &'a str, scratch: &'a mut String) -> Option<&'a str> {
        if json == "null" {
            return None;
        }
        let quoted = json.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
        let text = quoted.unwrap_or(json);
        scratch.clear();
        let pushed = match self {
            Comparison::Boolean | Comparison::Text | Comparison::Uuid | Comparison::Date => None,
            Comparison::Padded => return Some(text.trim_end_matches(' ')),
            // Not as it stands only where a server prints what is its own.
            Comparison::Integer { .. } if is_plain_integer(text) => None,
            Comparison::Integer { .. } => number::integer(text).map(|value| {
                scratch.push_str(&value.to_string());
            }),
            Comparison::Numeric if number::is_canonical(text) => None,
            Comparison::Numeric => number::push_decimal(text, scratch),
            Comparison::Real => number::push_real(text, scratch),
            Comparison::Double => number::push_double(text, scratch),
            Comparison::Time | Comparison::Timestamp { .. } => time::push_trimmed(text, scratch),
        };
        Some(match pushed {
            Some(()) => scratch,
            None => text,
        })
    }
}

/// The name of a type in small letters, without what stands in parentheses
/// (`timestamp(3) with time zone`).
fn without_modifier(sql_type: &str) -> String {
    let lower = sql_type.trim().to_ascii_lowercase();
    match (lower.find('('), lower.rfind(')')) {
        (Some(open), Some(close)) if open < close => {
            let (before, _) = lower.split_at(open);
            let (_, after) = lower.split_at(close + 1);
            format!("{}{after}", before.trim_end())
        }
        _ => lower,
    }
}

/// A text as it stands between the quotes of a JSON string, which is another
/// one for each text.
fn inside(text: &str) -> String {
    let mut quoted = String::new();
    push_string(text, &mut quoted);
    quoted.pop();
    quoted.split_off(1)
}

/// Whether digits stand as everybody writes them.
fn is_plain_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.bytes().all(|byte| byte.is_ascii_digit()) && (!digits.starts_with('0') || text == "0")
}

/// What SQL takes for a boolean: the words, or a beginning that is one's alone.
fn boolean(text: &str) -> Option<&'static str> {
    let word = text.to_ascii_lowercase();
    let begins = |whole: &str, least: usize| word.len() >= least && whole.starts_with(&word);
    let is_true = begins("true", 1) || begins("yes", 1) || word == "on" || word == "1";
    let is_false = begins("false", 1) || begins("no", 1) || begins("off", 2) || word == "0";
    match (is_true, is_false) {
        (true, false) => Some("true"),
        (false, true) => Some("false"),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
