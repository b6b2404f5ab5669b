//! The heavy operators of the demo's dataflow, each compiled once.
//!
//! Differential dataflow is generic in the types of keys, values, diffs and
//! closures, and each new combination compiles thousands of functions again.
//! So all views share one type of row, one type of diff and boxed closures, as
//! Materialize itself does. A boxed call costs nothing beside an arrangement.

use differential_dataflow::difference::{Abelian, IsZero, Monoid, Multiply, Semigroup};
use differential_dataflow::operators::arrange::TraceAgent;
use differential_dataflow::operators::arrange::arrangement::{Arranged, arrange_core};
use differential_dataflow::trace::implementations::{ValBatcher, ValBuilder, ValSpine};
use differential_dataflow::{AsCollection as _, VecCollection};
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::Operator as _;
use timely::dataflow::operators::vec::Map as _;

use super::value::Row;

/// Milliseconds, as everywhere in the demo.
pub(super) type Timestamp = u64;

/// Rows that change over time.
pub(super) type Collection<'scope> = VecCollection<'scope, Timestamp, Row, Diff>;

/// One change of a collection.
pub(super) type Change = (Row, Timestamp, Diff);

/// Makes any number of changes of one.
pub(super) type Mapping<D> = Box<dyn Fn(D, Timestamp, Diff, &mut Vec<Change>)>;

/// The row to show of a group, given its key and its sums.
pub(super) type Summary = Box<dyn Fn(&Row, Diff) -> Option<Row>>;

/// The rows to show of a group, given its values in ascending order.
pub(super) type Selection = Box<dyn Fn(&[(&Row, Diff)]) -> Vec<Row>>;

/// The row to show of two that match, given what follows the key in each.
pub(super) type Matching = Box<dyn Fn(&Row, &Row) -> Row>;

type Group = Box<dyn Fn(&Row, &[(&Row, Diff)], &mut Vec<(Row, Diff)>)>;
type Spine = ValSpine<Row, Row, Timestamp, Diff>;

/// Columns of a key that is the whole row.
const WHOLE_ROW: usize = usize::MAX;

/// A diff that also carries what the views sum up, so that a sum is kept as one
/// number by group and not as all its summands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Diff {
    /// Signed change in multiplicity.
    pub(super) rows: i64,
    /// Signed change of a sum of bytes.
    pub(super) bytes: i64,
    /// Signed change of a number of editors.
    pub(super) editors: i64,
}

impl Diff {
    /// One row more.
    pub(super) const ONE: Self = Self {
        rows: 1,
        bytes: 0,
        editors: 0,
    };

    /// As many editors more as there are rows more in `self`.
    pub(super) fn as_editors(self) -> Self {
        Self {
            editors: self.rows,
            ..Self::default()
        }
    }

    /// The opposite change.
    pub(super) fn negated(self) -> Self {
        Self {
            rows: -self.rows,
            bytes: -self.bytes,
            editors: -self.editors,
        }
    }
}

impl IsZero for Diff {
    fn is_zero(&self) -> bool {
        *self == Self::default()
    }
}

impl Semigroup for Diff {
    fn plus_equals(&mut self, other: &Self) {
        self.rows += other.rows;
        self.bytes += other.bytes;
        self.editors += other.editors;
    }
}

impl Monoid for Diff {
    fn zero() -> Self {
        Self::default()
    }
}

impl Abelian for Diff {
    fn negate(&mut self) {
        *self = self.negated();
    }
}

impl Multiply for Diff {
    type Output = Self;

    /// Each of `n` rows brings the other's sums, hence the crosswise products;
    /// [`Diff::ONE`] is neutral, as a join of plain rows needs.
    fn multiply(self, other: &Self) -> Self {
        Self {
            rows: self.rows * other.rows,
            bytes: self.rows * other.bytes + self.bytes * other.rows,
            editors: self.rows * other.editors + self.editors * other.rows,
        }
    }
}

/// Replaces each change by those that `mapping` makes of it. Timestamps may
/// only grow.
pub(super) fn flat_map<'scope, D: Clone + 'static>(
    collection: VecCollection<'scope, Timestamp, D, Diff>,
    mapping: Mapping<D>,
) -> Collection<'scope> {
    collection
        .inner
        .unary(Pipeline, "FlatMap", move |_, _| {
            let mut changes = Vec::new();
            move |input, output| {
                input.for_each(|capability, data| {
                    for (element, timestamp, diff) in data.drain(..) {
                        mapping(element, timestamp, diff, &mut changes);
                    }
                    output.session(&capability).give_iterator(changes.drain(..));
                });
            }
        })
        .as_collection()
}

/// Groups equal rows and shows what `summary` makes of each group's sums.
pub(super) fn summarize(collection: Collection<'_>, summary: Summary) -> Collection<'_> {
    let group: Group = Box::new(move |key, input, output| {
        // The key is the whole row: there is one value, the empty one.
        if let Some((_, sums)) = input.first() {
            output.extend(summary(key, *sums).map(|row| (row, Diff::ONE)));
        }
    });
    reduce(collection, WHOLE_ROW, group)
}

/// Each row once, however often it is there.
pub(super) fn distinct(collection: Collection<'_>) -> Collection<'_> {
    summarize(collection, Box::new(|row, _| Some(Row::clone(row))))
}

/// Groups rows by their first `key_columns` columns and shows what `selection`
/// makes of what follows them.
pub(super) fn select(
    collection: Collection<'_>,
    key_columns: usize,
    selection: Selection,
) -> Collection<'_> {
    let group: Group = Box::new(move |_, input, output| {
        output.extend(selection(input).into_iter().map(|row| (row, Diff::ONE)));
    });
    reduce(collection, key_columns, group)
}

fn reduce(collection: Collection<'_>, key_columns: usize, group: Group) -> Collection<'_> {
    arrange(collection, key_columns)
        .reduce_abelian::<_, ValBuilder<Row, Row, Timestamp, Diff>, Spine, _, _>(
            "Reduce",
            move |key, input, output| group(key, input, output),
            |batch, key, updates| {
                batch.clear();
                batch.extend(
                    updates.drain(..).map(|(value, timestamp, diff)| {
                        ((Row::clone(key), value), timestamp, diff)
                    }),
                );
            },
        )
        .as_collection(|_, row| Row::clone(row))
}

/// Matches rows that agree in their first `key_columns` columns.
pub(super) fn join<'scope>(
    left: Collection<'scope>,
    right: Collection<'scope>,
    key_columns: usize,
    matching: Matching,
) -> Collection<'scope> {
    arrange(left, key_columns).join_core(arrange(right, key_columns), move |_, left, right| {
        Some(matching(left, right))
    })
}

fn arrange(collection: Collection<'_>, key_columns: usize) -> Arranged<'_, TraceAgent<Spine>> {
    let keyed = collection
        .inner
        .map(move |(row, timestamp, diff)| (split(row, key_columns), timestamp, diff));
    // The dataflow has one worker: there is none to exchange rows with.
    arrange_core::<_, _, ValBatcher<Row, Row, Timestamp, Diff>, Spine>(
        keyed,
        Pipeline,
        "Arrange",
        ValBatcher::new,
    )
}

/// A row's key and the rest of it.
fn split(row: Row, key_columns: usize) -> (Row, Row) {
    match row.split_at_checked(key_columns) {
        Some((key, rest)) => (Row::from(key), Row::from(rest)),
        None => (row, Row::default()),
    }
}
