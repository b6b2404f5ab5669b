//! Which relations that a pattern names the role may read.
//!
//! Each is asked for its columns once before anybody hears of it; one that is
//! not granted is left out, said once, and asked for again now and then. One
//! that cannot be asked for keeps none of the others from being served.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use crate::limits::CATALOG_GRANT_EVERY;
use crate::model::name::ViewName;
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
    /// The connection broke when it was asked for.
    Broken,
}

impl Readable {
    /// The relations of a list that are to be asked for now, in this order.
    /// What left the list is forgotten: one of the same name may be another
    /// one. One that broke the connection last comes last.
    pub fn open(&mut self, listed: &[ViewName], now: Instant) -> VecDeque<ViewName> {
        self.known
            .retain(|name, _| listed.iter().any(|one| one.text() == name));
        let is_open = |one: &&ViewName| match self.known.get(one.text()) {
            Some(Grant::Given) => false,
            Some(Grant::Denied(asked)) => {
                now.saturating_duration_since(*asked) >= CATALOG_GRANT_EVERY
            }
            Some(Grant::Broken) | None => true,
        };
        let is_broken = |one: &&ViewName| self.known.get(one.text()) == Some(&Grant::Broken);
        let open = listed.iter().filter(is_open);
        let (broken, mut open): (Vec<_>, Vec<_>) = open.partition(is_broken);
        open.extend(broken);
        open.into_iter().cloned().collect()
    }

    /// The relations of a list that may be read, in its order.
    pub fn given(&self, listed: &[ViewName]) -> Vec<ViewName> {
        let is_given = |one: &&ViewName| self.known.get(one.text()) == Some(&Grant::Given);
        listed.iter().filter(is_given).cloned().collect()
    }

    /// Takes the answer for one; whether the next one can be asked for. Those
    /// behind one that cannot have their turn at the next round.
    pub fn take(
        &mut self,
        relation: &ViewName,
        answer: &Result<(), TailError>,
        now: Instant,
    ) -> bool {
        let name = relation.text();
        let known = self.known.get(name).copied();
        let was_denied = matches!(known, Some(Grant::Denied(_)));
        let grant = match answer {
            Err(error) if error.is_denied() => {
                if !was_denied {
                    let hint = error.hint().unwrap_or_default();
                    let reason = error.chain();
                    log::warn!("view {name:?} is left out of its pattern: {reason}. {hint}");
                }
                Grant::Denied(now)
            }
            Err(error) if error.is_without_connection() => return false,
            // No answer, so nothing says that it was granted since.
            Err(error) if was_denied && !error.is_answer() => Grant::Denied(now),
            // It waits, maybe for ever, where it has no data yet; its tail will
            // meet that, and whatever else it is refused for, and tell.
            Err(TailError::Silent { .. }) => Grant::Given,
            Err(error) if error.is_answer() => Grant::Given,
            // If it broke because of the question, that is not asked again.
            Err(_) if known == Some(Grant::Broken) => Grant::Given,
            Err(_) => Grant::Broken,
            Ok(()) => Grant::Given,
        };
        if let Err(error) = answer {
            log::debug!("whether view {name:?} may be read: {}", error.chain());
        }
        self.known.insert(name.to_owned(), grant);
        answer.as_ref().map_or_else(TailError::is_answer, |()| true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tail::failure::Failure;

    fn refused(code: &str) -> Result<(), TailError> {
        Err(TailError::Query {
            what: "whether a view may be read",
            failure: Failure::answer(code, "no"),
        })
    }

    fn broken() -> Result<(), TailError> {
        Err(TailError::Ended)
    }

    fn silent() -> Result<(), TailError> {
        Err(TailError::Silent {
            seconds: CATALOG_GRANT_EVERY.as_secs(),
        })
    }

    /// What is not answered says nothing: one that was refused stays refused.
    #[test]
    fn readable_is_what_was_refused_only_after_an_answer() {
        let all = [ViewName::parse("s.a").unwrap()];
        let begin = Instant::now();
        for (answers, is_given) in [
            (vec![refused("42501")], false),
            (vec![refused("42501"), silent()], false),
            (vec![refused("42501"), broken(), broken(), broken()], false),
            (vec![refused("42501"), silent(), Ok(())], true),
            (vec![refused("42501"), refused("XX000")], true),
            (vec![silent()], true),
            (vec![broken()], false),
            (vec![broken(), broken()], true),
        ] {
            let mut readable = Readable::default();
            let mut now = begin;
            for answer in &answers {
                now += CATALOG_GRANT_EVERY;
                assert_eq!(readable.open(&all, now), all, "{answers:?}");
                readable.take(&all[0], answer, now);
            }
            assert_eq!(!readable.given(&all).is_empty(), is_given, "{answers:?}");
        }
    }
}
