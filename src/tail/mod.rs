//! The Materialize side: from the socket to `TailEvent`s.
//!
//! All that decides is a value without I/O: it is told what came and what time
//! it is, and says what is to be asked, done and told. `shell` alone has
//! threads, connections and clocks; a simulation can stand in its place.
//!
//! Bytes pass through, in this order and each one step in its own file:
//! `reader` (the connection's life), `copy_text` (lines and fields), `message`
//! (updates and progress), `assembler` (whole closed timestamps), `telling`
//! (what of them the publisher hears). What outlives a connection stands in
//! `view_tail`, and what is decided about beginning in the past in `history`.
//! `watch` and `probe` ask a second connection when the first one
//! is silent; `catalog` asks for all views what their names mean, and `proof`
//! whether a stream is of the object that was asked for.

pub mod assembler;
mod backoff;
pub mod catalog;
mod cause;
mod clock;
pub mod conversation;
pub mod copy_text;
pub mod dialect;
mod end;
pub mod error;
pub mod failure;
mod held;
mod history;
pub mod inquiry;
mod known;
pub mod message;
pub mod names;
pub mod object;
mod outage;
pub mod past;
pub mod probe;
mod proof;
pub mod reader;
pub mod settings;
pub mod shell;
mod silence;
mod telling;
pub mod turns;
pub mod view_tail;
mod watch;

pub use dialect::Dialect;
pub use error::TailError;
pub use settings::{TailSettings, TailView, is_of_one_replica};
pub use shell::catalog::{Catalog, CatalogSettings};
pub use shell::checkup::{Checkup, Server};
pub use shell::describer::Describer;
pub use shell::gate::connecting;
pub use shell::handle::{TailHandle, spawn};
