//! Open windows by the keys of their rows.

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use crate::model::window::{Key, Shape, Window};

/// Numbers of windows that have the same key; most often one.
#[derive(Debug)]
enum Listed {
    One(usize),
    Many(Vec<usize>),
}

/// The open windows whose keys are of the same columns.
#[derive(Debug)]
pub(super) struct ByKey {
    pub(super) shape: Shape,
    keys: HashMap<Key, Listed, RandomState>,
    windows: usize,
}

impl ByKey {
    /// None yet.
    pub(super) fn new(shape: Shape) -> Self {
        ByKey {
            shape,
            keys: HashMap::default(),
            windows: 0,
        }
    }

    /// The windows that may have rows of this key.
    pub(super) fn of(&self, key: Key) -> &[usize] {
        match self.keys.get(&key) {
            Some(Listed::One(number)) => std::slice::from_ref(number),
            Some(Listed::Many(numbers)) => numbers,
            None => &[],
        }
    }

    /// One window more, by its number.
    pub(super) fn add(&mut self, window: &Window, number: usize) {
        self.windows += 1;
        for key in window.keys() {
            match self.keys.entry(*key) {
                Entry::Vacant(vacant) => {
                    vacant.insert(Listed::One(number));
                }
                Entry::Occupied(mut listed) => match listed.get_mut() {
                    Listed::Many(numbers) => numbers.push(number),
                    Listed::One(first) => {
                        let numbers = vec![*first, number];
                        listed.insert(Listed::Many(numbers));
                    }
                },
            }
        }
    }

    /// A window is closed; whether it was the last one.
    pub(super) fn remove(&mut self, window: &Window, number: usize) -> bool {
        self.windows = self.windows.saturating_sub(1);
        for key in window.keys() {
            let Entry::Occupied(mut listed) = self.keys.entry(*key) else {
                continue;
            };
            let is_over = match listed.get_mut() {
                Listed::One(one) => *one == number,
                Listed::Many(numbers) => {
                    numbers.retain(|other| *other != number);
                    numbers.is_empty()
                }
            };
            if is_over {
                listed.remove();
            }
        }
        self.windows == 0
    }
}
