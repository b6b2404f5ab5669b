//! The HTTP side; the only place that knows actix-web.

pub mod client_address;
pub mod error;
pub mod lag;
pub mod limit;
pub mod metrics;
pub mod ops;
pub mod page;
pub mod refusal;
pub mod routes;
pub mod snapshot;
pub mod socket;
pub mod stream;
pub mod views;
