//! The page and the client module, embedded so that the binary is all there is.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION};
use actix_web::web::Data;
use actix_web_lab::extract::Path;

use super::error::HttpError;
use super::gateway::Gateway;

/// Everything comes from this gateway, and nothing is run or styled inline: a
/// row's text cannot become markup that does anything.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

/// One embedded file: its name, its type, its text.
type Asset = (&'static str, &'static str, &'static str);

/// The text of a file of web/. Of the client module and its worker, what
/// `web/build.mjs` made of them: one file each, without the comments.
macro_rules! text {
    ("viewcast.js") => {
        include_str!("../../web/viewcast.min.js")
    };
    ("viewcast.worker.js") => {
        include_str!("../../web/viewcast.worker.min.js")
    };
    ("PROTOCOL.md") => {
        include_str!("../../docs/PROTOCOL.md")
    };
    ("FRONTEND.md") => {
        include_str!("../../docs/FRONTEND.md")
    };
    ("CLIENTS.md") => {
        include_str!("../../docs/CLIENTS.md")
    };
    ($name:literal) => {
        include_str!(concat!("../../web/", $name))
    };
}

macro_rules! assets {
    ($($name:tt: $kind:expr),* $(,)?) => {
        &[$(($name, $kind, text!($name))),*]
    };
}

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const SVG: &str = "image/svg+xml";
/// Documents as they are written, of this very version.
const TEXT: &str = "text/plain; charset=utf-8";

/// All files of web/ that a browser asks for.
pub const ASSETS: &[Asset] = assets! {
    "app.js": SCRIPT,
    "catalog.js": SCRIPT,
    "CLIENTS.md": TEXT,
    "counter.js": SCRIPT,
    "dom.js": SCRIPT,
    "favicon.svg": SVG,
    "filter.js": SCRIPT,
    "FRONTEND.md": TEXT,
    "index.html": HTML,
    "panel.js": SCRIPT,
    "PROTOCOL.md": TEXT,
    "ranking.js": SCRIPT,
    "routes.js": SCRIPT,
    "rows.js": SCRIPT,
    "sql.js": SCRIPT,
    "status.js": SCRIPT,
    "streams.js": SCRIPT,
    "style.css": STYLE,
    "table.js": SCRIPT,
    "timeline.js": SCRIPT,
    "treemap.js": SCRIPT,
    "values.js": SCRIPT,
    "viewcast.js": SCRIPT,
    "viewcast.persist.js": SCRIPT,
    "viewcast.worker.js": SCRIPT,
    "viewer.js": SCRIPT,
    "viewpage.js": SCRIPT,
    "wire.js": SCRIPT,
};

/// Answers with the page.
pub async fn index() -> Result<HttpResponse, HttpError> {
    respond("index.html")
}

/// The page's own path has a slash at its end: what it asks for is below it.
pub async fn slash(gateway: Data<Gateway>) -> HttpResponse {
    HttpResponse::PermanentRedirect()
        .insert_header((LOCATION, format!("{}/", gateway.base_path)))
        .finish()
}

/// Answers with one of its files.
pub async fn asset(Path(name): Path<String>) -> Result<HttpResponse, HttpError> {
    respond(&name)
}

/// What browsers ask for unasked.
pub async fn favicon() -> Result<HttpResponse, HttpError> {
    respond("favicon.svg")
}

fn respond(name: &str) -> Result<HttpResponse, HttpError> {
    let found = ASSETS.iter().find(|(known, _, _)| *known == name);
    let (_, kind, text) = found.ok_or(HttpError::UnknownAsset)?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, *kind))
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((CACHE_CONTROL, "no-cache"))
        .body(*text))
}
