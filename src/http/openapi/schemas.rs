//! What stands in answers and in events.

use serde_json::{Value, json};

use crate::model::upstream::Word;
use crate::relay::event::names::{
    EVENT_ABANDONED, EVENT_BASE, EVENT_CONSISTENT, EVENT_DELTA, EVENT_FULL, EVENT_GONE,
    EVENT_UPSTREAM, KEY_DELETE, KEY_INSERT, KEY_POSITION,
};

/// A position (P5).
const POSITION: &str = "^[0-9]{1,20}-[0-9a-f]+$";

/// Positions of several views (M3).
const POSITIONS: &str = r"^([0-9]{1,20}-[0-9a-f]+|-)(\.([0-9]{1,20}-[0-9a-f]+|-))*$";

/// All schemas by their names.
pub fn all() -> Value {
    let mut all = documents();
    for events in [of_rows(), of_one(), of_several()] {
        if let (Some(all), Value::Object(events)) = (all.as_object_mut(), events) {
            all.extend(events);
        }
    }
    all
}

fn documents() -> Value {
    let nullable = |kind: &str| json!({ "type": [kind, "null"] });
    let standing = json!({
        "upstream": { "enum": Word::ALL.map(Word::text) },
        "reason": { "type": ["string", "null"], "description": "Why it is not live, in words." },
        "since": { "type": "string", "format": "date-time" },
    });
    let mut view = json!({
        "name": { "type": "string" },
        "description": nullable("string"),
        "columns": { "type": "array", "items": object(&json!({
            "name": { "type": "string" },
            "type": { "type": "string", "description": "As Materialize prints it." },
        })) },
        "filterable": { "type": "array", "items": { "type": "string" } },
        "rows": nullable("integer"),
        "position": nullable("string"),
        "lag_seconds": nullable("number"),
        "subscribers": nullable("integer"),
        "stream": { "type": "string", "description": "The path of its stream." },
        "sql": { "type": ["string", "null"], "description": "The path of its SQL, if that is shown." },
    });
    let mut impaired = json!({ "view": { "type": "string" } });
    for told in [&mut view, &mut impaired] {
        if let (Some(told), Some(standing)) = (told.as_object_mut(), standing.as_object()) {
            told.extend(standing.clone());
        }
    }
    let impaired = json!({ "type": "array", "items": object(&impaired) });
    json!({
        "Renewal": object(&json!({
            "expires_in": { "type": "integer", "description": "Seconds until the stream ends." },
        })),
        "Error": object(&json!({
            "error": { "type": "string", "description": "What is wrong; it repeats nothing of the request." },
            "hint": { "type": "string", "description": "What to do about it." },
        })),
        "Health": object(&json!({ "status": { "const": "ok" } })),
        "Readiness": object(&json!({
            "status": { "enum": ["ready", "loading", "closing"] },
            "waiting": impaired,
            "impaired": impaired,
        })),
        "Views": object(&json!({
            "views": { "type": "array", "items": object(&view) },
            "gateway": object(&json!({
                "version": { "type": "string" },
                "protocol": { "type": "integer", "description": "The version of the wire contract, docs/PROTOCOL.md." },
                "about": nullable("string"),
                "base_path": { "type": "string" },
            })),
        })),
    })
}

/// What rows and changes of them look like.
fn of_rows() -> Value {
    let change = |key: &str| object(&json!({ key: { "$ref": "#/components/schemas/Row" } }));
    let list = |of: &str| {
        let of = format!("#/components/schemas/{of}");
        json!({ "type": "array", "items": { "$ref": of } })
    };
    json!({
        "Row": {
            "type": "object",
            "description": "Columns by name, in the view's order; values by their SQL types, as \
                docs/PROTOCOL.md has it. /views.d.ts has the types of each view's rows.",
        },
        "Rows": list("Row"),
        "Change": { "oneOf": [change(KEY_INSERT), change(KEY_DELETE)] },
        "Changes": list("Change"),
        "Standing": { "enum": ["live", "lost"] },
        "Reason": object(&json!({ "reason": { "type": "string" } })),
    })
}

/// The events of the stream of one view.
fn of_one() -> Value {
    let named = |name: &str| json!({ "const": name });
    json!({
        "Event": { "oneOf": [
            event(&named(EVENT_BASE), "Rows", Id::Always(POSITION)),
            event(&named(EVENT_DELTA), "Changes", Id::Perhaps(POSITION)),
            event(&named(EVENT_UPSTREAM), "Standing", Id::Never),
            event(&named(EVENT_GONE), "Reason", Id::Never),
            event(&named(EVENT_FULL), "Reason", Id::Never),
            abandoned(),
        ] },
    })
}

/// The events of a stream of several views.
fn of_several() -> Value {
    let of_view = |kind: &str| json!({ "type": "string", "pattern": format!(r"\.{kind}$") });
    let consistent = json!({ "const": EVENT_CONSISTENT });
    json!({
        "Consistent": object(&json!({ KEY_POSITION: {
            "type": ["integer", "string"],
            "description": "The time at which all views stand; text above 2^53-1.",
        } })),
        "JointEvent": { "oneOf": [
            event(&of_view(EVENT_BASE), "Rows", Id::Never),
            event(&of_view(EVENT_DELTA), "Changes", Id::Never),
            event(&of_view(EVENT_UPSTREAM), "Standing", Id::Never),
            event(&of_view(EVENT_GONE), "Reason", Id::Never),
            event(&consistent, "Consistent", Id::Perhaps(POSITIONS)),
            event(&json!({ "const": EVENT_FULL }), "Reason", Id::Never),
            abandoned(),
        ] },
    })
}

/// Whether an event has an id, and of which form.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Id {
    Never,
    Perhaps(&'static str),
    Always(&'static str),
}

/// An event of some name, whose data is JSON of this schema.
fn event(name: &Value, data: &str, id: Id) -> Value {
    let mut members = json!({
        "event": name,
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": { "$ref": format!("#/components/schemas/{data}") },
        },
        "retry": { "type": "integer", "minimum": 0 },
    });
    let mut required = vec!["event", "data"];
    if let Id::Always(_) = id {
        required.push("id");
    }
    if let (Id::Always(form) | Id::Perhaps(form), Some(members)) = (id, members.as_object_mut()) {
        members.insert(
            "id".to_owned(),
            json!({ "type": "string", "pattern": form }),
        );
    }
    json!({ "type": "object", "required": required, "properties": members })
}

/// The end of an event that was given up in the middle: nothing to apply (P11).
fn abandoned() -> Value {
    json!({
        "type": "object",
        "required": ["event"],
        "properties": { "event": { "const": EVENT_ABANDONED }, "data": { "type": "string" } },
    })
}

/// An object that has each of these members.
fn object(members: &Value) -> Value {
    let names: Vec<&String> = members
        .as_object()
        .into_iter()
        .flat_map(|it| it.keys())
        .collect();
    json!({
        "type": "object",
        "required": names,
        "properties": members,
    })
}
