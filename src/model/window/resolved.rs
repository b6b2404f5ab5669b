//! A window of a view whose columns are known.

use std::borrow::Cow;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::condition::Condition;
use super::layout::{Fields, Layout};
use super::shape::{Key, Shape};
use crate::model::delta::Change;
use crate::model::position::Incarnation;
use crate::model::row::Row;

/// Some rows of a view, and some columns of them, in canonical form: windows of
/// one layout that are equal however they were asked for are equal values.
#[derive(Clone, Debug)]
pub struct Window {
    layout: Arc<Layout>,
    /// Sorted by column, at most one of each.
    conditions: Box<[Condition]>,
    /// The columns that are shown, in the view's order; `None` of all.
    shown: Option<Box<[usize]>>,
    shape: Shape,
    keys: Box<[Key]>,
}

impl PartialEq for Window {
    fn eq(&self, other: &Self) -> bool {
        self.conditions == other.conditions && self.shown == other.shown
    }
}

impl Eq for Window {}

impl Hash for Window {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.conditions, &self.shown).hash(state);
    }
}

impl Window {
    /// The rows that meet these conditions, which are sorted by column.
    pub(super) fn new(
        layout: Arc<Layout>,
        conditions: Vec<Condition>,
        shown: Option<Box<[usize]>>,
    ) -> Self {
        let shape = Shape::of(&conditions);
        let keys = shape.keys(&layout, &conditions).unwrap_or_default();
        Window {
            layout,
            conditions: conditions.into(),
            shown,
            shape,
            keys,
        }
    }

    /// Whether it is every row with all its columns.
    pub fn is_all(&self) -> bool {
        self.conditions.is_empty() && self.shown.is_none()
    }

    /// Whether its conditions contradict each other, so that no row is in it.
    pub fn is_empty(&self) -> bool {
        let mut conditions = self.conditions.iter();
        conditions.any(|condition| condition.count() == Some(0))
    }

    /// The incarnation of the window, given that of its view's log: equal in
    /// every gateway where both are.
    pub fn incarnation(&self, log: Incarnation) -> Incarnation {
        if self.is_all() {
            return log;
        }
        let mut facts = vec![log.to_string(), self.conditions.len().to_string()];
        for condition in &self.conditions {
            condition.facts(&mut facts);
        }
        let shown = self.shown.iter().flatten();
        facts.extend(shown.map(usize::to_string));
        Incarnation::of(facts.iter().map(String::as_str))
    }

    /// Whether a row is in it.
    pub fn matches(&self, row: &str) -> bool {
        let mut fields = Fields::new(&self.layout, row);
        let mut scratch = String::new();
        self.conditions.iter().all(|condition| {
            let json = fields.value(condition.column);
            let comparison = self.layout.comparison(condition.column);
            comparison.is_some_and(|it| condition.has(it.read(json, &mut scratch)))
        })
    }

    /// What is shown of a row.
    pub fn show<'a>(&self, row: &'a str) -> Cow<'a, str> {
        let Some(shown) = &self.shown else {
            return Cow::Borrowed(row);
        };
        let mut fields = Fields::new(&self.layout, row);
        let mut out = String::with_capacity(row.len());
        for column in shown {
            out.push(if out.is_empty() { '{' } else { ',' });
            out.push_str(fields.named(*column));
        }
        out.push('}');
        Cow::Owned(out)
    }

    /// What a change of the view changes here; `None` of a row that is not in
    /// it.
    pub fn change(&self, change: &Change) -> Option<Change> {
        let text = change.row.text();
        if !self.matches(text) {
            return None;
        }
        let row = match self.show(text) {
            Cow::Borrowed(_) => change.row.clone(),
            Cow::Owned(shown) => Row::from(shown.as_str()),
        };
        let diff = change.diff;
        Some(Change { row, diff })
    }

    /// The columns of its view.
    pub fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    /// The columns that its keys are made of.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The keys of its rows, sorted, none twice. A row with one of them need
    /// not be in it.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// The same of another shape; `None` where its rows have too many keys of
    /// it, or any.
    pub(in crate::model) fn keys_of(&self, shape: &Shape) -> Option<Cow<'_, [Key]>> {
        if *shape == self.shape {
            return Some(Cow::Borrowed(&self.keys));
        }
        let keys = shape.keys(&self.layout, &self.conditions)?;
        Some(Cow::Owned(keys.into_vec()))
    }

    /// Bytes of memory that it takes.
    pub fn bytes(&self) -> usize {
        let conditions: usize = self.conditions.iter().map(Condition::bytes).sum();
        let shown = self.shown.as_deref().map_or(0, size_of_val);
        size_of::<Self>()
            + size_of_val(&*self.conditions)
            + conditions
            + shown
            + self.shape.columns() * size_of::<usize>()
            + size_of_val(&*self.keys)
    }
}
