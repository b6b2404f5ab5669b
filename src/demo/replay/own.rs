//! What the demo's tables and views look like, and whether the ones that an
//! upstream has by these names are the demo's: somebody else's are not written
//! to, nor taken for it.

use postgres::error::SqlState;
use postgres::{Client, SimpleQueryMessage};

use super::ended::Ended;
use crate::demo::error::DemoError;

/// A relation's name, its columns, and their types where rows are inserted.
type Own = (&'static str, &'static [(&'static str, &'static str)]);

/// All of config/wikipedia.sql; a test compares them.
const OWN: [Own; 9] = [
    (
        "edits",
        &[
            ("edit_id", "bigint"),
            ("edited_at", "timestamp"),
            ("wiki", "text"),
            ("page", "text"),
            ("user_name", "text"),
            ("bytes", "bigint"),
            ("minute_until", "numeric"),
            ("hot_until", "numeric"),
        ],
    ),
    (
        "wikis",
        &[("code", "text"), ("language", "text"), ("family", "text")],
    ),
    ("counter", &[("edits", ""), ("bytes", ""), ("editors", "")]),
    ("user_edits", &[("user", ""), ("count", "")]),
    (
        "page_edits",
        &[
            ("user", ""),
            ("wiki", ""),
            ("page", ""),
            ("edits", ""),
            ("bytes", ""),
        ],
    ),
    ("top10", &[("user", ""), ("count", "")]),
    (
        "edits_by_language",
        &[
            ("language", ""),
            ("family", ""),
            ("edits", ""),
            ("bytes", ""),
        ],
    ),
    ("edits_per_minute", &[("minute", ""), ("edits", "")]),
    (
        "hot_pages",
        &[("page", ""), ("wiki", ""), ("editors", ""), ("edits", "")],
    ),
];

/// Looks at all of them before any is created or written to.
pub(super) fn check(client: &mut Client) -> Result<(), Ended> {
    for (name, own) in OWN {
        let found = columns(client, name)?;
        if !found.is_empty() && !is_own(&found, own) {
            return Err(Ended::Refused(DemoError::Foreign {
                name,
                found: listed(found.iter().map(|(name, sql_type)| (name, sql_type))),
                wanted: listed(own.iter().copied()),
            }));
        }
    }
    Ok(())
}

fn listed(columns: impl Iterator<Item = (impl AsRef<str>, impl AsRef<str>)>) -> String {
    let columns = columns.map(|(name, sql_type)| {
        let column = format!("{} {}", name.as_ref(), sql_type.as_ref());
        column.trim_end().to_owned()
    });
    columns.collect::<Vec<_>>().join(", ")
}

/// Name and type of each column; none if there is no such relation.
fn columns(client: &mut Client, name: &str) -> Result<Vec<(String, String)>, postgres::Error> {
    let messages = match client.simple_query(&format!("SHOW COLUMNS FROM \"{name}\"")) {
        Ok(messages) => messages,
        Err(error) if is_missing(&error) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let columns = messages.iter().filter_map(|message| match message {
        // Name, nullable, type, and on newer servers a comment.
        SimpleQueryMessage::Row(row) => Some((
            row.try_get(0).ok()??.to_owned(),
            row.try_get(2).ok()??.to_owned(),
        )),
        _ => None,
    });
    Ok(columns.collect())
}

/// Whether the server says that there is no such relation.
fn is_missing(error: &postgres::Error) -> bool {
    let known = [SqlState::UNDEFINED_TABLE, SqlState::UNDEFINED_OBJECT];
    error.as_db_error().is_some_and(|error| {
        let message = error.message();
        known.contains(error.code())
            || message.contains("unknown catalog item")
            || message.contains("does not exist")
    })
}

/// Whether these are the columns, in whatever order they are listed.
fn is_own(found: &[(String, String)], own: &[(&str, &str)]) -> bool {
    let is_there = |(name, sql_type): &(&str, &str)| {
        let mut same = found.iter().filter(|(other, _)| other == name);
        // "timestamp" is also "timestamp without time zone".
        same.any(|(_, other)| other.starts_with(sql_type))
    };
    found.len() == own.len() && own.iter().all(is_there)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relations_are_those_of_the_schema() {
        let schema = super::super::SCHEMA;
        for (name, own) in OWN {
            let begin = [" TABLE", " MATERIALIZED VIEW"]
                .iter()
                .find_map(|kind| schema.find(&format!("{kind} IF NOT EXISTS {name} ")))
                .unwrap_or_else(|| panic!("no {name}"));
            let text = &schema[begin..];
            let text = &text[..text.find(';').unwrap()];
            for (column, sql_type) in own {
                let is_there = match sql_type.is_empty() {
                    true => text.contains(column),
                    false => text.contains(&format!("\n    {column} {sql_type}")),
                };
                assert!(is_there, "{name}.{column}");
            }
        }
        let statements = super::super::statements(schema);
        assert_eq!(statements.len(), OWN.len());
    }

    #[test]
    fn columns_are_compared_in_any_order_and_whole() {
        let own = OWN[1].1;
        let found = |columns: &[(&str, &str)]| {
            let text = |(name, sql_type): &(&str, &str)| ((*name).into(), (*sql_type).into());
            columns.iter().map(text).collect::<Vec<(String, String)>>()
        };
        let good = [("family", "text"), ("code", "text"), ("language", "text")];
        assert!(is_own(&found(&good), own));
        assert!(!is_own(&found(&good[..2]), own));
        assert!(!is_own(
            &found(&[good[0], good[1], ("language", "integer")]),
            own
        ));
        assert!(!is_own(
            &found(&[good[0], good[1], good[2], ("x", "text")]),
            own
        ));
        assert!(is_own(&found(&[("minute", "x"), ("edits", "y")]), OWN[7].1));
    }
}
