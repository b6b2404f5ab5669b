//! Where a stream stands: `<timestamp>-<incarnation>`, the SSE `id`.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

/// A logical time of Materialize, in milliseconds.
///
/// The whole range of `u64` occurs: an old server puts a constant view at
/// `u64::MAX`, which no float holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The first timestamp there is.
    pub const MIN: Timestamp = Timestamp(0);
    /// The last one: where an old server puts the rows of a constant view.
    pub const MAX: Timestamp = Timestamp(u64::MAX);

    /// A timestamp of so many milliseconds.
    pub const fn new(milliseconds: u64) -> Self {
        Timestamp(milliseconds)
    }

    /// Milliseconds, as Materialize counts them.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The timestamp after this one; at the end of time itself.
    pub fn next(self) -> Timestamp {
        Timestamp(self.0.saturating_add(1))
    }

    /// The last timestamp closed by a frontier standing here: progress at `t`
    /// closes what is below `t`. `None` at zero, which closes nothing.
    pub fn closed_below(self) -> Option<Timestamp> {
        self.0.checked_sub(1).map(Timestamp)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Text that is no timestamp or no position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a position: expected \"<timestamp>-<incarnation>\"")]
pub struct ParsePositionError;

impl FromStr for Timestamp {
    type Err = ParsePositionError;

    /// Decimal digits and nothing else: `u64::from_str` would take a sign too.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(ParsePositionError);
        }
        text.parse().map(Timestamp).map_err(|_| ParsePositionError)
    }
}

/// Hexadecimal digits of an incarnation: 48 bits, so that a thousand views
/// recreated daily do not meet in a lifetime.
const INCARNATION_DIGITS: usize = 12;

/// Fingerprint of what is being tailed: equal in two gateways on the same
/// Materialize view, different once the view is created anew or its columns
/// change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Incarnation(u64);

impl Incarnation {
    /// The fingerprint of a list of facts: a truncated SHA-256 over each fact
    /// with its length before it, so that ("ab", "c") and ("a", "bc") differ.
    pub fn of<'a>(facts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut hash = Sha256::new();
        for fact in facts {
            hash.update(fact.len().to_le_bytes());
            hash.update(fact.as_bytes());
        }
        let mut value = 0;
        for byte in hash.finalize().iter().take(INCARNATION_DIGITS / 2) {
            value = value << 8 | u64::from(*byte);
        }
        Incarnation(value)
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:0width$x}", self.0, width = INCARNATION_DIGITS)
    }
}

impl FromStr for Incarnation {
    type Err = ParsePositionError;

    /// Exactly what `Display` writes.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let lower_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != INCARNATION_DIGITS || !text.bytes().all(lower_hex) {
            return Err(ParsePositionError);
        }
        u64::from_str_radix(text, 16)
            .map(Incarnation)
            .map_err(|_| ParsePositionError)
    }
}

/// A closed timestamp of one incarnation: all changes up to and including it
/// have been sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Position {
    /// Changes at this time and before are included.
    pub timestamp: Timestamp,
    /// Of what.
    pub incarnation: Incarnation,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.timestamp, self.incarnation)
    }
}

impl FromStr for Position {
    type Err = ParsePositionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (timestamp, incarnation) = text.split_once('-').ok_or(ParsePositionError)?;
        Ok(Position {
            timestamp: timestamp.parse()?,
            incarnation: incarnation.parse()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn position_text_and_back_is_the_same() {
        for milliseconds in [0, 1, 1_690_617_099_123, u64::MAX] {
            let position = Position {
                timestamp: Timestamp::new(milliseconds),
                incarnation: Incarnation::of(["v", "1"]),
            };
            assert_eq!(position.to_string().parse(), Ok(position));
        }
    }

    #[test]
    fn position_malformed_is_refused() {
        let good = Incarnation::of([]).to_string();
        for text in [
            "",
            "-",
            "12",
            "12-",
            "-5f3a9c5f3a9c",
            "+12-5f3a9c5f3a9c",
            " 12-5f3a9c5f3a9c",
            "12-5F3A9C5F3A9C",
            "12-5f3a9c",
            "12-5f3a9c5f3a9c-",
            "18446744073709551616-5f3a9c5f3a9c",
            "1e3-5f3a9c5f3a9c",
            "١٢-5f3a9c5f3a9c",
        ] {
            assert_eq!(text.parse::<Position>(), Err(ParsePositionError), "{text}");
        }
        assert!(format!("12-{good}").parse::<Position>().is_ok());
    }

    #[test]
    fn incarnation_differs_when_any_fact_or_boundary_does() {
        let one = Incarnation::of(["u7", "a", "text"]);
        assert_eq!(one, Incarnation::of(["u7", "a", "text"]));
        assert_ne!(one, Incarnation::of(["u8", "a", "text"]));
        assert_ne!(one, Incarnation::of(["u7", "at", "ext"]));
        assert_ne!(one, Incarnation::of(["u7", "a", "text", ""]));
    }
}
