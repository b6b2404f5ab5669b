//! One binary of all integration tests: they share the support, and link once.

mod architecture;
mod cli;
mod config;
mod crowd;
mod exact;
mod golden;
mod requests;
mod shutdown;
mod stream;
mod support;
