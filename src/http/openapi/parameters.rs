//! What may stand in an address or a header.

use serde_json::{Map, Value, json};

use crate::http::query::{LAST_EVENT_ID_PARAMETERS, SELECT, VIEW};
use crate::limits::JOINT_VIEWS_MAX;

/// A test of a condition, as docs/PROTOCOL.md has it (W1).
const TEST: &str = r"^(not\.)?(eq\.[\s\S]*|in\.\([\s\S]*\)|is\.(null|true|false))$";

/// Parameters by the name under which operations refer to them.
pub fn all() -> Map<String, Value> {
    let mut all = Map::new();
    if let Value::Object(own) = own() {
        all.extend(own);
    }
    for name in LAST_EVENT_ID_PARAMETERS {
        let description = "The same as the header Last-Event-ID, where that cannot be set.";
        let parameter = json!({
            "name": name,
            "in": "query",
            "description": description,
            "schema": { "type": "string" },
        });
        all.insert(name.to_owned(), parameter);
    }
    all
}

/// Those that there is one of.
fn own() -> Value {
    json!({
        "view": {
            "name": "view",
            "in": "path",
            "required": true,
            "description": "The name of a view as /views lists it, percent-encoded; `view` stands \
                for the first one.",
            "schema": { "type": "string", "minLength": 1 },
            "examples": { "name": { "dataValue": "orders" }, "schema": { "dataValue": "sales.orders" } },
        },
        "views": {
            "name": VIEW,
            "in": "query",
            "required": true,
            "description": "The views that are shown, each once.",
            "schema": {
                "type": "array",
                "items": { "type": "string", "minLength": 1 },
                "minItems": 1,
                "maxItems": JOINT_VIEWS_MAX,
                "uniqueItems": true,
            },
        },
        "select": {
            "name": SELECT,
            "in": "query",
            "description": "The columns that are shown, separated by commas; `*` is all (W4).",
            "schema": { "type": "string" },
        },
        "conditions": {
            "name": "conditions",
            "in": "query",
            "style": "form",
            "explode": true,
            "description": "Any other parameter is a condition on a filterable column, as \
                COLUMN=eq.VALUE; only rows that meet all of them are shown (W1 to W5). On a stream \
                of several views the view stands before the column, as VIEW.COLUMN=eq.VALUE.",
            "schema": {
                "type": "object",
                "additionalProperties": { "type": "string", "pattern": TEST },
            },
        },
        "lastEventIdHeader": {
            "name": "Last-Event-ID",
            "in": "header",
            "description": "The id of the last event that was seen: the stream goes on from there \
                where it can, and begins with a base where it cannot (R1 to R3).",
            "schema": { "type": "string" },
        },
        "ifNoneMatch": {
            "name": "If-None-Match",
            "in": "header",
            "description": "The ETag of what the client has: 304 if it is still so.",
            "schema": { "type": "string" },
        },
    })
}

/// References to parameters of these names.
pub fn named(names: &[&str]) -> Vec<Value> {
    let named = names.iter();
    let referred = named.map(|name| json!({ "$ref": format!("#/components/parameters/{name}") }));
    referred.collect()
}

/// Those of every stream.
pub fn of_stream() -> Vec<Value> {
    let mut all = named(&["conditions", "lastEventIdHeader"]);
    all.extend(named(&LAST_EVENT_ID_PARAMETERS));
    all
}
