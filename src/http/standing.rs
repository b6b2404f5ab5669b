//! How a view stands with its upstream, as `/views` and `/readyz` tell it.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::model::upstream::Upstream;

/// Adds the state, the reason in words and the time since which it is so.
pub fn standing(object: &mut Value, upstream: &Upstream) {
    let since = UNIX_EPOCH + Duration::from_millis(upstream.since_ms());
    object["upstream"] = json!(upstream.word().text());
    object["reason"] = json!(upstream.reason());
    object["since"] = json!(humantime::format_rfc3339_seconds(since).to_string());
}
