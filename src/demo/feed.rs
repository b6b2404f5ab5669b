//! The recorded edits, and the pace at which they come in.
//!
//! Event time runs faster than the wall clock, by the factor that makes the
//! recording's mean pace the wanted rate. Everything here is whole numbers and
//! depends only on (rate, seed, tick), so that a run can be computed again.

use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::limits;

const EDITS: &[u8] = include_bytes!("../../data/wikipedia-edits-2015-09-12.jsonl.gz");
const WIKIS: &str = include_str!("../../data/wikis.csv");

/// 2015-09-12T00:46:58.771Z, the zero of the recording's `ms`.
const RECORDING_START_MS: u64 = 1_442_018_818_771;

/// When the recording has ended it starts again a day later.
const LAP_MS: u64 = 86_400_000;

/// Why the embedded data could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FeedError {
    /// The compressed file does not decompress.
    #[error("cannot unpack the recorded edits")]
    Unpack(#[from] std::io::Error),
    /// A line is not an edit.
    #[error("line {line} of the recorded edits is not an edit")]
    Edit {
        /// Number of the line, from 1.
        line: usize,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// A line of the wikis is not `code,language,family`.
    #[error("line {line} of the wikis does not have three fields")]
    Wiki {
        /// Number of the line, from 1.
        line: usize,
    },
    /// There is no edit at all.
    #[error("the recording is empty")]
    Empty,
}

/// One recorded edit, as it goes into the dataflow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) struct Edit {
    /// Event time: milliseconds since 1970 (in the file, since its start).
    #[serde(rename = "ms")]
    pub(super) event_ms: u64,
    /// Language code of the Wikipedia.
    pub(super) wiki: String,
    /// Title of the page.
    pub(super) page: String,
    /// Name of the user, `None` for an anonymous editor.
    pub(super) user: Option<String>,
    /// Signed change of the page's length.
    pub(super) bytes: isize,
}

/// One line of the second data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wiki {
    /// Language code, joins with [`Edit::wiki`].
    pub(super) code: String,
    /// English name of the language.
    pub(super) language: String,
    /// Language family.
    pub(super) family: String,
}

/// Both data sets, parsed once.
#[derive(Debug)]
pub(super) struct Recording {
    edits: Vec<Edit>,
    /// The wikis, in the file's order.
    pub(super) wikis: Vec<Wiki>,
}

impl Recording {
    /// Unpacks and parses the embedded files.
    pub(super) fn load() -> Result<Self, FeedError> {
        let mut text = String::new();
        flate2::read::GzDecoder::new(EDITS).read_to_string(&mut text)?;
        let mut edits = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let mut edit: Edit = serde_json::from_str(line).map_err(|source| FeedError::Edit {
                line: index + 1,
                source,
            })?;
            edit.event_ms += RECORDING_START_MS;
            edits.push(edit);
        }
        if edits.is_empty() {
            return Err(FeedError::Empty);
        }
        let mut wikis = Vec::new();
        for (index, line) in WIKIS.lines().enumerate().skip(1) {
            let mut fields = line.split(',').map(str::to_owned);
            let (Some(code), Some(language), Some(family), None) =
                (fields.next(), fields.next(), fields.next(), fields.next())
            else {
                return Err(FeedError::Wiki { line: index + 1 });
            };
            wikis.push(Wiki {
                code,
                language,
                family,
            });
        }
        Ok(Self { edits, wikis })
    }

    /// The `index`-th edit of the endless recording.
    pub(super) fn edit(&self, index: u64) -> Edit {
        // The recording is not empty and fits into memory, so the length is a
        // u64 above zero, and a remainder by it is a valid index.
        let length = self.edits.len() as u64;
        let mut edit = self.edits[(index % length) as usize].clone();
        edit.event_ms += index / length * LAP_MS;
        edit
    }
}

/// Relation of ticks (0, 1, 2, ...) to event time and to timestamps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Timestamp of tick 0, ms.
    pub(super) timestamp_start: u64,
    /// Timestamps from one tick to the next, ms.
    pub(super) tick_ms: u64,
    /// Event time at tick 0, us.
    event_start_us: u64,
    /// Event time from one tick to the next, us.
    event_step_us: u64,
}

impl Pace {
    /// `rate` edits a second on the average, `seed` edits in at tick 0, which
    /// stands at `timestamp_start`. The caller has validated the rate.
    pub(super) fn new(
        recording: &Recording,
        rate: f64,
        seed: u64,
        tick: Duration,
        timestamp_start: u64,
    ) -> Self {
        let tick_ms = u64::try_from(tick.as_millis()).unwrap_or(u64::MAX).max(1);
        // Precision is not at stake: the step is rounded to a microsecond, and
        // a float cast saturates.
        let edits_per_tick = rate * tick_ms as f64 / 1_000.0;
        let step = edits_per_tick * (LAP_MS * 1_000) as f64 / recording.edits.len() as f64;
        let event_start_ms = match seed {
            0 => RECORDING_START_MS,
            seeded => recording.edit(seeded - 1).event_ms,
        };
        Self {
            timestamp_start,
            tick_ms,
            event_start_us: event_start_ms * 1_000,
            event_step_us: (step.round() as u64).max(1),
        }
    }

    /// Event time is the time of the timestamps: for edits as they happen.
    pub(super) fn live(tick: Duration, timestamp_start: u64) -> Self {
        let tick_ms = u64::try_from(tick.as_millis()).unwrap_or(u64::MAX).max(1);
        Self {
            timestamp_start,
            tick_ms,
            event_start_us: timestamp_start.saturating_mul(1_000),
            event_step_us: tick_ms.saturating_mul(1_000),
        }
    }

    /// The timestamp of a tick.
    pub(super) fn timestamp(&self, tick: u64) -> u64 {
        self.timestamp_start + tick * self.tick_ms
    }

    /// Time from the start to a tick, on the wall clock.
    pub(super) fn tick_start(&self, tick: u64) -> Duration {
        Duration::from_millis(tick.saturating_mul(self.tick_ms))
    }

    /// The last tick that has begun this long after the start.
    pub(super) fn tick_after(&self, elapsed: Duration) -> u64 {
        u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX) / self.tick_ms
    }

    /// The event clock at a tick, us.
    #[cfg(test)]
    pub(super) fn event_us(&self, tick: u64) -> u64 {
        self.event_start_us + tick * self.event_step_us
    }

    /// The first tick at which the event clock has reached `event_ms`.
    pub(super) fn tick_at(&self, event_ms: u64) -> u64 {
        (event_ms * 1_000)
            .saturating_sub(self.event_start_us)
            .div_ceil(self.event_step_us)
    }

    /// Event time at which an edit leaves `hot_pages`: its window is one of the
    /// demo's clock, in which event time runs faster.
    pub(super) fn hot_expiry_ms(&self, event_ms: u64) -> u64 {
        event_ms.saturating_add(self.hot_window_ms())
    }

    /// Event time that passes in the window of `hot_pages`.
    pub(super) fn hot_window_ms(&self) -> u64 {
        let window_ms = u64::try_from(limits::DEMO_HOT_WINDOW.as_millis()).unwrap_or(u64::MAX);
        (window_ms / self.tick_ms).saturating_mul(self.event_step_us) / 1_000
    }

    /// The timestamp of [`Self::tick_at`].
    pub(super) fn timestamp_at(&self, event_ms: u64) -> u64 {
        self.timestamp(self.tick_at(event_ms))
    }
}

/// The edits in the order of the ticks at which they come in.
#[derive(Debug)]
pub(super) struct Feed {
    recording: Arc<Recording>,
    pace: Pace,
    seed: u64,
    next: u64,
}

impl Feed {
    /// A feed whose first `next` edits are in already.
    pub(super) fn starting_at(recording: Arc<Recording>, pace: Pace, seed: u64, next: u64) -> Self {
        Self {
            recording,
            pace,
            seed,
            next,
        }
    }

    /// Place of the next edit in the endless recording.
    pub(super) fn next_id(&self) -> u64 {
        self.next
    }

    /// The next edit and its timestamp, if it comes in at or before `tick`.
    pub(super) fn next_until(&mut self, tick: u64) -> Option<(Edit, u64)> {
        let edit = self.recording.edit(self.next);
        let due = if self.next < self.seed {
            0
        } else {
            self.pace.tick_at(edit.event_ms).max(1)
        };
        if due > tick {
            return None;
        }
        self.next += 1;
        Some((edit, self.pace.timestamp(due)))
    }
}

/// Event time at which an edit leaves `edits_per_minute`: the whole minute at once.
pub(super) fn minute_expiry_ms(event_ms: u64) -> u64 {
    (event_ms / 60_000 + limits::DEMO_MINUTES_SHOWN) * 60_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recording_is_complete_and_endless() {
        let recording = Recording::load().unwrap();
        assert_eq!((recording.edits.len(), recording.wikis.len()), (39_244, 51));
        assert!(recording.edits.is_sorted_by_key(|edit| edit.event_ms));
        let again = recording.edit(39_244);
        assert_eq!(again.event_ms, recording.edit(0).event_ms + LAP_MS);
        assert!(again.event_ms > recording.edit(39_243).event_ms);
        assert!(
            recording
                .edits
                .iter()
                .all(|e| recording.wikis.iter().any(|w| w.code == e.wiki))
        );
    }

    #[test]
    fn feed_keeps_rate_and_order() {
        let recording = Arc::new(Recording::load().unwrap());
        let pace = Pace::new(&recording, 100.0, 500, Duration::from_millis(100), 7_000);
        let mut feed = Feed::starting_at(Arc::clone(&recording), pace, 500, 0);
        let seeded: Vec<_> = std::iter::from_fn(|| feed.next_until(0)).collect();
        assert_eq!(seeded.len(), 500);
        assert!(seeded.iter().all(|(_, timestamp)| *timestamp == 7_000));
        // One lap of 39,244 edits at 100 a second takes 3,924.4 ticks of 0.1 s,
        // however unevenly the day's edits are spread.
        let later: Vec<_> = std::iter::from_fn(|| feed.next_until(3_925)).collect();
        assert!((39_200..39_300).contains(&later.len()), "{}", later.len());
        assert!(later.is_sorted_by_key(|(_, timestamp)| *timestamp));
        assert!(
            later
                .iter()
                .all(|(_, t)| *t > 7_000 && (t - 7_000) % 100 == 0)
        );
    }
}
