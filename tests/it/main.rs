//! One binary of all integration tests: they share the support, and link once.

mod crowd;
mod exact;
mod requests;
mod shutdown;
mod stream;
mod support;
//! All integration tests in one binary: one link instead of one per file.

mod architecture;
mod cli;
mod config;
mod golden;
