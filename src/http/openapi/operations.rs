//! The paths, and what each is asked and answered.

use prometheus::TEXT_FORMAT;
use serde_json::{Map, Value, json};

use crate::http::page::ASSETS;

use super::errors::Errors;
use super::parameters::{named, of_stream};

/// What a GET of a path is.
pub struct Operation {
    /// The path, as routes.rs has it.
    pub path: &'static str,
    id: &'static str,
    tag: &'static str,
    summary: &'static str,
    parameters: Vec<Value>,
    /// Answers by their status, beside those of `errors`.
    answers: Value,
    errors: Errors,
}

/// All of them.
pub fn all() -> Vec<Operation> {
    let mut all = of_rows();
    all.extend(documents());
    all.extend(monitoring());
    all
}

impl Operation {
    /// As it stands in the document.
    pub fn get(&self) -> Value {
        self.described(self.id.to_owned(), self.all_answers())
    }

    /// The HEAD that follows from it: the same answers without their contents.
    pub fn head(&self) -> Value {
        let mut answers = self.all_answers();
        for answer in answers.values_mut().filter_map(Value::as_object_mut) {
            answer.remove("content");
        }
        self.described(format!("{}Head", self.id), answers)
    }

    fn all_answers(&self) -> Map<String, Value> {
        let mut answers = Map::new();
        if let Some(own) = self.answers.as_object() {
            answers.extend(own.clone());
        }
        for (status, answer) in self.errors.described() {
            answers.entry(status).or_insert(answer);
        }
        answers
    }

    fn described(&self, id: String, answers: Map<String, Value>) -> Value {
        // The first one is none, as is right without --auth jwt.
        let security = match answers.contains_key("401") {
            true => json!([{}, { "bearer": [] }, { "cookie": [] }, { "parameter": [] }]),
            false => json!([]),
        };
        json!({
            "operationId": id,
            "tags": [self.tag],
            "summary": self.summary,
            "parameters": self.parameters,
            "security": security,
            "responses": answers,
        })
    }
}

/// The streams, and the rows as they are now.
fn of_rows() -> Vec<Operation> {
    let mut of_one = named(&["view", "select"]);
    let mut of_several = named(&["views"]);
    let mut snapshot = of_one.clone();
    snapshot.extend(named(&["conditions", "ifNoneMatch"]));
    of_one.extend(of_stream());
    of_several.extend(of_stream());
    vec![
        Operation {
            path: "/{view}/stream",
            id: "stream",
            tag: "rows",
            summary: "The stream of a view, or of those of its rows that meet conditions.",
            parameters: of_one,
            answers: stream("Event"),
            errors: Errors::Stream,
        },
        Operation {
            path: "/stream",
            id: "jointStream",
            tag: "rows",
            summary: "One stream of several views, which change together.",
            parameters: of_several,
            answers: stream("JointEvent"),
            errors: Errors::Joint,
        },
        Operation {
            path: "/{view}",
            id: "snapshot",
            tag: "rows",
            summary: "The rows of a view as they are now; the position is in ETag.",
            parameters: snapshot,
            answers: tagged("application/json", &schema("Rows")),
            errors: Errors::Rows,
        },
        Operation {
            path: "/{view}/sql",
            id: "sql",
            tag: "rows",
            summary: "The SQL that a view is computed by, where the operator shows it.",
            parameters: named(&["view", "ifNoneMatch"]),
            answers: tagged("text/plain", &json!({ "type": "string" })),
            errors: Errors::Sql,
        },
        Operation {
            path: "/{view}/dictionary",
            id: "dictionary",
            tag: "rows",
            summary: "What a browser that has it is sent the view's stream compressed with (RFC 9842).",
            parameters: named(&["view", "ifNoneMatch"]),
            answers: with_headers(
                "text/plain",
                &json!({ "type": "string" }),
                &["ETag", "Use-As-Dictionary"],
            ),
            errors: Errors::Dictionary,
        },
        Operation {
            path: "/views",
            id: "views",
            tag: "rows",
            summary: "Every view with its columns and how it stands.",
            parameters: Vec::new(),
            answers: text("application/json", &schema("Views")),
            errors: Errors::Views,
        },
    ]
}

/// A newer token for a stream that is served, by POST.
pub fn renewals() -> Vec<Operation> {
    let id = json!({
        "name": "Viewcast-Stream",
        "in": "header",
        "required": true,
        "description": "What the stream is known by, as the header of this name in its response says.",
        "schema": { "type": "string", "pattern": "^[0-9a-f]{32}$" },
    });
    let renewal = |path, name, mut parameters: Vec<Value>| {
        parameters.push(id.clone());
        Operation {
            path,
            id: name,
            tag: "rows",
            summary: "Has a stream go on until the token of this request ends.",
            parameters,
            answers: text("application/json", &schema("Renewal")),
            errors: Errors::Renewal,
        }
    };
    vec![
        renewal("/{view}/stream/token", "renewal", named(&["view"])),
        renewal("/stream/token", "jointRenewal", Vec::new()),
    ]
}

/// What programs and people are given.
fn documents() -> Vec<Operation> {
    let mut files = named(&[]);
    files.push(json!({
        "name": "file",
        "in": "path",
        "required": true,
        "schema": { "enum": ASSETS.iter().map(|(name, _, _)| *name).collect::<Vec<_>>() },
    }));
    let mut of_files = Map::new();
    for (_, kind, _) in ASSETS {
        of_files.insert(media(kind), json!({ "schema": { "type": "string" } }));
    }
    let known = named(&["ifNoneMatch"]);
    let words = json!({ "type": "string" });
    let document = |path, id, summary, parameters, answers, errors| Operation {
        path,
        id,
        tag: "documents",
        summary,
        parameters,
        answers,
        errors,
    };
    vec![
        document(
            "/views.d.ts",
            "types",
            "The rows of each view as TypeScript.",
            known.clone(),
            tagged("text/plain", &words),
            Errors::Views,
        ),
        document(
            "/openapi.json",
            "openapi",
            "This description.",
            known,
            tagged("application/json", &json!({ "type": "object" })),
            Errors::Page,
        ),
        document(
            "/",
            "page",
            "The page that shows the views.",
            Vec::new(),
            text("text/html", &words),
            Errors::Page,
        ),
        document(
            "/assets/{file}",
            "file",
            "What the page is made of, and the client module viewcast.js.",
            files,
            json!({ "200": { "description": "The file.", "content": of_files } }),
            Errors::File,
        ),
        document(
            "/favicon.ico",
            "icon",
            "The page's icon.",
            Vec::new(),
            text("image/svg+xml", &words),
            Errors::Page,
        ),
    ]
}

/// How the gateway is.
fn monitoring() -> Vec<Operation> {
    let readiness = json!({ "application/json": { "schema": schema("Readiness") } });
    let readiness = json!({
        "200": { "description": "Every view has a base or is gone.", "content": readiness },
        "503": { "description": "Something is waited for, or it is going away.", "content": readiness },
    });
    let probe = |path, id, summary, answers, errors| Operation {
        path,
        id,
        tag: "monitoring",
        summary,
        parameters: Vec::new(),
        answers,
        errors,
    };
    vec![
        probe(
            "/healthz",
            "health",
            "The process answers.",
            text("application/json", &schema("Health")),
            Errors::Probe,
        ),
        probe(
            "/readyz",
            "readiness",
            "Whether views are loaded and streams are welcome, and which view is why not.",
            readiness,
            Errors::Probe,
        ),
        probe(
            "/metrics",
            "metrics",
            "Figures for Prometheus.",
            text(&media(TEXT_FORMAT), &json!({ "type": "string" })),
            Errors::Figures,
        ),
    ]
}

fn schema(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// A media type without its parameters: what is compared with an answer's.
fn media(kind: &str) -> String {
    kind.split(';').next().unwrap_or_default().to_owned()
}

/// An answer with an end.
fn text(kind: &str, schema: &Value) -> Value {
    json!({ "200": { "description": "As asked for.", "content": { kind: { "schema": schema } } } })
}

/// The same with a tag by which it need not be sent again.
fn tagged(kind: &str, schema: &Value) -> Value {
    with_headers(kind, schema, &["ETag"])
}

/// The same with these headers.
fn with_headers(kind: &str, schema: &Value, names: &[&str]) -> Value {
    let header = json!({ "required": true, "schema": { "type": "string" } });
    let headers = names
        .iter()
        .map(|name| ((*name).to_owned(), header.clone()));
    let headers: Map<String, Value> = headers.collect();
    json!({
        "200": {
            "description": "As asked for.",
            "headers": headers,
            "content": { kind: { "schema": schema } },
        },
        "304": { "description": "As it is known already.", "headers": headers },
    })
}

/// An answer without an end: events of a schema, each as the standard's parser
/// hands it out.
fn stream(events: &str) -> Value {
    let word =
        |description: &str| json!({ "description": description, "schema": { "type": "string" } });
    json!({ "200": {
        "description": "Events, for as long as the client stays. Over a limit, and at shutdown, the \
            stream ends soon and tells when to come back (P12, P13).",
        "headers": {
            "Cache-Control": word("No proxy is to keep or change it."),
            "Content-Encoding": word("gzip or dcz, where the gateway and the client want it (P14)."),
        },
        "content": { "text/event-stream": { "itemSchema": schema(events) } },
    } })
}
