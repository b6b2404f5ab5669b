//! What follows the catalog where a pattern names the views: it begins and ends
//! them, as `PatternViews` says.

use std::collections::BTreeMap;

use viewcast::limits::CATALOG_LOOK_EVERY;
use viewcast::model::reason::Why;
use viewcast::tail::catalog::{FoundState, PatternEffect};
use viewcast::tail::past::Past;

use crate::gateway::{Life, Slot, Stage};
use crate::world::{Task, World, micros};

impl World {
    /// A view more is served; what a tail that it had before knew is given.
    pub fn add_view(&mut self, life: Life, name: &str, past: Past) {
        let (now, setup) = (self.now(), self.setup);
        let rng = fastrand::Rng::with_seed(self.dice.next());
        let bell = self.bell.clone();
        if let Some(gateway) = self.gateway(life) {
            let slot = gateway.add(name, past, setup, &bell, now, rng);
            self.note(format_args!("{life} v{slot} is {name}"));
            self.note_state(life, slot);
            self.heed(life, slot, None);
            // Its first timer, for who waits while nothing is known of it.
            let gateway = self.gateway(life);
            let beat = gateway.and_then(|it| it.slots[slot].publisher.wake_at());
            if let Some(beat) = beat {
                self.at_first(self.moment(beat), Task::Deadline { life, slot });
            }
        }
    }

    /// Looks at what the pattern names, and ends what is due.
    pub fn follow(&mut self, life: Life) {
        let now = self.now().instant;
        let Some(gateway) = self.gateway(life) else {
            return;
        };
        let mut effects = Vec::new();
        if let Some(listed) = gateway.listed.take() {
            let state = |slot: &Slot| FoundState {
                has_given_up: slot.has_given_up,
                is_gone: slot.shared.upstream().is_gone(),
            };
            let states = gateway.served();
            let states = states.map(|(_, slot)| (slot.name.clone(), state(slot)));
            let states: BTreeMap<String, FoundState> = states.collect();
            let served: Vec<String> = states.keys().cloned().collect();
            let state = |name: &str| states[name];
            effects = gateway.patterns.handle(&listed, &served, state, now);
        }
        effects.extend(gateway.patterns.look(now));
        for effect in effects {
            self.note(format_args!("{life} {effect:?}"));
            self.apply(life, &effect);
        }
        let is_leaving = |it: &Slot| it.stage == Stage::Leaving;
        let gateway = self.gateway(life);
        if gateway.is_some_and(|it| it.slots.iter().any(is_leaving)) {
            self.after(micros(CATALOG_LOOK_EVERY), Task::Follow(life));
        }
    }

    fn apply(&mut self, life: Life, effect: &PatternEffect) {
        let Some(gateway) = self.gateway(life) else {
            return;
        };
        match effect {
            PatternEffect::Begin(relation) => {
                let past = gateway.patterns.recall(relation.text());
                self.add_view(life, relation.text(), past);
            }
            PatternEffect::Forget(name) => {
                if let Some(slot) = gateway.find(name) {
                    gateway.forget(slot);
                    self.hang_up(life, slot);
                }
            }
            PatternEffect::GiveUp(name) => {
                let mut slots = gateway.slots.iter();
                let is_it = |it: &Slot| it.stage == Stage::Leaving && it.name == *name;
                if let Some(slot) = slots.position(is_it) {
                    gateway.slots[slot].stage = Stage::Over;
                    let shared = std::sync::Arc::clone(&gateway.slots[slot].shared);
                    shared.give_up(Why::GivenUp, self.now());
                    self.note_state(life, slot);
                }
            }
            PatternEffect::Resolved => {}
        }
    }
}
