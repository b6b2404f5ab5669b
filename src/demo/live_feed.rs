//! The edits of `demo --live`: live ones while there are any to be had, and
//! the recording in their place while there are not.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use awc::http::Uri;
use tokio::sync::mpsc;

use super::error::DemoError;
use super::feed::{Edit, Feed, Pace, Recording};
use super::live::Sink;
use super::options::Options;
use crate::limits;

/// Where the dataflow's edits come from.
#[derive(Debug)]
pub(super) enum Edits {
    /// The recording at its pace.
    Recorded(Feed),
    /// Wikipedia, now.
    Live(Box<LiveFeed>),
}

impl Edits {
    /// The next edit and its timestamp, if it comes in at or before `tick`.
    pub(super) fn next_until(&mut self, tick: u64) -> Option<(Edit, u64)> {
        match self {
            Edits::Recorded(feed) => feed.next_until(tick),
            Edits::Live(feed) => feed.next_until(tick),
        }
    }
}

/// What a thread is to read, and where that goes.
type Reading = Option<(Uri, Sink)>;

/// The pace of event time and the edits that the options ask for, and what is
/// to be read for them.
pub(super) fn edits(
    options: &Options,
    recording: &Arc<Recording>,
    timestamp_start: u64,
) -> Result<(Pace, Edits, Reading), DemoError> {
    // A usize is no wider than a u64 on any platform.
    let (seed, tick) = (options.seed_edits as u64, options.tick);
    let recorded = Pace::new(recording, options.rate, seed, tick, timestamp_start);
    let Some(url) = &options.live else {
        let feed = Feed::starting_at(Arc::clone(recording), recorded, seed, 0);
        return Ok((recorded, Edits::Recorded(feed), None));
    };
    let url: Uri = url.parse().map_err(|_| DemoError::LiveUrl)?;
    if !matches!(url.scheme_str(), Some("http" | "https")) {
        return Err(DemoError::LiveUrl);
    }
    let (sender, edits) = mpsc::channel(limits::DEMO_LIVE_EDITS_WAITING_MAX);
    let connected = Arc::new(AtomicBool::new(false));
    let sink = Sink {
        edits: sender,
        connected: Arc::clone(&connected),
    };
    let incoming = Incoming { edits, connected };
    let pace = Pace::live(tick, timestamp_start);
    let feed = LiveFeed::new(incoming, Arc::clone(recording), pace, recorded, seed);
    Ok((pace, Edits::Live(Box::new(feed)), Some((url, sink))))
}

/// What comes from the connection.
#[derive(Debug)]
pub(super) struct Incoming {
    /// Edits whose event time is not set yet.
    pub(super) edits: mpsc::Receiver<Edit>,
    /// Whether there is a connection.
    pub(super) connected: Arc<AtomicBool>,
}

/// Live edits, and recorded ones where there are none. The event time of each
/// is the time of the tick at which it comes in: a recorded one happens now.
#[derive(Debug)]
pub(super) struct LiveFeed {
    incoming: Incoming,
    recording: Arc<Recording>,
    pace: Pace,
    seed: u64,
    seeded: u64,
    /// The recording at its own pace, which stands still while edits are live.
    recorded: Feed,
    recorded_tick: u64,
    tick: u64,
    /// Live edits of this tick.
    taken: usize,
}

impl LiveFeed {
    /// `pace` is one of real time, `recorded_pace` the recording's.
    pub(super) fn new(
        incoming: Incoming,
        recording: Arc<Recording>,
        pace: Pace,
        recorded_pace: Pace,
        seed: u64,
    ) -> Self {
        Self {
            incoming,
            recorded: Feed::starting_at(Arc::clone(&recording), recorded_pace, seed, seed),
            recording,
            pace,
            seed,
            seeded: 0,
            recorded_tick: 0,
            tick: 0,
            taken: 0,
        }
    }

    fn next_until(&mut self, tick: u64) -> Option<(Edit, u64)> {
        if self.seeded < self.seed {
            return Some(self.next_seed());
        }
        let connected = self.incoming.connected.load(Ordering::Relaxed);
        if tick > self.tick {
            if !connected {
                self.recorded_tick += tick - self.tick;
            }
            self.tick = tick;
            self.taken = 0;
        }
        let now = self.pace.timestamp(tick);
        let mut edit = self.next_live();
        if edit.is_none() && !connected {
            edit = self
                .recorded
                .next_until(self.recorded_tick)
                .map(|(edit, _)| edit);
        }
        let edit = edit?;
        Some((
            Edit {
                event_ms: now,
                ..edit
            },
            now,
        ))
    }

    fn next_live(&mut self) -> Option<Edit> {
        if self.taken >= limits::DEMO_LIVE_EDITS_PER_TICK_MAX {
            return None;
        }
        let edit = self.incoming.edits.try_recv().ok()?;
        self.taken += 1;
        Some(edit)
    }

    /// The edits that are in at the start fill the window of
    /// `edits_per_minute` evenly, up to now.
    fn next_seed(&mut self) -> (Edit, u64) {
        let start = self.pace.timestamp_start;
        let window_ms = limits::DEMO_MINUTES_SHOWN * 60_000;
        let edit = self.recording.edit(self.seeded);
        // At most a million times an hour of milliseconds.
        let before = window_ms * (self.seed - self.seeded) / self.seed;
        self.seeded += 1;
        let event_ms = start.saturating_sub(before);
        (Edit { event_ms, ..edit }, start)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const START: u64 = 1_790_000_000_000;

    fn edit(page: &str) -> Edit {
        Edit {
            event_ms: 0,
            wiki: "en".to_owned(),
            page: page.to_owned(),
            user: None,
            bytes: 1,
        }
    }

    fn all(feed: &mut LiveFeed, tick: u64) -> Vec<(Edit, u64)> {
        std::iter::from_fn(|| feed.next_until(tick)).collect()
    }

    #[test]
    fn live_edits_take_the_place_of_recorded_ones_while_connected() {
        let recording = Arc::new(Recording::load().unwrap());
        let tick = Duration::from_secs(1);
        let (sender, edits) = mpsc::channel(8);
        let connected = Arc::new(AtomicBool::new(false));
        let incoming = Incoming {
            edits,
            connected: Arc::clone(&connected),
        };
        let pace = Pace::live(tick, START);
        let recorded = Pace::new(&recording, 10.0, 100, tick, START);
        let mut feed = LiveFeed::new(incoming, Arc::clone(&recording), pace, recorded, 100);

        let seeds = all(&mut feed, 0);
        assert_eq!(seeds.len(), 100);
        assert!(seeds.is_sorted_by_key(|(edit, _)| edit.event_ms));
        assert!(
            seeds
                .iter()
                .all(|(edit, at)| *at == START
                    && (START - 3_600_000..START).contains(&edit.event_ms))
        );

        // Not connected: the recording, as if it happened now.
        let first = all(&mut feed, 10);
        assert!((50..200).contains(&first.len()), "{}", first.len());
        assert!(
            first
                .iter()
                .all(|(edit, at)| *at == START + 10_000 && edit.event_ms == *at)
        );

        // Connected: only what comes, at the tick at which it comes.
        connected.store(true, Ordering::Relaxed);
        assert!(all(&mut feed, 20).is_empty());
        sender.try_send(edit("a")).unwrap();
        sender.try_send(edit("b")).unwrap();
        let live = all(&mut feed, 30);
        let pages: Vec<_> = live
            .iter()
            .map(|(edit, at)| (edit.page.as_str(), edit.event_ms, *at))
            .collect();
        assert_eq!(
            pages,
            [
                ("a", START + 30_000, START + 30_000),
                ("b", START + 30_000, START + 30_000)
            ]
        );

        // Lost: the recording goes on where it was, without what time passed meanwhile.
        connected.store(false, Ordering::Relaxed);
        let again = all(&mut feed, 31);
        assert!((1..60).contains(&again.len()), "{}", again.len());
        let next = 100 + first.len() as u64;
        assert_eq!(again[0].0.page, recording.edit(next).page);
    }
}
