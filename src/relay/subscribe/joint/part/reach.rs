//! How far a view is known to a stream of several.

use crate::limits::SNAPSHOT_BEHIND_MS_MAX;
use crate::model::position::Timestamp;

/// How far a view is known, and whether it can still change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::relay::subscribe::joint) enum Reach {
    /// Its changes up to this time are complete; later ones follow.
    Closed(Timestamp),
    /// Its log has ended at this time: nothing follows.
    Ended(Timestamp),
    /// It is constant; its log reaches this time.
    Constant(Timestamp),
}

impl Reach {
    /// The last time that the log knows of.
    pub(in crate::relay::subscribe::joint) fn head(self) -> Timestamp {
        match self {
            Reach::Closed(head) | Reach::Ended(head) | Reach::Constant(head) => head,
        }
    }
}

/// Whether a snapshot of the one time is never of before the other.
pub(in crate::relay::subscribe::joint) fn is_far_before(
    earlier: Timestamp,
    later: Timestamp,
) -> bool {
    earlier.get().saturating_add(SNAPSHOT_BEHIND_MS_MAX) < later.get()
}
