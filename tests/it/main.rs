//! All integration tests in one binary: one link instead of one per file.

mod architecture;
mod cli;
mod config;
mod golden;
