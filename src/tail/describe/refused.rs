//! Why a server does not answer.

/// SQLSTATE classes of failures that have nothing to do with what was asked:
/// connections, resources, operators, the system.
const NOT_ITS_FAULT: [&str; 4] = ["08", "53", "57", "58"];

/// Whether the server refused the question itself, so that it would do so
/// again: not for what ails it at the moment, and not for a broken connection.
pub(super) fn is_of_the_question(error: &postgres::Error) -> bool {
    error.code().is_some_and(|code| {
        let class = code.code().get(..2).unwrap_or_default();
        !NOT_ITS_FAULT.contains(&class)
    })
}
