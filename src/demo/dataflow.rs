//! Drives the dataflow: one tick, one timestamp. Definitions take effect at a
//! tick, too, so that every relation is what it is at a timestamp.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Instant;

use timely::dataflow::operators::probe::Handle as Probe;

use tokio::sync::{mpsc, oneshot};

use super::catalog::number;
use super::catalog::{Catalog, SharedCatalog};
use super::catalog_rows::{altered, database_row, missing, object_rows, schema_rows, view_row};
use super::define::{Inserted, Request};
use super::feed::{Pace, Recording};
use super::live_feed::Edits;
use super::operators::Diff;
use super::relation::Relation;
use super::sql_error::SqlError;
use super::store::{Dropped, Publisher, Update};
use super::upkeep::Upkeep;
use super::value::{Row, Value, fitted};
use super::views::{Inputs, Outputs, build};
use crate::limits;

/// What the dataflow thread needs.
pub(super) struct Plan {
    /// Both data sets.
    pub(super) recording: Arc<Recording>,
    /// Ticks, timestamps, event time.
    pub(super) pace: Pace,
    /// The edits.
    pub(super) edits: Edits,
    /// The relations.
    pub(super) catalog: Arc<SharedCatalog>,
    /// What clients ask to be created and dropped.
    pub(super) requests: mpsc::Receiver<Request>,
    /// Where the views' histories go.
    pub(super) publisher: Publisher,
}

/// Who waits for the end of a definition.
type Waiting = (oneshot::Sender<Result<(), SqlError>>, Result<(), SqlError>);

/// Runs until `stop` receives or its sender is gone. Calls `ready` once tick 0
/// is readable.
pub(super) fn run(plan: Plan, stop: &Receiver<()>, ready: impl FnOnce()) {
    let pace = plan.pace;
    let started = Instant::now();
    let mut dataflow = Dataflow::new(plan);
    dataflow.advance(0);
    ready();
    let mut tick = 0;
    loop {
        match stop.recv_timeout(pace.tick_start(tick + 1).saturating_sub(started.elapsed())) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
        }
        let due = pace.tick_after(started.elapsed()).max(tick + 1);
        tick = due.min(tick + limits::DEMO_CATCH_UP_TICKS_MAX);
        dataflow.advance(tick);
    }
}

/// The dataflow on its one worker. The worker stays on this thread and is
/// stepped by hand, so that nothing runs between two ticks.
pub(super) struct Dataflow {
    worker: timely::worker::Worker,
    probe: Probe<u64>,
    driver: Driver,
}

impl Dataflow {
    /// Builds the dataflow and puts in what stands from the first tick on.
    pub(super) fn new(plan: Plan) -> Self {
        let allocator = timely::communication::Allocator::Thread(
            timely::communication::allocator::Thread::default(),
        );
        let config = timely::WorkerConfig::default();
        let mut worker = timely::worker::Worker::new(config, allocator, Some(Instant::now()));
        let catalog = plan.catalog.current();
        let outputs = Outputs::new(catalog.relations.len());
        let probe = Probe::new();
        let inputs =
            worker.dataflow::<u64, _, _>(|scope| build(scope, plan.pace, &outputs, &probe));
        let mut driver = Driver {
            frontiers: Vec::new(),
            catalog: Arc::new(Catalog {
                relations: BTreeMap::new(),
                schemas: Vec::new(),
                ..Catalog::clone(&catalog)
            }),
            created: BTreeMap::new(),
            inputs,
            outputs,
            plan,
        };
        driver.start(catalog);
        Self {
            worker,
            probe,
            driver,
        }
    }

    /// Closes all timestamps up to that of `tick` and publishes what changed.
    pub(super) fn advance(&mut self, tick: u64) {
        let driver = &mut self.driver;
        let (defined, inserted, waiting) = driver.defined();
        let before = driver.describe(defined, driver.plan.pace.timestamp(tick));
        let frontier = driver.tick_until(tick);
        let probe = &self.probe;
        self.worker.step_while(|| probe.less_than(&frontier));
        driver.publish(&before, inserted, frontier - 1);
        for (reply, outcome) in waiting {
            // Whoever asked may be gone.
            let _ = reply.send(outcome);
        }
    }
}

struct Driver {
    plan: Plan,
    inputs: Inputs,
    outputs: Outputs,
    /// What `mz_frontiers` holds at present.
    frontiers: Vec<Row>,
    /// The catalog at the tick to come.
    catalog: Arc<Catalog>,
    /// The views that clients created, in the order in which they did: each
    /// reads earlier ones only.
    created: BTreeMap<usize, Upkeep>,
}

impl Driver {
    /// Puts in what stands from the first tick on.
    fn start(&mut self, catalog: Arc<Catalog>) {
        let start = self.plan.pace.timestamp_start;
        self.inputs.advance_to(start);
        self.inputs.unit.update(Row::default(), Diff::ONE);
        for wiki in &self.plan.recording.wikis {
            let row = [&wiki.code, &wiki.language, &wiki.family].map(Value::text);
            self.inputs.wikis.update(Arc::from(row), Diff::ONE);
        }
        self.outputs
            .push(number::MZ_DATABASES, database_row(), start, 1);
        self.describe(catalog, start);
    }

    /// The catalog after all definitions that wait.
    fn defined(&mut self) -> (Arc<Catalog>, Inserted, Vec<Waiting>) {
        let mut catalog = Catalog::clone(&self.catalog);
        let (mut inserted, mut waiting) = (Inserted::new(), Vec::new());
        while waiting.len() < limits::DEMO_DEFINITIONS_WAITING_MAX
            && let Ok(request) = self.plan.requests.try_recv()
        {
            let outcome = catalog.define(&request.definition);
            waiting.push((request.reply, outcome.map(|rows| inserted.extend(rows))));
        }
        (Arc::new(catalog), inserted, waiting)
    }

    /// Makes the catalog's relations say at a timestamp what is in the catalog
    /// then; returns the catalog before.
    fn describe(&mut self, after: Arc<Catalog>, timestamp: u64) -> Arc<Catalog> {
        let before = std::mem::replace(&mut self.catalog, after);
        let after = Arc::clone(&self.catalog);
        let out = Diff::ONE.negated();
        for (_, relation) in missing(&before, &after) {
            self.describe_relation(&before, relation, timestamp, out);
        }
        for (_, relation) in missing(&after, &before) {
            self.describe_relation(&after, relation, timestamp, Diff::ONE);
        }
        for (_, held, relation) in altered(&before, &after) {
            self.describe_relation(&before, held, timestamp, out);
            self.describe_relation(&after, relation, timestamp, Diff::ONE);
        }
        if before.schemas != after.schemas {
            for (catalog, diff) in [(&before, -1), (&after, 1)] {
                for row in schema_rows(catalog) {
                    self.outputs.push(number::MZ_SCHEMAS, row, timestamp, diff);
                }
            }
        }
        before
    }

    fn describe_relation(
        &mut self,
        catalog: &Catalog,
        relation: &Relation,
        timestamp: u64,
        diff: Diff,
    ) {
        if let Some(row) = view_row(catalog, relation) {
            self.inputs.mz_views.update_at(row, timestamp, diff);
        }
        for (number, row) in object_rows(catalog, relation) {
            self.outputs.push(number, row, timestamp, diff.rows);
        }
    }

    /// Puts in all edits up to `tick` and the frontiers as of `tick`; returns
    /// the frontier, below which everything is in.
    fn tick_until(&mut self, tick: u64) -> u64 {
        while let Some((edit, timestamp)) = self.plan.edits.next_until(tick) {
            self.inputs.edits.update_at(edit, timestamp, Diff::ONE);
        }
        let timestamp = self.plan.pace.timestamp(tick);
        let store = &self.plan.publisher.store;
        let frontiers = |number: &usize| match store.history(*number) {
            Some(history) => (history.since(), history.frontier(timestamp + 1)),
            // What is being created can be read from now on.
            None => (timestamp, timestamp + 1),
        };
        let relations = self.catalog.relations.iter();
        let rows = relations
            .map(|(number, relation)| {
                let (since, upper) = frontiers(number);
                Row::from([
                    Value::text(&relation.id),
                    Value::Unsigned(since),
                    Value::Unsigned(upper),
                ])
            })
            .collect();
        let frontiers = &mut self.inputs.mz_frontiers;
        for row in std::mem::replace(&mut self.frontiers, rows) {
            frontiers.update_at(row, timestamp, Diff::ONE.negated());
        }
        for row in &self.frontiers {
            frontiers.update_at(Row::clone(row), timestamp, Diff::ONE);
        }
        self.inputs.advance_to(timestamp + 1);
        self.inputs.flush();
        timestamp + 1
    }

    /// Publishes what changed up to a timestamp, and the catalog since `before`.
    fn publish(&mut self, before: &Catalog, inserted: Inserted, timestamp: u64) {
        let catalog = Arc::clone(&self.catalog);
        for (number, _) in missing(before, &catalog) {
            self.created.remove(&number);
        }
        let outputs = self.outputs.take().into_iter();
        let mut updates: BTreeMap<usize, Vec<Update>> = outputs.enumerate().collect();
        for (number, row) in inserted {
            updates.entry(number).or_default().push((row, timestamp, 1));
        }
        let replaced = self.replaced(before, timestamp);
        for (number, view) in &mut self.created {
            let source = updates.get(&view.source());
            let changes = source.map(|source| view.follow(source));
            updates.insert(*number, changes.unwrap_or_default());
        }
        for (number, difference) in replaced {
            updates.entry(number).or_default().extend(difference);
        }
        let publisher = &self.plan.publisher;
        publisher.append(updates, timestamp);
        for (number, relation) in missing(&catalog, before) {
            let Some(plan) = &relation.plan else {
                // Its first rows come after whoever created it was answered.
                publisher.create(number, timestamp, BTreeMap::new(), None);
                continue;
            };
            // What it reads has a lower number and is there, and its history
            // reaches to this timestamp.
            let source = self.contents(plan.source, timestamp);
            let (view, contents) = Upkeep::start(Arc::clone(plan), &source);
            let every = relation.refresh.as_ref();
            publisher.create(number, timestamp, contents, every);
            self.created.insert(number, view);
        }
        for (number, relation) in missing(before, &catalog) {
            let plan = relation.plan.as_ref();
            let cascades = plan.is_some_and(|it| !catalog.relations.contains_key(&it.source));
            let dropped = if cascades {
                Dropped::Cascade
            } else {
                Dropped::Itself
            };
            publisher.remove(number, dropped);
        }
        // Before the timestamp is closed: who reads of a new view there finds it.
        self.plan.catalog.replace(catalog);
        publisher.close(timestamp + 1);
    }

    /// The rows of a relation as wide as its columns are now.
    fn contents(&self, number: usize, at: u64) -> Vec<(Row, i64)> {
        let history = self.plan.publisher.store.history(number);
        let rows = history.and_then(|it| it.contents(at).ok());
        let width = self.catalog.relations.get(&number);
        let width = width.map_or(0, |relation| relation.columns.len());
        let fitted = |(row, count): (Row, i64)| (fitted(&row, width), count);
        rows.unwrap_or_default().into_iter().map(fitted).collect()
    }

    /// What the views whose definition was replaced show from this timestamp on
    /// beside what they showed until then: one difference each.
    fn replaced(&mut self, before: &Catalog, timestamp: u64) -> BTreeMap<usize, Vec<Update>> {
        let catalog = Arc::clone(&self.catalog);
        let last = self.plan.publisher.store.frontier().saturating_sub(1);
        let mut replaced = BTreeMap::new();
        for (number, held, relation) in altered(before, &catalog) {
            let (Some(held), Some(plan)) = (&held.plan, &relation.plan) else {
                continue;
            };
            if Arc::ptr_eq(held, plan) {
                continue;
            }
            let source = self.contents(plan.source, last);
            let (view, contents) = Upkeep::start(Arc::clone(plan), &source);
            let shown = self.contents(number, last).into_iter();
            let mut updates: Vec<Update> = shown.map(|(row, n)| (row, timestamp, -n)).collect();
            updates.extend(contents.into_iter().map(|(row, n)| (row, timestamp, n)));
            self.created.insert(number, view);
            replaced.insert(number, updates);
        }
        replaced
    }
}
