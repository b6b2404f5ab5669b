//! Why a session with the upstream ended.

use crate::demo::error::DemoError;

/// Why a session ended.
pub(in crate::demo) enum Ended {
    /// There was none.
    Connect(String),
    /// The server refused something, or went away.
    Server(postgres::Error),
    /// Something that no other attempt would change.
    Refused(DemoError),
}

impl Ended {
    /// Why, in words, or what no other attempt would change.
    pub(super) fn judge(self) -> Result<String, DemoError> {
        let error = match self {
            Ended::Connect(reason) => return Ok(format!("there is no connection: {reason}")),
            Ended::Refused(error) => return Err(error),
            Ended::Server(error) => error,
        };
        // The server's own text, which names no password.
        match error.as_db_error() {
            None => Ok(format!("the connection broke: {error}")),
            Some(told) => Ok(format!("the upstream refuses: {told}")),
        }
    }
}

impl From<postgres::Error> for Ended {
    fn from(error: postgres::Error) -> Self {
        Ended::Server(error)
    }
}
