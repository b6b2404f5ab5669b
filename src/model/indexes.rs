//! The indexes of one view's rows, by the values of columns.

use std::borrow::Cow;
use std::sync::Arc;

use super::arena::{Arena, Place};
use super::key_index::{KeyIndex, Keyed};
use super::window::{Key, Layout, Shape, Window};

/// Indexes of one view at the most: each costs some nine bytes a row, and each
/// change of a row about as much as applying it does.
const INDEXES_MAX: usize = 16;

/// How many of them may be by several columns, so that each column finds room.
const COMBINED_MAX: usize = INDEXES_MAX / 2;

/// The indexes of one view's rows. None before a window asks for one: a view
/// without windows pays nothing.
#[derive(Clone, Debug, Default)]
pub struct Indexes {
    /// The columns that the keys are of, as soon as there is an index.
    layout: Option<Arc<Layout>>,
    indexes: Vec<(Shape, KeyIndex)>,
    /// Room for values.
    scratch: String,
}

impl Indexes {
    /// Sees to it that there is an index by these columns of the rows in an
    /// arena; `false` where there are too many already.
    pub fn provide(&mut self, shape: &Shape, layout: &Arc<Layout>, arena: &Arena) -> bool {
        let is_same = |known: &Arc<Layout>| Arc::ptr_eq(known, layout);
        if !self.layout.as_ref().is_some_and(is_same) {
            // Keys of another layout are other keys.
            *self = Indexes::default();
        }
        if self.indexes.iter().any(|(known, _)| known == shape) {
            return true;
        }
        let is_combined = |shape: &Shape| shape.columns() > 1;
        let known = self.indexes.iter();
        let combined = known.filter(|(known, _)| is_combined(known)).count();
        let is_full =
            self.indexes.len() >= INDEXES_MAX || is_combined(shape) && combined >= COMBINED_MAX;
        // Of no columns, it would hold all rows under one key.
        if is_full || shape.is_all() {
            return false;
        }
        let mut rows = Vec::with_capacity(arena.rows());
        for (place, text) in arena.iter() {
            rows.push(Keyed::new(
                shape.key(layout, text, &mut self.scratch),
                place,
            ));
        }
        self.layout = Some(Arc::clone(layout));
        self.indexes.push((shape.clone(), KeyIndex::build(rows)));
        true
    }

    /// Sees to it that there are those that others are, of the rows in an arena.
    pub fn provide_like(&mut self, others: &Indexes, arena: &Arena) {
        let Some(layout) = &others.layout else {
            return;
        };
        for (shape, _) in &others.indexes {
            self.provide(shape, layout, arena);
        }
    }

    /// A row came.
    pub fn insert(&mut self, text: &str, place: Place) {
        self.each(text, |index, key| index.insert(Keyed::new(key, place)));
    }

    /// A row goes.
    pub fn remove(&mut self, text: &str, place: Place) {
        self.each(text, |index, key| index.remove(Keyed::new(key, place)));
    }

    /// A row stands elsewhere now.
    pub fn repoint(&mut self, text: &str, from: Place, to: Place) {
        self.each(text, |index, key| {
            index.remove(Keyed::new(key, from));
            index.insert(Keyed::new(key, to));
        });
    }

    /// Changes each index, given the row's key in it.
    fn each(&mut self, text: &str, mut change: impl FnMut(&mut KeyIndex, Key)) {
        let Some(layout) = &self.layout else {
            return;
        };
        for (shape, index) in &mut self.indexes {
            change(index, shape.key(layout, text, &mut self.scratch));
        }
    }

    /// The places of all rows that may be in a window, sorted, by the index of
    /// the most columns; `None` where there is none that knows.
    pub fn find(&self, window: &Window) -> Option<Vec<Place>> {
        let is_of_it = |layout: &Arc<Layout>| Arc::ptr_eq(layout, window.layout());
        if !self.layout.as_ref().is_some_and(is_of_it) {
            return None;
        }
        let mut best: Option<(usize, &KeyIndex, Cow<'_, [Key]>)> = None;
        for (shape, index) in &self.indexes {
            let columns = shape.columns();
            if best.as_ref().is_none_or(|(most, ..)| columns > *most)
                && let Some(keys) = window.keys_of(shape)
            {
                best = Some((columns, index, keys));
            }
        }
        let (_, index, keys) = best?;
        let mut places = Vec::new();
        for key in keys.iter() {
            places.extend(index.places(*key));
        }
        // The order of keys is another one in each process.
        places.sort_unstable();
        Some(places)
    }

    /// Bytes of memory that they take.
    pub fn bytes(&self) -> u64 {
        let indexes = self.indexes.iter();
        let bytes: usize = indexes.map(|(_, index)| index.bytes()).sum();
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }
}
