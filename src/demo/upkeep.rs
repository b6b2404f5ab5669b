//! Views that clients created: kept up to date from the changes of what they
//! read, without a dataflow of their own.
//!
//! The SELECTs that the stand-in knows read one relation, so a change of it
//! either goes through, or moves a count, or moves the first rows of an order.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::plan::SelectPlan;
use super::store::Update;
use super::value::{Row, Value};

/// A created view and what is needed to keep it up to date.
pub(super) struct Upkeep {
    plan: Arc<SelectPlan>,
    state: State,
}

enum State {
    /// Each change goes through by itself.
    Rows,
    /// The rows that pass.
    Counted(i64),
    /// All rows that pass, of which the first ones show.
    First(Vec<(Row, i64)>),
}

impl Upkeep {
    /// Begins with the contents of the relation that the view reads; returns
    /// the view's own contents, too.
    pub(super) fn start(
        plan: Arc<SelectPlan>,
        source: &[(Row, i64)],
    ) -> (Self, BTreeMap<Row, i64>) {
        let state = match plan.limit {
            _ if plan.counts => State::Counted(0),
            Some(_) => State::First(Vec::new()),
            None => State::Rows,
        };
        let mut upkeep = Self { plan, state };
        let mut contents = upkeep.shown();
        let changes = source.iter().map(|(row, diff)| (row, *diff));
        for (row, diff) in upkeep.step(changes.collect()) {
            *contents.entry(row).or_default() += diff;
        }
        contents.retain(|_, count| *count != 0);
        (upkeep, contents)
    }

    /// The relation that the view reads.
    pub(super) fn source(&self) -> usize {
        self.plan.source
    }

    /// What the changes of the relation change in the view.
    pub(super) fn follow(&mut self, source: &[Update]) -> Vec<Update> {
        let mut by_timestamp: BTreeMap<u64, Vec<(&Row, i64)>> = BTreeMap::new();
        for (row, timestamp, diff) in source {
            by_timestamp
                .entry(*timestamp)
                .or_default()
                .push((row, *diff));
        }
        let mut updates = Vec::new();
        for (timestamp, changes) in by_timestamp {
            let step = self.step(changes).into_iter();
            updates.extend(step.map(|(row, diff)| (row, timestamp, diff)));
        }
        updates
    }

    /// What shows while no row is there.
    fn shown(&self) -> BTreeMap<Row, i64> {
        match &self.state {
            State::Counted(count) => BTreeMap::from([(count_row(*count), 1)]),
            State::Rows | State::First(_) => BTreeMap::new(),
        }
    }

    /// All changes of one timestamp.
    fn step(&mut self, changes: Vec<(&Row, i64)>) -> Vec<(Row, i64)> {
        let plan = &self.plan;
        let passing = changes.into_iter().filter(|(row, _)| plan.passes(row, &[]));
        match &mut self.state {
            State::Rows => passing
                .map(|(row, diff)| (plan.project(row), diff))
                .collect(),
            State::Counted(count) => {
                let before = *count;
                *count += passing.map(|(_, diff)| diff).sum::<i64>();
                vec![(count_row(before), -1), (count_row(*count), 1)]
            }
            State::First(rows) => {
                let mut changes = first(plan, rows, -1);
                for (row, diff) in passing {
                    change(plan, rows, row, diff);
                }
                rows.retain(|(_, count)| *count != 0);
                changes.extend(first(plan, rows, 1));
                changes
            }
        }
    }
}

fn count_row(count: i64) -> Row {
    Row::from([Value::BigInt(count)])
}

/// Changes the multiplicity of a row in a list that is sorted as the view asks,
/// and by the whole row among equals, so that it is the same list each time.
fn change(plan: &SelectPlan, rows: &mut Vec<(Row, i64)>, row: &Row, diff: i64) {
    let place =
        rows.binary_search_by(|(held, _)| plan.compare(held, row).then_with(|| held.cmp(row)));
    match place {
        // The search gave the index.
        Ok(index) => rows[index].1 += diff,
        Err(index) => rows.insert(index, (Row::clone(row), diff)),
    }
}

/// The rows that show, each with its multiplicity times `sign`.
fn first(plan: &SelectPlan, rows: &[(Row, i64)], sign: i64) -> Vec<(Row, i64)> {
    let mut left = plan
        .limit
        .map_or(i64::MAX, |limit| i64::try_from(limit).unwrap_or(i64::MAX));
    let mut shown = Vec::new();
    for (row, count) in rows {
        if left <= 0 {
            break;
        }
        shown.push((plan.project(row), sign * left.min(*count)));
        left -= count;
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::super::ast::{Definition, Statement};
    use super::super::catalog::Catalog;
    use super::super::dialect::DemoDialect;
    use super::super::parser::parse;
    use super::*;

    fn user(name: &str, count: i64) -> Row {
        Row::from([Value::text(name), Value::BigInt(count)])
    }

    /// The plan of a view over `user_edits`: user, count.
    fn plan(query: &str) -> Arc<SelectPlan> {
        let statements = parse(&format!("CREATE VIEW v AS {query}")).unwrap();
        let [Statement::Define(definition)] = &statements[..] else {
            panic!("{statements:?}");
        };
        let Definition::Create(create) = &**definition else {
            panic!("{definition:?}");
        };
        assert_eq!(create.definition, query);
        let catalog = Catalog::new(DemoDialect::Subscribe);
        Arc::new(SelectPlan::new(&catalog, &create.query).unwrap())
    }

    /// Contents that follow from a start and updates, timestamps left out.
    fn run(query: &str, start: &[(Row, i64)], updates: &[Update]) -> Vec<(Row, i64)> {
        let (mut upkeep, mut contents) = Upkeep::start(plan(query), start);
        assert!(contents.values().all(|count| *count > 0), "{contents:?}");
        for (row, _, diff) in upkeep.follow(updates) {
            *contents.entry(row).or_default() += diff;
        }
        contents.retain(|_, count| *count != 0);
        contents.into_iter().collect()
    }

    #[test]
    fn created_views_follow_what_they_read() {
        let start = [(user("a", 3), 1), (user("b", 9), 2)];
        let updates = [
            (user("b", 9), 7, -1),
            (user("c", 12), 7, 1),
            (user("c", 12), 8, -1),
            (user("d", 4), 8, 1),
        ];
        let all = run("SELECT * FROM user_edits", &start, &updates);
        assert_eq!(
            all,
            [(user("a", 3), 1), (user("b", 9), 1), (user("d", 4), 1)]
        );
        let some = run(
            "SELECT count AS n FROM user_edits WHERE \"user\" <> 'a'",
            &start,
            &updates,
        );
        let [four, nine] = [4, 9].map(|n| (Row::from([Value::BigInt(n)]), 1));
        assert_eq!(some, [four, nine]);
        let counted = run("SELECT count(*) FROM user_edits", &start, &updates);
        assert_eq!(counted, [(count_row(3), 1)]);
        let none = run("SELECT count(*) FROM user_edits", &[], &[]);
        assert_eq!(none, [(count_row(0), 1)]);
        let first = "SELECT \"user\" FROM user_edits ORDER BY count DESC LIMIT 2";
        let name = |name: &str| (Row::from([Value::text(name)]), 1);
        let two = (Row::from([Value::text("b")]), 2);
        assert_eq!(run(first, &start, &[]), [two]);
        assert_eq!(run(first, &start, &updates), [name("b"), name("d")]);
    }
}
