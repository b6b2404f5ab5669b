//! All integration tests, in one binary.

#[cfg(feature = "demo")]
mod demo_clients;
#[cfg(feature = "demo")]
mod demo_errors;
#[cfg(feature = "demo")]
mod demo_replay;
#[cfg(feature = "demo")]
mod demo_standin;
#[cfg(feature = "demo")]
mod demo_streams;
