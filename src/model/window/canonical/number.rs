//! Numbers in canonical form.

use std::fmt::Write as _;

use crate::model::value::Parts;

/// A whole number of at most 38 digits.
pub(super) fn integer(text: &str) -> Option<i128> {
    // A sign, then digits: what the parser of the standard library takes.
    text.parse().ok()
}

/// Whether a decimal number stands in canonical form: digits without a point,
/// with neither zeros before nor behind them.
pub(super) fn is_canonical(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text).as_bytes();
    let is_all_digits = digits.iter().all(u8::is_ascii_digit);
    let is_zero_at = |digit: Option<&u8>| digit == Some(&b'0');
    is_all_digits && !is_zero_at(digits.first()) && !is_zero_at(digits.last())
}

/// Appends a decimal number: digits without zeros before or behind them, and
/// the power of ten they stand for, if that is not one. So `1`, `1.0` and
/// `10e-1` are `1`, and `1000` is `1e3`, whatever its size.
pub(super) fn push_decimal(text: &str, out: &mut String) -> Option<()> {
    let Some(parts) = Parts::of(text) else {
        out.push_str(special(text)?);
        return Some(());
    };
    let exponent: i64 = match parts.exponent {
        Some(exponent) => exponent.parse().ok()?,
        None => 0,
    };
    let start = out.len();
    if parts.negative {
        out.push('-');
    }
    let digits = out.len();
    // The whole part has no zeros before it, unless it is nothing else.
    out.push_str(parts.whole.trim_start_matches('0'));
    let is_fraction = out.len() == digits;
    out.push_str(match is_fraction {
        true => parts.fraction.trim_start_matches('0'),
        false => parts.fraction,
    });
    let significant = out.trim_end_matches('0').len().max(digits);
    let zeros = i64::try_from(out.len() - significant).ok()?;
    out.truncate(significant);
    if significant == digits {
        out.truncate(start);
        out.push('0');
        return Some(());
    }
    let fraction = i64::try_from(parts.fraction.len()).ok()?;
    let power = exponent.checked_sub(fraction)?.checked_add(zeros)?;
    if power != 0 {
        // Writing to a string cannot fail.
        let _ = write!(out, "e{power}");
    }
    Some(())
}

/// What is a number to SQL and has no digits.
fn special(text: &str) -> Option<&'static str> {
    let bare = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is = |name: &str| bare.eq_ignore_ascii_case(name);
    if is("nan") {
        Some("NaN")
    } else if !is("inf") && !is("infinity") {
        None
    } else if text.starts_with('-') {
        Some("-Infinity")
    } else {
        Some("Infinity")
    }
}

/// Appends the float of 32 bits that is nearest.
pub(super) fn push_real(text: &str, out: &mut String) -> Option<()> {
    let Some(parts) = Parts::of(text) else {
        out.push_str(special(text)?);
        return Some(());
    };
    let value: f32 = text.parse().ok()?;
    is_in_range(value.is_finite(), value == 0.0, &parts)?;
    // Zero has one sign.
    let _ = write!(out, "{:08x}", (value + 0.0).to_bits());
    Some(())
}

/// Appends the float of 64 bits that is nearest.
pub(super) fn push_double(text: &str, out: &mut String) -> Option<()> {
    let Some(parts) = Parts::of(text) else {
        out.push_str(special(text)?);
        return Some(());
    };
    let value: f64 = text.parse().ok()?;
    is_in_range(value.is_finite(), value == 0.0, &parts)?;
    let _ = write!(out, "{:016x}", (value + 0.0).to_bits());
    Some(())
}

/// Whether a float is what its digits say: SQL refuses those that are too large
/// or too small for the type.
fn is_in_range(is_finite: bool, is_zero: bool, parts: &Parts) -> Option<()> {
    let has_digits = |digits: &str| digits.bytes().any(|digit| digit != b'0');
    let is_lost = is_zero && (has_digits(parts.whole) || has_digits(parts.fraction));
    (is_finite && !is_lost).then_some(())
}
