//! viewcast: a Server-Sent-Events gateway for Materialize.
#![forbid(unsafe_code)]

#[cfg(feature = "demo")]
pub mod demo;
pub mod http;
pub mod limits;
pub mod model;
pub mod relay;
pub mod tail;
pub mod cli;
pub mod config;
#[cfg(feature = "demo")]
pub mod demo;
pub mod healthcheck;
pub mod limits;
pub mod model;
