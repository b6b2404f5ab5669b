//! How a connection ends.

use super::copy_text::CopyTextError;
use super::error::TailError;
use super::gate::Stale;
use super::message::MessageError;
use super::proof::Refuted;

/// How a connection ended.
pub(super) enum End {
    /// This reader was replaced.
    Stale,
    /// The view is constant and told whole.
    Complete,
    /// The view looks constant; a second look decides.
    LooksConstant,
    /// The view's history is not readable yet, or the view may be gone: the
    /// next connection tells, and until then there is nothing to be told.
    NotReadable(TailError),
    /// All else.
    Failed(TailError),
}

impl From<Stale> for End {
    fn from(_: Stale) -> Self {
        End::Stale
    }
}

impl From<TailError> for End {
    fn from(error: TailError) -> Self {
        End::Failed(error)
    }
}

impl From<Refuted> for End {
    fn from(refuted: Refuted) -> Self {
        match refuted {
            Refuted::Stale => End::Stale,
            Refuted::Other => End::NotReadable(TailError::Replaced),
            Refuted::Unknown(error) => End::Failed(error),
        }
    }
}

impl From<CopyTextError> for End {
    fn from(error: CopyTextError) -> Self {
        End::Failed(MessageError::CopyText(error).into())
    }
}
