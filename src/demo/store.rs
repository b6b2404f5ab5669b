//! The recent history of every relation, shared by the dataflow thread that
//! writes it and the connections that read it.
//!
//! A reader is a cursor: it asks for what came after a timestamp, and nothing
//! is queued for it. What falls out of the history is folded into its base, and
//! a cursor older than that base is refused.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::watch;

use super::value::Row;
use crate::limits;

/// The changes of one relation at one timestamp, consolidated.
#[derive(Debug)]
pub(super) struct Batch {
    /// The timestamp, which is closed.
    pub(super) timestamp: u64,
    /// Each row that changed, with its diff.
    pub(super) updates: Vec<(Row, i64)>,
}

/// The timestamp asked for is older than the history kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Compacted {
    /// The oldest timestamp that can be read.
    pub(super) since: u64,
}

/// An update as the dataflow emits it: row, timestamp, diff.
pub(super) type Update = (Row, u64, i64);

#[derive(Debug)]
struct History {
    /// Contents at `since`.
    base: HashMap<Row, i64>,
    since: u64,
    /// What changed after `since`, ascending.
    log: VecDeque<Arc<Batch>>,
    /// Updates in `log`, which is bounded by them.
    updates: usize,
}

impl History {
    fn append(&mut self, mut updates: Vec<Update>) {
        updates.sort_unstable_by(|a, b| (a.1, &a.0).cmp(&(b.1, &b.0)));
        let mut batch: Vec<(Row, i64)> = Vec::new();
        let mut rest = updates.into_iter().peekable();
        while let Some((row, timestamp, mut diff)) = rest.next() {
            while let Some((_, _, more)) = rest.next_if(|next| next.1 == timestamp && next.0 == row)
            {
                diff += more;
            }
            if diff != 0 {
                batch.push((row, diff));
            }
            let closes = rest.peek().is_none_or(|next| next.1 != timestamp);
            if closes && !batch.is_empty() {
                self.updates += batch.len();
                let updates = std::mem::take(&mut batch);
                self.log.push_back(Arc::new(Batch { timestamp, updates }));
            }
        }
    }

    fn compact(&mut self, since: u64) {
        self.since = self.since.max(since);
        while let Some(oldest) = self.log.front() {
            let crowded = self.updates > limits::DEMO_HISTORY_UPDATES_MAX;
            if oldest.timestamp > self.since && !crowded {
                break;
            }
            self.since = self.since.max(oldest.timestamp);
            self.updates -= oldest.updates.len();
            apply(&mut self.base, &oldest.updates);
            self.log.pop_front();
        }
    }
}

fn apply(contents: &mut HashMap<Row, i64>, updates: &[(Row, i64)]) {
    for (row, diff) in updates {
        let count = contents.entry(Arc::clone(row)).or_default();
        *count += diff;
        if *count == 0 {
            contents.remove(row);
        }
    }
}

impl Publisher {
    /// Appends each relation's updates and closes all timestamps below `frontier`.
    pub(super) fn publish(&self, updates: Vec<Vec<Update>>, frontier: u64) {
        let since = frontier.saturating_sub(1).saturating_sub(self.kept_ms);
        for (history, updates) in self.store.histories.iter().zip(updates) {
            // A panic of another holder leaves a history whole: only this
            // function writes.
            let mut history = history.write().unwrap_or_else(PoisonError::into_inner);
            history.append(updates);
            history.compact(since);
        }
        self.frontier.send_replace(frontier);
    }
}

/// All histories, and the frontier up to which they are complete.
#[derive(Debug)]
pub(super) struct Store {
    histories: Vec<RwLock<History>>,
    frontier: watch::Receiver<u64>,
}

/// The writing end. When it goes, readers that wait are told so.
#[derive(Debug)]
pub(super) struct Publisher {
    /// What it writes to.
    pub(super) store: Arc<Store>,
    frontier: watch::Sender<u64>,
    kept_ms: u64,
}

impl Store {
    /// A store of `relations` empty histories that begin at `timestamp_start`
    /// and reach back `kept_ms`.
    pub(super) fn new(
        relations: usize,
        timestamp_start: u64,
        kept_ms: u64,
    ) -> (Arc<Self>, Publisher) {
        let empty = || {
            RwLock::new(History {
                base: HashMap::new(),
                since: timestamp_start,
                log: VecDeque::new(),
                updates: 0,
            })
        };
        let histories = std::iter::repeat_with(empty).take(relations).collect();
        let (sender, frontier) = watch::channel(timestamp_start);
        let store = Arc::new(Self {
            histories,
            frontier,
        });
        let publisher = Publisher {
            store: Arc::clone(&store),
            frontier: sender,
            kept_ms,
        };
        (store, publisher)
    }

    fn history(&self, relation: usize) -> &RwLock<History> {
        // Relations are numbered by the catalog that sized this store.
        &self.histories[relation]
    }

    /// No more updates will come below this timestamp.
    pub(super) fn frontier(&self) -> u64 {
        *self.frontier.borrow()
    }

    /// Tells of each new frontier.
    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.frontier.clone()
    }

    /// The oldest timestamp at which a relation can be read.
    pub(super) fn since(&self, relation: usize) -> u64 {
        self.history(relation)
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .since
    }

    /// A relation's contents at a closed timestamp, each row with its multiplicity.
    pub(super) fn contents(&self, relation: usize, at: u64) -> Result<Vec<(Row, i64)>, Compacted> {
        let history = self
            .history(relation)
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        if at < history.since {
            return Err(Compacted {
                since: history.since,
            });
        }
        let mut contents = history.base.clone();
        let later: Vec<Arc<Batch>> = history
            .log
            .iter()
            .take_while(|batch| batch.timestamp <= at)
            .map(Arc::clone)
            .collect();
        drop(history);
        for batch in later {
            apply(&mut contents, &batch.updates);
        }
        Ok(contents.into_iter().collect())
    }

    /// What changed at timestamps above `after` and below `below`: the first
    /// `limits::DEMO_COPY_TIMESTAMPS_MAX` of those timestamps.
    pub(super) fn updates(
        &self,
        relation: usize,
        after: u64,
        below: u64,
    ) -> Result<Vec<Arc<Batch>>, Compacted> {
        let history = self
            .history(relation)
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        if after < history.since {
            return Err(Compacted {
                since: history.since,
            });
        }
        let start = history
            .log
            .partition_point(|batch| batch.timestamp <= after);
        Ok(history
            .log
            .range(start..)
            .take_while(|batch| batch.timestamp < below)
            .take(limits::DEMO_COPY_TIMESTAMPS_MAX)
            .map(Arc::clone)
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::value::Value;
    use super::*;

    fn row(n: i64) -> Row {
        Arc::from([Value::BigInt(n)])
    }

    fn sorted(mut rows: Vec<(Row, i64)>) -> Vec<(Row, i64)> {
        rows.sort();
        rows
    }

    #[test]
    fn history_is_consolidated_and_read_at_any_kept_timestamp() {
        let (store, publisher) = Store::new(1, 100, 20);
        let first = vec![
            (row(1), 100, 1),
            (row(2), 100, 2),
            (row(1), 110, -1),
            (row(1), 110, 1),
        ];
        publisher.publish(vec![first], 111);
        publisher.publish(vec![vec![(row(2), 120, -1), (row(3), 120, 1)]], 121);
        assert_eq!(store.since(0), 100);
        assert_eq!(
            sorted(store.contents(0, 110).unwrap()),
            [(row(1), 1), (row(2), 2)]
        );
        let expected = [(row(1), 1), (row(2), 1), (row(3), 1)];
        assert_eq!(sorted(store.contents(0, 120).unwrap()), expected);
        let batches = store.updates(0, 100, 121).unwrap();
        assert_eq!(batches.len(), 1, "the updates at 110 cancel out");
        publisher.publish(vec![vec![]], 131);
        assert_eq!(store.contents(0, 109), Err(Compacted { since: 110 }));
        assert_eq!(
            store.updates(0, 109, 131).unwrap_err(),
            Compacted { since: 110 }
        );
        publisher.publish(vec![vec![]], 200);
        assert_eq!(sorted(store.contents(0, 199).unwrap()), expected);
    }
}
