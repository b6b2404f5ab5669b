//! The catalog, watched for the relations that patterns name.

use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use postgres::Client;

use crate::connection::Connector;
use crate::limits::CATALOG_POLL_EVERY;
use crate::model::name::ViewName;
use crate::model::pattern::ViewPattern;

use super::describe::{self, tolerant};
use super::dialect::Dialect;
use super::error::TailError;

mod readable;

use readable::Readable;

/// What can be streamed, as the catalogs of both generations call it.
const STREAMED: [&str; 4] = ["table", "source", "view", "materialized-view"];

/// All relations that the patterns name and the role may read, as often as they
/// were looked for.
pub type Lists = Receiver<Vec<ViewName>>;

/// Watches the catalog on a thread of its own, until what it answers is
/// dropped. Without a server it waits for one.
pub fn watch(
    connector: &Connector,
    patterns: Vec<ViewPattern>,
    upstream_timeout: Duration,
    dialect: Option<Dialect>,
) -> Result<CatalogWatch, TailError> {
    let connector = connector.completed(upstream_timeout);
    let (lists_in, lists) = bounded(1);
    let (stop, stopped) = bounded(0);
    thread::Builder::new()
        .name("catalog".to_string())
        .spawn(move || run(&connector, &patterns, dialect, &lists_in, &stopped))
        .map_err(TailError::Thread)?;
    Ok(CatalogWatch { lists, _stop: stop })
}

/// A watch of the catalog; it ends when this is dropped.
pub struct CatalogWatch {
    /// What was found.
    pub lists: Lists,
    /// Nothing is ever sent: it is dropped.
    _stop: Sender<()>,
}

fn run(
    connector: &Connector,
    patterns: &[ViewPattern],
    dialect: Option<Dialect>,
    lists: &Sender<Vec<ViewName>>,
    stopped: &Receiver<()>,
) {
    let mut client = None;
    let mut readable = Readable::default();
    let mut logged = String::new();
    loop {
        match look(connector, patterns, dialect, &mut client, &mut readable) {
            Ok(found) => {
                logged.clear();
                if lists.send(found).is_err() {
                    return;
                }
            }
            Err(error) => {
                client = None;
                let reason = error.chain();
                if reason != logged {
                    let hint = error.hint().unwrap_or_default();
                    log::error!("looking for views in the catalog: {reason}. {hint}");
                }
                logged = reason;
            }
        }
        if stopped.recv_timeout(CATALOG_POLL_EVERY) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}

fn look(
    connector: &Connector,
    patterns: &[ViewPattern],
    dialect: Option<Dialect>,
    client: &mut Option<Client>,
    readable: &mut Readable,
) -> Result<Vec<ViewName>, TailError> {
    let client = match client {
        Some(client) => client,
        None => client.insert(connector.connect().map_err(TailError::Connect)?),
    };
    let dialect = match dialect {
        Some(dialect) => dialect,
        None => describe::dialect(client)?,
    };
    let mut found = Vec::new();
    for pattern in patterns {
        for name in relations(client, pattern, dialect)? {
            let name = pattern.relation(&name);
            if !found.contains(&name) {
                found.push(name);
            }
        }
    }
    readable.of(client, found)
}

/// The names of a schema's relations that can be streamed, in order.
fn relations(
    client: &mut Client,
    pattern: &ViewPattern,
    dialect: Dialect,
) -> Result<Vec<String>, TailError> {
    let what = "its relations";
    let (database, schema) = pattern.schema();
    let Some(schema_id) = describe::schema_id(client, database, schema)? else {
        return Ok(Vec::new());
    };
    let sql = format!(
        "SELECT id, name, type FROM mz_catalog.mz_objects WHERE schema_id = {}",
        describe::literal(&schema_id)
    );
    let objects = describe::ask(client, &sql, what)?;
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
    Ok(names)
}
