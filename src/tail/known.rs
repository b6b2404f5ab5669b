//! What a view's name meant when its tail last asked.

use std::time::Instant;

use super::names::{Facts, Meaning};
use crate::limits::CATALOG_TOLD_AGAIN;

/// Set by the tail's reader, compared with what the watch of the catalog finds.
#[derive(Debug, Default)]
pub(super) struct Known(Option<Entry>);

#[derive(Debug)]
struct Entry {
    /// The reader that asked.
    generation: u64,
    meaning: Meaning,
    /// The id of the one object that the name stood for last; it may have
    /// another name now.
    object: Option<String>,
    /// Since when it is known: answers from before say nothing against it.
    since: Instant,
    /// Another meaning that the reader was told of, by an answer to a question of
    /// this time. If it then finds the same as ever, it is not told again for a
    /// while: it may see the catalog differently.
    told: Option<(Meaning, Instant)>,
}

impl Known {
    /// The reader of this generation has found that; `None` where there is no
    /// name to watch.
    pub fn set(&mut self, generation: u64, meaning: Option<Meaning>, now: Instant) {
        let before = self.0.take();
        self.0 = meaning.map(|meaning| Entry {
            object: match meaning.ids.as_slice() {
                [id] => Some(id.clone()),
                [] => before.as_ref().and_then(|before| before.object.clone()),
                _ => None,
            },
            told: before
                .filter(|before| before.meaning.is_same(&meaning))
                .and_then(|before| before.told),
            generation,
            meaning,
            since: now,
        });
    }

    /// Since when it is known.
    pub fn since(&self) -> Option<Instant> {
        self.0.as_ref().map(|entry| entry.since)
    }

    /// What was found last.
    pub fn meaning(&self) -> Option<&Meaning> {
        self.0.as_ref().map(|entry| &entry.meaning)
    }

    /// The id of the one object that the name stood for last, also if it
    /// stands for none now.
    pub fn object(&self) -> Option<&str> {
        self.0.as_ref()?.object.as_deref()
    }

    /// Whether the catalog refuses to say what it has told once. That is no
    /// answer: without the id it would seem to be another view.
    pub fn is_refused(&self, meaning: Option<&Meaning>) -> bool {
        meaning.is_none() && self.object().is_some()
    }

    /// The generation to tell that the name means another object, by what the
    /// catalog has answered to a question that began at this time.
    pub fn outdated(&mut self, parts: &[String], facts: &Facts, asked: Instant) -> Option<u64> {
        let entry = self.0.as_mut().filter(|entry| entry.since < asked)?;
        let now = facts.meaning(parts)?;
        if now.is_same(&entry.meaning) {
            entry.told = None;
            return None;
        }
        let is_told = |(told, at): &(Meaning, Instant)| {
            told.is_same(&now) && asked.saturating_duration_since(*at) < CATALOG_TOLD_AGAIN
        };
        if entry.told.as_ref().is_some_and(is_told) {
            return None;
        }
        entry.told = Some((now, asked));
        Some(entry.generation)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
        let mut known = Known::default();
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        assert_eq!(known.outdated(&parts, &facts("u1"), at(9)), None);
        known.set(7, facts("u1").meaning(&parts), at(1));
        assert_eq!(known.outdated(&parts, &facts("u2"), at(1)), None);
        assert_eq!(known.outdated(&parts, &facts("u1"), at(2)), None);
        assert_eq!(known.outdated(&parts, &facts("u2"), at(2)), Some(7));
        assert_eq!(known.outdated(&parts, &facts("u2"), at(3)), None);
        // The reader finds the same as ever: it is not told at once again, but it is
        // some time. The name may have been given back meanwhile, and away again.
        known.set(8, facts("u1").meaning(&parts), at(4));
        assert_eq!(known.outdated(&parts, &facts("u2"), at(5)), None);
        assert_eq!(known.outdated(&parts, &facts("u2"), at(31)), None);
        assert_eq!(known.outdated(&parts, &facts("u2"), at(32)), Some(8));
        assert_eq!(known.outdated(&parts, &facts("u2"), at(33)), None);
        assert_eq!(known.outdated(&parts, &facts("u3"), at(35)), Some(8));
        known.set(9, facts("u3").meaning(&parts), at(36));
        assert_eq!(known.outdated(&parts, &facts("u2"), at(37)), Some(9));
        // A catalog that does not answer says nothing.
        assert_eq!(known.outdated(&parts, &Facts::default(), at(38)), None);
    }
}
