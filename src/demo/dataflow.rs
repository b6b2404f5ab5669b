//! Drives the dataflow: one tick, one timestamp.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Instant;

use timely::dataflow::operators::probe::Handle as Probe;

use super::DemoDialect;
use super::catalog::{Catalog, DATABASE, Kind, SCHEMAS, number};
use super::feed::{Feed, Pace, Recording};
use super::operators::Diff;
use super::store::Publisher;
use super::value::{Row, Value};
use super::views::{Inputs, Outputs, build};
use crate::limits;

/// What the dataflow thread needs.
pub(super) struct Plan {
    /// Both data sets.
    pub(super) recording: Arc<Recording>,
    /// Ticks, timestamps, event time.
    pub(super) pace: Pace,
    /// Edits that are in at tick 0.
    pub(super) seed: u64,
    /// The relations.
    pub(super) catalog: Arc<Catalog>,
    /// Where the views' histories go.
    pub(super) publisher: Publisher,
}

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
        let outputs = Outputs::new(plan.catalog.relations.len());
        let probe = Probe::new();
        let inputs =
            worker.dataflow::<u64, _, _>(|scope| build(scope, plan.pace, &outputs, &probe));
        let mut driver = Driver {
            feed: Feed::starting_at(Arc::clone(&plan.recording), plan.pace, plan.seed, 0),
            frontiers: Vec::new(),
            inputs,
            outputs,
            plan,
        };
        driver.start();
        Self {
            worker,
            probe,
            driver,
        }
    }

    /// Closes all timestamps up to that of `tick` and publishes what changed.
    pub(super) fn advance(&mut self, tick: u64) {
        let frontier = self.driver.tick_until(tick);
        let probe = &self.probe;
        self.worker.step_while(|| probe.less_than(&frontier));
        self.driver
            .plan
            .publisher
            .publish(self.driver.outputs.take(), frontier);
    }
}

struct Driver {
    plan: Plan,
    feed: Feed,
    inputs: Inputs,
    outputs: Outputs,
    /// What `mz_frontiers` holds at present.
    frontiers: Vec<Row>,
}

impl Driver {
    /// Puts in what stands from the first tick on.
    fn start(&mut self) {
        let start = self.plan.pace.timestamp_start;
        self.inputs.advance_to(start);
        self.inputs.unit.update(Row::default(), Diff::ONE);
        for wiki in &self.plan.recording.wikis {
            let row = [&wiki.code, &wiki.language, &wiki.family].map(Value::text);
            self.inputs.wikis.update(Arc::from(row), Diff::ONE);
        }
        let catalog = Arc::clone(&self.plan.catalog);
        for relation in &catalog.relations {
            if relation.kind == Kind::MaterializedView {
                let row = [
                    Value::text(&relation.id),
                    Value::Oid(relation.oid),
                    Value::text(schema_id(relation.schema)),
                    Value::text(relation.name),
                    Value::text(relation.definition),
                ];
                self.inputs.mz_views.update(Arc::from(row), Diff::ONE);
            }
        }
        for (relation, row) in static_rows(&catalog) {
            self.outputs.push(relation, row, start, 1);
        }
    }

    /// Puts in all edits up to `tick` and the frontiers as of `tick`; returns
    /// the frontier, below which everything is in.
    fn tick_until(&mut self, tick: u64) -> u64 {
        while let Some((edit, timestamp)) = self.feed.next_until(tick) {
            self.inputs.edits.update_at(edit, timestamp, Diff::ONE);
        }
        let timestamp = self.plan.pace.timestamp(tick);
        let store = &self.plan.publisher.store;
        let relations = self.plan.catalog.relations.iter().enumerate();
        let rows = relations
            .map(|(number, relation)| {
                Row::from([
                    Value::text(&relation.id),
                    Value::Unsigned(store.since(number)),
                    Value::Unsigned(timestamp + 1),
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
}

fn schema_id(schema: &str) -> &'static str {
    SCHEMAS
        .iter()
        .find(|(_, name)| *name == schema)
        .map_or("u3", |(id, _)| id)
}

/// The rows of the catalog relations that never change.
fn static_rows(catalog: &Catalog) -> Vec<(usize, Row)> {
    let mut rows: Vec<(usize, Row)> = Vec::new();
    let (view, position): (&str, fn(u64) -> Value) = match catalog.dialect {
        DemoDialect::Subscribe => ("materialized-view", Value::Unsigned),
        DemoDialect::Tail => ("view", |n| {
            Value::BigInt(i64::try_from(n).unwrap_or(i64::MAX))
        }),
    };
    for relation in &catalog.relations {
        let kind = if relation.kind == Kind::Table {
            "table"
        } else {
            view
        };
        rows.push((
            number::MZ_OBJECTS,
            Arc::from([
                Value::text(&relation.id),
                Value::Oid(relation.oid),
                Value::text(schema_id(relation.schema)),
                Value::text(relation.name),
                Value::text(kind),
            ]),
        ));
        for (column, at) in relation.columns.iter().zip(1_u64..) {
            rows.push((
                number::MZ_COLUMNS,
                Arc::from([
                    Value::text(&relation.id),
                    Value::text(&column.name),
                    position(at),
                    Value::Bool(column.nullable),
                    Value::text(column.kind.name()),
                    Value::Oid(column.kind.oid()),
                ]),
            ));
        }
    }
    for (id, name) in SCHEMAS {
        let database = if name == "public" {
            Value::text("u1")
        } else {
            Value::Null
        };
        let row = [Value::text(id), database, Value::text(name)];
        rows.push((number::MZ_SCHEMAS, Arc::from(row)));
    }
    let database = [Value::text("u1"), Value::text(DATABASE)];
    rows.push((number::MZ_DATABASES, Arc::from(database)));
    rows
}
