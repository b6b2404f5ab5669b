//! viewcast: a Server-Sent-Events gateway for Materialize.
#![forbid(unsafe_code)]

pub mod access;
pub mod cli;
pub mod config;
pub mod connection;
#[cfg(feature = "demo")]
pub mod demo;
pub mod gateway;
pub mod healthcheck;
pub mod http;
pub mod launch;
pub mod limits;
pub mod model;
pub mod process;
pub mod relay;
pub mod tail;
