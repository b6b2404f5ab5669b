//! `GET /openapi.json`: what can be asked for here, as OpenAPI 3.2.
//!
//! The document is written from what answers: errors from `HttpError` with its
//! status, headers and words, names of events, parameters and files from where
//! they are defined. It is the same for everybody and names no view; which
//! views there are, `/views` tells.

use std::sync::LazyLock;

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Map, Value, json};

use super::document;
use super::gateway::Gateway;

mod errors;
mod operations;
mod parameters;
mod schemas;

const KIND: &str = "application/json";

/// Written once: it does not change while the process runs.
static TEXT: LazyLock<String> = LazyLock::new(|| format!("{:#}\n", described()));

/// Answers with the description.
pub async fn openapi(request: HttpRequest, gateway: Data<Gateway>) -> HttpResponse {
    let text = match &*gateway.base_path {
        "" => TEXT.clone(),
        base_path => below(base_path),
    };
    document::respond(&request, KIND, "no-cache", text)
}

/// The description of a gateway that serves everything below a path.
fn below(base_path: &str) -> String {
    let mut described = described();
    if let Some(described) = described.as_object_mut() {
        described.insert("servers".into(), json!([{ "url": base_path }]));
    }
    format!("{described:#}\n")
}

/// The whole document.
fn described() -> Value {
    json!({
        "openapi": "3.2.0",
        "info": {
            "title": "viewcast",
            "summary": "Materialize views as Server-Sent Events.",
            "description": "docs/PROTOCOL.md of viewcast has the rules that streams and clients \
                keep, by number. Everything is read with GET; other methods are answered with \
                405, but for POST of a newer token.",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "tags": [
            { "name": "rows", "summary": "Views, and their rows." },
            { "name": "documents", "summary": "What there is, for people and programs." },
            { "name": "monitoring", "summary": "How the gateway is." },
        ],
        "paths": paths(),
        "components": {
            "schemas": schemas::all(),
            "parameters": parameters::all(),
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "Asked for where the gateway is started with --auth jwt.",
                },
                "cookie": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": crate::limits::JWT_COOKIE_DEFAULT,
                    "description": "The same token, for EventSource; --jwt-cookie names another.",
                },
                "parameter": {
                    "type": "apiKey",
                    "in": "query",
                    "name": crate::access::presented::PARAMETER,
                    "description": "The same token, where --allow-url-token allows it.",
                },
            },
        },
    })
}

/// Each path with its GET and its HEAD, or with its POST.
fn paths() -> Map<String, Value> {
    let mut paths = Map::new();
    for operation in operations::all() {
        let methods = json!({ "get": operation.get(), "head": operation.head() });
        paths.insert(operation.path.to_owned(), methods);
    }
    for operation in operations::renewals() {
        let method = json!({ "post": operation.get() });
        paths.insert(operation.path.to_owned(), method);
    }
    paths
}
