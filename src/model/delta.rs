//! Changes: one update as Materialize tells it, and a delta as we publish it.

use super::position::Timestamp;
use super::row::Row;

/// One signed change in a row's multiplicity at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// The row.
    pub row: Row,
    /// When it changes.
    pub timestamp: Timestamp,
    /// By how many copies.
    pub diff: i64,
}

/// A row's net change within a delta; never zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The row.
    pub row: Row,
    /// Copies added, or taken away if negative.
    pub diff: i64,
}

/// All consolidated changes of one or several whole closed timestamps.
///
/// Invariants: no row twice, no diff of zero, deletes before inserts, rows in
/// the order of their text within each. So equal deltas have equal frames in
/// every gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delta {
    timestamp: Timestamp,
    changes: Vec<Change>,
}

impl Delta {
    /// The delta of these changes, in any order and with repetitions, closed
    /// through `timestamp`. A row whose changes sum to zero is not in it.
    ///
    /// The same result as `consolidate` of differential-dataflow
    /// (src/consolidation.rs): sort, add up equal ones, drop zeros.
    pub fn new(timestamp: Timestamp, mut changes: Vec<Change>) -> Self {
        // What is merged comes in a few sorted runs, which this sort makes use of.
        changes.sort_by(|a, b| a.row.cmp(&b.row));
        changes.dedup_by(|next, kept| {
            let same = next.row == kept.row;
            if same {
                // Saturation cannot make a wrong view: a multiplicity this
                // large is refused by `View` long before.
                kept.diff = kept.diff.saturating_add(next.diff);
            }
            same
        });
        changes.retain(|change| change.diff != 0);
        // Stable, so the order by text stays within deletes and inserts.
        changes.sort_by_key(|change| change.diff > 0);
        Delta { timestamp, changes }
    }

    /// The net effect of a run of deltas, closed through the last one's
    /// timestamp; `None` of an empty run.
    pub fn merge<'a>(deltas: impl IntoIterator<Item = &'a Delta>) -> Option<Delta> {
        let mut timestamp = None;
        let mut changes = Vec::new();
        for delta in deltas {
            timestamp = Some(delta.timestamp);
            changes.extend_from_slice(&delta.changes);
        }
        Some(Delta::new(timestamp?, changes))
    }

    /// All changes up to and including this time have been sent with it.
    pub fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    /// The changes: deletes, then inserts.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Whether it changes nothing (a heartbeat, or changes that cancel out).
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delta(timestamp: u64, changes: &[(&str, i64)]) -> Delta {
        let change = |(row, diff): &(&str, i64)| Change {
            row: Row::from(*row),
            diff: *diff,
        };
        Delta::new(
            Timestamp::new(timestamp),
            changes.iter().map(change).collect(),
        )
    }

    fn listed(delta: &Delta) -> Vec<(&str, i64)> {
        delta
            .changes()
            .iter()
            .map(|c| (c.row.text(), c.diff))
            .collect()
    }

    #[test]
    fn delta_new_adds_up_drops_zeros_and_puts_deletes_first() {
        let it = delta(
            5,
            &[("b", 1), ("a", 2), ("c", 1), ("b", -1), ("d", -4), ("a", 1)],
        );
        assert_eq!(listed(&it), [("d", -4), ("a", 3), ("c", 1)]);
    }

    #[test]
    fn delta_merge_is_the_net_effect_at_the_last_timestamp() {
        let run = [
            delta(1, &[("a", 1)]),
            delta(2, &[("a", -1), ("b", 2)]),
            delta(3, &[]),
        ];
        let net = Delta::merge(&run).unwrap();
        assert_eq!(net.timestamp(), Timestamp::new(3));
        assert_eq!(listed(&net), [("b", 2)]);
        assert_eq!(Delta::merge([]), None);
    }
}
