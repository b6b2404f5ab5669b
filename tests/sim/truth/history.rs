//! What an object held over time, and what each window of it did.

use std::collections::BTreeMap;

use super::{Changes, Row, copies_of};
use crate::windows::{Kind, WHOLE};

/// What a window held, as far as it was looked at.
#[derive(Debug, Default)]
pub(super) struct Windowed {
    /// So many entries of the log were taken in.
    seen: usize,
    sum: u128,
    sums: Vec<(u64, u128)>,
}

/// What an object held over a stretch in which its time only went forward.
#[derive(Debug)]
pub struct History {
    pub object: usize,
    /// Nothing is known of it before.
    pub from: u64,
    /// From each of these times on, the hash of what it held.
    pub(super) sums: Vec<(u64, u128)>,
    /// What changed at each of these times.
    pub log: Vec<(u64, Changes)>,
    /// How often time had gone back when it began.
    pub backs: usize,
    /// The same of windows that were asked for.
    pub(super) windows: BTreeMap<Kind, Windowed>,
    /// What it holds at its end may be shown at any time.
    pub(super) is_blurred: bool,
    /// From here on this history is not true any more: time went back to
    /// before it, or the rows were lost.
    pub until: Option<u64>,
}

impl History {
    /// From each of these times on, the hash of what a window held.
    fn window(&mut self, kind: Kind) -> &[(u64, u128)] {
        if kind == WHOLE {
            return &self.sums;
        }
        let it = self.windows.entry(kind).or_default();
        for (at, changes) in &self.log[it.seen..] {
            for (row, diff) in changes {
                if let Some(hash) = kind.shown(row) {
                    it.sum = it.sum.wrapping_add(copies_of(hash, *diff));
                }
            }
            it.sums.push((*at, it.sum));
        }
        it.seen = self.log.len();
        &it.sums
    }

    /// Whether this may be the hash of a window at this time.
    pub(super) fn has(&mut self, time: u64, sum: u128, kind: Kind) -> bool {
        let (from, is_blurred) = (self.from, self.is_blurred);
        let sums = self.window(kind);
        let known = sums.partition_point(|(at, _)| *at <= time);
        let at_time = known.checked_sub(1).map_or(0, |last| sums[last].1);
        let last = sums.last().map_or(0, |(_, last)| *last);
        time >= from && at_time == sum || is_blurred && last == sum
    }

    /// The rows at this time.
    pub fn rows_at(&self, time: u64) -> BTreeMap<Row, i64> {
        let mut rows = BTreeMap::new();
        for (_, changes) in self.log.iter().take_while(|(at, _)| *at <= time) {
            for (row, diff) in changes {
                *rows.entry(row.clone()).or_insert(0) += diff;
            }
        }
        rows.retain(|_, copies| *copies != 0);
        rows
    }
}
