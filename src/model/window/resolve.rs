//! From what is asked for to a window of a view whose columns are known.

use std::sync::Arc;

use super::condition::Condition;
use super::error::{Fault, WindowError};
use super::layout::Layout;
use super::resolved::Window;
use super::wanted::{By, CONDITIONS_MAX, Test, Wanted};

impl Wanted {
    /// The window that is asked for, of a view with these columns of which
    /// these are filterable. What is wrong with a rule is said first.
    pub fn resolve(
        &self,
        layout: &Arc<Layout>,
        filterable: &[String],
    ) -> Result<Window, WindowError> {
        let judge = Judge { layout, filterable };
        let mut conditions: Vec<Condition> = Vec::new();
        for by in [By::Rule, By::Client] {
            for (_, name, test) in self.conditions.iter().filter(|it| it.0 == by) {
                let condition = judge.condition(by, name, test)?;
                let column = condition.column;
                let order = |known: &Condition| known.column.cmp(&column);
                match conditions.binary_search_by(order) {
                    Ok(at) => {
                        let known = conditions.remove(at);
                        conditions.insert(at, known.and(condition));
                    }
                    Err(at) => conditions.insert(at, condition),
                }
            }
        }
        if self.conditions.len() > CONDITIONS_MAX {
            return Err(judge.error(By::Client, Fault::TooManyConditions, None));
        }
        let has_rule = self.conditions.iter().any(|it| it.0 == By::Rule);
        let shown = match &self.select {
            None => None,
            Some(_) if filterable.is_empty() && !has_rule => {
                return Err(judge.error(By::Client, Fault::NoWindows, None));
            }
            Some(names) => judge.shown(names)?,
        };
        Ok(Window::new(Arc::clone(layout), conditions, shown))
    }
}

struct Judge<'a> {
    layout: &'a Layout,
    filterable: &'a [String],
}

impl Judge<'_> {
    fn condition(&self, by: By, name: &str, test: &Test) -> Result<Condition, WindowError> {
        if by == By::Client && self.filterable.is_empty() {
            return Err(self.error(by, Fault::NoWindows, None));
        }
        let Some(column) = self.layout.find(name) else {
            return Err(self.error(by, Fault::NoSuchColumn, None));
        };
        if by == By::Client && !self.filterable.iter().any(|it| it == name) {
            return Err(self.error(by, Fault::NotFilterable, Some(column)));
        }
        let Some(comparison) = self.layout.comparison(column) else {
            return Err(self.error(by, Fault::NotComparable, Some(column)));
        };
        let condition = Condition::of(column, comparison, test);
        condition.map_err(|fault| self.error(by, fault, Some(column)))
    }

    /// The columns that are shown, in the view's order; `None` of all.
    fn shown(&self, names: &[String]) -> Result<Option<Box<[usize]>>, WindowError> {
        let mut shown = Vec::with_capacity(names.len().min(self.layout.columns()));
        for name in names {
            let Some(column) = self.layout.find(name) else {
                return Err(self.error(By::Client, Fault::ShowsUnknown, None));
            };
            if shown.contains(&column) {
                return Err(self.error(By::Client, Fault::ShowsTwice, Some(column)));
            }
            shown.push(column);
        }
        if shown.is_empty() {
            return Err(self.error(By::Client, Fault::ShowsNothing, None));
        }
        shown.sort_unstable();
        let is_all = shown.len() == self.layout.columns();
        Ok((!is_all).then(|| shown.into()))
    }

    fn error(&self, by: By, fault: Fault, column: Option<usize>) -> WindowError {
        let all = 0..self.layout.columns();
        let named = |column: usize| self.layout.name(column).to_owned();
        let columns = match fault {
            Fault::ShowsUnknown | Fault::ShowsTwice | Fault::ShowsNothing => {
                all.map(named).collect()
            }
            _ => self.filterable.to_vec(),
        };
        WindowError {
            fault,
            is_rule: by == By::Rule,
            column: column.map(|it| (named(it), self.layout.sql_type(it).to_owned())),
            columns,
        }
    }
}
