//! The settings of connections: how many, from where, for how long.

use std::time::Duration;

use ipnet::IpNet;

use super::merge::Merge;
use super::value;
use crate::cli::settings::serve;
use crate::limits;

/// How many streams are served, and to whom.
#[derive(Clone, Debug)]
pub struct Connections {
    /// Streams served at once.
    pub max: usize,
    /// Streams served at once to one client address; `None` for no limit.
    pub max_per_address: Option<usize>,
    /// Streams served at once of one view; `None` for no limit.
    pub max_per_view: Option<usize>,
    /// Windows of one view that are open at once; `None` for no limit.
    pub max_windows_per_view: Option<usize>,
    /// Windows that are open at once of one client address; `None` for no limit.
    pub max_windows_per_address: Option<usize>,
    /// Who is believed to say on whose behalf it asks.
    pub trusted_proxies: Vec<IpNet>,
}

/// Reads all of them, so that every error is found.
pub(super) fn merge(merge: &mut Merge<'_>) -> Option<Connections> {
    let max = merge.one(
        serve::max_connections,
        value::number("a whole number", 1, limits::CONNECTIONS_MAX),
    );
    let some = || value::number_or_none(1, limits::CONNECTIONS_MAX);
    let max_per_address = merge.one(serve::max_connections_per_address, some());
    let max_per_view = merge.one(serve::max_connections_per_view, some());
    let max_windows_per_view = merge.one(serve::max_windows_per_view, some());
    let max_windows_per_address = merge.one(serve::max_windows_per_address, some());
    let trusted_proxies = merge.list(
        serve::trusted_proxy,
        value::network(),
        limits::TRUSTED_PROXIES_MAX,
    );
    Some(Connections {
        max: max?,
        max_per_address: max_per_address?,
        max_per_view: max_per_view?,
        max_windows_per_view: max_windows_per_view?,
        max_windows_per_address: max_windows_per_address?,
        trusted_proxies: trusted_proxies?,
    })
}

/// How long connections are waited for.
#[derive(Clone, Debug)]
pub struct Patience {
    /// Time without progress after which a peer is dead.
    pub stall_timeout: Duration,
    /// Time over which a shutdown spreads the ends of streams.
    pub drain: Duration,
}

/// Reads both, so that every error is found.
pub(super) fn merge_patience(merge: &mut Merge<'_>) -> Option<Patience> {
    let stall_timeout = merge.one(
        serve::stall_timeout,
        value::duration(limits::STALL_TIMEOUT_MIN, limits::STALL_TIMEOUT_MAX, "60s"),
    );
    let drain = merge.one(
        serve::drain,
        value::duration(Duration::ZERO, limits::DRAIN_MAX, "5s"),
    );
    Some(Patience {
        stall_timeout: stall_timeout?,
        drain: drain?,
    })
}
