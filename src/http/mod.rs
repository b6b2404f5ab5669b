//! The HTTP side; the only place that knows actix-web.

pub mod bearer;
pub mod client_address;
pub mod connection;
pub mod error;
pub mod guard;
pub mod joint;
pub mod jwks;
pub mod keyring;
pub mod lag;
pub mod limit;
pub mod metrics;
pub mod ops;
pub mod page;
pub mod policy;
pub mod refusal;
pub mod request_head;
pub mod routes;
pub mod snapshot;
pub mod socket;
mod standing;
pub mod stream;
pub mod tls;
pub mod views;
