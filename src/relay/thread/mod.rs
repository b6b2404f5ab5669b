//! What one thread holds of a view: its copy of the log, who waits for news,
//! and the sockets that are written to when there is some.

pub mod cohort;
mod cohorts;
pub mod local_log;
pub mod next;
mod places;
mod pulse;
pub mod round;
pub mod seat;
pub mod thread_view;
pub mod waiter;
mod windows;
