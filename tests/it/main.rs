//! One binary of all integration tests: they share the support, and link once.
//! They drive the demo, so without that feature there are none.
#![cfg(feature = "demo")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test fails by panicking; clippy.toml spares test functions, not their helpers"
)]

mod access;
mod architecture;
mod base_path;
mod bases;
mod behind;
mod checkup;
mod choices;
mod cli;
mod clients;
mod config;
mod conflation;
mod connections;
mod costs;
mod crowd;
mod cut;
mod demo_changes;
mod demo_clients;
mod demo_errors;
mod demo_live;
mod demo_replay;
mod demo_standin;
mod demo_streams;
mod demo_views;
mod demo_wire;
mod deployment;
mod dialects;
mod docs;
mod exact;
mod faults;
mod fuzz;
mod golden;
mod history;
mod http2;
mod joint;
mod limits;
mod logging;
mod many;
mod metrics;
mod monitoring;
mod moved;
mod openapi;
mod operated;
mod operators;
mod oracle;
mod outlet;
mod packed;
mod privileges;
mod processes;
mod progress;
mod proxies;
mod readme;
mod reload;
mod renewal;
mod replayed;
mod replayed_answers;
mod replayed_faults;
mod replayed_logins;
mod replayed_refusals;
mod replayed_resumes;
mod requests;
mod shown_sql;
mod shutdown;
mod soak;
mod stalled;
mod standing;
mod stream;
mod supply;
mod support;
mod swapped;
mod tail_faults;
mod tail_streams;
mod tail_support;
mod tail_transcripts;
mod transcripts;
mod types;
mod values;
mod ways;
mod went_back;
mod windows;
mod windows_oracle;
