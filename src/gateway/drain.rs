//! How the gateway ends: who is ended when, and what is stopped behind that.
//!
//! The streams are spread over the drain, so that their clients do not all
//! come back at once. No stream begins any more. Then all that is left is
//! ended, each step within a bound of its own: neither a client that does not
//! read nor an upstream that does not answer holds the process up.

use std::time::{Duration, Instant};

use crate::limits::{DRAIN_STEPS, SHUTDOWN_FLUSH, SHUTDOWN_LOOK_EVERY, SHUTDOWN_STREAMS_MAX};
use crate::relay::shared_view::LOTS;

/// What the drain is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// So many streams are being served now.
    Streams(usize),
    /// Another signal: the operator does not want to wait for the drain.
    Signal,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// So many of a thousand streams end at the end of the frame that they are
    /// sending, and none begins.
    Close {
        /// Of a thousand.
        per_mille: u16,
    },
    /// The upstreams are needed no more.
    StopUpstreams,
    /// The HTTP server is needed no more: all is over.
    StopServer {
        /// Streams that did not take their last event in time.
        left: usize,
    },
}

/// A gateway that is going away.
#[derive(Debug)]
pub struct Drain {
    phase: Phase,
    look_at: Instant,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// A part of the streams ends at each step.
    Spreading {
        /// The step that is being waited for, from one.
        step: u16,
        /// How long one lasts.
        length: Duration,
        /// When this one is over.
        until: Instant,
    },
    /// All of them are to end.
    Ending {
        /// How long they are waited for.
        until: Instant,
    },
    /// None is left, and the kernel is given time to send their last bytes.
    Flushing {
        /// Until then.
        until: Instant,
    },
    Over,
}

impl Drain {
    /// Ends the streams spread over this time.
    pub fn begin(time: Duration, now: Instant) -> (Drain, Vec<Effect>) {
        let length = time / u32::from(DRAIN_STEPS);
        let until = now + length;
        let phase = Phase::Spreading {
            step: 1,
            length,
            until,
        };
        let drain = Drain {
            phase,
            look_at: now,
        };
        (drain, vec![Effect::Close { per_mille: 0 }])
    }

    /// Ends all streams at once: the gateway has failed.
    pub fn at_once(now: Instant) -> (Drain, Vec<Effect>) {
        let mut drain = Drain {
            phase: Phase::Over,
            look_at: now,
        };
        let effects = drain.end_all(now);
        (drain, effects)
    }

    /// Takes note of an event; what is to be done for it, in order.
    pub fn handle(&mut self, event: Event, now: Instant) -> Vec<Effect> {
        self.look_at = now + SHUTDOWN_LOOK_EVERY;
        match (self.phase, event) {
            (Phase::Spreading { .. }, Event::Signal | Event::Streams(0)) => self.end_all(now),
            (
                Phase::Spreading {
                    step,
                    length,
                    until,
                },
                Event::Streams(_),
            ) if now >= until => {
                if step >= DRAIN_STEPS {
                    return self.end_all(now);
                }
                self.phase = Phase::Spreading {
                    step: step + 1,
                    length,
                    until: now + length,
                };
                let per_mille = LOTS.end / DRAIN_STEPS * step;
                vec![Effect::Close { per_mille }]
            }
            (Phase::Ending { until }, Event::Streams(0)) => {
                let flushed = (now + SHUTDOWN_FLUSH).min(until);
                self.phase = Phase::Flushing { until: flushed };
                Vec::new()
            }
            (Phase::Ending { until } | Phase::Flushing { until }, Event::Streams(left))
                if now >= until =>
            {
                self.phase = Phase::Over;
                vec![Effect::StopServer { left }]
            }
            _ => Vec::new(),
        }
    }

    fn end_all(&mut self, now: Instant) -> Vec<Effect> {
        let until = now + SHUTDOWN_STREAMS_MAX;
        self.phase = Phase::Ending { until };
        self.look_at = now;
        let per_mille = LOTS.end;
        vec![Effect::Close { per_mille }, Effect::StopUpstreams]
    }

    /// When it is to be told next how many streams there are; `None` once all
    /// is over.
    pub fn wake_at(&self) -> Option<Instant> {
        match self.phase {
            Phase::Spreading { until, .. } | Phase::Ending { until } => {
                Some(until.min(self.look_at))
            }
            Phase::Flushing { until } => Some(until),
            Phase::Over => None,
        }
    }

    /// Whether another signal would hurry it.
    pub fn is_spreading(&self) -> bool {
        matches!(self.phase, Phase::Spreading { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: Duration = Duration::from_secs(5);

    /// Runs a drain to its end, with so many streams at each moment; what it
    /// has done, and after how long.
    fn run(
        (mut drain, begun): (Drain, Vec<Effect>),
        start: Instant,
        mut streams: impl FnMut(Duration, &[Effect]) -> usize,
    ) -> (Vec<Effect>, Duration) {
        let mut done = begun;
        let mut now = start;
        while let Some(wake_at) = drain.wake_at() {
            now = now.max(wake_at);
            let count = streams(now - start, &done);
            done.extend(drain.handle(Event::Streams(count), now));
        }
        (done, now - start)
    }

    #[test]
    fn drain_spreads_the_streams_and_ends_when_all_have() {
        let start = Instant::now();
        let per_mille = |done: &[Effect]| match done.last() {
            Some(Effect::Close { per_mille }) => usize::from(*per_mille),
            _ => 1_000,
        };
        // A thousand streams, each of which ends as soon as it is to.
        let streams = |_, done: &[Effect]| 1_000 - per_mille(done);
        let (done, lasted) = run(Drain::begin(TIME, start), start, streams);
        let closes: Vec<u16> = done
            .iter()
            .filter_map(|effect| match effect {
                Effect::Close { per_mille } => Some(*per_mille),
                _ => None,
            })
            .collect();
        let expected: Vec<u16> = (0..=DRAIN_STEPS).map(|step| step * 40).collect();
        assert_eq!(closes, expected);
        let end = &done[done.len() - 2..];
        let stop = Effect::StopServer { left: 0 };
        assert_eq!(end, [Effect::StopUpstreams, stop]);
        assert_eq!(lasted, TIME + SHUTDOWN_FLUSH);
    }

    #[test]
    fn drain_without_streams_is_over_at_once() {
        let start = Instant::now();
        let (done, lasted) = run(Drain::begin(TIME, start), start, |_, _| 0);
        assert_eq!(done.last(), Some(&Effect::StopServer { left: 0 }));
        assert_eq!(lasted, SHUTDOWN_FLUSH);
    }

    #[test]
    fn drain_waits_for_who_does_not_read_no_longer_than_it_may() {
        let start = Instant::now();
        for (begun, longest) in [
            (Drain::begin(TIME, start), TIME + SHUTDOWN_STREAMS_MAX),
            (Drain::at_once(start), SHUTDOWN_STREAMS_MAX),
        ] {
            let (done, lasted) = run(begun, start, |_, _| 3);
            assert_eq!(done.last(), Some(&Effect::StopServer { left: 3 }));
            // Each step may be noticed a look late.
            assert!(lasted >= longest, "{lasted:?}");
            assert!(lasted <= longest + SHUTDOWN_LOOK_EVERY, "{lasted:?}");
        }
    }

    #[test]
    fn drain_is_hurried_by_another_signal_once() {
        let start = Instant::now();
        let (mut drain, _) = Drain::begin(TIME, start);
        assert!(drain.is_spreading());
        let all = Effect::Close { per_mille: 1_000 };
        let done = drain.handle(Event::Signal, start);
        assert_eq!(done, [all, Effect::StopUpstreams]);
        assert!(!drain.is_spreading());
        assert_eq!(drain.handle(Event::Signal, start), []);
    }
}
