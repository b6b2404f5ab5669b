//! What a query's columns are.
//!
//! A temporary view of it tells: the crate's own way, to prepare the query,
//! looks up its types in pg_type, which these servers do not bear. The view is
//! seen by this connection alone and ends with it.

use postgres::Client;

use crate::model::row::Column;

use super::columns;
use super::refused::is_of_the_question;
use crate::tail::{TailError, TailView};

/// The name of the temporary view.
const NAME: &str = "\"viewcast_query\"";

/// The columns of a query in order.
pub(super) fn columns_of(
    client: &mut Client,
    view: &TailView,
    query: &str,
) -> Result<Vec<Column>, TailError> {
    let sql = format!("CREATE TEMPORARY VIEW {NAME} AS {query}\n");
    client
        .batch_execute(&sql)
        .map_err(|source| refusal(view, source))?;
    let found = columns(client, view, NAME);
    // Made anew for each question; a failure shows there, if it matters.
    if let Err(error) = client.batch_execute(&format!("DROP VIEW {NAME}")) {
        log::debug!("view \"{}\": {error}", view.name);
    }
    found
}

fn refusal(view: &TailView, source: postgres::Error) -> TailError {
    match is_of_the_question(&source) {
        true => TailError::BadQuery {
            name: view.name.clone(),
            source,
        },
        false => TailError::Query {
            what: "the query's columns",
            source,
        },
    }
}
