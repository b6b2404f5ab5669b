//! What many views and streams take of the process.

use std::collections::BTreeMap;

use prometheus::Registry;

use crate::http::gateway::Gateway;
use crate::process;

use super::register::Register;

/// Sets all of them. Files are those that Linux tells of; elsewhere they are not
/// there.
pub(super) fn set(registry: &Registry, gateway: &Gateway) -> prometheus::Result<()> {
    set_views(registry, gateway)?;
    let connecting = (gateway.connecting)();
    let count = |count: usize| u64::try_from(count).ok();
    let gauges = [
        (
            "viewcast_connecting",
            "Views that are being connected, logged in and described.",
            count(connecting.now),
        ),
        (
            "viewcast_connecting_waiting",
            "Views that wait for others to be connected first.",
            count(connecting.waiting),
        ),
        (
            "viewcast_streams_max",
            "Streams that are served at the most, by the limit or by the files that views leave.",
            count(gateway.places.most()),
        ),
        (
            "viewcast_process_open_files",
            "Files that the process has open, connections among them.",
            process::open_files(),
        ),
        (
            "viewcast_process_open_files_max",
            "Files that the process may have open.",
            process::open_files_max().and_then(count),
        ),
    ];
    for (name, help, value) in gauges {
        if let Some(value) = value {
            Register(registry).gauge(name, help, value)?;
        }
    }
    Ok(())
}

/// How many views stand how, without their names.
fn set_views(registry: &Registry, gateway: &Gateway) -> prometheus::Result<()> {
    let views = Register(registry).gauges(
        "viewcast_views",
        "Views that are served, by how they stand with their upstream and why.",
        &["state", "reason"],
    )?;
    let mut counts = BTreeMap::<_, i64>::new();
    for source in gateway.sources.all().iter() {
        let upstream = source.shared.upstream();
        let standing = (upstream.word().text(), upstream.reason_word());
        *counts.entry(standing).or_default() += 1;
    }
    for ((state, reason), count) in counts {
        views.with_label_values(&[state, reason]).set(count);
    }
    Ok(())
}
