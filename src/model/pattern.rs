//! Patterns of view names: all relations of one schema.

use super::name::{NameError, ViewName};

/// All relations of a schema: `schema.*` or `database.schema.*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewPattern {
    schema: ViewName,
}

impl ViewPattern {
    /// Parses a pattern; `None` if the text is no pattern but a name.
    pub fn parse(text: &str) -> Option<Result<Self, NameError>> {
        let before = text.trim().strip_suffix('*')?;
        if before.is_empty() {
            return Some(Err(NameError::Everything));
        }
        // Without a dot the star would stand inside a name.
        let schema = ViewName::parse(before.strip_suffix('.')?);
        Some(schema.and_then(|schema| match schema.parts().len() {
            1 | 2 => Ok(ViewPattern { schema }),
            _ => Err(NameError::TooManyParts {
                text: text.trim().to_owned(),
            }),
        }))
    }

    /// The pattern as given.
    pub fn text(&self) -> String {
        format!("{}.*", self.schema.text())
    }

    /// The database, if it is named, and the schema.
    pub fn schema(&self) -> (Option<&str>, &str) {
        match self.schema.parts() {
            [database, schema] => (Some(database), schema),
            [schema, ..] => (None, schema),
            [] => (None, ""),
        }
    }

    /// Whether a relation of the schema has this name.
    pub fn names(&self, name: &str) -> bool {
        let parsed = ViewName::parse(name).ok();
        let last = parsed.as_ref().and_then(|it| it.parts().last());
        last.is_some_and(|last| self.relation(last).text() == name)
    }

    /// The name of a relation in the schema.
    pub fn relation(&self, name: &str) -> ViewName {
        let mut parts = self.schema.parts().to_vec();
        parts.push(name.to_owned());
        ViewName::of_parts(parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pattern_is_a_schema_and_a_star() {
        for (text, database, schema) in [
            ("public.*", None, "public"),
            (" Mz.\"Big Sales\".* ", Some("mz"), "Big Sales"),
        ] {
            let pattern = ViewPattern::parse(text).unwrap().unwrap();
            assert_eq!(pattern.schema(), (database, schema));
        }
        for name in ["v", "public.v", "\"*\"", "public.\"a.*\"", "v*"] {
            assert_eq!(ViewPattern::parse(name), None, "{name}");
        }
        assert_eq!(ViewPattern::parse("*"), Some(Err(NameError::Everything)));
        for bad in [".*", "a..*", "a.b.c.*", "\"a.*", "*.*"] {
            let parsed = ViewPattern::parse(bad);
            assert!(matches!(parsed, Some(Err(_))), "{bad}: {parsed:?}");
        }
    }

    #[test]
    fn pattern_names_relations_so_that_they_read_back() {
        let pattern = ViewPattern::parse("db.\"S\".*").unwrap().unwrap();
        for name in ["v", "V", "a b", "a.b", "say \"hi\"", "1", "ü"] {
            let relation = pattern.relation(name);
            assert_eq!(relation.parts(), ["db", "S", name]);
            assert!(pattern.names(relation.text()));
            assert_eq!(ViewName::parse(relation.text()), Ok(relation));
        }
        for other in [
            "",
            "v",
            "S.v",
            "db.S.v",
            "db.\"S\"",
            "db.\"S\".V",
            "x.\"S\".v",
        ] {
            assert!(!pattern.names(other), "{other}");
        }
        assert_eq!(pattern.relation("v").text(), "db.\"S\".v");
    }
}
