//! When it is asked whether the role may still read what is streamed.
//!
//! A server looks at privileges when a stream begins, and never again: a stream
//! goes on after `REVOKE`, and only a question tells.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::limits::{CATALOG_REVOKED_EVERY, CATALOG_REVOKED_PER_ROUND};

/// When each name was asked for last.
#[derive(Debug, Default)]
pub(super) struct Privileges(BTreeMap<Vec<String>, Instant>);

impl Privileges {
    /// The names that are to be asked for now, those that have waited longest
    /// first. Whoever has just begun a stream was let in.
    pub fn due(&mut self, watched: &[Vec<String>], now: Instant) -> Vec<Vec<String>> {
        self.0.retain(|name, _| watched.contains(name));
        for name in watched {
            self.0.entry(name.clone()).or_insert(now);
        }
        let since = |asked: Instant| now.saturating_duration_since(asked);
        let is_due =
            |(_, asked): &(&Vec<String>, &mut Instant)| since(**asked) >= CATALOG_REVOKED_EVERY;
        let mut due: Vec<_> = self.0.iter_mut().filter(is_due).collect();
        due.sort_by_key(|(_, asked)| **asked);
        due.truncate(CATALOG_REVOKED_PER_ROUND);
        let asked = due.into_iter().map(|(name, asked)| {
            *asked = now;
            name.clone()
        });
        asked.collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn privileges_of_each_name_are_asked_for_in_time() {
        let names: Vec<_> = (0..256).map(|n| vec![format!("v{n}")]).collect();
        let begin = Instant::now();
        let mut privileges = Privileges::default();
        let mut asked: BTreeMap<_, Vec<_>> = BTreeMap::new();
        // Rounds of two seconds.
        for round in 0..60 {
            let now = begin + Duration::from_secs(2 * round);
            for name in privileges.due(&names, now) {
                asked.entry(name).or_default().push(2 * round);
            }
        }
        for (name, times) in &asked {
            assert!(times[0] >= 20, "{name:?}: {times:?}");
            let pauses = times.windows(2).map(|pair| pair[1] - pair[0]);
            assert!(pauses.chain([times[0]]).all(|it| it <= 40), "{times:?}");
        }
        assert_eq!(asked.len(), names.len());
        // What is watched no more is forgotten.
        assert!(privileges.due(&[], begin).is_empty());
        assert!(privileges.0.is_empty());
    }
}
