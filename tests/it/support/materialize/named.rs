//! What names mean to the scripted server, and what becomes of them.

use super::super::pgwire;
use super::answers::view_name;
use super::{Generation, Materialize, State, View};

impl Materialize {
    /// Whether objects are taken by their ids: 0.26 does, 0.7 does not.
    pub fn take_ids(&self, takes_ids: bool) {
        self.shared.with(|state| state.takes_ids = takes_ids);
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
        let schemas = match schema {
            Some(schema) => vec![view_name(schema)],
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
