//! How a connection ends.

use super::copy_text::CopyTextError;
use super::error::TailError;
use super::failure::Failure;
use super::message::MessageError;

/// How a connection ended.
#[derive(Debug)]
pub(super) enum End {
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

impl End {
    /// What it means that a snapshot was refused.
    pub fn refused(failure: Failure, is_by_id: bool) -> Self {
        if is_by_id && failure.says_no_id() {
            // Dropped since it was asked for.
            return End::NotReadable(TailError::Replaced);
        }
        match failure.says_not_readable() {
            true => End::NotReadable(TailError::Refused(failure)),
            false => End::Failed(TailError::Refused(failure)),
        }
    }

    /// What it means that a COPY broke.
    pub fn broke(failure: Failure) -> Self {
        match failure.says_dropped() {
            true => End::NotReadable(TailError::Stream(failure)),
            false => End::Failed(TailError::Stream(failure)),
        }
    }
}

impl From<TailError> for End {
    fn from(error: TailError) -> Self {
        End::Failed(error)
    }
}

impl From<CopyTextError> for End {
    fn from(error: CopyTextError) -> Self {
        End::Failed(MessageError::CopyText(error).into())
    }
}
