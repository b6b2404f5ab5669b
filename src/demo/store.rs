//! The recent history of every relation, shared by the dataflow thread that
//! writes it and the connections that read it.
//!
//! A reader is a cursor: it asks for what came after a timestamp, and nothing
//! is queued for it. What falls out of the history is folded into its base, and
//! a cursor older than that base is refused.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::sync::watch;

use super::refresh::{Every, Refreshes};
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

/// How a relation went away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dropped {
    /// By its own name.
    Itself,
    /// With a relation that it read.
    Cascade,
}

/// The history of one relation. Who holds it can read it to its end, also when
/// the relation is gone.
#[derive(Debug)]
pub(super) struct History(RwLock<Contents>);

#[derive(Debug)]
struct Contents {
    /// Contents at `since`.
    base: HashMap<Row, i64>,
    since: u64,
    /// What changed after `since`, ascending.
    log: VecDeque<Arc<Batch>>,
    /// Updates in `log`, which is bounded by them.
    updates: usize,
    /// At which times changes show, if not at their own.
    refreshes: Option<Refreshes>,
    dropped: Option<Dropped>,
}

impl Contents {
    fn append(&mut self, mut updates: Vec<Update>) {
        if let Some(refreshes) = self.refreshes {
            for (_, timestamp, _) in &mut updates {
                *timestamp = refreshes.due(*timestamp);
            }
            self.take_back(&mut updates);
        }
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

    /// Takes the last batch out again if there are more changes of its refresh, which
    /// nobody has seen yet.
    fn take_back(&mut self, updates: &mut Vec<Update>) {
        let last = self.log.back().map(|last| last.timestamp);
        if updates.iter().any(|update| Some(update.1) == last)
            && let Some(last) = self.log.pop_back()
        {
            self.updates -= last.updates.len();
            let again = last.updates.iter();
            updates.extend(again.map(|(row, diff)| (Arc::clone(row), last.timestamp, *diff)));
        }
    }

    /// Forgets what was before `since`, of what shows up to `timestamp`.
    fn compact(&mut self, since: u64, timestamp: u64) {
        self.since = self.since.max(since);
        while let Some(oldest) = self.log.front()
            && oldest.timestamp <= timestamp
        {
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
    /// Appends the updates of each relation, by number, up to a timestamp that
    /// is still open to readers.
    pub(super) fn append(&self, mut updates: BTreeMap<usize, Vec<Update>>, timestamp: u64) {
        let since = timestamp.saturating_sub(self.kept_ms);
        for (number, history) in &*self.store.histories() {
            let mut history = history.write();
            history.append(updates.remove(number).unwrap_or_default());
            history.compact(since, timestamp);
        }
    }

    /// Closes all timestamps below `frontier`.
    pub(super) fn close(&self, frontier: u64) {
        self.frontier.send_replace(frontier);
    }

    /// Adds a relation that has these contents at `since`, when it is refreshed first.
    pub(super) fn create(
        &self,
        number: usize,
        since: u64,
        contents: BTreeMap<Row, i64>,
        every: Option<&Every>,
    ) {
        let refreshes = every.map(|every| Refreshes {
            first: since,
            every_ms: every.ms,
        });
        let history = History::new(since, contents.into_iter().collect(), refreshes);
        let histories = &self.store.histories;
        let mut histories = histories.write().unwrap_or_else(PoisonError::into_inner);
        histories.insert(number, Arc::new(history));
    }

    /// Takes a relation away from all but those who read it already.
    pub(super) fn remove(&self, number: usize, dropped: Dropped) {
        let histories = &self.store.histories;
        let mut histories = histories.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(history) = histories.remove(&number) {
            history.write().dropped = Some(dropped);
        }
    }
}

type Histories = BTreeMap<usize, Arc<History>>;

/// All histories by number, and the frontier up to which they are complete.
#[derive(Debug)]
pub(super) struct Store {
    histories: RwLock<Histories>,
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
    /// A store of `relations` empty histories, numbered from 0, that begin at
    /// `timestamp_start` and reach back `kept_ms`.
    pub(super) fn new(
        relations: usize,
        timestamp_start: u64,
        kept_ms: u64,
    ) -> (Arc<Self>, Publisher) {
        let empty = |number| {
            let history = History::new(timestamp_start, HashMap::new(), None);
            (number, Arc::new(history))
        };
        let (sender, frontier) = watch::channel(timestamp_start);
        let store = Arc::new(Self {
            histories: RwLock::new((0..relations).map(empty).collect()),
            frontier,
        });
        let publisher = Publisher {
            store: Arc::clone(&store),
            frontier: sender,
            kept_ms,
        };
        (store, publisher)
    }

    fn histories(&self) -> RwLockReadGuard<'_, Histories> {
        // A panic of another holder leaves the map whole: it only inserts and
        // removes.
        self.histories
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The history of a relation, unless it was dropped.
    pub(super) fn history(&self, number: usize) -> Option<Arc<History>> {
        self.histories().get(&number).map(Arc::clone)
    }

    /// No more updates will come below this timestamp.
    pub(super) fn frontier(&self) -> u64 {
        *self.frontier.borrow()
    }

    /// Tells of each new frontier.
    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.frontier.clone()
    }
}

impl History {
    fn new(since: u64, base: HashMap<Row, i64>, refreshes: Option<Refreshes>) -> Self {
        Self(RwLock::new(Contents {
            base,
            since,
            log: VecDeque::new(),
            updates: 0,
            refreshes,
            dropped: None,
        }))
    }

    fn read(&self) -> RwLockReadGuard<'_, Contents> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Contents> {
        // A panic of another holder leaves a history whole: only the publisher
        // writes.
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The oldest timestamp at which the relation can be read.
    pub(super) fn since(&self) -> u64 {
        self.read().since
    }

    /// Up to where the relation is known when all others are known up to `frontier`: as
    /// far as the next refresh.
    pub(super) fn frontier(&self, frontier: u64) -> u64 {
        let refreshes = self.read().refreshes;
        refreshes.map_or(frontier, |refreshes| refreshes.due(frontier))
    }

    /// Whether the relation is gone, and how it went.
    pub(super) fn dropped(&self) -> Option<Dropped> {
        self.read().dropped
    }

    /// The contents at a closed timestamp, each row with its multiplicity.
    pub(super) fn contents(&self, at: u64) -> Result<Vec<(Row, i64)>, Compacted> {
        let history = self.read();
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
    pub(super) fn updates(&self, after: u64, below: u64) -> Result<Vec<Arc<Batch>>, Compacted> {
        let history = self.read();
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
mod tests;
