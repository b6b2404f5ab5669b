//! Who may ask for what: which host, which origin, which token sees which view.
//!
//! Pure: header values, key texts and the time come in as arguments, decisions
//! go out as values. `http` asks on behalf of each request.

pub mod certificate;
pub mod claims;
pub mod cors;
pub mod denied;
pub mod host;
mod json;
pub mod key;
pub mod pattern;
pub mod presented;
pub mod rows;
pub mod token;
