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
use super::names::{self, Meaning, Session};

mod environment;
mod query;
mod refused;

/// One row of an answer, as text.
pub(super) type TextRow = Vec<Option<String>>;

/// What a stream is of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Object {
    /// What the view's name meant; `None` for a query, and where the catalog
    /// does not tell.
    pub meaning: Option<Meaning>,
    /// All its columns, hidden ones too.
    pub columns: Vec<Column>,
    /// What stands for it in SQL: the object by its id where the server takes
    /// that, or else the name or the query.
    pub sql: String,
    /// Whether that is its id: then nothing that becomes of the name matters.
    pub is_by_id: bool,
}

impl Object {
    /// Whether both are the same object with the same columns, as far as the
    /// catalog tells.
    pub fn is_same(&self, other: &Object) -> bool {
        let is_same_meaning = match (&self.meaning, &other.meaning) {
            (Some(one), Some(other)) => one.is_same(other),
            (one, other) => one.is_none() && other.is_none(),
        };
        is_same_meaning && self.columns == other.columns
    }
}

/// What was found of a view.
pub(super) struct Found {
    pub description: Description,
    pub object: Object,
}

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

/// The view's columns in order, its fingerprint, and what to ask for it by.
pub(super) fn describe(client: &mut Client, view: &TailView) -> Result<Found, TailError> {
    let object = object(client, view)?;
    let what = match (&view.query, &object.meaning) {
        (Some(query), _) => query.clone(),
        (None, Some(meaning)) => meaning.ids.join(","),
        // Only the columns tell incarnations apart then.
        (None, None) => String::new(),
    };
    let (columns, kept) = chosen(view, object.columns.clone())?;
    let environment = environment::id(client)?;
    let facts = [environment.as_str(), what.as_str()].into_iter();
    let facts = facts.chain(view.facts.iter().map(String::as_str));
    let of_columns = columns
        .iter()
        .flat_map(|column| [column.name.as_str(), column.sql_type.as_str()]);
    let incarnation = Incarnation::of(facts.chain(of_columns));
    let description = Description {
        columns,
        kept,
        incarnation,
        is_steady: true,
    };
    Ok(Found {
        description,
        object,
    })
}

/// What the view's name means now, or its query, with all columns.
pub(super) fn object(client: &mut Client, view: &TailView) -> Result<Object, TailError> {
    if let Some(query) = &view.query {
        return Ok(Object {
            meaning: None,
            columns: query::columns_of(client, view, query)?,
            sql: view.tailed_sql(),
            is_by_id: false,
        });
    }
    let facts = names::load(client, &mut Session::default(), &view.parts)?;
    let meaning = facts.meaning(&view.parts);
    if meaning.as_ref().is_some_and(|it| it.ids.is_empty()) {
        return Err(unknown_view(client, view));
    }
    if let Some(columns) = by_id(client, view, meaning.as_ref())? {
        return Ok(columns);
    }
    Ok(Object {
        meaning,
        columns: columns(client, view, &view.sql)?,
        sql: view.sql.clone(),
        is_by_id: false,
    })
}

/// The object asked for by its id; `None` if that is not known, or not taken:
/// 0.7 does not know the form.
fn by_id(
    client: &mut Client,
    view: &TailView,
    meaning: Option<&Meaning>,
) -> Result<Option<Object>, TailError> {
    let Some(meaning) = meaning else {
        return Ok(None);
    };
    let Some(sql) = meaning.by_id(&view.parts) else {
        return Ok(None);
    };
    if meaning.place.is_none() {
        // The only one of that name, but maybe not where the name points to.
        column_names(client, view, &view.sql)?;
    }
    match columns_as(client, &sql) {
        Ok(columns) => Ok(Some(Object {
            meaning: Some(meaning.clone()),
            columns,
            sql,
            is_by_id: true,
        })),
        Err(TailError::Query { source, .. }) if refused::is_of_the_question(&source) => {
            log::debug!("view \"{}\": not taken by its id: {source}", view.name);
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// All columns of a relation in order; one that is not there is an unknown view.
fn columns(client: &mut Client, view: &TailView, sql: &str) -> Result<Vec<Column>, TailError> {
    let names = column_names(client, view, sql)?;
    typed_columns(client, sql, names)
}

/// The same, with the server's own words where it refuses.
fn columns_as(client: &mut Client, sql: &str) -> Result<Vec<Column>, TailError> {
    let names = names_of_columns(client, sql)?;
    typed_columns(client, sql, names)
}

/// The columns of these names with their types.
fn typed_columns(
    client: &mut Client,
    sql: &str,
    names: Vec<String>,
) -> Result<Vec<Column>, TailError> {
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
    match names_of_columns(client, sql) {
        Err(TailError::Query { source, .. }) if says_unknown(&source) => {
            Err(unknown_view(client, view))
        }
        outcome => outcome,
    }
}

fn names_of_columns(client: &mut Client, sql: &str) -> Result<Vec<String>, TailError> {
    let what = "the view's columns";
    let sql = format!("SELECT * FROM {sql} LIMIT 0");
    let answer = client
        .simple_query(&sql)
        .map_err(|source| TailError::Query { what, source })?;
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
/// `as_of` if given; the view by what stands for it in SQL.
pub(super) fn count(
    client: &mut Client,
    view: &str,
    as_of: Option<Timestamp>,
) -> Result<(i128, Timestamp), TailError> {
    let what = "the number of rows";
    let sql = match as_of {
        None => format!("SELECT n, mz_logical_timestamp() FROM (SELECT count(*) AS n FROM {view})"),
        Some(timestamp) => format!("SELECT count(*) FROM {view} AS OF {timestamp}"),
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

/// The upstream's time, if it tells; an old server's answer is that of a
/// constant.
pub(super) fn now(client: &mut Client, dialect: Dialect) -> Result<Option<Timestamp>, TailError> {
    if dialect == Dialect::Tail {
        return Ok(None);
    }
    let rows = tolerant(client, "SELECT mz_now()", "its time")?.unwrap_or_default();
    Ok(first(&rows).and_then(|text| text.parse().ok()))
}

pub(super) fn first(rows: &[TextRow]) -> Option<&str> {
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
