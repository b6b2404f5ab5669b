//! `GET /views.d.ts`: the rows of the views as TypeScript.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use crate::model::typescript::{TypedView, declarations};

use super::bearer::Access;
use super::document;
use super::gateway::Gateway;
use super::views::visible;

/// TypeScript has no media type of its own, and a browser shows this one.
const KIND: &str = "text/plain; charset=utf-8";

/// Answers with a type of the rows of each view that `/views` lists for the same
/// client.
pub async fn types(request: HttpRequest, gateway: Data<Gateway>, access: Access) -> HttpResponse {
    let views = visible(&gateway, &access);
    let described: Vec<_> = views
        .iter()
        .map(|(source, _)| (source, source.shared.status().columns))
        .collect();
    let text = declarations(described.iter().map(|(source, columns)| TypedView {
        name: &source.shared.name,
        description: source.description.as_deref(),
        columns,
    }));
    document::respond(&request, KIND, access.caching(), text)
}
