//! Which views are served because a pattern names them: begun when the catalog
//! shows them, ended when it no longer does.

use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::time::Instant;

use crate::limits::{CATALOG_MISSED_MAX, FORGOTTEN_FOR, VIEWS_MAX};
use crate::model::name::ViewName;

use super::exchange::Listed;
use crate::tail::past::{Past, Remembered};

/// What is to be done, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PatternEffect {
    /// Serve this view.
    Begin(ViewName),
    /// Serve this view no more: its tail ends, and nobody finds it. Those that
    /// have streams of it are told later, by `GiveUp`.
    Forget(String),
    /// End the streams of the view of this name that was forgotten first.
    GiveUp(String),
    /// The catalog was read: all that is to be served is.
    Resolved,
}

/// How a view that was begun stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundState {
    /// Its tail has ended for good: it was gone before it was ever seen.
    pub has_given_up: bool,
    /// Its streams were told that it is gone.
    pub is_gone: bool,
}

/// The views that patterns have named.
#[derive(Debug, Default)]
pub struct PatternViews {
    found: BTreeMap<String, Missed>,
    /// Those that were forgotten, and when.
    leaving: VecDeque<(String, Instant)>,
    /// What the tails knew of those that were forgotten.
    past: Remembered<String, Past, VIEWS_MAX>,
    /// Views that there was no room for when the catalog was last read.
    over: usize,
}

/// How long the catalog has lacked a view that is served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Missed {
    /// Lists in a row.
    lists: u32,
    since: Option<Instant>,
}

impl PatternViews {
    /// Takes what the patterns name now. `served` are the names of all views
    /// that are served, whoever has chosen them; `state` is asked for those
    /// that were begun here.
    pub fn handle(
        &mut self,
        listed: &Listed,
        served: &[String],
        state: impl Fn(&str) -> FoundState,
        now: Instant,
    ) -> Vec<PatternEffect> {
        let mut served = served.to_vec();
        let mut effects = Vec::new();
        for name in self.forgotten(&listed.names, &served, state, now) {
            log::warn!("view {name:?} is not in the catalog any more and is not served");
            served.retain(|one| *one != name);
            self.leaving.push_back((name.clone(), now));
            effects.push(PatternEffect::Forget(name));
        }
        effects.extend(self.begun(&listed.names, served));
        if listed.is_whole {
            effects.push(PatternEffect::Resolved);
        }
        effects
    }

    /// To be called every `limits::CATALOG_LOOK_EVERY`: the streams of what was
    /// forgotten are ended after a moment, in which whoever has just found the
    /// view is let in and told as well.
    pub fn look(&mut self, now: Instant) -> Vec<PatternEffect> {
        let is_due =
            |(_, since): &(String, Instant)| now.saturating_duration_since(*since) >= FORGOTTEN_FOR;
        let mut effects = Vec::new();
        while self.leaving.front().is_some_and(is_due) {
            let first = self.leaving.pop_front();
            effects.extend(first.map(|(name, _)| PatternEffect::GiveUp(name)));
        }
        effects
    }

    /// The view of this name is no pattern's any more: it was named by itself.
    pub fn release(&mut self, name: &str) {
        self.found.remove(name);
    }

    /// Keeps what the tail of a view knew that was forgotten.
    pub fn remember(&mut self, name: String, past: Past) {
        self.past.put(name, past);
    }

    /// What the next tail of this view is to know.
    pub fn recall(&mut self, name: &str) -> Past {
        self.past.take(name)
    }

    /// What is gone. A tail is to say so first, and so that its streams end
    /// with the reason; one that does not is waited for no longer than a while.
    fn forgotten(
        &mut self,
        listed: &[ViewName],
        served: &[String],
        state: impl Fn(&str) -> FoundState,
        now: Instant,
    ) -> Vec<String> {
        let mut gone = Vec::new();
        for (name, mut missed) in mem::take(&mut self.found) {
            if !served.contains(&name) {
                continue;
            }
            let is_listed = listed.iter().any(|relation| relation.text() == name);
            if missed.is_over(is_listed, state(&name), now) {
                gone.push(name);
            } else {
                self.found.insert(name, missed);
            }
        }
        gone
    }

    /// What is new, as far as there is room.
    fn begun(&mut self, listed: &[ViewName], mut served: Vec<String>) -> Vec<PatternEffect> {
        let mut effects = Vec::new();
        let mut over = 0;
        for relation in listed {
            let name = relation.text();
            // One that was also named by itself is there already.
            if served.iter().any(|one| one == name) {
                continue;
            }
            if served.len() >= VIEWS_MAX {
                over += 1;
                continue;
            }
            log::info!("view {name:?}: found in the catalog");
            served.push(name.to_owned());
            self.found.insert(name.to_owned(), Missed::default());
            effects.push(PatternEffect::Begin(relation.clone()));
        }
        if over > self.over {
            log::error!(
                "{over} views of the catalog are not streamed: {VIEWS_MAX} are the most; \
                 spread them over several gateways"
            );
        }
        self.over = over;
        effects
    }
}

impl Missed {
    /// Whether the view is gone, by a list that may lack it.
    fn is_over(&mut self, is_listed: bool, state: FoundState, now: Instant) -> bool {
        if state.has_given_up {
            return true;
        }
        if is_listed {
            *self = Missed::default();
            return false;
        }
        self.lists = self.lists.saturating_add(1);
        let since = *self.since.get_or_insert(now);
        let is_told = self.lists > 1 && state.is_gone;
        is_told || now.saturating_duration_since(since) >= CATALOG_MISSED_MAX
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const WELL: FoundState = FoundState {
        has_given_up: false,
        is_gone: false,
    };
    const GONE: FoundState = FoundState {
        has_given_up: false,
        is_gone: true,
    };

    fn listed(names: &[&str]) -> Listed {
        let parse = |name: &&str| ViewName::parse(name).unwrap();
        Listed {
            names: names.iter().map(parse).collect(),
            is_whole: true,
        }
    }

    fn begin(name: &str) -> PatternEffect {
        PatternEffect::Begin(ViewName::parse(name).unwrap())
    }

    #[test]
    fn pattern_views_come_and_go_with_the_catalog() {
        use PatternEffect::{Forget, GiveUp, Resolved};
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut views = PatternViews::default();
        let named = ["s.a".to_string()];
        let both = ["s.a".to_string(), "s.b".to_string()];
        let list = listed(&["s.a", "s.b"]);
        // The one that was named by itself is there already.
        let effects = views.handle(&list, &named, |_| WELL, at(0));
        assert_eq!(effects, [begin("s.b"), Resolved]);
        assert_eq!(views.handle(&list, &both, |_| WELL, at(10)), [Resolved]);
        // Missing once may be chance, twice is not, if its tail says so.
        let less = listed(&["s.a"]);
        assert_eq!(views.handle(&less, &both, |_| GONE, at(20)), [Resolved]);
        let effects = views.handle(&less, &both, |_| GONE, at(30));
        assert_eq!(effects, [Forget("s.b".to_string()), Resolved]);
        // It is back before the streams of the one before were ended.
        let effects = views.handle(&list, &named, |_| WELL, at(40));
        assert_eq!(effects, [begin("s.b"), Resolved]);
        assert_eq!(views.look(at(529)), []);
        assert_eq!(views.look(at(530)), [GiveUp("s.b".to_string())]);
        // A tail that does not say so is waited for.
        assert_eq!(views.handle(&less, &both, |_| WELL, at(600)), [Resolved]);
        assert_eq!(views.handle(&less, &both, |_| WELL, at(20_599)), [Resolved]);
        let effects = views.handle(&less, &both, |_| WELL, at(20_600));
        assert_eq!(effects, [Forget("s.b".to_string()), Resolved]);
    }

    #[test]
    fn pattern_views_begin_as_far_as_there_is_room() {
        let mut views = PatternViews::default();
        let names: Vec<String> = (0..VIEWS_MAX).map(|n| format!("s.v{n}")).collect();
        let list = listed(&["s.a", "s.v0"]);
        let effects = views.handle(&list, &names, |_| WELL, Instant::now());
        assert_eq!(effects, [PatternEffect::Resolved]);
        assert_eq!(views.over, 1);
        let effects = views.handle(&list, &names[1..], |_| WELL, Instant::now());
        assert_eq!(effects, [begin("s.a"), PatternEffect::Resolved]);
    }
}
