//! The HTTP side; the only place that knows actix-web.

pub mod error;
pub mod ops;
pub mod page;
pub mod routes;
pub mod snapshot;
pub mod stream;
pub mod views;
