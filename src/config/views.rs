//! The views to stream.

use super::value::{basic, toml_text};
use crate::model::name::{NameError, ViewName};
use crate::model::pattern::ViewPattern;

pub mod problem;
pub mod table;

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
