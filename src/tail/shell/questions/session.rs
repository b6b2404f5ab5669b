//! What is known of a connection's session.

use postgres::Client;

use crate::tail::TailError;
use crate::tail::dialect::Dialect;

use super::text::{dialect, first, tolerant};

/// What is known of a connection's session, which does not change.
#[derive(Debug, Default)]
pub struct Session {
    /// Its database, once asked for.
    database: Option<Option<String>>,
    /// Its search path, once asked for.
    path: Option<Vec<String>>,
    /// What it speaks, once asked for.
    dialect: Option<Dialect>,
    /// The server does not answer for many names at once.
    pub refuses_lists: bool,
}

impl Session {
    /// What the server speaks.
    pub fn dialect(&mut self, client: &mut Client) -> Result<Dialect, TailError> {
        if let Some(known) = self.dialect {
            return Ok(known);
        }
        let found = dialect(client)?;
        self.dialect = Some(found);
        Ok(found)
    }

    /// Its database.
    pub fn database(&mut self, client: &mut Client) -> Result<Option<String>, TailError> {
        if let Some(known) = &self.database {
            return Ok(known.clone());
        }
        let found = setting(client, "SHOW database")?;
        self.database = Some(found.clone());
        Ok(found)
    }

    /// Its search path.
    pub fn path(&mut self, client: &mut Client) -> Result<Vec<String>, TailError> {
        if let Some(known) = &self.path {
            return Ok(known.clone());
        }
        let text = setting(client, "SHOW search_path")?;
        let text = text.unwrap_or_else(|| "public".to_string());
        let listed = text.split(',').map(|name| name.trim().trim_matches('"'));
        let path: Vec<String> = listed.map(str::to_string).collect();
        self.path = Some(path.clone());
        Ok(path)
    }
}

fn setting(client: &mut Client, sql: &str) -> Result<Option<String>, TailError> {
    let rows = tolerant(client, sql, "its settings")?.unwrap_or_default();
    Ok(first(&rows).map(str::to_string))
}
