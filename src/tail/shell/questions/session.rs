//! What is known of a connection's session.

use std::collections::BTreeSet;

use postgres::Client;

use crate::tail::TailError;
use crate::tail::dialect::Dialect;

use super::text::{TextRow, dialect, first, tolerant};

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
    /// What else it has refused to tell of views.
    refused: BTreeSet<&'static str>,
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

    /// The answer to a question that not every version knows; nothing where it
    /// was refused once.
    pub fn unless_refused(
        &mut self,
        client: &mut Client,
        sql: &str,
        what: &'static str,
    ) -> Result<Vec<TextRow>, TailError> {
        if self.refused.contains(what) {
            return Ok(Vec::new());
        }
        let rows = tolerant(client, sql, what)?;
        if rows.is_none() {
            self.refused.insert(what);
        }
        Ok(rows.unwrap_or_default())
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

/// How large a result may be, in the server's words.
pub fn result_limit(client: &mut Client) -> Result<Option<String>, TailError> {
    setting(client, "SHOW max_result_size")
}

fn setting(client: &mut Client, sql: &str) -> Result<Option<String>, TailError> {
    let rows = tolerant(client, sql, "its settings")?.unwrap_or_default();
    Ok(first(&rows).map(str::to_string))
}
