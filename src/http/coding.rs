//! How a stream is compressed: what the client takes, and what it has.

use actix_web::HttpRequest;
use actix_web::http::header::{
    AcceptEncoding, ContentEncoding, Encoding, Header as _, Preference, Quality,
};
use base64::prelude::{BASE64_STANDARD, Engine as _};

use crate::relay::event::dictionary::Dictionary;
use crate::relay::event::packing::Packing;
use crate::relay::shared_view::SharedView;

use super::window::Opened;

/// By what the answer to a request for a stream differs, where streams are compressed.
pub const VARIES: &str = "Accept-Encoding, Available-Dictionary";

/// Streams that are compressed with a dictionary (RFC 9842, 4).
const DCZ: &str = "dcz";

/// A way to compress a stream, if the client takes one. A dictionary is made of rows of
/// the whole view, and so is for streams of all of it.
pub fn packing(request: &HttpRequest, opened: &Opened) -> Option<Packing> {
    let had = match opened.choose {
        None => had(request, &opened.shared()),
        Some(_) => None,
    };
    had.or_else(|| accepts_gzip(request).then_some(Packing::Gzip))
}

/// What HTTP calls it.
pub fn word(packing: &Packing) -> &'static str {
    match packing {
        Packing::Gzip => ContentEncoding::Gzip.as_str(),
        Packing::Dictionary(_) => DCZ,
    }
}

/// The dictionary that the view offers, if the client has it and takes what is
/// compressed with it.
fn had(request: &HttpRequest, view: &SharedView) -> Option<Packing> {
    let available = request.headers().get("available-dictionary")?;
    let dictionary = view.log()?.shelf.offered().cloned()?;
    let is_had = available.as_bytes() == name(&dictionary).as_bytes();
    (is_had && accepts_dcz(request)).then_some(Packing::Dictionary(dictionary))
}

/// What clients call it: its hash as a byte sequence (RFC 8941, 3.3.5).
fn name(dictionary: &Dictionary) -> String {
    format!(":{}:", BASE64_STANDARD.encode(dictionary.hash()))
}

fn accepts_dcz(request: &HttpRequest) -> bool {
    let dcz = Preference::Specific(Encoding::Unknown(DCZ.to_owned()));
    AcceptEncoding::parse(request).is_ok_and(|accepted| {
        let mut items = accepted.0.iter();
        items.any(|it| it.item == dcz && it.quality > Quality::ZERO)
    })
}

/// Whether the client prefers gzip to no compression. Without a header that can
/// be read it does not.
fn accepts_gzip(request: &HttpRequest) -> bool {
    let (gzip, identity) = (Encoding::gzip(), Encoding::identity());
    let supported = [&gzip, &identity].into_iter();
    AcceptEncoding::parse(request)
        .ok()
        .and_then(|accepted| accepted.negotiate(supported))
        .is_some_and(|encoding| encoding == gzip)
}
