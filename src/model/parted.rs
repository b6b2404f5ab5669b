//! The changes of a delta by key, for who wants few of them.

use super::delta::{Change, Delta};
use super::window::{Key, Layout, Shape, Window};

/// The changes of one delta, sorted by the keys of their rows.
///
/// Made once for all windows of a shape: each finds its changes by a binary
/// search, and whoever has many windows goes through the keys instead.
#[derive(Clone, Debug)]
pub struct Parted {
    parts: Box<[Part]>,
}

/// One change, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    key: Key,
    change: u32,
}

impl Part {
    /// The change, of the delta that was parted.
    pub fn change<'a>(&self, delta: &'a Delta) -> Option<&'a Change> {
        let at = usize::try_from(self.change).ok()?;
        delta.changes().get(at)
    }
}

impl Parted {
    /// The changes of a delta of a view with these columns.
    pub fn of(delta: &Delta, shape: &Shape, layout: &Layout) -> Self {
        let mut scratch = String::new();
        let changes = (0u32..).zip(delta.changes());
        let parts = changes.map(|(change, it)| Part {
            key: shape.key(layout, it.row.text(), &mut scratch),
            change,
        });
        let mut parts: Box<[Part]> = parts.collect();
        parts.sort_unstable();
        Parted { parts }
    }

    /// The changes by key, each key once.
    pub fn groups(&self) -> impl Iterator<Item = (Key, &[Part])> {
        let groups = self.parts.chunk_by(|a, b| a.key == b.key);
        groups.filter_map(|group| Some((group.first()?.key, group)))
    }

    /// The changes of rows with a key, in the delta's order.
    pub fn find(&self, key: Key) -> &[Part] {
        let start = self.parts.partition_point(|part| part.key < key);
        let rest = self.parts.get(start..).unwrap_or_default();
        let end = rest.partition_point(|part| part.key == key);
        rest.get(..end).unwrap_or_default()
    }

    /// Appends what the delta changes of a window; those of several deltas make
    /// one by `Delta::new`.
    pub fn narrow(&self, delta: &Delta, window: &Window, changes: &mut Vec<Change>) {
        for key in window.keys() {
            let found = self.find(*key).iter();
            let found = found.filter_map(|part| part.change(delta));
            changes.extend(found.filter_map(|change| window.change(change)));
        }
    }

    /// Bytes of memory that it takes.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.parts)
    }
}

#[cfg(test)]
mod tests;
