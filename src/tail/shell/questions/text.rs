//! Questions as text, and answers as text.
//!
//! Nothing is prepared: the crate would look up the types of the answer in
//! pg_type, which fails or takes seconds on these servers.

use postgres::{Client, SimpleQueryMessage};

use crate::tail::TailError;
use crate::tail::dialect::{Dialect, VERSION_SQL};
use crate::tail::shell::failures;

/// One row of an answer, as text.
pub type TextRow = Vec<Option<String>>;

/// What the server speaks.
pub fn dialect(client: &mut Client) -> Result<Dialect, TailError> {
    let rows = ask(client, VERSION_SQL, "its version")?;
    let version = first(&rows).ok_or(TailError::Answer {
        what: "its version",
    })?;
    Ok(Dialect::of_version(version)?)
}

pub fn first(rows: &[TextRow]) -> Option<&str> {
    rows.first()?.first()?.as_deref()
}

/// The answer, or `None` if the server refused the question: not every
/// generation knows every relation and function.
pub fn tolerant(
    client: &mut Client,
    sql: &str,
    what: &'static str,
) -> Result<Option<Vec<TextRow>>, TailError> {
    match ask(client, sql, what) {
        Ok(rows) => Ok(Some(rows)),
        Err(TailError::Query { failure, .. }) if failure.is_of_the_question() => {
            log::debug!("asking Materialize for {what} was refused: {failure}");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

pub fn ask(client: &mut Client, sql: &str, what: &'static str) -> Result<Vec<TextRow>, TailError> {
    let answer = client
        .simple_query(sql)
        .map_err(|error| refusal(what, &error))?;
    let text = |message| match message {
        SimpleQueryMessage::Row(row) => {
            let value = |at| row.get(at).map(str::to_string);
            Some((0..row.len()).map(value).collect())
        }
        _ => None,
    };
    Ok(answer.into_iter().filter_map(text).collect())
}

/// A string literal: only quotes need doubling, these servers take backslashes
/// as they are.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// What a question came to that was not answered.
pub fn refusal(what: &'static str, error: &postgres::Error) -> TailError {
    TailError::Query {
        what,
        failure: failures::of_question(error),
    }
}
