//! Why the demo could not run.

use std::net::SocketAddr;
use std::time::Duration;

use super::feed::FeedError;
use crate::limits;

/// Why the demo could not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DemoError {
    /// The rate is not a number above zero and below the bound.
    #[error("rate must be above 0 and at most {max}: {0}", max = limits::DEMO_RATE_MAX)]
    Rate(f64),
    /// Too many edits at the start.
    #[error("seed edits must be at most {max}: {0}", max = limits::DEMO_SEED_EDITS_MAX)]
    SeedEdits(usize),
    /// The tick is too short or too long.
    #[error(
        "tick must be between {min:?} and {max:?}: {0:?}",
        min = limits::DEMO_TICK_MIN,
        max = limits::DEMO_TICK_MAX
    )]
    Tick(Duration),
    /// The stand-in has no authentication, so it stays on this machine.
    #[error("the stand-in listens on loopback addresses only: {0}")]
    NotLoopback(SocketAddr),
    /// The address could not be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// A thread or its runtime could not be started.
    #[error("cannot start a thread of the stand-in")]
    Thread(#[source] std::io::Error),
    /// The dataflow thread ended before its first tick.
    #[error("the stand-in's dataflow ended before its first tick")]
    Dataflow,
    /// What was given as the address of the live edits is none.
    #[error("the address of the live edits must be an http or https URL")]
    LiveUrl,
    /// The upstream has something else by the name of one of the demo's
    /// relations.
    #[error(
        "the upstream's \"{name}\" is not the demo's: it has the columns {found}, not {wanted}"
    )]
    Foreign {
        /// Its name.
        name: &'static str,
        /// The columns it has.
        found: String,
        /// Those of the demo's.
        wanted: String,
    },
    /// The upstream does not let us.
    #[error("the upstream refuses what the demo asks of it: {0}")]
    Refused(String),
    /// The embedded data is damaged.
    #[error("cannot read the recording")]
    Feed(#[from] FeedError),
}

impl DemoError {
    /// What to do about it, where that can be said.
    pub fn hint(&self) -> Option<String> {
        match self {
            DemoError::Foreign { name, .. } => Some(format!(
                "Nothing was changed. Rename or drop \"{name}\", or give the demo a database of its \
                 own: CREATE DATABASE demo, then --upstream .../demo."
            )),
            DemoError::Refused(_) => Some(
                "Give it a role that may create tables and views in the schema, and the cluster."
                    .to_owned(),
            ),
            _ => None,
        }
    }
}
