//! The demo's stand-in for Materialize as a process of its own, and questions
//! to it over its own protocol, past the gateway.

use std::collections::BTreeMap;

use postgres::{Client, NoTls, SimpleQueryMessage};
use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use super::gateway::Process;

/// Rows as the server prints them, each with its multiplicity.
pub type TextRows = BTreeMap<Vec<Option<String>>, u64>;

/// A stand-in that runs without a gateway.
pub struct StandIn {
    pub process: Process,
    pub url: String,
}

impl StandIn {
    /// Starts one at a pace fit for tests.
    pub fn start(arguments: &[&str]) -> StandIn {
        let mut all = vec![
            "demo",
            "--only-upstream",
            "--listen-upstream",
            "127.0.0.1:0",
        ];
        all.extend_from_slice(arguments);
        let process = Process::start(&all);
        let line = process.await_log("postgres://");
        let begin = line.find("postgres://").unwrap();
        let url = line[begin..].trim().to_owned();
        StandIn { process, url }
    }

    /// A connection past the gateway.
    pub fn connect(&self) -> Client {
        Client::connect(&self.url, NoTls).expect("the stand-in accepts")
    }
}

/// `SELECT * FROM view AS OF timestamp`.
pub fn rows_as_of(client: &mut Client, view: &str, timestamp: u64) -> TextRows {
    let sql = format!("SELECT * FROM {view} AS OF {timestamp}");
    let mut rows = TextRows::new();
    for message in client.simple_query(&sql).expect("the stand-in answers") {
        if let SimpleQueryMessage::Row(row) = message {
            let fields = (0..row.len()).map(|at| row.get(at).map(str::to_owned));
            *rows.entry(fields.collect()).or_default() += 1;
        }
    }
    rows
}

/// JSON rows as the server would print them: a way back that shares no code
/// with the way there.
pub fn text_rows(rows: &super::table::Rows) -> TextRows {
    let mut texts = TextRows::new();
    for (row, copies) in rows {
        let fields: Fields = serde_json::from_str(row).expect("an object");
        *texts.entry(fields.0).or_default() += copies;
    }
    texts
}

/// An object's values in their order, as SQL text.
struct Fields(Vec<Option<String>>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Fields;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some((_, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    fields.push(sql_text(value.get()));
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

fn sql_text(json: &str) -> Option<String> {
    Some(match json {
        "null" => return None,
        "true" => "t".to_owned(),
        "false" => "f".to_owned(),
        text if text.starts_with('"') => serde_json::from_str(text).expect("a string"),
        number => number.to_owned(),
    })
}
