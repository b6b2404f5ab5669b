//! Keys: by which windows find rows, and changes find windows.

use std::hash::{BuildHasher, Hash, Hasher};

use super::condition::Condition;
use super::layout::{Fields, Layout};

/// Keys of one window at the most: each is looked up.
pub const KEYS_MAX: usize = 1_000;

/// The values of some columns, as 32 bits of their hash.
///
/// Different values have equal keys now and then (one pair in two among
/// 80,000), so that what a key finds is still to be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(u32);

impl Key {
    /// The key whose bits are these, for tests of what holds keys.
    #[cfg(test)]
    pub(in crate::model) fn new(bits: u32) -> Self {
        Key(bits)
    }

    /// Its bits.
    pub(in crate::model) fn bits(self) -> u32 {
        self.0
    }
}

/// The columns whose values make a key, in order. Of no columns, there is one
/// key, which every row has.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shape {
    columns: Box<[usize]>,
}

impl Shape {
    /// The columns of these conditions, which are sorted by column, whose
    /// values are listed. Those with the longest lists are left out while there
    /// would be too many keys.
    pub(super) fn of(conditions: &[Condition]) -> Self {
        let counted = conditions
            .iter()
            .filter_map(|condition| Some((condition.count()?, condition.column)));
        let mut columns: Vec<(usize, usize)> = counted.collect();
        let keys = |columns: &[(usize, usize)]| {
            let counts = columns.iter().map(|(count, _)| *count);
            counts.fold(1, usize::saturating_mul)
        };
        while keys(&columns) > KEYS_MAX {
            let longest = columns.iter().max().copied();
            columns.retain(|column| Some(*column) != longest);
        }
        Shape {
            columns: columns.into_iter().map(|(_, column)| column).collect(),
        }
    }

    /// Whether all rows have one key.
    pub fn is_all(&self) -> bool {
        self.columns.is_empty()
    }

    /// How many columns it has.
    pub(in crate::model) fn columns(&self) -> usize {
        self.columns.len()
    }

    /// The key of a row; `scratch` is room for its values.
    pub fn key(&self, layout: &Layout, row: &str, scratch: &mut String) -> Key {
        let mut fields = Fields::new(layout, row);
        let mut hasher = layout.hasher.build_hasher();
        for column in &self.columns {
            let json = fields.value(*column);
            let value = layout
                .comparison(*column)
                .and_then(|comparison| comparison.read(json, scratch));
            value.hash(&mut hasher);
        }
        finish(&hasher)
    }

    /// The keys of all rows that meet these conditions, sorted, none twice;
    /// `None` where they are too many, or the values of a column are not listed.
    pub(super) fn keys(&self, layout: &Layout, conditions: &[Condition]) -> Option<Box<[Key]>> {
        // Columns before the one that is looked at have these values.
        let mut hashers = vec![layout.hasher.build_hasher()];
        for column in &self.columns {
            let mut conditions = conditions.iter();
            let condition = conditions.find(|condition| condition.column == *column)?;
            if hashers.len().saturating_mul(condition.count()?) > KEYS_MAX {
                return None;
            }
            let values = condition.all()?;
            let with = |hasher: &_| {
                let hasher = Clone::clone(hasher);
                values.clone().map(move |value| {
                    let mut hasher = Clone::clone(&hasher);
                    value.hash(&mut hasher);
                    hasher
                })
            };
            hashers = hashers.iter().flat_map(with).collect();
        }
        let mut keys: Vec<Key> = hashers.iter().map(finish).collect();
        keys.sort_unstable();
        keys.dedup();
        Some(keys.into())
    }
}

fn finish(hasher: &impl Hasher) -> Key {
    let [a, b, c, d, ..] = hasher.finish().to_le_bytes();
    Key(u32::from_le_bytes([a, b, c, d]))
}
