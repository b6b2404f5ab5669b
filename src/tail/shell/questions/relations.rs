//! Which relations a pattern names.

use postgres::Client;

use crate::model::name::ViewName;
use crate::model::pattern::ViewPattern;
use crate::tail::TailError;
use crate::tail::dialect::Dialect;

use super::names;
use super::session::Session;
use super::text::{ask, literal, tolerant};

/// What can be streamed, as the catalogs of both generations call it.
const STREAMED: [&str; 4] = ["table", "source", "view", "materialized-view"];

/// The schema's relations that can be streamed, in the order of their names.
pub fn relations(
    client: &mut Client,
    session: &mut Session,
    pattern: &ViewPattern,
    dialect: Option<Dialect>,
) -> Result<Vec<ViewName>, TailError> {
    let what = "its relations";
    let dialect = match dialect {
        Some(dialect) => dialect,
        None => session.dialect(client)?,
    };
    let facts = names::places(client, session)?;
    if facts.schemas.is_none() {
        return Err(TailError::Answer {
            what: "its schemas",
        });
    }
    let (database, schema) = pattern.schema();
    let Some(schema_id) = facts.schema_id(database, schema) else {
        return Ok(Vec::new());
    };
    let sql = format!(
        "SELECT id, name, type FROM mz_catalog.mz_objects WHERE schema_id = {}",
        literal(schema_id)
    );
    let objects = ask(client, &sql, what)?;
    // An old server streams what is kept in memory, which an index tells.
    let indexed = match dialect {
        Dialect::Subscribe => None,
        Dialect::Tail => tolerant(client, "SELECT on_id FROM mz_catalog.mz_indexes", what)?,
    };
    let is_readable = |id: &Option<String>| match &indexed {
        Some(indexed) => indexed.iter().any(|row| row.first() == Some(id)),
        None => true,
    };
    let mut names: Vec<String> = objects
        .into_iter()
        .filter_map(|row| match row.as_slice() {
            [id, Some(name), Some(kind)]
                if STREAMED.contains(&kind.as_str()) && is_readable(id) =>
            {
                Some(name.clone())
            }
            _ => None,
        })
        .collect();
    names.sort();
    Ok(names.iter().map(|name| pattern.relation(name)).collect())
}

/// Asks for a relation's columns, which takes the privilege to read it.
pub fn readable(client: &mut Client, relation: &ViewName) -> Result<(), TailError> {
    // No rows: the privileges are looked at all the same.
    let sql = format!("SELECT * FROM {} LIMIT 0", relation.to_sql());
    ask(client, &sql, "whether a view may be read").map(drop)
}

/// The same of what a name means, by its parts; old servers have no privileges.
pub fn granted(
    client: &mut Client,
    session: &mut Session,
    parts: &[String],
) -> Result<(), TailError> {
    match session.dialect(client)? {
        Dialect::Tail => Ok(()),
        Dialect::Subscribe => readable(client, &ViewName::of_parts(parts.to_vec())),
    }
}
