//! The settings of time: how the upstream is looked after, how long history is kept.

use std::time::Duration;

use super::merge::Merge;
use super::value;
use crate::cli::settings::serve;
use crate::limits;

/// The times that the upstream is looked after by.
#[derive(Clone, Copy)]
pub struct UpstreamTimes {
    /// Silence after which it is looked after.
    pub upstream_timeout: Duration,
    /// The longest wait between two attempts to connect.
    pub reconnect_max: Duration,
    /// How often the catalog is asked what the views' names mean.
    pub catalog_interval: Duration,
}

/// Reads all of them, so that every error is found.
pub fn merge_upstream_times(merge: &mut Merge<'_>) -> Option<UpstreamTimes> {
    let upstream_timeout = merge.one(
        serve::upstream_timeout,
        value::duration(
            limits::UPSTREAM_TIMEOUT_MIN,
            limits::UPSTREAM_TIMEOUT_MAX,
            "10s",
        ),
    );
    let reconnect_max = merge.one(
        serve::reconnect_max,
        value::duration(limits::RECONNECT_MAX_MIN, limits::RECONNECT_MAX_MAX, "10s"),
    );
    let catalog_interval = merge.one(
        serve::catalog_interval,
        value::duration(
            limits::CATALOG_INTERVAL_MIN,
            limits::CATALOG_INTERVAL_MAX,
            "2s",
        ),
    );
    Some(UpstreamTimes {
        upstream_timeout: upstream_timeout?,
        reconnect_max: reconnect_max?,
        catalog_interval: catalog_interval?,
    })
}

/// How much of a view's history is kept: bytes and age.
pub fn merge_retention(merge: &mut Merge<'_>) -> Option<(u64, Duration)> {
    let retention_bytes = merge.one(
        serve::retention_bytes,
        value::size(
            limits::RETENTION_BYTES_MIN,
            limits::RETENTION_BYTES_MAX,
            "64MiB",
        ),
    );
    let retention_age = merge.one(
        serve::retention_age,
        value::duration(limits::RETENTION_AGE_MIN, limits::RETENTION_AGE_MAX, "10m"),
    );
    Some((retention_bytes?, retention_age?))
}
