//! The rows of windows, found by the values of columns.

use std::sync::Arc;

use foldhash::fast::RandomState;

use super::{Multiset, hash};
use crate::model::arena::{Arena, Place};
use crate::model::picked::{LOOKED_MAX, Pick, Picked};
use crate::model::window::{Layout, Shape, Window};

/// Rows that are looked up by their hashes for one window at the most: some
/// milliseconds.
const FOUND_MAX: usize = 65_536;

/// Rows whose texts are fetched from memory together.
const GROUP: usize = 32;

/// As many are looked up though they are more: one in so many of all. Where a
/// window has a larger part of the view, who writes it looks at all rows instead.
const FOUND_PART: usize = 32;

impl Multiset {
    /// Sees to it that there is an index by these columns; `false` where there
    /// are too many already.
    pub fn index(&mut self, shape: &Shape, layout: &Arc<Layout>) -> bool {
        let by_columns = self.by_columns.get_or_insert_default();
        let rows = (self.arena.rows(), hashed(&self.arena, &self.hasher));
        by_columns.provide(shape, layout, rows)
    }

    /// Sees to it that there are the indexes that another one has.
    pub fn index_like(&mut self, other: &Multiset) {
        if let Some(others) = &other.by_columns {
            let by_columns = self.by_columns.get_or_insert_default();
            let count = self.arena.rows();
            let rows = || (count, hashed(&self.arena, &self.hasher));
            by_columns.provide_like(others, rows);
        }
    }

    /// Bytes of memory that the indexes by columns take.
    pub fn index_bytes(&self) -> u64 {
        let by_columns = self.by_columns.as_ref();
        by_columns.map_or(0, |by_columns| by_columns.bytes())
    }

    /// The rows of a window: at once where what is shown of them has at most so
    /// many bytes.
    pub fn pick(&self, window: &Arc<Window>, full: usize) -> Pick {
        if window.is_empty() {
            let (rows, listed) = (0, Vec::new());
            return Pick::Short { rows, listed };
        }
        let found = self.by_columns.as_ref().and_then(|it| it.find(window));
        let found_max = FOUND_MAX.max(self.arena.rows() / FOUND_PART);
        let found = found.filter(|hashes| hashes.len() <= found_max);
        let found = found.map(|hashes| self.places(&hashes));
        let short = match &found {
            Some(places) => self.list(places.iter().copied(), window, full),
            None => self.list(self.arena.places(), window, full),
        };
        if let Some((rows, listed)) = short {
            return Pick::Short { rows, listed };
        }
        let window = Arc::clone(window);
        Pick::Long(match found {
            Some(places) => {
                let parts = self.arena.part(&places).into_iter();
                Picked::new(window, parts.map(|(chunk, rows)| (chunk, Some(rows))))
            }
            None => {
                let parts = self.arena.freeze().into_iter();
                Picked::new(window, parts.map(|chunk| (chunk, None)))
            }
        })
    }

    /// Where the rows stand that have these hashes, in order.
    fn places(&self, hashes: &[u32]) -> Vec<Place> {
        let mut places = Vec::with_capacity(hashes.len());
        for hash in hashes {
            places.extend(self.index.all(*hash));
        }
        places.sort_unstable();
        // Rows of one hash have been found by each of them.
        places.dedup();
        places
    }

    /// What is shown of the rows of a window among those at these places, and how
    /// many there are; `None` where that has more bytes, or more rows are to be
    /// looked at than is done at once.
    fn list(
        &self,
        places: impl Iterator<Item = Place>,
        window: &Window,
        full: usize,
    ) -> Option<(u64, Vec<u8>)> {
        let (mut rows, mut listed) = (0, Vec::new());
        let (mut places, mut looked) = (places, 0);
        let mut group = Vec::with_capacity(GROUP);
        loop {
            let next = places.by_ref().take(GROUP);
            group.extend(next.map(|place| (place, self.arena.text(place))));
            if group.is_empty() {
                return Some((rows, listed));
            }
            looked += group.len();
            if looked > LOOKED_MAX {
                return None;
            }
            fetch(&group);
            for (place, text) in group.drain(..) {
                if !window.matches(text) {
                    continue;
                }
                let shown = window.show(text);
                for _ in 0..self.arena.copies(place) {
                    if listed.len() + shown.len() >= full {
                        return None;
                    }
                    listed.extend_from_slice(shown.as_bytes());
                    listed.push(b',');
                    rows += 1;
                }
            }
        }
    }

    /// Whether each index by columns has each row once.
    #[cfg(test)]
    pub fn is_indexed(&self) -> bool {
        let indexes = self.by_columns.iter();
        let mut rows = indexes.flat_map(|it| it.rows());
        rows.all(|rows| rows == self.arena.rows())
    }
}

/// Reads a byte at each end of some texts, so that the processor waits for all
/// of them at once instead of for each when it is looked at.
fn fetch(group: &[(Place, &str)]) {
    let ends = group.iter().map(|(_, text)| {
        let bytes = text.as_bytes();
        let (first, last) = (bytes.first(), bytes.last());
        first.copied().unwrap_or(0) ^ last.copied().unwrap_or(0)
    });
    std::hint::black_box(ends.fold(0, |all, byte| all ^ byte));
}

/// The rows of an arena, each with its hash.
fn hashed<'a>(arena: &'a Arena, hasher: &'a RandomState) -> impl Iterator<Item = (&'a str, u32)> {
    let rows = arena.iter();
    rows.map(|(_, text)| (text, hash(hasher, text)))
}
