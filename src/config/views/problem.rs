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
}

impl ViewProblem {
    /// What to do about it.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Both => "Give one; without either, NAME is the relation.",
            Self::NoQuery => "Give a SELECT.",
            Self::Path => "Give one by as = \"...\", without control characters.",
        }
    }
}
