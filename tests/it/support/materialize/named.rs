//! What names mean to the scripted server, and what becomes of them.

use std::sync::Arc;

use super::super::pgwire;
use super::answers::view_name;
use super::chaos::Changes;
use super::{Generation, Materialize, State, Step, View};

impl Materialize {
    /// Whether objects are taken by their ids: 0.26 does, 0.7 does not.
    pub fn take_ids(&self, takes_ids: bool) {
        self.shared.with(|state| state.takes_ids = takes_ids);
    }

    /// How the gateway asks for a view by its id.
    pub fn by_id(&self, name: &str) -> String {
        self.shared.with(|state| {
            let View {
                id, name, schema, ..
            } = state.view(name);
            let name = name.replace('"', "\"\"");
            format!("[{id} AS \"materialize\".\"{schema}\".\"{name}\"]")
        })
    }

    /// Gives a view another name; the test goes on using the one it has.
    pub fn rename(&self, name: &str, to: &str) {
        self.shared
            .with(|state| state.view(name).name = to.to_string());
    }

    /// Gives two views each other's names.
    pub fn swap(&self, one: &str, other: &str) {
        self.shared.with(|state| {
            let name = state.view(one).name.clone();
            let name = std::mem::replace(&mut state.view(other).name, name);
            state.view(one).name = name;
        });
    }

    /// Replaces a view's definition, so that it has these rows: streams that run
    /// show the difference, and go on. Whoever asks by its new id for the past
    /// is shown what the new definition makes of it.
    pub fn replace(&self, name: &str, rows: Changes) {
        self.shared.with(|state| {
            let id = format!("u{}", state.next_id);
            state.next_id += 1;
            state.now += 1000;
            let now = state.now;
            let view = state.view(name);
            let mut changes = rows.clone();
            for (row, copies) in view.contents_at(now) {
                changes.push((row, -copies));
            }
            view.former.push(std::mem::replace(&mut view.id, id));
            view.push(Step::Commit(now, changes));
            view.past = Some((now, rows));
        });
    }

    /// Adds a column, which is NULL in all rows: streams that run go on without
    /// it.
    pub fn add_column(&self, name: &str, column: (&str, &str)) {
        self.shared.with(|state| {
            let view = state.view(name);
            view.columns
                .push((column.0.to_string(), column.1.to_string()));
            let width = view.columns.len();
            for step in &mut view.steps {
                if let Step::Commit(at, changes) = step.as_ref() {
                    let mut changes = changes.clone();
                    changes
                        .iter_mut()
                        .for_each(|(row, _)| row.resize(width, None));
                    *step = Arc::new(Step::Commit(*at, changes));
                }
            }
        });
    }

    /// Drops the view and creates it anew, with these rows, as soon as the next
    /// asking of this question was answered.
    pub fn recreate_behind(
        &self,
        question: &str,
        name: &str,
        columns: &[(&str, &str)],
        rows: Changes,
    ) {
        let owned = |(name, kind): &(&str, &str)| (name.to_string(), kind.to_string());
        let replacement = Replacement {
            question: question.to_string(),
            name: name.to_string(),
            columns: columns.iter().map(owned).collect(),
            rows,
        };
        self.shared
            .with(|state| state.replacements.push(replacement));
    }

    /// Puts a view into a schema.
    pub fn set_schema(&self, name: &str, schema: &str) {
        self.shared
            .with(|state| state.view(name).schema = schema.to_string());
    }

    /// The schemas in which a bare name is looked for.
    pub fn set_path(&self, path: &[&str]) {
        let path = path.iter().map(|name| name.to_string()).collect();
        self.shared.with(|state| state.path = path);
    }
}

/// A view that is dropped and created anew when a question was answered.
pub(super) struct Replacement {
    question: String,
    name: String,
    columns: Vec<(String, String)>,
    rows: Changes,
}

/// The ids of the schemas.
const SCHEMAS: [(&str, &str); 3] = [("u3", "public"), ("u4", "blue"), ("u5", "green")];

impl View {
    pub(super) fn schema_id(&self) -> &'static str {
        let mut schemas = SCHEMAS.iter();
        let found = schemas.find(|(_, name)| *name == self.schema);
        found.expect("a schema of the script").0
    }
}

/// The schemas as rows of the catalog.
pub(super) fn schema_rows() -> Vec<super::Values> {
    let row = |(id, name): &(&str, &str)| [*id, "u1", *name].map(|it| Some(it.to_string()));
    SCHEMAS.iter().map(|schema| row(schema).to_vec()).collect()
}

impl State {
    /// Creates a view, in place of one of that name.
    pub(super) fn create_view(&mut self, name: &str, columns: &[(&str, &str)]) {
        let id = format!("u{}", self.next_id);
        self.next_id += 1;
        let owned = |(name, kind): &(&str, &str)| (name.to_string(), kind.to_string());
        let view = View {
            id,
            former: Vec::new(),
            name: name.to_string(),
            schema: "public".to_string(),
            columns: columns.iter().map(owned).collect(),
            described: None,
            is_denied: false,
            steps: Vec::new(),
            born: self.now,
            exists: true,
            constant: false,
            refresh: None,
            history: None,
            past: None,
        };
        // A dropped one stays for the streams that still read it, under a name
        // that no test has: what is committed is not its any more.
        for (other, view) in &mut self.views {
            if other == name && !view.exists {
                *other = format!("{name}, once {}", view.id);
            }
        }
        self.views.insert(0, (name.to_string(), view));
    }

    /// Drops a view: a modern server ends its streams with an error, an old one
    /// says nothing and streams on.
    pub(super) fn drop_view(&mut self, name: &str) {
        let modern = !self.is_old();
        let view = self.view(name);
        view.exists = false;
        if modern {
            let message = format!(
                "subscribe has been terminated because underlying relation \"materialize.public.{name}\" was dropped"
            );
            view.push(Step::Error("XX000".to_string(), message));
        }
    }

    /// The question was answered: what is to happen behind it.
    pub(super) fn answered(&mut self, question: &str) {
        let mut replacements = self.replacements.iter();
        let Some(at) = replacements.position(|it| it.question == question) else {
            return;
        };
        let replacement = self.replacements.remove(at);
        let name = &replacement.name;
        let columns = replacement.columns.iter();
        let columns: Vec<_> = columns
            .map(|(name, kind)| (name.as_str(), kind.as_str()))
            .collect();
        self.drop_view(name);
        self.create_view(name, &columns);
        self.now += 1000;
        let commit = Step::Commit(self.now, replacement.rows);
        self.view(name).push(commit);
    }

    /// The view that an identifier path means, with the test's name for it, or
    /// the server's error.
    pub(super) fn meant(&self, path: &str) -> Result<(&str, &View), Vec<u8>> {
        let name = view_name(path);
        if let Some(inside) = path.trim().strip_prefix('[') {
            if !self.takes_ids {
                let message = "Expected identifier, found left square bracket";
                return Err(pgwire::error("42601", message));
            }
            let id = inside.split(' ').next().unwrap_or_default();
            let mut views = self.views.iter();
            let found = views.find(|(_, view)| view.id == id && view.exists);
            let found = found.map(|(name, view)| (name.as_str(), view));
            return found.ok_or_else(|| pgwire::error("XX000", &format!("invalid id {id}")));
        }
        let existing = self.views.iter().filter(|(_, view)| view.exists);
        let named: Vec<_> = existing.filter(|(_, view)| view.name == name).collect();
        let schema = path.rsplit_once(&format!("\"{}\"", name.replace('"', "\"\"")));
        let schema = schema.and_then(|(before, _)| before.strip_suffix('.'));
        let schemas = match schema.map(view_name) {
            Some(schema) if SCHEMAS.iter().any(|(_, known)| *known == schema) => vec![schema],
            // The script does not tell the system's schemas apart.
            Some(_) => vec!["public".to_string()],
            None => self.path.clone(),
        };
        let in_schema = |schema: &String| named.iter().find(|(_, view)| view.schema == *schema);
        let found = schemas.iter().find_map(in_schema);
        let found = found.map(|(name, view)| (name.as_str(), view));
        found.ok_or_else(|| super::answers::unknown(&name))
    }

    /// The objects of the catalog that have a name.
    pub(super) fn named(&self, name: &str) -> impl Iterator<Item = &View> {
        let views = self.views.iter().map(|(_, view)| view);
        views.filter(move |view| view.exists && view.name == name)
    }

    pub(super) fn is_old(&self) -> bool {
        self.generation == Generation::Old
    }
}
