//! What is wrong with a sequence of messages.

use crate::model::position::Timestamp;
use crate::model::view::ViewError;

/// What a correct upstream never sends.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssemblerError {
    /// An update at a time that was closed already, or before one that came.
    #[error("an update at timestamp {given} came after timestamp {held} had been told")]
    UpdateWentBack {
        /// What was told.
        held: Timestamp,
        /// The update's time.
        given: Timestamp,
    },
    /// Progress below earlier progress.
    #[error("progress went back from timestamp {held} to {given}")]
    ProgressWentBack {
        /// The earlier progress.
        held: Timestamp,
        /// The later one.
        given: Timestamp,
    },
    /// The snapshot's sums make no view.
    #[error(transparent)]
    View(#[from] ViewError),
    /// More data than the bound before a timestamp was closed.
    #[error("a snapshot or a timestamp's changes take more than {max} bytes")]
    TooLarge {
        /// The bound.
        max: u64,
        /// Whether it is the whole view.
        is_snapshot: bool,
    },
}
