//! How the stand-in runs.

use std::net::SocketAddr;
use std::time::Duration;

use super::dialect::DemoDialect;
use super::error::DemoError;
use crate::limits;

/// How the stand-in runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// Edits a second on the average; above 0, at most `limits::DEMO_RATE_MAX`.
    pub rate: f64,
    /// Edits that are in at the start; at most `limits::DEMO_SEED_EDITS_MAX`.
    pub seed_edits: usize,
    /// Time from one timestamp to the next, in whole milliseconds.
    pub tick: Duration,
    /// Where to listen: a loopback address, port 0 picks one.
    pub listen: SocketAddr,
    /// Which generation of Materialize to imitate.
    pub dialect: DemoDialect,
    /// Where to read edits as they happen, by http or https; `None` plays the
    /// recording alone.
    pub live: Option<String>,
    /// Whether a client of its own creates and replaces views now and then, so
    /// that `mz_views` changes though nobody types.
    pub spotlights: bool,
    /// The environment's id; `None` makes one up, as a new database has.
    pub environment: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            rate: limits::DEMO_RATE_DEFAULT,
            seed_edits: limits::DEMO_SEED_EDITS_DEFAULT,
            tick: limits::DEMO_TICK_DEFAULT,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            dialect: DemoDialect::default(),
            live: None,
            spotlights: true,
            environment: None,
        }
    }
}

impl Options {
    /// Whether each of them is within its bounds.
    pub(super) fn validate(&self) -> Result<(), DemoError> {
        // Written so that NaN fails.
        if !(self.rate > 0.0 && self.rate <= limits::DEMO_RATE_MAX) {
            return Err(DemoError::Rate(self.rate));
        }
        if self.seed_edits > limits::DEMO_SEED_EDITS_MAX {
            return Err(DemoError::SeedEdits(self.seed_edits));
        }
        if !(limits::DEMO_TICK_MIN..=limits::DEMO_TICK_MAX).contains(&self.tick) {
            return Err(DemoError::Tick(self.tick));
        }
        if !self.listen.ip().is_loopback() {
            return Err(DemoError::NotLoopback(self.listen));
        }
        Ok(())
    }
}
