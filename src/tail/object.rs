//! What a stream is of: the object that a view's name stands for, and what is
//! shown of it.

use crate::limits::NEAR_NAMES_MAX;
use crate::model::event::{Description, Kept};
use crate::model::position::Incarnation;
use crate::model::row::Column;

use super::error::TailError;
use super::names::Meaning;
use super::settings::TailView;

/// What a stream is of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Object {
    /// What the view's name meant; `None` for a query, and where the catalog
    /// does not tell.
    pub meaning: Option<Meaning>,
    /// All its columns, hidden ones too.
    pub columns: Vec<Column>,
    /// What stands for it in SQL: the object by its id where the server takes
    /// that, or else the name or the query.
    pub sql: String,
    /// Whether that is its id: then nothing that becomes of the name matters.
    pub is_by_id: bool,
}

impl Object {
    /// What tells the view from others, equal in every gateway; `None` unless the
    /// catalog names one object.
    pub fn lineage(&self) -> Option<&str> {
        self.meaning.as_ref().and_then(Meaning::lineage)
    }

    /// Whether both are the same object with the same columns, as far as the
    /// catalog tells.
    pub fn is_same(&self, other: &Object) -> bool {
        let is_same_meaning = match (&self.meaning, &other.meaning) {
            (Some(one), Some(other)) => one.is_same(other),
            (one, other) => one.is_none() && other.is_none(),
        };
        is_same_meaning && self.columns == other.columns
    }
}

/// What was found of a view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What is told of it.
    pub description: Description,
    /// What is asked for.
    pub object: Object,
}

impl Found {
    /// What is shown of an object, and its fingerprint; `environment` is the
    /// id of the Materialize that it is in, empty if that has none.
    pub fn new(view: &TailView, object: Object, environment: &str) -> Result<Self, TailError> {
        let what = match (&view.query, object.lineage()) {
            (Some(query), _) => query.clone(),
            (None, Some(lineage)) => lineage.to_owned(),
            (None, None) => view.unnamed.clone(),
        };
        let (columns, kept) = chosen(view, object.columns.clone())?;
        let facts = [environment, what.as_str()].into_iter();
        let facts = facts.chain(view.facts.iter().map(String::as_str));
        let of_columns = columns
            .iter()
            .flat_map(|column| [column.name.as_str(), column.sql_type.as_str()]);
        let incarnation = Incarnation::of(facts.chain(of_columns));
        let description = Description {
            columns,
            kept,
            incarnation,
            is_steady: true,
            sql: None,
        };
        Ok(Found {
            description,
            object,
        })
    }
}

/// The columns that are shown, in the view's order.
fn chosen(view: &TailView, all: Vec<Column>) -> Result<(Vec<Column>, Kept), TailError> {
    let Some(wanted) = &view.columns else {
        let kept = Kept::all(all.len());
        return Ok((all, kept));
    };
    let is_there = |name: &&String| all.iter().any(|column| column.name == **name);
    if let Some(column) = wanted.iter().find(|name| !is_there(name)) {
        let names = all.iter().map(|column| column.name.clone()).collect();
        return Err(TailError::UnknownColumn {
            name: view.name.clone(),
            column: column.clone(),
            near: near(column, names),
        });
    }
    let is_wanted = |column: &Column| wanted.contains(&column.name);
    let kept = Kept::new(all.iter().map(is_wanted).collect());
    Ok((all.into_iter().filter(is_wanted).collect(), kept))
}

/// The names most like the given one, best first.
pub fn near(given: &str, names: Vec<String>) -> Vec<String> {
    const LIKENESS_MIN: f64 = 0.75;
    let lower = given.to_lowercase();
    let mut scored: Vec<(f64, String)> = names
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&lower, &name.to_lowercase()), name))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    scored.dedup_by(|a, b| a.1 == b.1);
    scored.truncate(NEAR_NAMES_MAX);
    scored.into_iter().map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn incarnation(unnamed: &str, ids: Option<&[&str]>, first_id: Option<&str>) -> Incarnation {
        let view = TailView {
            unnamed: unnamed.to_owned(),
            ..TailView::default()
        };
        let meaning = ids.map(|ids| Meaning {
            ids: ids.iter().map(|id| (*id).to_owned()).collect(),
            first_id: first_id.map(str::to_owned),
            ..Meaning::default()
        });
        let object = Object {
            meaning,
            columns: vec![Column::new("n", "integer")],
            ..Object::default()
        };
        let found = Found::new(&view, object, "environment").unwrap();
        found.description.incarnation
    }

    /// Of an object that the catalog does not name nobody can say that another
    /// gateway's is the same.
    #[test]
    fn found_incarnation_is_shared_only_where_the_catalog_names_one_object() {
        let named = incarnation("here", Some(&["u1"]), None);
        assert_eq!(named, incarnation("there", Some(&["u1"]), None));
        assert_eq!(named, incarnation("there", Some(&["u7"]), Some("u1")));
        assert_ne!(named, incarnation("here", Some(&["u2"]), None));
        for ids in [None, Some(["u1", "u2"].as_slice())] {
            let here = incarnation("here", ids, None);
            assert_eq!(here, incarnation("here", ids, None));
            assert_ne!(here, incarnation("there", ids, None));
        }
    }
}
