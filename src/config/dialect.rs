//! How the upstream is asked for a view's changes.

use std::fmt;

/// The statement that asks for a view's changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Whichever the server's version understands.
    Auto,
    /// `TAIL`, before version 0.27.
    Tail,
    /// `SUBSCRIBE`, since then.
    Subscribe,
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Tail => "tail",
            Self::Subscribe => "subscribe",
        })
    }
}
