//! The settings of the demo alone: which edits there are, and how fast.

use std::time::Duration;

use crate::cli::settings::demo;
use crate::limits;

use super::merge::Merge;
use super::value;

/// The demo's own settings.
pub struct Edits {
    /// Edits a second.
    pub rate: f64,
    /// Edits that are already in at the start.
    pub seed_edits: usize,
    /// Where to read edits as they happen; `None` plays the recording alone.
    pub live: Option<String>,
    /// The stand-in closes one timestamp every so often.
    pub tick: Duration,
}

/// Reads the demo's own settings.
pub fn merge_demo(merge: &mut Merge<'_>) -> Option<Edits> {
    let rate = merge.one(
        demo::rate,
        value::number("a number", limits::DEMO_RATE_MIN, limits::DEMO_RATE_MAX),
    );
    let seed_edits = merge.one(
        demo::seed_edits,
        value::number("a whole number", 0, limits::DEMO_SEED_EDITS_MAX),
    );
    let live = merge.one(demo::live, value::switch());
    let live_url = merge.one(demo::live_url, value::web_address());
    let tick = merge.one(
        demo::tick,
        value::duration(limits::DEMO_TICK_MIN, limits::DEMO_TICK_MAX, "1s"),
    );
    let (live, live_url) = (live?, live_url?);
    Some(Edits {
        rate: rate?,
        seed_edits: seed_edits?,
        live: live.then_some(live_url),
        tick: tick?,
    })
}
