//! What the file's `[view.NAME]` tables say.

use std::collections::BTreeSet;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::ViewProblem;
use super::{ViewChoice, What};
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
}

/// The keys of such a table.
const KEYS: [&str; 5] = ["relation", "query", "as", "description", "columns"];

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
        let place = || Place::File {
            key: format!("view.{}.{field}", self.key),
            path: path.to_owned(),
            line,
        };
        let value = value.into_inner();
        let found = kind(&value);
        let wrong = |accepts| ConfigError::Type {
            place: place(),
            found,
            accepts,
        };
        if field == "columns" {
            let accepts =
                "a list of column names, each once, at least one, e.g. [\"id\", \"total\"]";
            let DeValue::Array(list) = value else {
                return Err(wrong(accepts));
            };
            let names = list.into_iter().map(|item| match item.into_inner() {
                DeValue::String(name) => Some(name.into_owned()),
                _ => None,
            });
            let names: Option<Vec<String>> = names.collect();
            let fits = |names: &Vec<String>| {
                let different: BTreeSet<_> = names.iter().collect();
                (1..=limits::COLUMNS_MAX).contains(&names.len()) && different.len() == names.len()
            };
            let names = names.filter(fits).ok_or_else(|| wrong(accepts))?;
            self.columns = Some(names);
            return Ok(());
        }
        let place_of_text = match field {
            "relation" => &mut self.relation,
            "query" => &mut self.query,
            "as" => &mut self.path_name,
            "description" => &mut self.description,
            _ => {
                return Err(ConfigError::UnknownKey {
                    key: format!("view.{}.{field}", self.key),
                    path: path.to_owned(),
                    line,
                    nearest: nearest_of(field, KEYS),
                });
            }
        };
        match value {
            DeValue::String(text) => {
                *place_of_text = Some(text.into_owned());
                Ok(())
            }
            _ => Err(ConfigError::Type {
                place: Place::File {
                    key: format!("view.{}.{field}", self.key),
                    path: path.to_owned(),
                    line,
                },
                found,
                accepts: "a text in quotes",
            }),
        }
    }

    /// Whether its name says it all.
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
            name: name.to_owned(),
            what,
            description: self.description.clone(),
            columns: self.columns.clone(),
        })
    }
}
