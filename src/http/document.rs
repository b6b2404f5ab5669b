//! Answers with a whole text that stays the same for as long as nothing that it
//! tells of changes.

use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, ETAG, EntityTag, Header as _, IfNoneMatch,
};
use actix_web::{HttpRequest, HttpResponse};
use sha2::{Digest as _, Sha256};

/// The text with a tag of its bytes, or `304` for who has it already.
pub fn respond(
    request: &HttpRequest,
    kind: &'static str,
    caching: &'static str,
    text: String,
) -> HttpResponse {
    let tag = tag(&text);
    let is_known = match IfNoneMatch::parse(request) {
        Ok(IfNoneMatch::Any) => true,
        // A proxy that compresses makes the tag a weak one.
        Ok(IfNoneMatch::Items(known)) => known.iter().any(|known| known.weak_eq(&tag)),
        Err(_) => false,
    };
    let mut response = match is_known {
        true => HttpResponse::NotModified(),
        false => HttpResponse::Ok(),
    };
    response
        .insert_header((CACHE_CONTROL, caching))
        .insert_header((ETAG, tag));
    match is_known {
        true => response.finish(),
        false => response.insert_header((CONTENT_TYPE, kind)).body(text),
    }
}

/// The same for equal texts, in every gateway.
fn tag(text: &str) -> EntityTag {
    let digest = Sha256::digest(text);
    let first = digest.iter().take(8);
    EntityTag::new_strong(first.map(|byte| format!("{byte:02x}")).collect())
}
