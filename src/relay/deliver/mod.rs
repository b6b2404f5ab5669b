//! Streams on plain sockets of their own.

pub mod outlet;
pub mod socket;
