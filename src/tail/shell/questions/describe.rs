//! What a view is, by plain questions.

use postgres::{Client, SimpleQueryMessage};

use crate::model::position::Timestamp;
use crate::model::row::Column;
use crate::tail::TailError;
use crate::tail::names::Meaning;
use crate::tail::object::{Found, Object, near};
use crate::tail::settings::TailView;

use super::session::Session;
use super::text::{ask, first, refusal, tolerant};
use super::{definition, environment, names, query};

/// The view's columns in order, its fingerprint, and what to ask for it by.
pub fn describe(client: &mut Client, view: &TailView) -> Result<Found, TailError> {
    let object = object(client, view)?;
    // Columns that are not there are told before the environment is asked for.
    Found::new(view, object.clone(), "")?;
    let environment = environment::id(client)?;
    let mut found = Found::new(view, object, &environment)?;
    if view.wants_sql {
        found.description.sql = definition::sql(client, view)?;
    }
    Ok(found)
}

/// What the view's name means now, or its query, with all columns.
pub fn object(client: &mut Client, view: &TailView) -> Result<Object, TailError> {
    if let Some(query) = &view.query {
        return Ok(Object {
            meaning: None,
            columns: query_columns(client, view, query)?,
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

/// The columns of a query in order.
fn query_columns(
    client: &mut Client,
    view: &TailView,
    query: &str,
) -> Result<Vec<Column>, TailError> {
    query::create(client, view, query)?;
    let found = columns(client, view, query::NAME);
    query::remove(client, view);
    found
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
        Err(TailError::Query { failure, .. }) if failure.is_of_the_question() => {
            log::debug!("view \"{}\": not taken by its id: {failure}", view.name);
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

/// The columns of these names, with what the catalog tells of each.
fn typed_columns(
    client: &mut Client,
    sql: &str,
    names: Vec<String>,
) -> Result<Vec<Column>, TailError> {
    let sql = format!("SHOW COLUMNS FROM {sql}");
    let told: Vec<Column> = ask(client, &sql, "the view's column types")?
        .into_iter()
        // Name, nullable, type and on newer servers a comment.
        .filter_map(|row| match row.as_slice() {
            [Some(name), nullable, Some(sql_type), ..] => Some(Column {
                is_nullable: nullable.as_deref() != Some("f"),
                ..Column::new(name, sql_type)
            }),
            _ => None,
        })
        .collect();
    Ok(names.into_iter().map(|name| typed(name, &told)).collect())
}

/// The column with what was told of it. An old server lists by name, so columns
/// with equal names cannot be told apart unless they are equal too; otherwise
/// they are text. NULL may stand in any of them if it may in one.
fn typed(name: String, told: &[Column]) -> Column {
    let of_name: Vec<&Column> = told.iter().filter(|other| other.name == name).collect();
    let sql_type = match of_name.split_first() {
        Some((first, others)) if others.iter().all(|it| it == first) => first.sql_type.as_str(),
        _ => "text",
    };
    Column {
        is_nullable: of_name.is_empty() || of_name.iter().any(|column| column.is_nullable),
        ..Column::new(name, sql_type)
    }
}

fn column_names(client: &mut Client, view: &TailView, sql: &str) -> Result<Vec<String>, TailError> {
    match names_of_columns(client, sql) {
        Err(TailError::Query { failure, .. }) if failure.says_unknown() => {
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
        .map_err(|error| refusal(what, &error))?;
    for message in answer {
        if let SimpleQueryMessage::RowDescription(columns) = message {
            return Ok(columns.iter().map(|c| c.name().to_string()).collect());
        }
    }
    Err(TailError::Answer { what })
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

/// The number of rows in the view and the time at which it was counted, or at
/// `as_of` if given; the view by what stands for it in SQL.
pub fn count(
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

/// The upstream's time, if it tells.
pub fn now(client: &mut Client) -> Result<Option<Timestamp>, TailError> {
    let rows = tolerant(client, "SELECT mz_now()", "its time")?.unwrap_or_default();
    Ok(first(&rows).and_then(|text| text.parse().ok()))
}
