//! What a name means: which object of the catalog.
//!
//! The answers are plain rows; what follows from them is computed here, and the
//! same way for a tail that begins and for the watch that looks after all.

use crate::model::name::ViewName;

/// Where a bare name is looked for first, as both generations do.
const SYSTEM_SCHEMAS: [&str; 2] = ["mz_catalog", "pg_catalog"];

/// Types of catalog objects that share names with relations but are none.
const NOT_RELATIONS: [&str; 7] = [
    "index",
    "sink",
    "type",
    "function",
    "secret",
    "connection",
    "role",
];

/// Types of relations whose contents are written down as they change.
const RECORDED: [&str; 3] = ["table", "source", "materialized-view"];

/// An object of the catalog.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Item {
    /// Its own name, without schema and database.
    pub name: String,
    /// Its id, e.g. `u12`.
    pub id: String,
    /// Empty if the catalog does not say.
    pub schema_id: String,
    /// Empty if the catalog does not say.
    pub kind: String,
    /// Its first id: a view whose definition was replaced (`APPLY REPLACEMENT`)
    /// has the other one's id from then on, and is the same view. Empty if the
    /// catalog does not say.
    pub first_id: String,
    /// Names and types of its columns, in order. Empty if the catalog does not
    /// say.
    pub columns: Vec<(String, String)>,
}

/// A schema of the catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    /// Its id.
    pub id: String,
    /// None for the system's, which belong to no database.
    pub database_id: Option<String>,
    /// Its name, without the database.
    pub name: String,
}

/// What the catalog says, as far as some names need it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The objects of these names; `None` if the server does not tell.
    pub items: Option<Vec<Item>>,
    /// `None` if the server does not tell.
    pub schemas: Option<Vec<Schema>>,
    /// Ids and names.
    pub databases: Vec<(String, String)>,
    /// The session's database, where names without one are looked for.
    pub database: Option<String>,
    /// The schemas in which a bare name is looked for, in order.
    pub path: Vec<String>,
}

/// What a name means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meaning {
    /// The ids of the objects it may mean, in order. One, where the catalog
    /// tells enough; none if there is no such object.
    pub ids: Vec<String>,
    /// The parts of the one object's full name, where the catalog tells them.
    pub place: Option<Vec<String>>,
    /// The first id of the one object, where the catalog tells.
    pub first_id: Option<String>,
    /// Names and types of the one object's columns, where the catalog tells.
    pub columns: Option<Vec<(String, String)>>,
    /// Whether the one object's contents are written down as they change.
    pub is_recorded: bool,
}

impl Meaning {
    /// Whether both stand for the same object with the same columns, or leave the
    /// same open.
    pub fn is_same(&self, other: &Meaning) -> bool {
        let has_same_columns = match (&self.columns, &other.columns) {
            (Some(one), Some(other)) => one == other,
            // A catalog that does not tell this time says nothing against it.
            _ => true,
        };
        let has_place = self.place.is_some() == other.place.is_some();
        self.ids == other.ids && has_place && has_same_columns
    }

    /// The id of the one object.
    pub fn id(&self) -> Option<&str> {
        match self.ids.as_slice() {
            [id] => Some(id),
            _ => None,
        }
    }

    /// What tells the view from others, equal in every gateway: the first id that
    /// its object had. `None` where the name may mean several objects: two of them
    /// may change places and the ids stay the same.
    pub fn lineage(&self) -> Option<&str> {
        let id = self.id()?;
        Some(self.first_id.as_deref().unwrap_or(id))
    }

    /// Whether the object, asked for a time that has passed, shows what the view
    /// was then.
    ///
    /// A view that is not materialized is computed from what its relations are
    /// now, and the definition of one of them may have been replaced since. So
    /// may the view's own: it has another id then. And a new version of the
    /// server may fill one of its own relations anew.
    pub fn has_past(&self) -> bool {
        let is_first = self.id().is_some() && self.id() == self.lineage();
        let is_of_users = self.id().is_some_and(|id| id.starts_with('u'));
        self.is_recorded && is_first && is_of_users
    }

    /// The object by its id, as newer servers take it; `given` are the parts of
    /// the name that it was found by. None unless it is one object.
    pub fn by_id(&self, given: &[String]) -> Option<String> {
        let id = self.id()?;
        let is_plain = |c: char| c.is_ascii_alphanumeric();
        if id.is_empty() || !id.chars().all(is_plain) {
            return None;
        }
        let parts = self.place.as_deref().unwrap_or(given);
        let name = ViewName::of_parts(parts.to_vec());
        Some(format!("[{id} AS {}]", name.to_sql()))
    }
}

impl Facts {
    /// What a name of one to three parts means; `None` if the server does not
    /// tell what objects there are.
    pub fn meaning(&self, parts: &[String]) -> Option<Meaning> {
        let name = parts.last()?;
        let is_candidate =
            |item: &&Item| item.name == *name && !NOT_RELATIONS.contains(&item.kind.as_str());
        let candidates: Vec<&Item> = self.items.as_ref()?.iter().filter(is_candidate).collect();
        let found = self.found(parts, &candidates);
        if let Some((schema, items)) = &found
            && let [item] = items.as_slice()
        {
            return Some(Meaning {
                ids: vec![item.id.clone()],
                place: Some(self.place(item, schema)),
                first_id: Some(item.first_id.clone()).filter(|id| !id.is_empty()),
                columns: Some(item.columns.clone()).filter(|columns| !columns.is_empty()),
                is_recorded: RECORDED.contains(&item.kind.as_str()),
            });
        }
        let left = found.map_or(candidates, |(_, items)| items);
        let mut ids: Vec<_> = left.into_iter().map(|item| item.id.clone()).collect();
        ids.sort();
        Some(Meaning {
            ids,
            ..Meaning::default()
        })
    }

    /// The first schema that the name is looked for in and that has some of the
    /// candidates, with these.
    fn found<'a>(
        &'a self,
        parts: &[String],
        candidates: &[&'a Item],
    ) -> Option<(&'a Schema, Vec<&'a Item>)> {
        let (database, names): (Option<&String>, Vec<&str>) = match parts {
            [database, schema, _] => (Some(database), vec![schema]),
            [schema, _] => (self.database.as_ref(), vec![schema]),
            _ => {
                let path = self.path.iter().map(String::as_str);
                let system = SYSTEM_SCHEMAS.iter().copied();
                (self.database.as_ref(), system.chain(path).collect())
            }
        };
        let database = database.map(String::as_str);
        let schemas = self.schemas.as_ref()?;
        names.into_iter().find_map(|wanted| {
            let mut named = schemas.iter().filter(|schema| schema.name == wanted);
            named.find_map(|schema| {
                let is_here = |item: &&Item| item.schema_id == schema.id;
                let items: Vec<&Item> = candidates.iter().copied().filter(is_here).collect();
                let is_it = !items.is_empty() && self.is_reached(schema, database);
                is_it.then_some((schema, items))
            })
        })
    }

    /// Whether a schema is one of this database, or the system's.
    fn is_reached(&self, schema: &Schema, database: Option<&str>) -> bool {
        let Some(of) = &schema.database_id else {
            return true;
        };
        let mut databases = self.databases.iter();
        databases.any(|(id, name)| id == of && Some(name.as_str()) == database)
    }

    fn place(&self, item: &Item, schema: &Schema) -> Vec<String> {
        let of = schema.database_id.as_ref();
        let mut databases = self.databases.iter();
        let database = databases.find(|(id, _)| Some(id) == of);
        let database = database.map(|(_, name)| name.clone());
        let rest = [schema.name.clone(), item.name.clone()];
        database.into_iter().chain(rest).collect()
    }

    /// The id of a schema, of the session's database if none is named.
    pub fn schema_id(&self, database: Option<&str>, schema: &str) -> Option<&str> {
        let database = database.or(self.database.as_deref());
        let mut schemas = self.schemas.iter().flatten();
        let found = schemas.find(|it| it.name == schema && self.is_reached(it, database));
        found.map(|it| it.id.as_str())
    }
}

#[cfg(test)]
mod tests;
