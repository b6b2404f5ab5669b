//! Where a value was given.

use std::fmt;
use std::path::PathBuf;

/// Where a value was given, by the name its giver knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A flag, with its dashes.
    Flag(String),
    /// An environment variable.
    Environment(String),
    /// A key in the configuration file.
    File {
        /// The key.
        key: String,
        /// The file.
        path: PathBuf,
        /// Its line, from 1.
        line: usize,
    },
    /// Nowhere: it is the default, and how it is described if it is computed.
    Default(Option<&'static str>),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => f.write_str(flag),
            Self::Environment(variable) => f.write_str(variable),
            Self::File { key, path, line } => {
                write!(f, "\"{key}\" in {}, line {line}", path.display())
            }
            Self::Default(_) => f.write_str("the default"),
        }
    }
}
