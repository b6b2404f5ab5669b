//! What the file's `[view.NAME]` tables say.

use std::collections::BTreeSet;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::ViewProblem;
use super::{ViewChoice, What};
use crate::access::rows::{ClaimPath, RowRule};
use crate::config::error::ConfigError;
use crate::config::layer::Given;
use crate::config::place::Place;
use crate::config::spelling::nearest_of;
use crate::config::toml_source::{kind, line_at};
use crate::limits;
use crate::model::name::ViewName;

/// What one `[view.NAME]` table says.
#[derive(Clone, Debug, Default)]
pub struct ViewTable {
    /// Its NAME.
    pub key: String,
    /// Where it stands.
    pub place: Option<Place>,
    /// Whether something is wrong with it that was told already.
    pub is_spoilt: bool,
    relation: Option<String>,
    query: Option<String>,
    /// The view's own name in its URL.
    path_name: Option<String>,
    description: Option<String>,
    columns: Option<Vec<String>>,
    filter: Option<Vec<String>>,
    rows: Vec<RowRule>,
}

/// The keys of such a table.
const KEYS: [&str; 7] = [
    "relation",
    "query",
    "as",
    "description",
    "columns",
    "filter",
    "rows",
];

const TEXT: &str = "a text in quotes";
const COLUMNS: &str = "a list of column names, each once, at least one, e.g. [\"id\", \"total\"]";
const FILTER: &str = "a list of 1 to 8 column names, each once, e.g. [\"customer_id\"]";
const ROWS: &str = "a table of 1 to 8 columns, each with the claim that has its value, \
                    e.g. { customer_id = \"claim:sub\" }";

/// Reads the tables of a file: their keys as the list of views, and what they
/// say.
pub fn read(
    tables: DeTable<'_>,
    place: Place,
    (path, text): (&Path, &str),
    errors: &mut Vec<ConfigError>,
) -> (Given, Vec<ViewTable>) {
    let mut entries: Vec<_> = tables.into_iter().collect();
    // The first in the file is the default view.
    entries.sort_by_key(|(key, _)| key.span().start);
    let mut found = Vec::new();
    for (key, value) in entries {
        let line = line_at(text, key.span().start);
        let key = key.into_inner().into_owned();
        let place = Place::File {
            key: format!("view.{key}"),
            path: path.to_owned(),
            line,
        };
        let mut table = ViewTable {
            key,
            place: Some(place.clone()),
            ..ViewTable::default()
        };
        match value.into_inner() {
            DeValue::Table(fields) => {
                let mut fields: Vec<_> = fields.into_iter().collect();
                fields.sort_by_key(|(key, _)| key.span().start);
                for (field, value) in fields {
                    let line = line_at(text, field.span().start);
                    if let Err(error) = table.read_field(&field.into_inner(), value, path, line) {
                        errors.push(error);
                        table.is_spoilt = true;
                    }
                }
            }
            value => {
                errors.push(ConfigError::Type {
                    place,
                    found: kind(&value),
                    accepts: "a table, e.g. [view.orders]",
                });
                table.is_spoilt = true;
            }
        }
        found.push(table);
    }
    let given = Given {
        values: found.iter().map(|table| table.key.clone()).collect(),
        separated: false,
        place,
    };
    (given, found)
}

impl ViewTable {
    fn read_field(
        &mut self,
        field: &str,
        value: Spanned<DeValue<'_>>,
        path: &Path,
        line: usize,
    ) -> Result<(), ConfigError> {
        let key = format!("view.{}.{field}", self.key);
        let path = path.to_owned();
        let value = value.into_inner();
        let found = kind(&value);
        let taken = match field {
            "relation" => set_text(&mut self.relation, value),
            "query" => set_text(&mut self.query, value),
            "as" => set_text(&mut self.path_name, value),
            "description" => set_text(&mut self.description, value),
            "columns" => {
                self.columns = column_names(value, limits::COLUMNS_MAX);
                self.columns.as_ref().map(drop).ok_or(COLUMNS)
            }
            "filter" => {
                self.filter = column_names(value, limits::FILTER_COLUMNS_MAX);
                self.filter.as_ref().map(drop).ok_or(FILTER)
            }
            "rows" => {
                self.rows = row_rules(value).unwrap_or_default();
                (!self.rows.is_empty()).then_some(()).ok_or(ROWS)
            }
            _ => {
                let nearest = nearest_of(field, KEYS);
                return Err(ConfigError::UnknownKey {
                    key,
                    path,
                    line,
                    nearest,
                });
            }
        };
        taken.map_err(|accepts| ConfigError::Type {
            place: Place::File { key, path, line },
            found,
            accepts,
        })
    }

    /// Whether it says by which columns clients may ask for rows.
    pub fn has_filter(&self) -> bool {
        self.filter.is_some()
    }

    /// Whether its name says what is streamed.
    fn says_nothing(&self) -> bool {
        let texts = [
            &self.relation,
            &self.query,
            &self.path_name,
            &self.description,
        ];
        texts.iter().all(|text| text.is_none()) && self.columns.is_none()
    }

    /// The view that the table describes.
    pub fn choice(&self) -> Result<ViewChoice, ConfigError> {
        let choice = self.what()?;
        Ok(ViewChoice {
            filter: self.filter.clone().unwrap_or_default(),
            rows: self.rows.clone(),
            ..choice
        })
    }

    fn what(&self) -> Result<ViewChoice, ConfigError> {
        let place = || self.place.clone().unwrap_or(Place::Default(None));
        let named = |text: &str| {
            ViewName::parse(text).map_err(|error| ConfigError::Name {
                place: place(),
                error,
            })
        };
        let refused = |problem| ConfigError::ViewTable {
            place: place(),
            problem,
        };
        if self.says_nothing() {
            return ViewChoice::parse(&self.key).map_err(|error| ConfigError::Name {
                place: place(),
                error,
            });
        }
        let what = match (&self.relation, &self.query) {
            (Some(_), Some(_)) => return Err(refused(ViewProblem::Both)),
            (Some(relation), None) => What::Relation(named(relation)?),
            (None, Some(query)) => {
                let bare = query.trim_end_matches(|c: char| c.is_whitespace() || c == ';');
                if bare.trim().is_empty() {
                    return Err(refused(ViewProblem::NoQuery));
                }
                What::Query(bare.to_owned())
            }
            (None, None) => What::Relation(named(&self.key)?),
        };
        let name = self.path_name.as_ref().unwrap_or(&self.key).trim();
        let is_path = !matches!(name, "" | "." | "..") && !name.contains(char::is_control);
        if !is_path {
            return Err(refused(ViewProblem::Path));
        }
        Ok(ViewChoice {
            description: self.description.clone(),
            columns: self.columns.clone(),
            ..ViewChoice::of(name.to_owned(), what)
        })
    }
}

/// Sets a field that is a text, or says what it takes.
fn set_text(field: &mut Option<String>, value: DeValue<'_>) -> Result<(), &'static str> {
    let DeValue::String(text) = value else {
        return Err(TEXT);
    };
    *field = Some(text.into_owned());
    Ok(())
}

/// A list of columns' names, each once; `None` if it is none.
fn column_names(value: DeValue<'_>, max: usize) -> Option<Vec<String>> {
    let DeValue::Array(list) = value else {
        return None;
    };
    let names = list.into_iter().map(|item| match item.into_inner() {
        DeValue::String(name) => Some(name.into_owned()),
        _ => None,
    });
    let names: Vec<String> = names.collect::<Option<_>>()?;
    let different: BTreeSet<_> = names.iter().collect();
    let fits = (1..=max).contains(&names.len()) && different.len() == names.len();
    fits.then_some(names)
}

/// A table of columns with their claims, in its order; `None` if it is none.
fn row_rules(value: DeValue<'_>) -> Option<Vec<RowRule>> {
    let DeValue::Table(table) = value else {
        return None;
    };
    let mut entries: Vec<_> = table.into_iter().collect();
    entries.sort_by_key(|(column, _)| column.span().start);
    let rules = entries.into_iter().map(|(column, claim)| {
        let DeValue::String(claim) = claim.into_inner() else {
            return None;
        };
        Some(RowRule {
            column: column.into_inner().into_owned(),
            claim: ClaimPath::parse(&claim)?,
        })
    });
    let rules: Vec<RowRule> = rules.collect::<Option<_>>()?;
    (1..=limits::ROW_RULES_MAX)
        .contains(&rules.len())
        .then_some(rules)
}
