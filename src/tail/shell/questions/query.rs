//! A temporary view that stands for a query while its columns are asked for:
//! the crate's own way, to prepare the query, looks up its types in pg_type,
//! which these servers do not bear. The view is seen by this connection alone
//! and ends with it.

use postgres::Client;

use crate::tail::TailError;
use crate::tail::settings::TailView;
use crate::tail::shell::failures;

use super::text::refusal;

/// The name of the temporary view.
pub const NAME: &str = "\"viewcast_query\"";

/// Makes the view of a query.
pub fn create(client: &mut Client, view: &TailView, query: &str) -> Result<(), TailError> {
    let sql = format!("CREATE TEMPORARY VIEW {NAME} AS {query}\n");
    client.batch_execute(&sql).map_err(|error| {
        let failure = failures::of_question(&error);
        match failure.is_of_the_query() {
            true => TailError::BadQuery {
                name: view.name.clone(),
                failure,
            },
            false => refusal("the query's columns", &error),
        }
    })
}

/// Takes it away again. Made anew for each question; a failure shows there, if
/// it matters.
pub fn remove(client: &mut Client, view: &TailView) {
    if let Err(error) = client.batch_execute(&format!("DROP VIEW {NAME}")) {
        log::debug!("view \"{}\": {error}", view.name);
    }
}
