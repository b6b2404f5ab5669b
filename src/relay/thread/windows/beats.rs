//! When windows' heartbeats are due.
//!
//! Thousands of windows are silent most of the time, and none has a timer of its
//! own: their times are rounded up to steps, and one timer goes off at the next
//! step. A window is looked for again only then, so what it tells costs nothing
//! here. The times depend on what the window itself has told, and on nothing else:
//! who counts the milliseconds learns nothing of other rows.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::limits::{WINDOW_BEAT_PARTS, WINDOW_BEAT_STEP_MAX, WINDOW_BEAT_STEP_MIN};

/// The number of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::relay::thread) struct Tick(u64);

/// Which windows are to be looked at when.
#[derive(Debug)]
pub(super) struct Beats {
    interval: Duration,
    step_ns: u64,
    /// The moment of the first step; set with the first window.
    began: Option<Instant>,
    due: BTreeMap<Tick, Vec<usize>>,
}

impl Beats {
    /// Heartbeats after so long a silence.
    pub(super) fn new(interval: Duration) -> Self {
        let step = interval / WINDOW_BEAT_PARTS;
        let step = step.clamp(WINDOW_BEAT_STEP_MIN, WINDOW_BEAT_STEP_MAX);
        Beats {
            interval,
            step_ns: nanoseconds(step),
            began: None,
            due: BTreeMap::new(),
        }
    }

    /// When a window is due that was last heard of at this moment.
    pub(super) fn after(&mut self, heard: Instant) -> Tick {
        let began = *self.began.get_or_insert(heard);
        let since = heard.saturating_duration_since(began);
        Tick(nanoseconds(since.saturating_add(self.interval)).div_ceil(self.step_ns))
    }

    /// Looks at a window at this step.
    pub(super) fn add(&mut self, tick: Tick, window: usize) {
        self.due.entry(tick).or_default().push(window);
    }

    /// The first step that is due by now, and those who are to be looked at.
    pub(super) fn pop(&mut self, now: Instant) -> Option<(Tick, Vec<usize>)> {
        let first = self.due.first_entry()?;
        let since = now.saturating_duration_since(self.began?);
        let is_due = first.key().0.saturating_mul(self.step_ns) <= nanoseconds(since);
        is_due.then(|| first.remove_entry())
    }

    /// When the first step is due.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        let (first, _) = self.due.first_key_value()?;
        let after = Duration::from_nanos(first.0.saturating_mul(self.step_ns));
        self.began?.checked_add(after)
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beats_are_due_at_the_next_step_after_a_silence() {
        let (interval, start) = (Duration::from_secs(15), Instant::now());
        let ms = |ms| start + Duration::from_millis(ms);
        let mut beats = Beats::new(interval);
        for (heard, due) in [(0, 15_000), (1, 15_250), (250, 15_250), (251, 15_500)] {
            let tick = beats.after(ms(heard));
            beats.add(tick, 7);
            assert_eq!(beats.wake_at(), Some(ms(due)), "heard {heard}");
            assert_eq!(beats.pop(ms(due - 1)), None);
            assert_eq!(beats.pop(ms(due)), Some((tick, vec![7])));
            assert_eq!(beats.wake_at(), None);
        }
    }

    #[test]
    fn beats_have_steps_that_suit_short_heartbeats() {
        let start = Instant::now();
        let mut beats = Beats::new(Duration::from_millis(160));
        beats.after(start);
        let tick = beats.after(start + Duration::from_millis(1));
        beats.add(tick, 1);
        let due = start + Duration::from_millis(170);
        assert_eq!(beats.wake_at(), Some(due));
    }
}
