//! The bytes of events: encoded once, compressed once, shared by all who are
//! sent them.

pub mod body;
pub mod dictionary;
pub mod encoded;
pub mod form;
pub mod frame;
pub mod gzip;
pub mod long_event;
pub mod names;
pub mod notices;
pub mod packed;
pub mod packing;
pub mod parts;
pub mod sample;
