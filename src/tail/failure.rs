//! What comes instead of an answer, as plain data: what is decided by it is
//! decided without the client library that met it.

use std::fmt;

/// SQLSTATE of a lacking privilege.
pub(super) const INSUFFICIENT_PRIVILEGE: &str = "42501";
/// SQLSTATE of a statement that the server cannot parse.
const SYNTAX_ERROR: &str = "42601";
/// SQLSTATE of an object that is not there (any more).
const UNDEFINED_OBJECT: &str = "42704";
/// SQLSTATE class of values that cannot be computed with.
const DATA_EXCEPTION: &str = "22";
/// SQLSTATE classes of failures that have nothing to do with what was asked:
/// connections, resources, operators, the system.
const NOT_ITS_FAULT: [&str; 4] = ["08", "53", "57", "58"];

/// An error that the server has sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerAnswer {
    /// Its SQLSTATE, five characters.
    pub code: String,
    /// Its text, without severity, detail and hint.
    pub message: String,
}

/// Why there is no answer to what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The error that the server has sent; `None` if it has sent none, as when
    /// the connection broke.
    pub answer: Option<ServerAnswer>,
    /// What happened, with its causes, for the operator.
    pub words: String,
}

impl Failure {
    /// The server has sent this error.
    pub fn answer(code: &str, message: &str) -> Self {
        Failure {
            answer: Some(ServerAnswer {
                code: code.to_owned(),
                message: message.to_owned(),
            }),
            words: format!("db error: ERROR: {message}"),
        }
    }

    /// The connection broke.
    pub fn broken(words: &str) -> Self {
        Failure {
            answer: None,
            words: words.to_owned(),
        }
    }

    /// The text of the server's error; empty if it has sent none.
    pub fn message(&self) -> &str {
        self.answer.as_ref().map_or("", |it| it.message.as_str())
    }

    /// The SQLSTATE; empty if the server has sent no error.
    fn code(&self) -> &str {
        self.answer.as_ref().map_or("", |it| it.code.as_str())
    }

    /// Whether the server refused the question itself, so that it would do so
    /// again: not for what ails it at the moment, and not because the
    /// connection broke.
    pub fn is_of_the_question(&self) -> bool {
        let class = self.code().get(..2).unwrap_or_default();
        self.answer.is_some() && !NOT_ITS_FAULT.contains(&class) && !self.says_no_cluster()
    }

    /// Whether the server takes no query of this text: the query is at fault,
    /// and not what the role may do, which may be granted to it.
    pub fn is_of_the_query(&self) -> bool {
        self.is_of_the_question() && !self.is_denied()
    }

    /// Whether there is no cluster that could answer at the moment.
    pub fn says_no_cluster(&self) -> bool {
        let message = self.message();
        ["no replicas", "unknown cluster"]
            .iter()
            .any(|words| message.contains(words))
            || message.starts_with("cluster ") && message.ends_with("was dropped")
    }

    /// Whether the role lacks a privilege.
    pub fn is_denied(&self) -> bool {
        self.code() == INSUFFICIENT_PRIVILEGE
    }

    /// Whether the server could not parse the statement.
    pub fn is_syntax_error(&self) -> bool {
        self.code() == SYNTAX_ERROR
    }

    /// Whether the server says that there is no such relation. Old servers
    /// give nearly every error the same code, so their words decide.
    pub fn says_unknown(&self) -> bool {
        ["unknown catalog item", "unknown schema", "unknown database"]
            .iter()
            .any(|words| self.message().starts_with(words))
    }

    /// Whether an old server has not made a new view's history readable yet.
    pub fn says_not_readable(&self) -> bool {
        let message = self.message();
        message.contains("requested as_of") && message.contains("not >= since")
    }

    /// Whether the reason may be that the view is not there any more: it was
    /// sent by the server, and its code does not exclude that. Dropped is told
    /// by a code of its own in some versions and by the one of nearly every
    /// error in others.
    pub fn may_be_of_the_view(&self) -> bool {
        let class = self.code().get(..2).unwrap_or_default();
        self.answer.is_some() && class != DATA_EXCEPTION && !NOT_ITS_FAULT.contains(&class)
    }

    /// Whether the server says that some object is not there any more.
    pub fn is_undefined_object(&self) -> bool {
        self.code() == UNDEFINED_OBJECT
    }

    /// Whether the server wants to know which replica is meant: each has its
    /// own introspection relations.
    pub fn says_replica(&self) -> bool {
        self.message().contains("must target a replica")
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl std::error::Error for Failure {}

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectFailure {
    /// What happened.
    pub failure: Failure,
    /// What the operator can do.
    pub hint: String,
    /// The server knows who we are and does not let us in.
    pub is_refused_login: bool,
    /// A server that is well has no room for one more connection.
    pub is_no_room: bool,
    /// There is no password to log in with: what gives it has failed.
    pub is_without_password: bool,
}

impl fmt::Display for ConnectFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.failure.fmt(f)
    }
}

impl std::error::Error for ConnectFailure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failure_of_a_question_is_none_of_the_moment_and_one_of_a_query_no_lack_of_a_privilege() {
        for (code, message, of_the_question, of_the_query) in [
            ("42601", "Expected end of statement", true, true),
            (
                "42883",
                "function \"mz_cluster_id\" does not exist",
                true,
                true,
            ),
            ("42501", "permission denied for SCHEMA \"s\"", true, false),
            ("53000", "no room", false, false),
            (
                "0A000",
                "CLUSTER \"c\" has no replicas available to service request",
                false,
                false,
            ),
            ("XX000", "cluster \"c\" was dropped", false, false),
        ] {
            let failure = Failure::answer(code, message);
            assert_eq!(failure.is_of_the_question(), of_the_question, "{message}");
            assert_eq!(failure.is_of_the_query(), of_the_query, "{message}");
        }
        assert!(!Failure::broken("reset").is_of_the_question());
    }
}
