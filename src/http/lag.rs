//! How far a view is behind the wall clock.

use std::time::Duration;

use crate::model::position::Timestamp;
use crate::model::upstream::Word;
use crate::relay::shared_view::Status;

/// Seconds by which the wall clock is past what is known of the view; `None`
/// while nothing is known, zero for what will never change or is known ahead
/// of time.
pub fn lag_seconds(status: &Status, now_ms: u64) -> Option<f64> {
    let timestamp = status.position?.timestamp;
    if status.upstream.word() == Word::Complete || timestamp == Timestamp::MAX {
        return Some(0.0);
    }
    let lag_ms = now_ms.saturating_sub(timestamp.get());
    Some(Duration::from_millis(lag_ms).as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::position::{Incarnation, Position};
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
            columns: Vec::new(),
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
        assert_eq!(
            lag(Some(11_000), live),
            Some(0.0),
            "known ahead of time, or clocks differ"
        );
    }
}
