//! The threads, connections and clocks around what decides: each carries on one
//! conversation, and hands on what came of it.

mod asker;
pub mod catalog;
pub mod checkup;
pub mod describer;
mod failures;
pub mod gate;
pub mod handle;
mod probe;
mod questions;
mod reader;
mod view_threads;
mod watch;
