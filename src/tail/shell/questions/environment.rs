//! What tells one Materialize from another.

use postgres::Client;

use crate::tail::TailError;

use super::text::{first, tolerant};

/// Each generation knows one of these.
const QUESTIONS: [&str; 2] = ["SELECT mz_environment_id()", "SELECT mz_cluster_id()"];

/// The environment's id; empty if the server does not know such a thing. A
/// connection that breaks meanwhile is an error: taken for "does not know" it
/// would make another view of the same one, and end its streams.
pub fn id(client: &mut Client) -> Result<String, TailError> {
    for sql in QUESTIONS {
        let rows = tolerant(client, sql, "its id")?;
        if let Some(id) = first(&rows.unwrap_or_default()) {
            return Ok(id.to_string());
        }
    }
    Ok(String::new())
}
