//! The fan-out side: knows SSE bytes, but neither SQL nor HTTP.
//!
//! A publisher (one a view) turns a tail's events into shared frames in the
//! view's log. A relay (one a view and HTTP worker) keeps a copy of the log's
//! pointers for its thread. A subscriber is a cursor into that copy; an outlet
//! is a subscriber with a plain socket, into which the relay writes itself. A
//! joint stream has a cursor into the log of each of several views.

pub mod base;
pub mod claim;
pub mod contents;
pub mod counters;
pub mod encoded;
pub mod frame;
pub mod joint;
pub mod local_log;
pub mod long;
pub mod merges;
pub mod merging;
pub mod outlet;
pub mod packed;
pub mod publisher;
#[allow(clippy::module_inception, reason = "the actor is named for what it is")]
pub mod relay;
pub mod runs;
pub mod settling;
pub mod shared;
pub mod subscriber;
mod voice;
pub mod words;
