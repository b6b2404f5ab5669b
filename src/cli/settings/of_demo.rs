//! The settings of the demo alone.

use clap::Args;

use super::defaults::{duration, text};
use super::setting::Setting;
use crate::limits;

settings! {
    /// Settings of the demo alone.
    DemoFlags in demo {
        /// Replay this many edits a second, 0.001 to 1000000
        ///
        /// Example: 100
        rate: Option<String>, "EDITS", text(&limits::DEMO_RATE_DEFAULT.to_string());

        /// Start with this many edits already in, up to 1000000
        ///
        /// They fill the charts before the first live edit. Example: 0
        seed_edits: Option<String>, "N", text(&limits::DEMO_SEED_EDITS_DEFAULT.to_string());

        /// Feed the demo from Wikipedia as it happens: true or false
        ///
        /// While there is no connection the recording is played, and the log
        /// says so. Needs the network; goes with the stand-in only.
        /// Example: --live
        live: Option<String>, "BOOL", text("false");

        /// Read the live edits at this http or https address
        ///
        /// It speaks as Wikimedia's stream of recent changes does.
        /// Example: http://127.0.0.1:9000/recentchange
        live_url: Option<String>, "URL", text(limits::DEMO_LIVE_URL_DEFAULT);

        /// Close one timestamp every so often, 10ms to 1h
        ///
        /// All edits within a tick reach the browser as one delta.
        /// Example: 200ms
        tick: Option<String>, "DURATION", duration(limits::DEMO_TICK_DEFAULT);
    }
}
