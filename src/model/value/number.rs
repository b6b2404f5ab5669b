//! Numbers as JSON: the digits as printed, or a string of them.

use super::text::push_string;

/// The largest whole number up to which JavaScript holds every one exactly.
pub const EXACT_MAX: u64 = (1 << 53) - 1;

/// Significant decimal digits that survive a trip through a float of 64 bits.
const EXACT_DIGITS: usize = 15;

/// Appends a whole number of at most 32 bits.
pub(super) fn push_small(text: &str, out: &mut String) {
    if is_small_integer(text.as_bytes()) {
        out.push_str(text);
    } else {
        push_float(text, out);
    }
}

/// Up to 15 digits without a leading zero: all that 32 bits print, checked in
/// one pass.
fn is_small_integer(bytes: &[u8]) -> bool {
    small_integer_prefix(bytes) == Some(bytes.len())
}

/// The length of the whole number of up to 15 digits, without a leading zero,
/// that stands first and before something else than a digit.
pub(super) fn small_integer_prefix(bytes: &[u8]) -> Option<usize> {
    let (sign, digits) = match bytes {
        [b'-', digits @ ..] => (1, digits),
        digits => (0, digits),
    };
    let count = digits
        .iter()
        .take(EXACT_DIGITS + 1)
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let is_plain = match digits {
        [b'0', ..] => count == 1,
        _ => (1..=EXACT_DIGITS).contains(&count),
    };
    is_plain.then_some(sign + count)
}

/// Appends a `bigint`, `uint8` or `numeric`: a number if JavaScript holds it
/// exactly, else a string with the same digits.
pub(super) fn push_exact(text: &str, out: &mut String) {
    if is_small_integer(text.as_bytes()) {
        return out.push_str(text);
    }
    match Parts::of(text) {
        Some(parts) if parts.is_exact() => parts.push(out),
        Some(_) => push_string(text, out),
        None => push_special(text, out),
    }
}

/// Appends a `real` or `double precision`.
pub(super) fn push_float(text: &str, out: &mut String) {
    match Parts::of(text) {
        Some(parts) if parts.is_finite(text) => parts.push(out),
        Some(_) => push_string(text, out),
        None => push_special(text, out),
    }
}

/// What is no number in JSON; the infinities in one spelling.
fn push_special(text: &str, out: &mut String) {
    let bare = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_any_of = |names: &[&str]| names.iter().any(|name| bare.eq_ignore_ascii_case(name));
    if is_any_of(&["nan"]) {
        out.push_str("\"NaN\"");
    } else if is_any_of(&["inf", "infinity"]) {
        let negative = text.starts_with('-');
        out.push_str(if negative {
            "\"-Infinity\""
        } else {
            "\"Infinity\""
        });
    } else {
        push_string(text, out);
    }
}

/// A decimal number taken apart.
pub(in crate::model) struct Parts<'a> {
    pub(in crate::model) negative: bool,
    /// Without zeros before it, but for a zero itself.
    pub(in crate::model) whole: &'a str,
    pub(in crate::model) fraction: &'a str,
    /// With its sign, without the `e`.
    pub(in crate::model) exponent: Option<&'a str>,
}

impl<'a> Parts<'a> {
    /// The parts of `[+-]digits[.digits][e[+-]digits]`, with digits on at
    /// least one side of the point; `None` of anything else.
    pub(in crate::model) fn of(text: &'a str) -> Option<Self> {
        let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let bare = text.strip_prefix(['+', '-']).unwrap_or(text);
        let (mantissa, exponent) = match bare.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, Some(exponent)),
            None => (bare, None),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        if whole.len() + fraction.len() == 0 || !all_digits(whole) || !all_digits(fraction) {
            return None;
        }
        if let Some(exponent) = exponent {
            let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            if digits.is_empty() || !all_digits(digits) {
                return None;
            }
        }
        Some(Parts {
            negative: text.starts_with('-'),
            whole: match whole.trim_start_matches('0') {
                "" => "0",
                digits => digits,
            },
            fraction,
            exponent,
        })
    }

    /// Whether JavaScript holds the number exactly.
    fn is_exact(&self) -> bool {
        if self.exponent.is_some() {
            // Materialize prints these types without an exponent; should it
            // start to, a string is right for any value.
            return false;
        }
        if self.fraction.is_empty() {
            return self
                .whole
                .parse()
                .is_ok_and(|whole: u64| whole <= EXACT_MAX);
        }
        let significant = match self.whole {
            "0" => self.fraction.trim_start_matches('0').len(),
            whole => whole.len() + self.fraction.len(),
        };
        significant <= EXACT_DIGITS
    }

    /// Whether `text`, whose parts these are, is within a float's range: beyond
    /// it, JavaScript reads infinity, and other parsers refuse the whole event.
    fn is_finite(&self, text: &str) -> bool {
        let is_short = self.exponent.is_none() && self.whole.len() <= EXACT_DIGITS;
        is_short || text.parse().is_ok_and(f64::is_finite)
    }

    /// The same digits in JSON's grammar, which knows no `+1`, `.5` and `5.`.
    fn push(&self, out: &mut String) {
        if self.negative {
            out.push('-');
        }
        out.push_str(self.whole);
        if !self.fraction.is_empty() {
            out.push('.');
            out.push_str(self.fraction);
        }
        if let Some(exponent) = self.exponent {
            out.push('e');
            out.push_str(exponent);
        }
    }
}
