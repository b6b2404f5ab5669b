//! What a view is, by plain questions.
//!
//! Nothing is prepared: the crate would look up the types of the answer in
//! pg_type, which fails or takes seconds on these servers.

use postgres::{Client, SimpleQueryMessage};

use crate::limits::NEAR_NAMES_MAX;
use crate::model::event::{Description, Kept};
use crate::model::position::{Incarnation, Timestamp};
use crate::model::row::Column;

use super::TailView;
use super::dialect::{Dialect, VERSION_SQL};
use super::error::TailError;

mod environment;
mod query;
mod refused;

/// One row of an answer, as text.
pub(super) type TextRow = Vec<Option<String>>;

/// An object of the catalog that may be the view.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Candidate {
    id: String,
    schema_id: String,
}

/// Types of catalog objects that share names with relations but are none.
const NOT_RELATIONS: [&str; 7] = [
    "index",
    "sink",
    "type",
    "function",
    "secret",
    "connection",
    "role",
];

/// What the server speaks.
pub fn dialect(client: &mut Client) -> Result<Dialect, TailError> {
    let rows = ask(client, VERSION_SQL, "its version")?;
    let version = first(&rows).ok_or(TailError::Answer {
        what: "its version",
    })?;
    Ok(Dialect::of_version(version)?)
}

/// Whether a server of this dialect can stream the view.
pub(super) fn check_dialect(view: &TailView, dialect: Dialect) -> Result<(), TailError> {
    match dialect {
        Dialect::Tail if view.query.is_some() => Err(TailError::QueryOnOldServer {
            name: view.name.clone(),
        }),
        _ => Ok(()),
    }
}

/// The view's columns in order, and its fingerprint.
pub fn describe(client: &mut Client, view: &TailView) -> Result<Description, TailError> {
    let (all, what) = match &view.query {
        Some(query) => (query::columns_of(client, view, query)?, query.clone()),
        None => {
            let id = object_id(client, view)?;
            (columns(client, view, &view.sql)?, id)
        }
    };
    let (columns, kept) = chosen(view, all)?;
    let environment = environment::id(client)?;
    let facts = [environment.as_str(), what.as_str()].into_iter();
    let facts = facts.chain(view.facts.iter().map(String::as_str));
    let of_columns = columns
        .iter()
        .flat_map(|column| [column.name.as_str(), column.sql_type.as_str()]);
    let incarnation = Incarnation::of(facts.chain(of_columns));
    Ok(Description {
        columns,
        kept,
        incarnation,
        is_steady: true,
    })
}

/// All columns of a relation in order.
fn columns(client: &mut Client, view: &TailView, sql: &str) -> Result<Vec<Column>, TailError> {
    let names = column_names(client, view, sql)?;
    let sql = format!("SHOW COLUMNS FROM {sql}");
    let types: Vec<(String, String)> = ask(client, &sql, "the view's column types")?
        .into_iter()
        // Name, nullable, type and on newer servers a comment.
        .filter_map(|row| match row.as_slice() {
            [Some(name), _, Some(sql_type), ..] => Some((name.clone(), sql_type.clone())),
            _ => None,
        })
        .collect();
    Ok(names.into_iter().map(|name| typed(name, &types)).collect())
}

/// The columns that are shown, in the view's order.
fn chosen(view: &TailView, all: Vec<Column>) -> Result<(Vec<Column>, Kept), TailError> {
    let Some(wanted) = &view.columns else {
        let kept = Kept::all(all.len());
        return Ok((all, kept));
    };
    let is_there = |name: &&String| all.iter().any(|column| column.name == **name);
    if let Some(column) = wanted.iter().find(|name| !is_there(name)) {
        let names = all.iter().map(|column| column.name.clone()).collect();
        return Err(TailError::UnknownColumn {
            name: view.name.clone(),
            column: column.clone(),
            near: near(column, names),
        });
    }
    let is_wanted = |column: &Column| wanted.contains(&column.name);
    let kept = Kept::new(all.iter().map(is_wanted).collect());
    Ok((all.into_iter().filter(is_wanted).collect(), kept))
}

/// The column with its type taken from the list. An old server lists by name,
/// so the types of columns with equal names cannot be told apart unless they
/// are equal too; otherwise such columns are text.
fn typed(name: String, types: &[(String, String)]) -> Column {
    let mut of_name = types.iter().filter(|(other, _)| *other == name);
    let sql_type = match of_name.next() {
        Some((_, sql_type)) if of_name.all(|(_, other)| other == sql_type) => sql_type.clone(),
        _ => "text".to_string(),
    };
    Column { name, sql_type }
}

fn column_names(client: &mut Client, view: &TailView, sql: &str) -> Result<Vec<String>, TailError> {
    let what = "the view's columns";
    let sql = format!("SELECT * FROM {sql} LIMIT 0");
    let answer = match client.simple_query(&sql) {
        Ok(answer) => answer,
        Err(error) if says_unknown(&error) => return Err(unknown_view(client, view)),
        Err(source) => return Err(TailError::Query { what, source }),
    };
    for message in answer {
        if let SimpleQueryMessage::RowDescription(columns) = message {
            return Ok(columns.iter().map(|c| c.name().to_string()).collect());
        }
    }
    Err(TailError::Answer { what })
}

/// Whether a query failed for want of the relation. Old servers give nearly
/// every error the same code, so their words decide.
fn says_unknown(error: &postgres::Error) -> bool {
    error.as_db_error().is_some_and(|error| {
        let message = error.message();
        ["unknown catalog item", "unknown schema", "unknown database"]
            .iter()
            .any(|words| message.starts_with(words))
    })
}

/// The id of the view in the catalog; empty if the catalog does not answer
/// such questions, so that only the columns tell incarnations apart.
fn object_id(client: &mut Client, view: &TailView) -> Result<String, TailError> {
    let name = view.parts.last().map(String::as_str).unwrap_or_default();
    let sql = format!(
        "SELECT id, schema_id, type FROM mz_catalog.mz_objects WHERE name = {}",
        literal(name)
    );
    let rows = match tolerant(client, &sql, "the view's id")? {
        Some(rows) => rows,
        None => return Ok(String::new()),
    };
    let mut candidates: Vec<Candidate> = rows
        .into_iter()
        .filter_map(|row| match row.as_slice() {
            [Some(id), schema_id, kind] => {
                let relation = !kind
                    .as_deref()
                    .is_some_and(|kind| NOT_RELATIONS.contains(&kind));
                relation.then(|| Candidate {
                    id: id.clone(),
                    schema_id: schema_id.clone().unwrap_or_default(),
                })
            }
            _ => None,
        })
        .collect();
    match candidates.len() {
        0 => return Err(unknown_view(client, view)),
        1 => {}
        _ => narrow(client, view, &mut candidates)?,
    }
    // Several may be left where the catalog tells too little; all of them
    // together then make the fingerprint, which is safe if coarse.
    let mut ids: Vec<_> = candidates.into_iter().map(|one| one.id).collect();
    ids.sort();
    Ok(ids.join(","))
}

/// Keeps the candidates that the view's name means.
fn narrow(
    client: &mut Client,
    view: &TailView,
    candidates: &mut Vec<Candidate>,
) -> Result<(), TailError> {
    let sql = "SELECT id, database_id, name FROM mz_catalog.mz_schemas";
    let Some(schemas) = tolerant(client, sql, "its schemas")? else {
        return Ok(());
    };
    let (database, schema_names) = match view.parts.as_slice() {
        [database, schema, _] => (Some(database.clone()), vec![schema.clone()]),
        [schema, _] => (current(client, "SHOW database")?, vec![schema.clone()]),
        _ => (current(client, "SHOW database")?, search_path(client)?),
    };
    let sql = "SELECT id, name FROM mz_catalog.mz_databases";
    let databases = tolerant(client, sql, "its databases")?.unwrap_or_default();
    let database_id = databases.iter().find_map(|row| match row.as_slice() {
        [Some(id), Some(name)] if Some(name) == database.as_ref() => Some(id.clone()),
        _ => None,
    });
    for wanted in schema_names {
        let is_wanted = |candidate: &Candidate| {
            schemas.iter().any(|row| match row.as_slice() {
                [Some(id), of_database, Some(name)] => {
                    // System schemas belong to no database.
                    let here = of_database.is_none() || *of_database == database_id;
                    *id == candidate.schema_id && *name == wanted && here
                }
                _ => false,
            })
        };
        if candidates.iter().any(is_wanted) {
            candidates.retain(is_wanted);
            return Ok(());
        }
    }
    Ok(())
}

/// The id of a schema, of the session's database if none is named; `None` if
/// there is no such schema.
pub(super) fn schema_id(
    client: &mut Client,
    database: Option<&str>,
    schema: &str,
) -> Result<Option<String>, TailError> {
    let database = match database {
        Some(database) => Some(database.to_string()),
        None => current(client, "SHOW database")?,
    };
    let sql = "SELECT id, name FROM mz_catalog.mz_databases";
    let databases = ask(client, sql, "its databases")?;
    let database_id = databases.iter().find_map(|row| match row.as_slice() {
        [Some(id), Some(name)] if Some(name) == database.as_ref() => Some(id),
        _ => None,
    });
    let sql = "SELECT id, database_id, name FROM mz_catalog.mz_schemas";
    let schemas = ask(client, sql, "its schemas")?;
    Ok(schemas.iter().find_map(|row| match row.as_slice() {
        // System schemas belong to no database.
        [Some(id), of_database, Some(name)]
            if name == schema && (of_database.is_none() || of_database.as_ref() == database_id) =>
        {
            Some(id.clone())
        }
        _ => None,
    }))
}

/// The schemas in which a bare name is looked for, in order: the system's
/// first, as both generations do.
fn search_path(client: &mut Client) -> Result<Vec<String>, TailError> {
    let path = current(client, "SHOW search_path")?.unwrap_or_else(|| "public".to_string());
    let listed = path.split(',').map(|name| name.trim().trim_matches('"'));
    let system = ["mz_catalog", "pg_catalog"];
    Ok(system
        .into_iter()
        .chain(listed)
        .map(str::to_string)
        .collect())
}

fn unknown_view(client: &mut Client, view: &TailView) -> TailError {
    let listed = ["SHOW OBJECTS", "SELECT name FROM mz_catalog.mz_objects"]
        .into_iter()
        .find_map(|sql| tolerant(client, sql, "its objects").ok().flatten())
        .unwrap_or_default();
    let names: Vec<String> = listed
        .into_iter()
        .filter_map(|row| row.into_iter().next().flatten())
        .collect();
    let given = view.parts.last().map(String::as_str).unwrap_or_default();
    TailError::UnknownView {
        name: view.name.clone(),
        near: near(given, names),
    }
}

/// The names most like the given one, best first.
fn near(given: &str, names: Vec<String>) -> Vec<String> {
    const LIKENESS_MIN: f64 = 0.75;
    let lower = given.to_lowercase();
    let mut scored: Vec<(f64, String)> = names
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&lower, &name.to_lowercase()), name))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    scored.dedup_by(|a, b| a.1 == b.1);
    scored.truncate(NEAR_NAMES_MAX);
    scored.into_iter().map(|(_, name)| name).collect()
}

/// The number of rows in the view and the time at which it was counted, or at
/// `as_of` if given.
pub(super) fn count(
    client: &mut Client,
    view: &TailView,
    as_of: Option<Timestamp>,
) -> Result<(i128, Timestamp), TailError> {
    let what = "the number of rows";
    let sql = match as_of {
        None => format!(
            "SELECT n, mz_logical_timestamp() FROM (SELECT count(*) AS n FROM {})",
            view.sql
        ),
        Some(timestamp) => format!("SELECT count(*) FROM {} AS OF {timestamp}", view.sql),
    };
    let rows = ask(client, &sql, what)?;
    let answer = match rows.first().map(Vec::as_slice) {
        Some([Some(rows), rest @ ..]) => rows.parse().ok().zip(match (as_of, rest) {
            (Some(timestamp), _) => Some(timestamp),
            (None, [Some(timestamp)]) => timestamp.parse().ok(),
            _ => None,
        }),
        _ => None,
    };
    answer.ok_or(TailError::Answer { what })
}

fn current(client: &mut Client, sql: &str) -> Result<Option<String>, TailError> {
    let rows = tolerant(client, sql, "its settings")?.unwrap_or_default();
    Ok(first(&rows).map(str::to_string))
}

fn first(rows: &[TextRow]) -> Option<&str> {
    rows.first()?.first()?.as_deref()
}

/// The answer, or `None` if the server refused the question: not every
/// generation knows every relation and function.
pub(super) fn tolerant(
    client: &mut Client,
    sql: &str,
    what: &'static str,
) -> Result<Option<Vec<TextRow>>, TailError> {
    match ask(client, sql, what) {
        Ok(rows) => Ok(Some(rows)),
        Err(TailError::Query { source, .. }) if refused::is_of_the_question(&source) => {
            log::debug!("asking Materialize for {what} was refused: {source}");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

pub(super) fn ask(
    client: &mut Client,
    sql: &str,
    what: &'static str,
) -> Result<Vec<TextRow>, TailError> {
    let answer = client
        .simple_query(sql)
        .map_err(|source| TailError::Query { what, source })?;
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
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
