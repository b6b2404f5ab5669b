//! The views to stream, and what the file's `[view.NAME]` tables say of them.

use std::collections::BTreeSet;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Place};
use super::file;
use super::layer::Given;
use super::value::{basic, toml_text};
use crate::limits;
use crate::model::name::{NameError, ViewName};
use crate::model::pattern::ViewPattern;

/// One view to stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewChoice {
    /// What stands in its URL; no two are the same.
    pub name: String,
    /// What is streamed.
    pub what: What,
    /// What it is, for people.
    pub description: Option<String>,
    /// The columns that are shown; all, if `None`.
    pub columns: Option<Vec<String>>,
}

/// What is streamed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A relation of the catalog.
    Relation(ViewName),
    /// A query of the operator's.
    Query(String),
    /// All relations of a schema, those to come included.
    Pattern(ViewPattern),
}

impl ViewChoice {
    /// A relation under the name it was given by.
    pub fn relation(name: ViewName) -> Self {
        ViewChoice {
            name: name.text().to_owned(),
            what: What::Relation(name),
            description: None,
            columns: None,
        }
    }

    /// What a name or a pattern means.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        match ViewPattern::parse(text) {
            None => Ok(ViewChoice::relation(ViewName::parse(text)?)),
            Some(pattern) => {
                let pattern = pattern?;
                Ok(ViewChoice {
                    name: pattern.text(),
                    what: What::Pattern(pattern),
                    description: None,
                    columns: None,
                })
            }
        }
    }

    /// What stands in its URL.
    pub fn text(&self) -> &str {
        &self.name
    }

    /// Whether the other one would be streamed in the same way.
    pub fn is_same_stream(&self, other: &Self) -> bool {
        self.what == other.what && self.columns == other.columns
    }

    /// Whether a name says everything about it.
    fn is_plain(&self) -> bool {
        let as_named = match &self.what {
            What::Relation(relation) => relation.text() == self.name,
            What::Query(_) => false,
            What::Pattern(_) => true,
        };
        as_named && self.description.is_none() && self.columns.is_none()
    }

    /// The view as an inline table, its key before it.
    fn to_toml(&self) -> String {
        let mut fields = Vec::new();
        match &self.what {
            What::Relation(relation) if relation.text() == self.name => {}
            What::Relation(relation) => {
                fields.push(format!("relation = {}", toml_text(relation.text())));
            }
            What::Pattern(_) => {}
            What::Query(query) => fields.push(format!("query = {}", basic(query))),
        }
        if let Some(description) = &self.description {
            fields.push(format!("description = {}", basic(description)));
        }
        if let Some(columns) = &self.columns {
            let texts: Vec<_> = columns.iter().map(|column| basic(column)).collect();
            fields.push(format!("columns = [{}]", texts.join(", ")));
        }
        let inner = fields.join(", ");
        let spaced = if inner.is_empty() {
            inner
        } else {
            format!(" {inner} ")
        };
        format!("{} = {{{spaced}}}", basic(&self.name))
    }
}

/// All views as TOML: a list of names, or inline tables where names do not
/// say it all.
pub fn to_toml(views: &[ViewChoice]) -> String {
    if views.iter().all(ViewChoice::is_plain) {
        let texts: Vec<_> = views.iter().map(|view| toml_text(&view.name)).collect();
        return format!("[{}]", texts.join(", "));
    }
    let tables: Vec<_> = views.iter().map(ViewChoice::to_toml).collect();
    format!("{{ {} }}", tables.join(", "))
}

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
        let line = file::line_at(text, key.span().start);
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
                    let line = file::line_at(text, field.span().start);
                    if let Err(error) = table.read_field(&field.into_inner(), value, path, line) {
                        errors.push(error);
                        table.is_spoilt = true;
                    }
                }
            }
            value => {
                errors.push(ConfigError::Type {
                    place,
                    found: file::kind(&value),
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
        let found = file::kind(&value);
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
                    nearest: file::nearest_of(field, KEYS),
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

/// Why a table makes no view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ViewProblem {
    /// It cannot be both.
    #[error("has both a relation and a query")]
    Both,
    /// Nothing to ask.
    #[error("has an empty query")]
    NoQuery,
    /// The name cannot stand in a URL.
    #[error("has no name that can stand in a URL")]
    Path,
}

impl ViewProblem {
    /// What to do about it.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Both => "Give one; without either, NAME is the relation.",
            Self::NoQuery => "Give a SELECT.",
            Self::Path => "Give one by as = \"...\", without control characters.",
        }
    }
}
