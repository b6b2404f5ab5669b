//! From a tail's events to frames in the log.

pub mod conflation;
pub mod published_view;
pub mod publisher;
mod replay;
