//! viewcast: a Server-Sent-Events gateway for Materialize.
#![forbid(unsafe_code)]

pub mod limits;
#[cfg(feature = "demo")]
pub mod demo;
