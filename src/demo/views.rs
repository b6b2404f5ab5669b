//! The demo's views as a differential dataflow.
//!
//! The sliding windows are temporal filters: an edit enters with an update of
//! +1 at its own timestamp and one of -1 at the timestamp at which it leaves,
//! which the dataflow holds until time has come that far. So rows go away as
//! time passes, whether or not new edits come.

use std::cell::RefCell;
use std::rc::Rc;

use differential_dataflow::VecCollection;
use differential_dataflow::input::{Input as _, InputSession};
use timely::dataflow::Scope;
use timely::dataflow::operators::probe::Handle as Probe;

use super::catalog::number;
use super::feed::{Edit, Pace, minute_expiry_ms};
use super::operators::{
    Change, Collection, Diff, Timestamp, distinct, flat_map, join, select, summarize,
};
use super::store::Update;
use super::value::{Row, Value};
use crate::limits;

type Edits<'scope> = VecCollection<'scope, Timestamp, Edit, Diff>;

/// Buckets in which the highest counts are found first, so that a change looks
/// at the users of one bucket and not at all.
const TOP_BUCKETS: u64 = 64;

/// Where the dataflow's contents come from.
pub(super) struct Inputs {
    /// The edits, never retracted.
    pub(super) edits: InputSession<Timestamp, Edit, Diff>,
    /// Code, language, family.
    pub(super) wikis: InputSession<Timestamp, Row, Diff>,
    /// One row for ever, without columns: what `counter` shows before the first
    /// edit hangs on it.
    pub(super) unit: InputSession<Timestamp, Row, Diff>,
    /// The catalog's views.
    pub(super) mz_views: InputSession<Timestamp, Row, Diff>,
    /// The frontiers, new at each tick.
    pub(super) mz_frontiers: InputSession<Timestamp, Row, Diff>,
}

impl Inputs {
    /// Moves every input to `timestamp`, which closes what is below.
    pub(super) fn advance_to(&mut self, timestamp: Timestamp) {
        self.edits.advance_to(timestamp);
        self.wikis.advance_to(timestamp);
        self.unit.advance_to(timestamp);
        self.mz_views.advance_to(timestamp);
        self.mz_frontiers.advance_to(timestamp);
    }

    /// Hands what was put in to the dataflow.
    pub(super) fn flush(&mut self) {
        self.edits.flush();
        self.wikis.flush();
        self.unit.flush();
        self.mz_views.flush();
        self.mz_frontiers.flush();
    }
}

/// What the views emitted since it was last taken, by relation number. The
/// dataflow and its driver share one thread.
#[derive(Clone)]
pub(super) struct Outputs(Rc<RefCell<Vec<Vec<Update>>>>);

impl Outputs {
    /// Empty outputs of `relations` relations.
    pub(super) fn new(relations: usize) -> Self {
        Self(Rc::new(RefCell::new(vec![Vec::new(); relations])))
    }

    /// Takes all updates.
    pub(super) fn take(&self) -> Vec<Vec<Update>> {
        self.0.borrow_mut().iter_mut().map(std::mem::take).collect()
    }

    /// Adds an update of a relation that no dataflow computes.
    pub(super) fn push(&self, relation: usize, row: Row, timestamp: Timestamp, diff: i64) {
        // Relation numbers are the catalog's, which sized the outputs.
        self.0.borrow_mut()[relation].push((row, timestamp, diff));
    }

    /// Emits a collection's changes as they come: the history they go into
    /// consolidates what is closed, and no view emits what is not.
    fn connect(&self, relation: usize, probe: &Probe<Timestamp>, collection: Collection<'_>) {
        let outputs = self.clone();
        collection
            .inspect(move |(row, timestamp, diff)| {
                outputs.push(relation, Row::clone(row), *timestamp, diff.rows);
            })
            .probe_with(probe);
    }
}

/// Builds the dataflow of all views.
pub(super) fn build(
    scope: Scope<'_, Timestamp>,
    pace: Pace,
    outputs: &Outputs,
    probe: &Probe<Timestamp>,
) -> Inputs {
    let (edits_input, edits) = scope.new_collection::<Edit, Diff>();
    let [wikis, unit, views, frontiers] = [(); 4].map(|()| scope.new_collection::<Row, Diff>());
    let users = user_edits(edits.clone());
    for (relation, collection) in [
        (
            number::EDITS_BY_LANGUAGE,
            by_language(edits.clone(), wikis.1.clone()),
        ),
        (number::COUNTER, counter(edits.clone(), unit.1)),
        (number::USER_EDITS, users.clone()),
        (number::TOP10, top(users)),
        (number::PAGE_EDITS, page_edits(edits.clone())),
        (number::EDITS_PER_MINUTE, per_minute(edits.clone(), pace)),
        (number::HOT_PAGES, hot_pages(edits, pace)),
        (number::WIKIS, wikis.1),
        (number::MZ_VIEWS, views.1),
        (number::MZ_FRONTIERS, frontiers.1),
    ] {
        outputs.connect(relation, probe, collection);
    }
    Inputs {
        edits: edits_input,
        wikis: wikis.0,
        unit: unit.0,
        mz_views: views.0,
        mz_frontiers: frontiers.0,
    }
}

fn numeric(sum: i64) -> Value {
    Value::Numeric(i128::from(sum))
}

/// `row` and `more` columns.
fn extended(row: &Row, more: impl IntoIterator<Item = Value>) -> Row {
    row.iter().cloned().chain(more).collect()
}

/// What an edit adds to the sums of its group.
fn edit_diff(edit: &Edit, diff: Diff) -> Diff {
    // An isize is no wider than an i64 on any platform.
    let bytes = diff.rows * edit.bytes as i64;
    Diff { bytes, ..diff }
}

/// User of each edit that has one.
fn users(edits: Edits<'_>) -> Collection<'_> {
    flat_map(
        edits,
        Box::new(|edit, timestamp, diff, out| {
            out.extend(
                edit.user
                    .map(|user| (Row::from([Value::text(user)]), timestamp, diff)),
            );
        }),
    )
}

/// User, edits.
fn user_edits(edits: Edits<'_>) -> Collection<'_> {
    summarize(
        users(edits),
        Box::new(|user, sums| Some(extended(user, [Value::BigInt(sums.rows)]))),
    )
}

/// User (NULL for all without a name), wiki, page, edits, their bytes.
fn page_edits(edits: Edits<'_>) -> Collection<'_> {
    let by_page = flat_map(
        edits,
        Box::new(|edit, timestamp, diff, out| {
            let user = edit.user.as_ref().map_or(Value::Null, Value::text);
            let page = [user, Value::text(&edit.wiki), Value::text(&edit.page)];
            out.push((Row::from(page), timestamp, edit_diff(&edit, diff)));
        }),
    );
    summarize(
        by_page,
        Box::new(|page, sums| {
            let sums = [Value::BigInt(sums.rows), numeric(sums.bytes)];
            Some(extended(page, sums))
        }),
    )
}

/// Edits, their bytes, distinct users; (0, NULL, 0) before the first edit.
fn counter<'scope>(edits: Edits<'scope>, unit: Collection<'scope>) -> Collection<'scope> {
    let totals = flat_map(
        edits.clone(),
        Box::new(|edit, timestamp, diff, out| {
            out.push((Row::default(), timestamp, edit_diff(&edit, diff)));
        }),
    );
    let editors = flat_map(
        distinct(users(edits)),
        Box::new(|_, timestamp, diff, out| {
            out.push((Row::default(), timestamp, diff.as_editors()));
        }),
    );
    let counted = summarize(
        totals.concat(editors),
        Box::new(|_, sums| {
            Some(Row::from([
                Value::BigInt(sums.rows),
                numeric(sums.bytes),
                Value::BigInt(sums.editors),
            ]))
        }),
    );
    let none = Row::from([Value::BigInt(0), Value::Null, Value::BigInt(0)]);
    let hidden = Row::clone(&none);
    let missing = flat_map(
        unit,
        Box::new(move |_, timestamp, diff, out| {
            out.push((Row::clone(&none), timestamp, diff));
        }),
    );
    let hides = flat_map(
        counted.clone(),
        Box::new(move |_, timestamp, diff, out| {
            out.push((Row::clone(&hidden), timestamp, diff.negated()));
        }),
    );
    counted.concat(missing).concat(hides)
}

/// The users with the highest counts, ties broken by name.
fn top(users: Collection<'_>) -> Collection<'_> {
    // Values reach a selection in ascending order: negated counts put the
    // highest first, and then the names.
    let ranked = flat_map(
        users,
        Box::new(|row, timestamp, diff, out| {
            // The only shape of a row of `users`.
            if let [Value::Text(user), Value::BigInt(count)] = &*row {
                let user_bucket = Value::Unsigned(bucket(user));
                let values = [
                    user_bucket,
                    Value::BigInt(-count),
                    Value::Text(user.clone()),
                ];
                out.push((Row::from(values), timestamp, diff));
            }
        }),
    );
    let highest = |input: &[(&Row, Diff)]| {
        let rows = input.iter().map(|(row, _)| Row::clone(row));
        rows.take(limits::DEMO_TOP_USERS).collect()
    };
    let candidates = select(ranked, 1, Box::new(highest));
    flat_map(
        select(candidates, 0, Box::new(highest)),
        Box::new(|row, timestamp, diff, out| {
            // The only shape of a row of `ranked` after its bucket.
            if let [Value::BigInt(negated), user] = &*row {
                let row = Row::from([user.clone(), Value::BigInt(-negated)]);
                out.push((row, timestamp, diff));
            }
        }),
    )
}

fn bucket(user: &str) -> u64 {
    // Any function of the name will do; this one spreads names evenly enough.
    user.bytes().fold(0_u64, |hash, byte| {
        hash.wrapping_mul(31).wrapping_add(u64::from(byte))
    }) % TOP_BUCKETS
}

/// Language, family, edits, bytes of each wiki that has edits: the join of the
/// two data sets.
fn by_language<'scope>(edits: Edits<'scope>, wikis: Collection<'scope>) -> Collection<'scope> {
    let edits = flat_map(
        edits,
        Box::new(|edit, timestamp, diff, out| {
            let wiki = Row::from([Value::text(&edit.wiki)]);
            out.push((wiki, timestamp, edit_diff(&edit, diff)));
        }),
    );
    // Aggregated before the join, so that the join holds 51 rows and not all edits.
    let sums = summarize(
        edits,
        Box::new(|wiki, sums| {
            let sums = [Value::BigInt(sums.rows), numeric(sums.bytes)];
            Some(extended(wiki, sums))
        }),
    );
    join(
        sums,
        wikis,
        1,
        Box::new(|sums, names| extended(names, sums.iter().cloned())),
    )
}

/// Minute and edits of the last minutes of event time.
fn per_minute(edits: Edits<'_>, pace: Pace) -> Collection<'_> {
    let shown = flat_map(
        edits,
        Box::new(move |edit, timestamp, diff, out| {
            // Milliseconds since 1970 are far below the bound of an i64.
            let minute = (edit.event_ms / 60_000 * 60_000) as i64;
            let row = Row::from([Value::Timestamp(minute)]);
            let leaves = pace.timestamp_at(minute_expiry_ms(edit.event_ms));
            stay((row, timestamp, diff), leaves, out);
        }),
    );
    summarize(
        shown,
        Box::new(|minute, sums| Some(extended(minute, [Value::BigInt(sums.rows)]))),
    )
}

/// Page, wiki, editors, edits of pages that several users edited recently.
fn hot_pages(edits: Edits<'_>, pace: Pace) -> Collection<'_> {
    let expiry = move |edit: &Edit| pace.timestamp_at(pace.hot_expiry_ms(edit.event_ms));
    let recent = flat_map(
        edits.clone(),
        Box::new(move |edit, timestamp, diff, out| {
            let page = Row::from([&edit.page, &edit.wiki].map(Value::text));
            stay((page, timestamp, diff), expiry(&edit), out);
        }),
    );
    let recent_users = flat_map(
        edits,
        Box::new(move |edit, timestamp, diff, out| {
            if let Some(user) = &edit.user {
                let row = Row::from([&edit.page, &edit.wiki, user].map(Value::text));
                stay((row, timestamp, diff), expiry(&edit), out);
            }
        }),
    );
    let editors = flat_map(
        distinct(recent_users),
        Box::new(|row, timestamp, diff, out| {
            let page = row.iter().take(2).cloned().collect();
            out.push((page, timestamp, diff.as_editors()));
        }),
    );
    summarize(
        recent.concat(editors),
        Box::new(|page, sums| {
            let counts = [sums.editors, sums.rows].map(Value::BigInt);
            (sums.editors > 1).then(|| extended(page, counts))
        }),
    )
}

/// The temporal filter: what comes in leaves again at the timestamp `leaves`.
fn stay((row, timestamp, diff): Change, leaves: Timestamp, out: &mut Vec<Change>) {
    // What has left before it came in never shows.
    if leaves > timestamp {
        out.push((Row::clone(&row), timestamp, diff));
        out.push((row, leaves, diff.negated()));
    }
}
