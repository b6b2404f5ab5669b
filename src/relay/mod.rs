//! The fan-out side: knows SSE bytes, but neither SQL nor HTTP.
//!
//! A publisher (one a view) turns a tail's events into shared frames in the
//! view's log. Each HTTP worker copies the log's pointers for its thread. A
//! subscriber is a cursor into that copy, a stream of several views has a cursor
//! into each of their logs, and an outlet is a subscriber with a plain socket,
//! into which the thread writes itself.
//!
//! Only `shell` knows actors, threads, sockets, timers and clocks. All else is
//! told what time it is, and says what it wants to be called for.

pub mod counters;
pub mod deliver;
pub mod event;
pub mod latency;
pub mod log;
pub mod publish;
pub mod shared_view;
pub mod shell;
mod single_writer;
pub mod subscribe;
pub mod thread;
pub mod wake_flag;
