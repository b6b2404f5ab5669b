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
    /// The view's history is not readable yet, or the view may be another: the
    /// next connection tells, and until then there is nothing to be told.
    NotReadable(TailError),
    /// The server has said why, and it may be that the view is not there any
    /// more: only the catalog tells.
    Unexplained(TailError),
    /// All else.
    Failed(TailError),
}

impl End {
    /// What it means that a snapshot was refused.
    pub fn refused(failure: Failure) -> Self {
        if failure.says_not_readable() {
            return End::NotReadable(TailError::Refused(failure));
        }
        Self::by_the_server(failure.may_be_of_the_view(), TailError::Refused(failure))
    }

    /// What it means that a COPY broke.
    pub fn broke(failure: Failure) -> Self {
        Self::by_the_server(failure.may_be_of_the_view(), TailError::Stream(failure))
    }

    fn by_the_server(may_be_of_the_view: bool, error: TailError) -> Self {
        match may_be_of_the_view {
            true => End::Unexplained(error),
            false => End::Failed(error),
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
