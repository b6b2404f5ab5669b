//! The catalog, asked on one connection for all views of a gateway: what their
//! names mean, whether a stream that has begun is of the object whose columns
//! were read, and which relations there are for patterns.
//!
//! A stream goes on with its object whatever becomes of the name, and nothing
//! in it tells; only the catalog does.

mod exchange;
mod patience;
mod pattern_views;
mod privileges;
mod readable;
mod result_limit;
mod round;
mod watch;

pub use exchange::{CatalogEffect, CatalogReply, CatalogRequest, CatalogRules, Listed};
pub use pattern_views::{FoundState, PatternEffect, PatternViews};
pub use watch::CatalogWatch;
