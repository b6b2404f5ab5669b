//! How far a view is behind the wall clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::model::position::Timestamp;
use crate::relay::shared::{Status, Upstream};

/// The wall clock, in milliseconds since 1970, as Materialize's timestamps are.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

/// Seconds by which the wall clock is past what is known of the view; `None`
/// while nothing is known, zero for what will never change.
pub fn lag_seconds(status: &Status, now_ms: u64) -> Option<f64> {
    let timestamp = status.position?.timestamp;
    if status.upstream == Upstream::Complete || timestamp == Timestamp::MAX {
        return Some(0.0);
    }
    let lag_ms = now_ms.saturating_sub(timestamp.get());
    Some(Duration::from_millis(lag_ms).as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::position::{Incarnation, Position};

    #[test]
    fn lag_is_known_once_there_is_a_position() {
        let status = |timestamp: Option<u64>, upstream| Status {
            columns: Vec::new(),
            rows: 0,
            bytes: 0,
            position: timestamp.map(|timestamp| Position {
                timestamp: Timestamp::new(timestamp),
                incarnation: Incarnation::of(["v"]),
            }),
            changed: None,
            upstream,
        };
        let lag = |timestamp, upstream| lag_seconds(&status(timestamp, upstream), 10_500);
        assert_eq!(lag(None, Upstream::Loading), None);
        assert_eq!(lag(Some(9_000), Upstream::Live), Some(1.5));
        assert_eq!(lag(Some(9_000), Upstream::Complete), Some(0.0));
        assert_eq!(lag(Some(u64::MAX), Upstream::Live), Some(0.0));
        assert_eq!(
            lag(Some(11_000), Upstream::Live),
            Some(0.0),
            "clocks differ"
        );
    }
}
