//! What a line of the log looks like: text for people, or JSON for machines.

use std::io::{self, Write as _};

use env_logger::fmt::Formatter;
use log::kv::{self, Key, Value, VisitSource};
use log::{Record, error};
use serde_json::{Map, json};

/// Logs to stderr: what RUST_LOG says, else our own news and others' warnings.
pub fn start(is_json: bool) {
    let filter = env_logger::Env::default().default_filter_or("warn,viewcast=info");
    let mut builder = env_logger::Builder::from_env(filter);
    if is_json {
        builder.format(as_json);
    } else {
        builder.format_timestamp_millis();
    }
    builder.init();
    if is_json {
        // What panics say would be the only lines that are no JSON.
        std::panic::set_hook(Box::new(|panic| error!("{panic}")));
    }
}

fn as_json(buffer: &mut Formatter, record: &Record<'_>) -> io::Result<()> {
    let mut line = Map::new();
    line.insert("time".into(), json!(buffer.timestamp_millis().to_string()));
    line.insert("level".into(), json!(record.level().as_str()));
    line.insert("target".into(), json!(record.target()));
    line.insert("message".into(), json!(record.args().to_string()));
    let visited = record.key_values().visit(&mut Fields(&mut line));
    visited.map_err(io::Error::other)?;
    writeln!(buffer, "{}", serde_json::Value::Object(line))
}

/// What the line is about, each by its name.
struct Fields<'l>(&'l mut Map<String, serde_json::Value>);

impl<'kvs> VisitSource<'kvs> for Fields<'_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        let number = value.to_u64().map(|number| json!(number));
        let number = number.or_else(|| value.to_f64().map(|number| json!(number)));
        let value = number.unwrap_or_else(|| json!(value.to_string()));
        self.0.insert(key.to_string(), value);
        Ok(())
    }
}
