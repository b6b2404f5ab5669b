//! The demo's views as a differential dataflow.
//!
//! The sliding windows are temporal filters: an edit enters with an update of
//! +1 at its own timestamp and one of -1 at the timestamp at which it leaves,
//! which the dataflow holds until time has come that far. So rows go away as
//! time passes, whether or not new edits come.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use differential_dataflow::input::{Input as _, InputSession};
use differential_dataflow::{AsCollection as _, ExchangeData, Hashable, VecCollection};
use timely::dataflow::Scope;
use timely::dataflow::operators::probe::Handle as Probe;
use timely::dataflow::operators::vec::Map as _;

use super::catalog::number;
use super::feed::{Edit, Pace, hot_expiry_ms, minute_expiry_ms};
use super::store::Update;
use super::value::{Row, Value};
use crate::limits;

type Timestamp = u64;
type Collection<'scope, D> = VecCollection<'scope, Timestamp, D, isize>;

/// Buckets in which the highest counts are found first, so that a change looks
/// at the users of one bucket and not at all.
const TOP_BUCKETS: u64 = 64;

/// A row of `mz_views`: id, oid, schema_id, name, definition.
pub(super) type ViewRow = (String, u32, String, String, String);

/// A row of `mz_frontiers`: object_id, read_frontier, write_frontier.
pub(super) type FrontierRow = (String, u64, u64);

/// Where the dataflow's contents come from.
pub(super) struct Inputs {
    /// The edits, never retracted.
    pub(super) edits: InputSession<Timestamp, Edit, isize>,
    /// Code, language, family.
    pub(super) wikis: InputSession<Timestamp, (String, String, String), isize>,
    /// One row for ever: what `counter` shows before the first edit hangs on it.
    pub(super) unit: InputSession<Timestamp, (), isize>,
    /// The catalog's views.
    pub(super) mz_views: InputSession<Timestamp, ViewRow, isize>,
    /// The frontiers, new at each tick.
    pub(super) mz_frontiers: InputSession<Timestamp, FrontierRow, isize>,
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

    fn connect<D: ExchangeData + Hashable>(
        &self,
        relation: usize,
        probe: &Probe<Timestamp>,
        collection: Collection<'_, D>,
        row: impl Fn(&D) -> Row + 'static,
    ) {
        let outputs = self.clone();
        collection
            .consolidate()
            .inspect(move |(data, timestamp, diff)| {
                // An isize is no wider than an i64 on any platform.
                outputs.push(relation, row(data), *timestamp, *diff as i64);
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
    let (edits_input, edits) = scope.new_collection::<Edit, isize>();
    let (wikis_input, wikis) = scope.new_collection::<(String, String, String), isize>();
    let (unit_input, unit) = scope.new_collection::<(), isize>();
    let (views_input, views) = scope.new_collection::<ViewRow, isize>();
    let (frontiers_input, frontiers) = scope.new_collection::<FrontierRow, isize>();
    let languages = by_language(edits.clone(), wikis.clone());
    outputs.connect(number::EDITS_BY_LANGUAGE, probe, languages, |row| {
        let (language, family, edits, bytes) = row;
        let [language, family] = [language, family].map(Value::text);
        Arc::from([
            language,
            family,
            bigint(edits),
            Value::Numeric(*bytes as i128),
        ])
    });
    let counted = counter(edits.clone(), unit);
    outputs.connect(
        number::COUNTER,
        probe,
        counted,
        |(edits, bytes, editors)| {
            let bytes = bytes.map_or(Value::Null, |bytes| Value::Numeric(bytes as i128));
            Arc::from([bigint(edits), bytes, bigint(editors)])
        },
    );
    connect_users(edits.clone(), outputs, probe);
    connect_windows(edits, pace, outputs, probe);
    outputs.connect(number::WIKIS, probe, wikis, |(code, language, family)| {
        Arc::from([code, language, family].map(Value::text))
    });
    outputs.connect(number::MZ_VIEWS, probe, views, |row| {
        let (id, oid, schema_id, name, definition) = row;
        let [id, schema_id, name, definition] = [id, schema_id, name, definition].map(Value::text);
        Arc::from([id, Value::Oid(*oid), schema_id, name, definition])
    });
    outputs.connect(
        number::MZ_FRONTIERS,
        probe,
        frontiers,
        |(id, read, write)| {
            Arc::from([
                Value::text(id),
                Value::Unsigned(*read),
                Value::Unsigned(*write),
            ])
        },
    );
    Inputs {
        edits: edits_input,
        wikis: wikis_input,
        unit: unit_input,
        mz_views: views_input,
        mz_frontiers: frontiers_input,
    }
}

/// The views by user, of which one reads the other.
fn connect_users(edits: Collection<'_, Edit>, outputs: &Outputs, probe: &Probe<Timestamp>) {
    let users = edits.flat_map(|edit| edit.user).count();
    let row = |(user, count): &(String, isize)| Row::from([Value::text(user), bigint(count)]);
    outputs.connect(number::USER_EDITS, probe, users.clone(), row);
    outputs.connect(number::TOP10, probe, top(users), row);
}

/// The views over sliding windows.
fn connect_windows(
    edits: Collection<'_, Edit>,
    pace: Pace,
    outputs: &Outputs,
    probe: &Probe<Timestamp>,
) {
    let minutes = per_minute(edits.clone(), pace);
    outputs.connect(
        number::EDITS_PER_MINUTE,
        probe,
        minutes,
        |(minute, edits)| {
            // Minutes since 1970 are far below the bound of an i64.
            Arc::from([Value::Timestamp((minute * 60_000) as i64), bigint(edits)])
        },
    );
    outputs.connect(number::HOT_PAGES, probe, hot_pages(edits, pace), |row| {
        let (page, wiki, editors, edits) = row;
        Arc::from([
            Value::text(page),
            Value::text(wiki),
            bigint(editors),
            bigint(edits),
        ])
    });
}

fn bigint(count: &isize) -> Value {
    // An isize is no wider than an i64 on any platform.
    Value::BigInt(*count as i64)
}

/// Edits, their bytes, distinct users; (0, NULL, 0) before the first edit.
fn counter<'scope>(
    edits: Collection<'scope, Edit>,
    unit: Collection<'scope, ()>,
) -> Collection<'scope, (isize, Option<isize>, isize)> {
    let totals = edits
        .clone()
        .explode(|edit| Some(((), (1_isize, (edit.bytes, 0_isize)))));
    let editors = edits
        .flat_map(|edit| edit.user)
        .distinct()
        .explode(|_| Some(((), (0_isize, (0_isize, 1_isize)))));
    let counted = totals
        .concat(editors)
        .count()
        .map(|((), (edits, (bytes, editors)))| (edits, Some(bytes), editors));
    let missing = unit.concat(counted.clone().map(|_| ()).negate());
    counted.concat(missing.map(|()| (0, None, 0)))
}

/// The users with the highest counts, ties broken by name.
fn top<'scope>(users: Collection<'scope, (String, isize)>) -> Collection<'scope, (String, isize)> {
    // Values reach a reduction in ascending order: negated counts put the
    // highest first, and then the names.
    let highest = |_: &u64, input: &[(&(isize, String), isize)], output: &mut Vec<_>| {
        output.extend(
            input
                .iter()
                .take(limits::DEMO_TOP_USERS)
                .map(|(value, _)| ((*value).clone(), 1)),
        );
    };
    users
        .map(|(user, count)| (bucket(&user), (-count, user)))
        .reduce(highest)
        .map(|(_, value)| (0_u64, value))
        .reduce(highest)
        .map(|(_, (negated, user))| (user, -negated))
}

fn bucket(user: &str) -> u64 {
    // Any function of the name will do; this one spreads names evenly enough.
    user.bytes().fold(0_u64, |hash, byte| {
        hash.wrapping_mul(31).wrapping_add(u64::from(byte))
    }) % TOP_BUCKETS
}

/// Language, family, edits, bytes of each wiki that has edits: the join of the
/// two data sets.
fn by_language<'scope>(
    edits: Collection<'scope, Edit>,
    wikis: Collection<'scope, (String, String, String)>,
) -> Collection<'scope, (String, String, isize, isize)> {
    // Aggregated before the join, so that the join holds 51 rows and not all edits.
    edits
        .explode(|edit| Some((edit.wiki, (1_isize, edit.bytes))))
        .count()
        .join_map(
            wikis.map(|(code, language, family)| (code, (language, family))),
            |_, (edits, bytes), (language, family)| {
                (language.clone(), family.clone(), *edits, *bytes)
            },
        )
}

/// Minute (since 1970) and edits of the last minutes of event time.
fn per_minute<'scope>(
    edits: Collection<'scope, Edit>,
    pace: Pace,
) -> Collection<'scope, (u64, isize)> {
    let shown = window(edits.map(|edit| edit.event_ms), move |event_ms| {
        pace.timestamp_at(minute_expiry_ms(*event_ms))
    });
    shown.map(|event_ms| event_ms / 60_000).count()
}

/// Page, wiki, editors, edits of pages that several users edited recently.
fn hot_pages<'scope>(
    edits: Collection<'scope, Edit>,
    pace: Pace,
) -> Collection<'scope, (String, String, isize, isize)> {
    let recent = window(edits, move |edit| {
        pace.timestamp_at(hot_expiry_ms(edit.event_ms))
    });
    let edits = recent.clone().map(|edit| (edit.page, edit.wiki)).count();
    let editors = recent
        .flat_map(|edit| edit.user.map(|user| (edit.page, edit.wiki, user)))
        .distinct()
        .map(|(page, wiki, _)| (page, wiki))
        .count()
        .filter(|(_, editors)| *editors > 1);
    editors.join_map(edits, |(page, wiki), editors, edits| {
        (page.clone(), wiki.clone(), *editors, *edits)
    })
}

/// The temporal filter: what comes in leaves again at the timestamp `expiry`.
fn window<'scope, D: ExchangeData>(
    collection: Collection<'scope, D>,
    expiry: impl Fn(&D) -> Timestamp + 'static,
) -> Collection<'scope, D> {
    collection
        .inner
        .flat_map(move |(data, timestamp, diff)| {
            let leaves = expiry(&data);
            // What has left before it came in never shows.
            let passes = leaves > timestamp;
            let pair = [(data.clone(), timestamp, diff), (data, leaves, -diff)];
            passes.then_some(pair).into_iter().flatten()
        })
        .as_collection()
}
