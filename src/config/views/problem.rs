//! Why a table makes no view.

/// Why a table makes no view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ViewProblem {
    /// It cannot be both.
    #[error("has both a relation and a query")]
    Both,
    /// Nothing to ask.
    #[error("has an empty query")]
    NoQuery,
    /// The name cannot stand in a URL.
    #[error("has no name that can stand in a URL")]
    Path,
    /// A view is shown to all who reach it, so rules about who is who mean
    /// nothing.
    #[error("shows rows by claims, but no token is asked for")]
    NoTokens,
    /// What is chosen by could be found out.
    #[error("chooses rows by a column that is not shown")]
    Hidden,
    /// Two lists, of which one would count for nothing.
    #[error("has a filter, and the list \"filter\" of the file names the view, too")]
    FilterTwice,
}

impl ViewProblem {
    /// What to do about it.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Both => "Give one; without either, NAME is the relation.",
            Self::NoQuery => "Give a SELECT.",
            Self::NoTokens => "Add --auth jwt, or leave its rows out.",
            Self::Hidden => "Add the column to its columns, or choose by another one.",
            Self::FilterTwice => "Name the columns in one place.",
            Self::Path => "Give one by as = \"...\", without control characters.",
        }
    }
}
