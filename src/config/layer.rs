//! What one layer gives: flags, environment or file.

use std::collections::BTreeMap;

use super::place::Place;

/// What one layer gives for one setting, still as text.
#[derive(Clone)]
pub struct Given {
    /// The texts: at least one.
    pub values: Vec<String>,
    /// Whether a text may hold several names separated by commas.
    pub separated: bool,
    /// Where they were given.
    pub place: Place,
}

/// The settings that one layer gives.
#[derive(Default)]
pub struct Layer {
    /// What is given, by key; `None` where it was given in a way that makes no
    /// sense, which was told already: whatever follows from its missing is not
    /// another error.
    pub given: BTreeMap<&'static str, Option<Given>>,
    /// Whether any setting may have been meant to be here that is not: the file
    /// could not be read, or has a key that resembles none.
    pub is_doubtful: bool,
}

impl Layer {
    /// Notes that something was wrong with what a key was given, or with what
    /// was probably meant for it.
    pub fn spoil(&mut self, key: &'static str) {
        self.given.entry(key).or_insert(None);
    }

    /// Adds the values of a key.
    pub fn add(&mut self, key: &'static str, values: Vec<String>, place: Place) {
        let given = Given {
            values,
            separated: true,
            place,
        };
        self.given.insert(key, Some(given));
    }
}
