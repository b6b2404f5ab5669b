//! How far a view is behind the wall clock.

use std::time::Duration;

use crate::model::position::Timestamp;
use crate::relay::shared_view::Status;

/// Seconds by which the wall clock is past what is known of the view; `None`
/// while nothing is known, zero for what will never change or is known ahead
/// of time. What is final is so as well while its upstream is lost: it grows
/// no older.
pub fn lag_seconds(status: &Status, now_ms: u64) -> Option<f64> {
    let timestamp = status.position?.timestamp;
    if status.upstream.is_final() || timestamp == Timestamp::MAX {
        return Some(0.0);
    }
    let lag_ms = now_ms.saturating_sub(timestamp.get());
    Some(Duration::from_millis(lag_ms).as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::position::{Incarnation, Position};
    use crate::model::reason::Cause;
    use crate::model::upstream::{Event, Upstream};

    #[test]
    fn lag_is_known_once_there_is_a_position() {
        let upstream = |event: Option<Event>| {
            let mut upstream = Upstream::new(0);
            event.into_iter().for_each(|event| {
                let _ = upstream.handle(event, 0);
            });
            upstream
        };
        let status = |timestamp: Option<u64>, event| Status {
            index_bytes: 0,
            columns: Vec::new(),
            sql: None,
            rows: 0,
            bytes: 0,
            position: timestamp.map(|timestamp| Position {
                timestamp: Timestamp::new(timestamp),
                incarnation: Incarnation::of(["v"]),
            }),
            changed: None,
            upstream: upstream(event),
        };
        let lag = |timestamp, event| lag_seconds(&status(timestamp, event), 10_500);
        let (live, complete) = (Some(Event::Current), Some(Event::Final));
        assert_eq!(lag(None, None), None);
        assert_eq!(lag(Some(9_000), live), Some(1.5));
        assert_eq!(lag(Some(9_000), complete), Some(0.0));
        assert_eq!(lag(Some(u64::MAX), live), Some(0.0));
        let lost = Status {
            upstream: {
                let mut upstream = upstream(complete);
                let _ = upstream.handle(Event::Failed(Cause::Unreachable.into()), 0);
                upstream
            },
            ..status(Some(9_000), None)
        };
        assert_eq!(lag_seconds(&lost, 10_500), Some(0.0), "final all the same");
        assert_eq!(
            lag(Some(11_000), live),
            Some(0.0),
            "known ahead of time, or clocks differ"
        );
    }
}
