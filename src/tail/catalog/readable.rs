//! Which relations that a pattern names the role may read.
//!
//! Each is asked for its columns once before anybody hears of it; one that is
//! not granted is left out, said once, and asked for again now and then. One
//! that cannot be asked for keeps none of the others from being served.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::limits::{CATALOG_GRANT_EVERY, CATALOG_QUESTION_FIRST};
use crate::model::name::ViewName;
use crate::tail::describe;
use crate::tail::error::TailError;

use super::asker::Asker;

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
    /// The connection broke when it was asked for.
    Broken,
}

impl Readable {
    /// The relations of a list that may be read, in its order. What left the
    /// list is forgotten: one of the same name may be another one. Those behind
    /// one that cannot be asked for have their turn at the next call.
    pub fn of(&mut self, asker: &mut Asker, listed: &[ViewName]) -> Vec<ViewName> {
        self.known
            .retain(|name, _| listed.iter().any(|one| one.text() == name));
        let is_broken = |one: &&ViewName| self.known.get(one.text()) == Some(&Grant::Broken);
        let (broken, mut open): (Vec<_>, Vec<_>) = listed.iter().partition(is_broken);
        open.extend(broken);
        for relation in open {
            if self.is_open(relation) && !self.look(asker, relation) {
                break;
            }
        }
        let is_given = |one: &&ViewName| self.known.get(one.text()) == Some(&Grant::Given);
        listed.iter().filter(is_given).cloned().collect()
    }

    /// Whether there is something to ask for.
    fn is_open(&self, relation: &ViewName) -> bool {
        match self.known.get(relation.text()) {
            Some(Grant::Given) => false,
            Some(Grant::Denied(asked)) => asked.elapsed() >= CATALOG_GRANT_EVERY,
            Some(Grant::Broken) | None => true,
        }
    }

    /// Asks for one; whether the next one can be asked for.
    fn look(&mut self, asker: &mut Asker, relation: &ViewName) -> bool {
        let name = relation.text();
        let known = self.known.get(name).copied();
        // No rows: the privileges are looked at all the same.
        let sql = format!("SELECT * FROM {} LIMIT 0", relation.to_sql());
        let answer = asker.ask(CATALOG_QUESTION_FIRST, move |client, _| {
            describe::ask(client, &sql, "whether a view may be read").map(drop)
        });
        let grant = match &answer {
            Err(error) if error.is_denied() => {
                if !matches!(known, Some(Grant::Denied(_))) {
                    let hint = error.hint().unwrap_or_default();
                    let reason = error.chain();
                    log::warn!("view {name:?} is left out of its pattern: {reason}. {hint}");
                }
                Grant::Denied(Instant::now())
            }
            // It waits, maybe for ever, where it has no data yet; its tail will
            // meet that, and whatever else it is refused for, and tell.
            Err(TailError::Silent { .. }) => Grant::Given,
            Err(error) if error.is_answer() => Grant::Given,
            Err(TailError::Connect(_)) => return false,
            // If it broke because of the question, that is not asked again.
            Err(_) if known == Some(Grant::Broken) => Grant::Given,
            Err(_) => Grant::Broken,
            Ok(()) => Grant::Given,
        };
        if let Err(error) = &answer {
            log::debug!("whether view {name:?} may be read: {}", error.chain());
        }
        self.known.insert(name.to_owned(), grant);
        answer.map_or_else(|error| error.is_answer(), |()| true)
    }
}
