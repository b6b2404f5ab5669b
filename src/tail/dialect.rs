//! TAIL or SUBSCRIBE: which of the two a server speaks, and the SQL.

use std::fmt;
use std::str::FromStr;

use crate::model::position::Timestamp;

/// The statement that streams a view's changes, by the generation of server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// 0.5.2 to 0.26.
    Tail,
    /// Everything since.
    Subscribe,
}

/// Where the upstream is asked to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// With a snapshot at a time of its choice.
    Snapshot,
    /// With a snapshot at the earliest time it can read that is not before
    /// this one, and the changes since.
    AtLeast(Timestamp),
    /// With the changes after this time.
    After(Timestamp),
}

/// A version that no dialect is known for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DialectError {
    /// TAIL WITH (PROGRESS) inside COPY came with 0.5.2.
    #[error("Materialize {version} is too old: 0.5.2 is the first that can be tailed")]
    TooOld {
        /// As the server says it.
        version: String,
    },
    /// The text is no version.
    #[error("unknown Materialize version \"{version}\"")]
    Unknown {
        /// As the server says it.
        version: String,
    },
    /// Not the name of a dialect.
    #[error("unknown dialect \"{name}\": expected \"tail\" or \"subscribe\"")]
    Name {
        /// What was given.
        name: String,
    },
}

/// The question that `Dialect::of_version` takes the answer of.
pub const VERSION_SQL: &str = "SELECT mz_version()";

impl Dialect {
    /// The dialect of a server by its answer to `SELECT mz_version()`, e.g.
    /// `v0.7.0 (953d2279d)` or `v26.17.0-dev.0 (892cf626b)`.
    pub fn of_version(text: &str) -> Result<Self, DialectError> {
        let unknown = || DialectError::Unknown {
            version: text.to_string(),
        };
        let bare = text.trim().strip_prefix('v').unwrap_or(text.trim());
        let end = bare.find([' ', '-', '+']).unwrap_or(bare.len());
        let mut numbers = [0u32; 3];
        let mut parts = bare.get(..end).unwrap_or_default().split('.');
        for (at, number) in numbers.iter_mut().enumerate() {
            match parts.next() {
                Some(part) => *number = part.parse().map_err(|_| unknown())?,
                None if at < 2 => return Err(unknown()),
                None => {}
            }
        }
        match numbers {
            old if old < [0, 5, 2] => Err(DialectError::TooOld {
                version: text.to_string(),
            }),
            [0, 0..=26, _] => Ok(Dialect::Tail),
            _ => Ok(Dialect::Subscribe),
        }
    }

    /// The statement that tails a relation, given as SQL.
    pub fn copy_sql(self, relation: &str, from: From) -> String {
        let verb = match self {
            Dialect::Tail => "TAIL",
            Dialect::Subscribe => "SUBSCRIBE",
        };
        match from {
            From::Snapshot => format!("COPY ({verb} {relation} WITH (PROGRESS)) TO STDOUT"),
            From::AtLeast(timestamp) => format!(
                "COPY ({verb} {relation} WITH (PROGRESS) AS OF AT LEAST {timestamp}) TO STDOUT"
            ),
            From::After(timestamp) => format!(
                "COPY ({verb} {relation} WITH (SNAPSHOT = false, PROGRESS) AS OF {timestamp}) TO STDOUT"
            ),
        }
    }

    /// Whether what a server closed before a restart still holds after it, so
    /// that a tail can go on from there. An old server keeps tables in memory:
    /// asked for the changes after a time before its restart, it would show
    /// none and hide that the rows are gone.
    pub fn can_resume(self) -> bool {
        self == Dialect::Subscribe
    }

    /// Whether progress comes about every second without changes.
    pub fn has_steady_progress(self) -> bool {
        self == Dialect::Subscribe
    }
}

impl FromStr for Dialect {
    type Err = DialectError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "tail" => Ok(Dialect::Tail),
            "subscribe" => Ok(Dialect::Subscribe),
            _ => Err(DialectError::Name {
                name: name.to_string(),
            }),
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Dialect::Tail => "tail",
            Dialect::Subscribe => "subscribe",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dialect_follows_from_the_version() {
        for (version, dialect) in [
            ("v0.5.2 (abc)", Dialect::Tail),
            ("v0.7.0 (953d2279d)", Dialect::Tail),
            ("v0.26.4-dev (1)", Dialect::Tail),
            ("v0.27.0 (1)", Dialect::Subscribe),
            ("v0.27.0-alpha.3 (1)", Dialect::Subscribe),
            ("v0.130.2 (1)", Dialect::Subscribe),
            ("v26.17.0-dev.0 (892cf626b)", Dialect::Subscribe),
            ("26.1", Dialect::Subscribe),
            ("v1.0.0+build", Dialect::Subscribe),
        ] {
            assert_eq!(Dialect::of_version(version), Ok(dialect), "{version}");
        }
        for version in ["", "v", "v0", "PostgreSQL 9.6", "v0.x.1", "v-1.0.0"] {
            let error = Dialect::of_version(version).unwrap_err();
            assert!(matches!(error, DialectError::Unknown { .. }), "{version}");
        }
        for version in ["v0.5.1 (1)", "v0.1.0"] {
            let error = Dialect::of_version(version).unwrap_err();
            assert!(matches!(error, DialectError::TooOld { .. }), "{version}");
        }
    }

    #[test]
    fn dialect_sql_is_what_the_recorded_servers_took() {
        assert_eq!(
            Dialect::Tail.copy_sql("\"v\"", From::Snapshot),
            "COPY (TAIL \"v\" WITH (PROGRESS)) TO STDOUT"
        );
        assert_eq!(
            Dialect::Subscribe.copy_sql("\"v\"", From::After(Timestamp::new(7))),
            "COPY (SUBSCRIBE \"v\" WITH (SNAPSHOT = false, PROGRESS) AS OF 7) TO STDOUT"
        );
        assert_eq!(
            Dialect::Subscribe.copy_sql("\"v\"", From::AtLeast(Timestamp::new(7))),
            "COPY (SUBSCRIBE \"v\" WITH (PROGRESS) AS OF AT LEAST 7) TO STDOUT"
        );
    }
}
