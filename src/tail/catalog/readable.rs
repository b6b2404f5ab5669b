//! Which relations that a pattern names the role may read.
//!
//! Each is asked for its columns once before anybody hears of it; one that is
//! not granted is left out, said once, and asked for again now and then.

use std::collections::BTreeMap;
use std::time::Instant;

use postgres::Client;

use crate::limits::CATALOG_GRANT_EVERY;
use crate::model::name::ViewName;
use crate::tail::describe;
use crate::tail::error::TailError;

/// What was found out so far, by name.
#[derive(Debug, Default)]
pub(super) struct Readable {
    known: BTreeMap<String, Grant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Grant {
    /// Its tail tells all else.
    Given,
    /// Refused when it was last asked for.
    Denied(Instant),
}

impl Readable {
    /// The relations of a list that may be read, in its order. What left the
    /// list is forgotten: one of the same name may be another one.
    pub fn of(
        &mut self,
        client: &mut Client,
        listed: Vec<ViewName>,
    ) -> Result<Vec<ViewName>, TailError> {
        self.known
            .retain(|name, _| listed.iter().any(|one| one.text() == name));
        let mut readable = Vec::with_capacity(listed.len());
        for relation in listed {
            if self.is_readable(client, &relation)? {
                readable.push(relation);
            }
        }
        Ok(readable)
    }

    fn is_readable(&mut self, client: &mut Client, relation: &ViewName) -> Result<bool, TailError> {
        let name = relation.text();
        let known = self.known.get(name).copied();
        match known {
            Some(Grant::Given) => return Ok(true),
            Some(Grant::Denied(asked)) if asked.elapsed() < CATALOG_GRANT_EVERY => {
                return Ok(false);
            }
            Some(Grant::Denied(_)) | None => {}
        }
        // No rows: the privileges are looked at all the same.
        let sql = format!("SELECT * FROM {} LIMIT 0", relation.to_sql());
        let grant = match describe::ask(client, &sql, "whether a view may be read") {
            Err(error) if error.is_denied() => {
                if known.is_none() {
                    let hint = error.hint().unwrap_or_default();
                    let reason = error.chain();
                    log::warn!("view {name:?} is left out of its pattern: {reason}. {hint}");
                }
                Grant::Denied(Instant::now())
            }
            // Refused for another reason, which its tail will meet and tell.
            Err(TailError::Query { source, .. }) if source.as_db_error().is_some() => Grant::Given,
            Err(error) => return Err(error),
            Ok(_) => Grant::Given,
        };
        self.known.insert(name.to_owned(), grant);
        Ok(grant == Grant::Given)
    }
}
