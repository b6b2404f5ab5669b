//! What a column's value has to be, as a set of values.

use super::canonical::Comparison;
use super::error::Fault;
use super::wanted::{Test, VALUES_MAX, What};

/// The values of a column that meet all conditions on it, in canonical form.
///
/// All that can be asked for is a set of this shape: some values, or all but
/// some, each with or without NULL; and so is what two of them have in common.
/// So however conditions were written, equal sets are equal values.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Condition {
    /// The column.
    pub(super) column: usize,
    /// Whether NULL is one.
    has_null: bool,
    /// Whether it is the listed values, or all others.
    is_listed: bool,
    /// Sorted, none twice.
    values: Box<[Box<str>]>,
}

impl Condition {
    /// What meets one condition.
    pub(super) fn of(column: usize, comparison: Comparison, test: &Test) -> Result<Self, Fault> {
        let is_boolean = comparison == Comparison::Boolean;
        let list = |values: &[&str]| Vec::from_iter(values.iter().map(|it| Box::from(*it)));
        let (has_null, is_listed, mut values): (bool, bool, Vec<Box<str>>) =
            match (&test.what, test.not) {
                (What::In(texts), _) if texts.len() > VALUES_MAX => {
                    return Err(Fault::TooManyValues);
                }
                (What::In(texts), not) => {
                    let values = texts.iter().map(|text| comparison.parse(text));
                    let values = values.map(|value| value.map(String::into_boxed_str));
                    let values = values.collect::<Option<Vec<Box<str>>>>();
                    (false, !not, values.ok_or(Fault::NotOfType)?)
                }
                (What::Null, not) => (!not, !not, Vec::new()),
                (What::True | What::False, _) if !is_boolean => return Err(Fault::NotBoolean),
                (What::True, not) => (not, !not, list(&["true"])),
                (What::False, not) => (not, !not, list(&["false"])),
            };
        values.sort_unstable();
        values.dedup();
        let condition = Condition {
            column,
            has_null,
            is_listed,
            values: values.into(),
        };
        Ok(match is_boolean && !is_listed {
            // There are two, so that all but some can be listed.
            true => Condition {
                is_listed: true,
                values: list(&["false", "true"])
                    .into_iter()
                    .filter(|value| !condition.lists(value))
                    .collect(),
                ..condition
            },
            false => condition,
        })
    }

    /// What meets this condition and another one on the same column.
    pub(super) fn and(self, other: Condition) -> Self {
        let has_null = self.has_null && other.has_null;
        let (listed, others) = match self.is_listed {
            true => (self, other),
            false => (other, self),
        };
        let values: Box<[Box<str>]> = if listed.is_listed {
            let all = listed.values.into_iter();
            all.filter(|value| others.has_value(value)).collect()
        } else {
            let mut all: Vec<_> = listed.values.into_iter().chain(others.values).collect();
            all.sort_unstable();
            all.dedup();
            all.into()
        };
        Condition {
            column: listed.column,
            has_null,
            is_listed: listed.is_listed,
            values,
        }
    }

    fn lists(&self, value: &str) -> bool {
        self.values.binary_search_by(|it| (**it).cmp(value)).is_ok()
    }

    fn has_value(&self, value: &str) -> bool {
        self.lists(value) == self.is_listed
    }

    /// Whether a value is one of them; `None` is NULL.
    pub(super) fn has(&self, value: Option<&str>) -> bool {
        match value {
            Some(value) => self.has_value(value),
            None => self.has_null,
        }
    }

    /// All values there are, NULL among them, if they are listed.
    pub(super) fn all(&self) -> Option<impl Iterator<Item = Option<&str>> + Clone> {
        let null = self.has_null.then_some(None);
        let values = self.values.iter().map(|value| Some(&**value));
        self.is_listed.then(|| null.into_iter().chain(values))
    }

    /// How many values there are, if they are listed.
    pub(super) fn count(&self) -> Option<usize> {
        let count = self.values.len() + usize::from(self.has_null);
        self.is_listed.then_some(count)
    }

    /// Facts that are the same for equal conditions only, given their number.
    pub(super) fn facts(&self, facts: &mut Vec<String>) {
        let null = if self.has_null { "null" } else { "" };
        let listed = if self.is_listed { "in" } else { "not in" };
        facts.extend([self.column.to_string(), null.to_owned(), listed.to_owned()]);
        facts.push(self.values.len().to_string());
        facts.extend(self.values.iter().map(|value| String::from(&**value)));
    }

    /// Bytes of memory beside its own.
    pub(super) fn bytes(&self) -> usize {
        let texts = self.values.iter().map(|value| value.len());
        texts.sum::<usize>() + size_of_val(&*self.values)
    }
}
