//! What the threads share of a view: its log, with bases for who joins and
//! merged backlogs for who is behind.

pub mod backlog;
pub mod bases;
pub mod jobs;
pub mod long_backlogs;
pub mod runs;
pub mod shapes;
pub mod shared_log;
pub mod window_backlog;
pub mod window_request;
