//! The views to stream.

use super::value::{basic, toml_text};
use crate::access::rows::RowRule;
use crate::model::name::{NameError, ViewName};
use crate::model::pattern::ViewPattern;

pub mod filter;
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
    /// The columns that clients may ask for rows by.
    pub filter: Vec<String>,
    /// Whose values must be those of a token's claims for a row to be seen.
    pub rows: Vec<RowRule>,
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
        let text = name.text().to_owned();
        ViewChoice::of(text, What::Relation(name))
    }

    /// Nothing but this, under this name.
    fn of(name: String, what: What) -> Self {
        ViewChoice {
            name,
            what,
            description: None,
            columns: None,
            filter: Vec::new(),
            rows: Vec::new(),
        }
    }

    /// What a name or a pattern means.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        match ViewPattern::parse(text) {
            None => Ok(ViewChoice::relation(ViewName::parse(text)?)),
            Some(pattern) => {
                let pattern = pattern?;
                Ok(ViewChoice::of(pattern.text(), What::Pattern(pattern)))
            }
        }
    }

    /// What stands in its URL.
    pub fn text(&self) -> &str {
        &self.name
    }

    /// A relation that this pattern names: what the pattern's table says holds
    /// for it.
    pub fn found(&self, relation: ViewName) -> Self {
        ViewChoice {
            filter: self.filter.clone(),
            rows: self.rows.clone(),
            ..ViewChoice::relation(relation)
        }
    }

    /// Whether the other one, of the same name, is served in the same way: they may
    /// differ in what is said of them.
    pub fn is_served_alike(&self, other: &Self) -> bool {
        let described = ViewChoice {
            description: other.description.clone(),
            ..self.clone()
        };
        described == *other
    }

    /// Whether the other one would be streamed in the same way. The same rows
    /// may be shown whole to some, under another name, and in part to others.
    pub fn is_same_stream(&self, other: &Self) -> bool {
        self.what == other.what && self.columns == other.columns && self.rows == other.rows
    }

    /// A column that rows are chosen by, and that is not shown, if there is one.
    pub fn hidden(&self) -> Option<&str> {
        let columns = self.columns.as_ref()?;
        let rules = self.rows.iter().map(|rule| &rule.column);
        let mut used = self.filter.iter().chain(rules);
        used.find(|column| !columns.contains(column))
            .map(String::as_str)
    }

    /// Whether a name says everything about it.
    fn is_plain(&self) -> bool {
        let as_named = match &self.what {
            What::Relation(relation) => relation.text() == self.name,
            What::Query(_) => false,
            What::Pattern(_) => true,
        };
        let tells_more = self.description.is_some() || self.columns.is_some();
        as_named && !tells_more && self.filter.is_empty() && self.rows.is_empty()
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
            fields.push(format!("columns = [{}]", list(columns)));
        }
        if !self.filter.is_empty() {
            fields.push(format!("filter = [{}]", list(&self.filter)));
        }
        if !self.rows.is_empty() {
            let rules = self.rows.iter();
            let rules =
                rules.map(|it| format!("{} = {}", basic(&it.column), basic(&it.claim.text())));
            let rules: Vec<_> = rules.collect();
            fields.push(format!("rows = {{ {} }}", rules.join(", ")));
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

fn list(names: &[String]) -> String {
    let texts: Vec<_> = names.iter().map(|name| basic(name)).collect();
    texts.join(", ")
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
