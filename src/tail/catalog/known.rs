//! What a view's name meant when its tail last asked.

use std::sync::Mutex;
use std::time::Instant;

use crate::tail::names::{Facts, Meaning};

use super::lock;

/// Set by the tail's reader, compared by the watch of the catalog.
#[derive(Debug, Default)]
pub(in crate::tail) struct Known(Mutex<Option<Entry>>);

#[derive(Debug)]
struct Entry {
    /// The reader that asked.
    generation: u64,
    meaning: Meaning,
    /// Since when it is known: answers from before say nothing against it.
    since: Instant,
    /// Another meaning that the reader was told of. If it finds the same as
    /// ever, it sees the catalog differently, and is not told again.
    told: Option<Meaning>,
}

impl Known {
    /// The reader of this generation has found that; `None` where there is no
    /// name to watch.
    pub fn set(&self, generation: u64, meaning: Option<Meaning>) {
        let mut entry = lock(&self.0);
        let before = entry.take();
        *entry = meaning.map(|meaning| Entry {
            told: before
                .filter(|before| before.meaning.is_same(&meaning))
                .and_then(|before| before.told),
            generation,
            meaning,
            since: Instant::now(),
        });
    }

    /// What was found last.
    pub fn meaning(&self) -> Option<Meaning> {
        lock(&self.0).as_ref().map(|entry| entry.meaning.clone())
    }

    /// The reader to tell that the name means another object, by what the
    /// catalog has answered to a question that began at this time.
    pub fn is_outdated(&self, parts: &[String], facts: &Facts, asked: Instant) -> Option<u64> {
        let mut entry = lock(&self.0);
        let entry = entry.as_mut().filter(|entry| entry.since <= asked)?;
        let now = facts.meaning(parts)?;
        if now.is_same(&entry.meaning) {
            entry.told = None;
            return None;
        }
        if entry.told.as_ref().is_some_and(|told| told.is_same(&now)) {
            return None;
        }
        entry.told = Some(now);
        Some(entry.generation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tail::names::Item;

    fn facts(id: &str) -> Facts {
        let item = Item {
            name: "v".to_string(),
            id: id.to_string(),
            ..Item::default()
        };
        Facts {
            items: Some(vec![item]),
            ..Facts::default()
        }
    }

    #[test]
    fn known_is_told_once_of_each_other_meaning_and_only_by_what_is_newer() {
        let parts = ["v".to_string()];
        let known = Known::default();
        let before = Instant::now();
        assert_eq!(known.is_outdated(&parts, &facts("u1"), before), None);
        known.set(7, facts("u1").meaning(&parts));
        let outdated = |id: &str| known.is_outdated(&parts, &facts(id), Instant::now());
        assert_eq!(known.is_outdated(&parts, &facts("u2"), before), None);
        assert_eq!(outdated("u1"), None);
        assert_eq!(outdated("u2"), Some(7));
        assert_eq!(outdated("u2"), None);
        // The reader finds the same as ever: it is not told for ever.
        known.set(8, facts("u1").meaning(&parts));
        assert_eq!(outdated("u2"), None);
        assert_eq!(outdated("u3"), Some(8));
        known.set(9, facts("u3").meaning(&parts));
        assert_eq!(outdated("u2"), Some(9));
        // A catalog that does not answer says nothing.
        let silent = Facts::default();
        assert_eq!(known.is_outdated(&parts, &silent, Instant::now()), None);
    }
}
