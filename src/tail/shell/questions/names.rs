//! The questions for what names mean.

use std::collections::{BTreeMap, BTreeSet};

use postgres::Client;

use crate::tail::TailError;
use crate::tail::names::{Facts, Item, Schema};

use super::session::Session;
use super::text::{TextRow, literal, tolerant};

/// What the catalog says of a name's last part. Refusals are answers; all else
/// is an error.
pub fn load(
    client: &mut Client,
    session: &mut Session,
    parts: &[String],
) -> Result<Facts, TailError> {
    let name = parts.last().map(String::as_str).unwrap_or_default();
    let items = items(client, name)?;
    with_places(client, session, items, std::slice::from_ref(&parts))
}

/// The same of many names, in a few questions however many they are; `None` if
/// the server does not answer it so.
pub fn load_all(
    client: &mut Client,
    session: &mut Session,
    names: &[Vec<String>],
) -> Result<Option<Facts>, TailError> {
    if session.refuses_lists {
        return Ok(None);
    }
    let last: BTreeSet<&str> = names
        .iter()
        .filter_map(|parts| parts.last().map(String::as_str))
        .collect();
    let Some(items) = listed(client, &last)? else {
        session.refuses_lists = true;
        return Ok(None);
    };
    with_places(client, session, Some(items), names).map(Some)
}

/// Asks for what says where the objects are.
fn with_places(
    client: &mut Client,
    session: &mut Session,
    items: Option<Vec<Item>>,
    names: &[impl AsRef<[String]>],
) -> Result<Facts, TailError> {
    let mut facts = Facts {
        items,
        ..Facts::default()
    };
    if facts.items.as_ref().is_none_or(Vec::is_empty) {
        return Ok(facts);
    }
    facts.schemas = schemas(client)?;
    if facts.schemas.is_none() {
        return Ok(facts);
    }
    complete(client, session, facts.items.iter_mut().flatten())?;
    facts.databases = databases(client)?;
    if names.iter().any(|parts| parts.as_ref().len() < 3) {
        facts.database = session.database(client)?;
    }
    if names.iter().any(|parts| parts.as_ref().len() < 2) {
        facts.path = session.path(client)?;
    }
    Ok(facts)
}

/// Asks for the columns of objects and for the ids that they had before, as far
/// as the server tells.
fn complete<'a>(
    client: &mut Client,
    session: &mut Session,
    items: impl Iterator<Item = &'a mut Item>,
) -> Result<(), TailError> {
    let mut items: BTreeMap<String, &mut Item> =
        items.map(|item| (item.id.clone(), item)).collect();
    let listed: Vec<String> = items.keys().map(|id| literal(id)).collect();
    let listed = listed.join(", ");
    let columns = format!(
        "SELECT id, name, type FROM mz_catalog.mz_columns WHERE id IN ({listed}) \
         ORDER BY id, position"
    );
    for row in session.unless_refused(client, &columns, "the views' columns")? {
        if let [Some(id), Some(name), kind] = row.as_slice()
            && let Some(item) = items.get_mut(id)
        {
            let kind = kind.clone().unwrap_or_default();
            item.columns.push((name.clone(), kind));
        }
    }
    let ids = format!(
        "SELECT id, global_id FROM mz_internal.mz_object_global_ids WHERE id IN ({listed})"
    );
    for row in session.unless_refused(client, &ids, "the views' former ids")? {
        if let [Some(id), Some(former)] = row.as_slice()
            && let Some(item) = items.get_mut(id)
            && (item.first_id.is_empty() || age(former) < age(&item.first_id))
        {
            item.first_id.clone_from(former);
        }
    }
    Ok(())
}

/// In which order ids are given: a letter, and a number that grows.
fn age(id: &str) -> (usize, &str) {
    (id.len(), id)
}

/// What the catalog says of schemas, for patterns.
pub fn places(client: &mut Client, session: &mut Session) -> Result<Facts, TailError> {
    Ok(Facts {
        items: None,
        schemas: schemas(client)?,
        databases: databases(client)?,
        database: session.database(client)?,
        path: Vec::new(),
    })
}

/// The objects of a name; `None` if the catalog does not answer.
fn items(client: &mut Client, name: &str) -> Result<Option<Vec<Item>>, TailError> {
    let sql = format!(
        "SELECT id, schema_id, type FROM mz_catalog.mz_objects WHERE name = {}",
        literal(name)
    );
    let rows = tolerant(client, &sql, "the view's id")?;
    let item = |row: TextRow| match row.as_slice() {
        [Some(id), schema_id, kind] => Some(Item {
            name: name.to_string(),
            id: id.clone(),
            schema_id: schema_id.clone().unwrap_or_default(),
            kind: kind.clone().unwrap_or_default(),
            ..Item::default()
        }),
        _ => None,
    };
    Ok(rows.map(|rows| rows.into_iter().filter_map(item).collect()))
}

/// All of them by one question; `None` if the server does not answer it so.
fn listed(client: &mut Client, names: &BTreeSet<&str>) -> Result<Option<Vec<Item>>, TailError> {
    let literals: Vec<String> = names.iter().map(|name| literal(name)).collect();
    let sql = format!(
        "SELECT name, id, schema_id, type FROM mz_catalog.mz_objects WHERE name IN ({})",
        literals.join(", ")
    );
    let rows = tolerant(client, &sql, "the views' ids")?;
    let item = |row: TextRow| match row.as_slice() {
        [Some(name), Some(id), schema_id, kind] => Some(Item {
            name: name.clone(),
            id: id.clone(),
            schema_id: schema_id.clone().unwrap_or_default(),
            kind: kind.clone().unwrap_or_default(),
            ..Item::default()
        }),
        _ => None,
    };
    Ok(rows.and_then(|rows| rows.into_iter().map(item).collect()))
}

fn schemas(client: &mut Client) -> Result<Option<Vec<Schema>>, TailError> {
    let sql = "SELECT id, database_id, name FROM mz_catalog.mz_schemas";
    let rows = tolerant(client, sql, "its schemas")?;
    let schema = |row: TextRow| match row.as_slice() {
        [Some(id), database_id, Some(name)] => Some(Schema {
            id: id.clone(),
            database_id: database_id.clone(),
            name: name.clone(),
        }),
        _ => None,
    };
    Ok(rows.map(|rows| rows.into_iter().filter_map(schema).collect()))
}

fn databases(client: &mut Client) -> Result<Vec<(String, String)>, TailError> {
    let sql = "SELECT id, name FROM mz_catalog.mz_databases";
    let rows = tolerant(client, sql, "its databases")?.unwrap_or_default();
    let named = |row: TextRow| match row.as_slice() {
        [Some(id), Some(name)] => Some((id.clone(), name.clone())),
        _ => None,
    };
    Ok(rows.into_iter().filter_map(named).collect())
}

/// Whether an object still is in the catalog, whatever it is called; `None` if
/// the server does not tell.
pub fn still_exists(client: &mut Client, id: &str) -> Result<Option<bool>, TailError> {
    let sql = format!(
        "SELECT name FROM mz_catalog.mz_objects WHERE id = {}",
        literal(id)
    );
    let rows = tolerant(client, &sql, "what became of the view")?;
    Ok(rows.map(|rows| !rows.is_empty()))
}
