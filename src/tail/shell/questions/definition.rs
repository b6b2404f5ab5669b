//! What SQL a view is computed by.

use postgres::Client;

use crate::limits::VIEW_SQL_BYTES_MAX;
use crate::tail::TailError;
use crate::tail::settings::TailView;

use super::text::tolerant;

/// The kinds of objects that are asked for, the usual one first. A view that is
/// materialized is one of the first kind on old servers, and of the second on
/// newer ones. Tables and sources are left out: theirs is not what a view shows,
/// and that of an old source may hold a password.
const KINDS: [&str; 2] = ["VIEW", "MATERIALIZED VIEW"];

/// The statement that creates the view, or the query of the file; `None` if the
/// server does not tell, or if it is too long to be shown.
pub fn sql(client: &mut Client, view: &TailView) -> Result<Option<String>, TailError> {
    let sql = match &view.query {
        Some(query) => Some(query.clone()),
        None => created(client, view)?,
    };
    Ok(sql.filter(|sql| sql.len() <= VIEW_SQL_BYTES_MAX))
}

fn created(client: &mut Client, view: &TailView) -> Result<Option<String>, TailError> {
    for kind in KINDS {
        let question = format!("SHOW CREATE {kind} {}", view.sql);
        let rows = tolerant(client, &question, "the view's SQL")?.unwrap_or_default();
        // Its name, then the statement.
        if let Some([_, Some(sql), ..]) = rows.first().map(Vec::as_slice) {
            return Ok(Some(sql.clone()));
        }
    }
    Ok(None)
}
