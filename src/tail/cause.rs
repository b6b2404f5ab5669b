//! What of an error may be shown to who may see the view: fixed words and the
//! code, since a server's own text may hold values of rows.

use crate::model::reason::{Cause, Reason};

use super::error::TailError;
use super::failure::{ConnectFailure, Failure, INSUFFICIENT_PRIVILEGE, ServerAnswer};

/// SQLSTATE of a query that somebody has cancelled.
const QUERY_CANCELED: &str = "57014";

impl TailError {
    /// The reason in fixed words.
    pub(super) fn reason(&self) -> Reason {
        let cause = match self {
            TailError::Connect(error) => return of_connecting(error),
            TailError::Query { failure, .. }
            | TailError::Refused(failure)
            | TailError::BadQuery { failure, .. }
            | TailError::Stream(failure) => return of_failure(failure),
            TailError::Ended => Cause::Ended,
            TailError::Replaced => Cause::Changing,
            TailError::Silent { .. } | TailError::WentBack => Cause::Silent,
            TailError::Message(_)
            | TailError::Assembler(_)
            | TailError::Answer { .. }
            | TailError::Resync { .. } => Cause::BadData,
            TailError::Dialect(_) | TailError::QueryOnOldServer { .. } => Cause::Version,
            TailError::Files { .. } => Cause::NoFiles,
            TailError::Thread { .. } => Cause::NoThread,
            TailError::Unproven { .. } => Cause::Unproven,
            TailError::UnknownView { .. }
            | TailError::Renamed { .. }
            | TailError::UnknownColumn { .. }
            | TailError::TooLarge => Cause::Changing,
        };
        cause.into()
    }
}

/// No connection: nobody there, or somebody who does not let us in.
fn of_connecting(error: &ConnectFailure) -> Reason {
    let said = error.failure.answer.as_ref();
    if error.is_refused_login {
        return with_code(Cause::LoginRefused, said);
    }
    if error.is_without_password {
        return Cause::NoPassword.into();
    }
    match said {
        Some(_) if error.is_no_room => with_code(Cause::NoRoom, said),
        Some(answer) => of_answer(&error.failure, answer),
        None => Cause::Unreachable.into(),
    }
}

fn with_code(cause: Cause, said: Option<&ServerAnswer>) -> Reason {
    match said {
        Some(answer) => Reason::with_code(cause, &answer.code),
        None => cause.into(),
    }
}

/// A question or a stream failed: by the server's answer, or without one.
fn of_failure(failure: &Failure) -> Reason {
    match &failure.answer {
        Some(answer) => of_answer(failure, answer),
        None => Cause::Broken.into(),
    }
}

/// What a server's error means. Older ones give nearly every error the same
/// code, so that their words decide, too.
fn of_answer(failure: &Failure, answer: &ServerAnswer) -> Reason {
    let (code, message) = (answer.code.as_str(), answer.message.as_str());
    let says = |words: &str| message.contains(words);
    let class = code.get(..2).unwrap_or_default();
    let cause = if code == INSUFFICIENT_PRIVILEGE {
        Cause::Denied
    } else if says("max_result_size") || says("result exceeds max size") {
        Cause::ResultTooLarge
    } else if message.starts_with("Evaluation error") || message == "division by zero" {
        Cause::Evaluation
    } else if failure.says_no_cluster() {
        Cause::NoCluster
    } else if code == QUERY_CANCELED {
        Cause::Cancelled
    } else {
        match class {
            "22" => Cause::Evaluation,
            "28" => Cause::LoginRefused,
            "53" => Cause::NoRoom,
            "57" => Cause::Broken,
            _ => Cause::Refused,
        }
    };
    Reason::with_code(cause, code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(error: &TailError) -> &'static str {
        error.reason().cause.word()
    }

    #[test]
    fn reasons_of_our_own_are_what_happened() {
        for (error, expected) in [
            (TailError::Ended, "ended"),
            (TailError::Silent { seconds: 3 }, "silent"),
            (TailError::Replaced, "changing"),
            (TailError::Answer { what: "x" }, "bad_data"),
        ] {
            assert_eq!(word(&error), expected);
        }
    }
}
