//! Dates and times in the form in which Materialize prints them.
//!
//! Taken are that form and what JavaScript and JSON make of it: a `T` for the
//! blank, zeros behind the fraction, `Z` or `+00:00` for the zone.

use std::fmt::Write as _;

/// Digits of a fraction of a second: microseconds.
const FRACTION_DIGITS: usize = 6;

/// Years have at most so many digits.
const YEAR_DIGITS: usize = 6;

/// `2020-01-02`, perhaps with ` BC` behind it.
pub(super) fn date(text: &str) -> Option<String> {
    let (text, is_before) = era(text);
    let mut out = String::new();
    push_date(text, is_before, &mut out)?;
    push_era(is_before, &mut out);
    Some(out)
}

/// `03:04:05.678`; seconds may be left out.
pub(super) fn time(text: &str) -> Option<String> {
    let mut out = String::new();
    push_time(text, &mut out)?;
    Some(out)
}

/// `2020-01-02 03:04:05.678`, with `+00` behind it where the type has a zone;
/// the time may be left out.
pub(super) fn timestamp(text: &str, has_zone: bool) -> Option<String> {
    let (text, is_before) = era(text);
    let zones = ["Z", "z", "+00:00", "-00:00", "+00", "-00"];
    let without = zones.iter().find_map(|zone| text.strip_suffix(zone));
    let (date, time) = match text.split_once(['T', 't', ' ']) {
        Some((date, _)) => {
            let whole = without.unwrap_or(text);
            let time = whole.get(date.len() + 1..)?;
            (date, time.trim_end_matches(' '))
        }
        None => (text, "00:00:00"),
    };
    let mut out = String::new();
    push_date(date, is_before, &mut out)?;
    out.push(' ');
    push_time(time, &mut out)?;
    if has_zone {
        out.push_str("+00");
    }
    push_era(is_before, &mut out);
    Some(out)
}

/// Appends what a server printed, without zeros behind the fraction; `None`,
/// with nothing appended, where it has no fraction.
pub(super) fn push_trimmed(text: &str, out: &mut String) -> Option<()> {
    let (before, after) = text.split_once('.')?;
    let digits = after.bytes().take_while(u8::is_ascii_digit).count();
    let (fraction, rest) = after.split_at_checked(digits)?;
    out.push_str(before);
    push_fraction(fraction, out);
    out.push_str(rest);
    Some(())
}

fn era(text: &str) -> (&str, bool) {
    match text.strip_suffix(" BC") {
        Some(text) => (text, true),
        None => (text, false),
    }
}

fn push_era(is_before: bool, out: &mut String) {
    if is_before {
        out.push_str(" BC");
    }
}

/// A number of so many digits.
fn digits(text: &str, count: std::ops::RangeInclusive<usize>) -> Option<u32> {
    let is_number = count.contains(&text.len()) && text.bytes().all(|it| it.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

fn push_date(text: &str, is_before: bool, out: &mut String) -> Option<()> {
    let mut parts = text.split('-');
    let year = digits(parts.next()?, 4..=YEAR_DIGITS).filter(|year| *year > 0)?;
    let month = digits(parts.next()?, 2..=2)?;
    let day = digits(parts.next()?, 2..=2).filter(|day| *day > 0)?;
    // The year before the first is a leap year, as the fourth is.
    let leap = if is_before { year - 1 } else { year };
    let is_leap = leap % 4 == 0 && (leap % 100 != 0 || leap % 400 == 0);
    let days = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if day > days || parts.next().is_some() {
        return None;
    }
    // Writing to a string cannot fail.
    let _ = write!(out, "{year:04}-{month:02}-{day:02}");
    Some(())
}

fn push_time(text: &str, out: &mut String) -> Option<()> {
    let (text, fraction) = match text.split_once('.') {
        Some((text, fraction)) => (text, Some(fraction)),
        None => (text, None),
    };
    let mut parts = text.split(':');
    let hours = digits(parts.next()?, 2..=2).filter(|it| *it < 24)?;
    let minutes = digits(parts.next()?, 2..=2).filter(|it| *it < 60)?;
    let seconds = match (parts.next(), fraction) {
        (Some(seconds), _) => digits(seconds, 2..=2).filter(|it| *it < 60)?,
        (None, None) => 0,
        (None, Some(_)) => return None,
    };
    if parts.next().is_some() {
        return None;
    }
    let _ = write!(out, "{hours:02}:{minutes:02}:{seconds:02}");
    let Some(fraction) = fraction else {
        return Some(());
    };
    let significant = fraction.trim_end_matches('0');
    let is_number = !fraction.is_empty() && fraction.bytes().all(|it| it.is_ascii_digit());
    if !is_number || significant.len() > FRACTION_DIGITS {
        return None;
    }
    push_fraction(fraction, out);
    Some(())
}

fn push_fraction(digits: &str, out: &mut String) {
    let significant = digits.trim_end_matches('0');
    if !significant.is_empty() {
        out.push('.');
        out.push_str(significant);
    }
}
