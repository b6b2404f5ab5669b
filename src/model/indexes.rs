//! The indexes of one view's rows, by the values of columns.

use std::borrow::Cow;
use std::sync::Arc;

use super::key_index::{KeyIndex, Keyed};
use super::window::{Key, Layout, Shape, Window};

/// Indexes of one view at the most: each costs some nine bytes a row, and has a
/// share in what each change costs.
const INDEXES_MAX: usize = 16;

/// How many of them may be by several columns, so that each column finds room.
const COMBINED_MAX: usize = INDEXES_MAX / 2;

/// The indexes of one view's rows. None before a window asks for one: a view
/// without windows pays nothing.
#[derive(Clone, Debug, Default)]
pub struct Indexes {
    /// The columns that the keys are of, as soon as there is an index.
    layout: Option<Arc<Layout>>,
    indexes: Vec<Indexed>,
    /// Room for values.
    scratch: String,
}

/// One index.
#[derive(Clone, Debug)]
struct Indexed {
    shape: Shape,
    index: KeyIndex,
}

impl Indexes {
    /// Sees to it that there is an index by these columns of so many rows, which
    /// come with the hashes of their texts; `false` where there are too many
    /// indexes already.
    pub fn provide<'a>(
        &mut self,
        shape: &Shape,
        layout: &Arc<Layout>,
        (count, all): (usize, impl Iterator<Item = (&'a str, u32)>),
    ) -> bool {
        let is_same = |known: &Arc<Layout>| Arc::ptr_eq(known, layout);
        if !self.layout.as_ref().is_some_and(is_same) {
            // Keys of another layout are other keys.
            *self = Indexes::default();
        }
        if self.indexes.iter().any(|known| known.shape == *shape) {
            return true;
        }
        let is_combined = |shape: &Shape| shape.columns() > 1;
        let known = self.indexes.iter();
        let combined = known.filter(|known| is_combined(&known.shape)).count();
        let is_full =
            self.indexes.len() >= INDEXES_MAX || is_combined(shape) && combined >= COMBINED_MAX;
        // Of no columns, it would hold all rows under one key.
        if is_full || shape.is_all() {
            return false;
        }
        let mut rows = Vec::with_capacity(count);
        for (text, hash) in all {
            let key = shape.key(layout, text, &mut self.scratch);
            rows.push(Keyed::new(key, hash));
        }
        self.layout = Some(Arc::clone(layout));
        self.indexes.push(Indexed {
            shape: shape.clone(),
            index: KeyIndex::build(rows),
        });
        true
    }

    /// Sees to it that there are those that others are, of these rows.
    pub fn provide_like<'a, R>(&mut self, others: &Indexes, rows: impl Fn() -> (usize, R))
    where
        R: Iterator<Item = (&'a str, u32)>,
    {
        let Some(layout) = &others.layout else {
            return;
        };
        for other in &others.indexes {
            self.provide(&other.shape, layout, rows());
        }
    }

    /// A row came, or it is gone, whose text has this hash.
    pub fn note(&mut self, text: &str, hash: u32, is_gone: bool) {
        let Some(layout) = &self.layout else {
            return;
        };
        for it in &mut self.indexes {
            let key = it.shape.key(layout, text, &mut self.scratch);
            match is_gone {
                true => it.index.remove(Keyed::new(key, hash)),
                false => it.index.insert(Keyed::new(key, hash)),
            }
        }
    }

    /// The hashes of all rows that may be in a window, in no particular order,
    /// by the index of the most columns; `None` where there is none that knows.
    pub fn find(&self, window: &Window) -> Option<Vec<u32>> {
        let is_of_it = |layout: &Arc<Layout>| Arc::ptr_eq(layout, window.layout());
        if !self.layout.as_ref().is_some_and(is_of_it) {
            return None;
        }
        let mut best: Option<(usize, &KeyIndex, Cow<'_, [Key]>)> = None;
        for it in &self.indexes {
            let columns = it.shape.columns();
            if best.as_ref().is_none_or(|(most, ..)| columns > *most)
                && let Some(keys) = window.keys_of(&it.shape)
            {
                best = Some((columns, &it.index, keys));
            }
        }
        let (_, index, keys) = best?;
        let mut hashes = Vec::new();
        for key in keys.iter() {
            index.find(*key, &mut hashes);
        }
        Some(hashes)
    }

    /// Rows that are in each.
    #[cfg(test)]
    pub fn rows(&self) -> impl Iterator<Item = usize> {
        self.indexes.iter().map(|it| it.index.rows())
    }

    /// Bytes of memory that they take.
    pub fn bytes(&self) -> u64 {
        let indexes = self.indexes.iter();
        let bytes: usize = indexes.map(|it| it.index.bytes()).sum();
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }
}
