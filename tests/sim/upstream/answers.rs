//! What questions are answered, at one moment each; a view is described in two.

use std::sync::Arc;

use viewcast::model::name::ViewName;
use viewcast::model::pattern::ViewPattern;
use viewcast::model::position::Timestamp;
use viewcast::tail::conversation::{Answer, Question};
use viewcast::tail::dialect::Dialect;
use viewcast::tail::error::TailError;
use viewcast::tail::failure::Failure;
use viewcast::tail::names::{Facts, Item, Schema};
use viewcast::tail::object::{Found, Object};
use viewcast::tail::settings::TailView;

use super::{PATH, Upstream};
use crate::truth::Flow;

/// The server's own id.
const ENVIRONMENT: &str = "sim-environment";

impl Upstream {
    /// Whether a question takes two looks at the catalog, between which it may
    /// change.
    pub fn takes_two_looks(question: &Question) -> bool {
        matches!(question, Question::Describe(_) | Question::Object(_))
    }

    /// The object that a question reads.
    fn read_by(&self, question: &Question) -> Option<usize> {
        match question {
            Question::Describe(view) | Question::Object(view) => self.named(&view.parts),
            Question::Readable(name) => self.named(name.parts()),
            Question::Count { relation, .. } => self.relation(relation).ok(),
            _ => None,
        }
    }

    /// Whether a question breaks its connection.
    pub fn breaks(&self, question: &Question) -> bool {
        let object = self.read_by(question);
        object.is_some_and(|it| self.truth.objects[it].breaks)
    }

    /// Whether a question is not answered for now.
    pub fn waits(&self, question: &Question) -> bool {
        let is_hung = |parts: &[String]| {
            let name = parts.last();
            name.is_some_and(|name| self.hung_names.contains(name))
        };
        match question {
            Question::Names(names) => self.names_hang || names.iter().any(|it| is_hung(it)),
            Question::Name(name) => self.names_hang || is_hung(name),
            other => {
                let object = self.read_by(other);
                object.is_some_and(|it| self.truth.objects[it].hangs)
            }
        }
    }

    /// The first of two looks: what the name means.
    pub fn look(&mut self, session: u64, question: &Question) {
        if let Question::Describe(view) | Question::Object(view) = question {
            let meant = self.named(&view.parts);
            if let Some(session) = self.sessions.get_mut(&session) {
                session.meant = meant;
            }
        }
    }

    /// What a name means.
    pub fn named(&self, parts: &[String]) -> Option<usize> {
        match parts {
            [name] => self.meaning(name),
            [.., schema, name] => {
                let mut objects = self.truth.objects.iter();
                let is_it = |place: &(&str, String)| place.0 == schema && place.1 == *name;
                objects.position(|it| it.place.as_ref().is_some_and(is_it))
            }
            [] => None,
        }
    }

    /// The answer to a question.
    pub fn answer(
        &mut self,
        session: u64,
        question: &Question,
        now_us: u64,
    ) -> Result<Answer, TailError> {
        Ok(match question {
            Question::Dialect => Answer::Dialect(match self.generation.is_old() {
                true => Dialect::Tail,
                false => Dialect::Subscribe,
            }),
            Question::Describe(view) => Answer::Found(Box::new(self.describe(session, view)?)),
            Question::Object(view) => Answer::Object(self.object(session, view)?.1),
            Question::StillExists(_) if self.refuses_catalog => Answer::Exists(None),
            Question::StillExists(id) => Answer::Exists(Some(self.by_id(id).is_some())),
            Question::Now => Answer::Now(match self.generation.is_old() {
                true => None,
                false => Some(Timestamp::new(self.time(now_us))),
            }),
            Question::Count { relation, as_of } => self.count(relation, *as_of, now_us)?,
            Question::Names(_) if self.refuses_catalog => Answer::Names(None),
            Question::Names(names) => Answer::Names(Some(self.facts(names))),
            Question::Name(name) => Answer::Name(self.facts(std::slice::from_ref(name))),
            Question::Relations { .. } if self.refuses_catalog => {
                let failure = Failure::answer("42501", "permission denied for mz_objects");
                let what = "its relations";
                return Err(TailError::Query { what, failure });
            }
            Question::Relations { pattern, .. } => Answer::Relations(self.relations(pattern)),
            Question::Readable(name) => {
                let asked = self
                    .relation(&name.to_sql())
                    .and_then(|it| self.may_read(it));
                let what = "whether a view may be read";
                asked.map_err(|failure| TailError::Query { what, failure })?;
                Answer::Readable
            }
            Question::Granted(parts) => {
                let quoted: Vec<_> = parts.iter().map(|part| format!("\"{part}\"")).collect();
                let asked = self.relation(&quoted.join("."));
                let asked = asked.and_then(|it| self.may_read(it));
                let what = "whether a view may be read";
                asked.map_err(|failure| TailError::Query { what, failure })?;
                Answer::Readable
            }
            Question::ResultLimit => Answer::ResultLimit(None),
        })
    }

    /// What a schema has, in the order of the names.
    fn relations(&self, pattern: &ViewPattern) -> Vec<ViewName> {
        let (_, schema) = pattern.schema();
        let places = self.truth.objects.iter().filter_map(|it| it.place.as_ref());
        let names = places.filter(|place| place.0 == schema);
        let mut names: Vec<&String> = names.map(|place| &place.1).collect();
        names.sort();
        names
            .into_iter()
            .map(|name| pattern.relation(name))
            .collect()
    }

    /// Why a query of an object is refused, if it is.
    pub(super) fn may_read(&self, object: usize) -> Result<(), Failure> {
        let it = &self.truth.objects[object];
        if it.is_denied {
            let message = "permission denied for MATERIALIZED VIEW";
            return Err(Failure::answer("42501", message));
        }
        if it.has_no_replica {
            let message = "CLUSTER \"c\" has no replicas available to service request";
            return Err(Failure::answer("0A000", message));
        }
        Ok(())
    }

    fn describe(&mut self, session: u64, view: &Arc<TailView>) -> Result<Found, TailError> {
        let (object, described) = self.object(session, view)?;
        let is_coarse = described.meaning.is_none();
        let found = Found::new(view, described, ENVIRONMENT)?;
        self.truth.describe(&found.description, object, is_coarse);
        let incarnation = found.description.incarnation.to_string();
        if let Some(session) = self.sessions.get_mut(&session) {
            session.unnamed = Some(incarnation).filter(|_| is_coarse);
        }
        Ok(found)
    }

    /// The object that a name meant at the first look, as it is now where it
    /// is asked for by its id; else whatever has the name now.
    fn object(&mut self, session: u64, view: &TailView) -> Result<(usize, Object), TailError> {
        let unknown = || TailError::UnknownView {
            name: view.name.clone(),
            near: Vec::new(),
        };
        let meant = self.sessions.get(&session).and_then(|it| it.meant);
        let object = meant.ok_or_else(unknown)?;
        let meaning = self
            .facts_of(&view.parts, Some(object))
            .meaning(&view.parts);
        let by_id = meaning.as_ref().and_then(|it| it.by_id(&view.parts));
        let by_id = by_id.filter(|_| self.generation.takes_ids());
        let columns_of = match by_id {
            Some(_) => self.by_id(&self.truth.objects[object].id),
            None => self.named(&view.parts),
        };
        let columns_of = columns_of.ok_or_else(unknown)?;
        let what = "the view's columns";
        let asked = self.may_read(columns_of);
        asked.map_err(|failure| TailError::Query { what, failure })?;
        let described = Object {
            meaning,
            columns: self.truth.objects[columns_of].columns.clone(),
            is_by_id: by_id.is_some(),
            sql: by_id.unwrap_or_else(|| view.sql.clone()),
        };
        Ok((object, described))
    }

    fn facts(&self, names: &[Vec<String>]) -> Facts {
        let mut facts = self.facts_of(&[], None);
        if self.refuses_catalog {
            return facts;
        }
        let is_asked = |name: &String| names.iter().any(|parts| parts.last() == Some(name));
        for object in 0..self.truth.objects.len() {
            let place = &self.truth.objects[object].place;
            if place.as_ref().is_some_and(|(_, name)| is_asked(name)) {
                facts.items.get_or_insert_default().push(self.item(object));
            }
        }
        facts
    }

    fn item(&self, object: usize) -> Item {
        let it = &self.truth.objects[object];
        let (schema, name) = it.place.clone().unwrap_or(("", String::new()));
        Item {
            name,
            id: it.id.clone(),
            schema_id: format!("s-{schema}"),
            kind: "materialized-view".to_owned(),
            ..Item::default()
        }
    }

    /// What the catalog says of one object, by the name that it was found by.
    fn facts_of(&self, parts: &[String], object: Option<usize>) -> Facts {
        if self.refuses_catalog {
            return Facts::default();
        }
        let mut items = Vec::new();
        if let Some(object) = object {
            let mut item = self.item(object);
            // It may have been renamed since.
            if item.name.is_empty() {
                item.schema_id = format!("s-{}", PATH[1]);
            }
            item.name = parts.last().cloned().unwrap_or_default();
            items.push(item);
        }
        let schema = |name: &&str| Schema {
            id: format!("s-{name}"),
            database_id: Some("d1".to_owned()),
            name: (*name).to_owned(),
        };
        Facts {
            items: Some(items),
            schemas: Some(PATH.iter().map(schema).collect()),
            databases: vec![("d1".to_owned(), "materialize".to_owned())],
            database: Some("materialize".to_owned()),
            path: PATH.iter().map(|it| (*it).to_owned()).collect(),
        }
    }

    /// What stands in SQL for an object.
    pub(super) fn relation(&self, sql: &str) -> Result<usize, Failure> {
        if let Some(rest) = sql.strip_prefix('[') {
            let id = rest.split(' ').next().unwrap_or_default();
            return self
                .by_id(id)
                .ok_or_else(|| Failure::answer("XX000", &format!("invalid id {id}")));
        }
        let parts = sql.split('.').map(|part| part.trim_matches('"').to_owned());
        let parts: Vec<String> = parts.collect();
        self.named(&parts)
            .ok_or_else(|| Failure::answer("XX000", &format!("unknown catalog item '{sql}'")))
    }

    fn count(
        &mut self,
        relation: &str,
        as_of: Option<Timestamp>,
        now_us: u64,
    ) -> Result<Answer, TailError> {
        let failed = |failure| TailError::Query {
            what: "the number of rows",
            failure,
        };
        let object = self.relation(relation).map_err(failed)?;
        self.refresh_all(now_us);
        let it = &self.truth.objects[object];
        if let Some((error, _)) = &it.error {
            return Err(failed(Failure::answer("XX000", error)));
        }
        self.may_read(object).map_err(failed)?;
        // A question for what never changes is good to the end of time.
        let is_old = self.generation.is_old();
        let is_constant = it.flow == Flow::Constant || is_old && it.ended.is_some();
        let at = match as_of {
            Some(time) => time.get(),
            None if is_constant => u64::MAX,
            None => self.time(now_us),
        };
        if at < self.since {
            return Err(failed(Failure::answer("22000", "not valid")));
        }
        let rows = self.truth.histories[it.history].rows_at(at);
        let rows = rows.values().map(|copies| i128::from(*copies)).sum();
        if as_of.is_none() && !is_constant {
            // What it counted at this time stands.
            self.told = self.told.max(at);
        }
        Ok(Answer::Count(rows, Timestamp::new(at)))
    }
}
