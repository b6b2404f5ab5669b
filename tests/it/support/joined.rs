//! A client of several views on one stream: what it shows changes only when it
//! is told that all of them stand at one time.

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::time::Instant;

use serde_json::Value;

use super::gateway::PATIENCE;
use super::sse::{Event, Stream};
use super::table::{Rows, change, rows_of};

/// What a client holds of several views.
#[derive(Default)]
pub struct Joined {
    /// What it shows: each view's rows at `time`.
    pub shown: BTreeMap<String, Rows>,
    /// The same with what came since.
    held: BTreeMap<String, Rows>,
    pub time: Option<u64>,
    /// The last id.
    pub id: Option<String>,
    ids: HashSet<String>,
    /// Views that have had a base since all stood together.
    fresh: HashSet<String>,
    /// Bases seen, by view.
    pub bases: BTreeMap<String, usize>,
    /// Deltas seen of all views.
    pub deltas: usize,
    /// The last word of each view's upstream.
    pub upstream: BTreeMap<String, String>,
    /// Views that are gone.
    pub gone: Vec<String>,
}

impl Joined {
    /// Opens the stream, where the last one ended if there was one.
    pub fn open(&mut self, address: SocketAddr, path: &str) -> Stream {
        self.leave();
        match &self.id {
            Some(id) => Stream::resume(address, path, id),
            None => Stream::open(address, path),
        }
    }

    /// Forgets what came since the views stood together.
    pub fn leave(&mut self) {
        self.held = self.shown.clone();
        self.fresh.clear();
    }

    /// Takes an event in; whether the views stand together.
    pub fn apply(&mut self, event: &Event) -> bool {
        if event.name == "consistent" {
            self.stand(event);
            return true;
        }
        assert_eq!(event.id, None, "only `consistent` can be gone on from");
        let (view, kind) = event.name.rsplit_once('.').expect("a view's event");
        let view = view.to_owned();
        match kind {
            "base" => {
                *self.bases.entry(view.clone()).or_default() += 1;
                self.gone.retain(|gone| *gone != view);
                self.fresh.insert(view.clone());
                self.held.insert(view, rows_of(&event.data));
            }
            "delta" => {
                let rows = self.held.get_mut(&view).expect("a base came before");
                self.deltas += usize::from(change(rows, &event.data));
            }
            "upstream" => drop(self.upstream.insert(view, event.data.clone())),
            "gone" => {
                self.held.remove(&view);
                self.gone.push(view);
            }
            other => panic!("unknown event {other:?}"),
        }
        false
    }

    fn stand(&mut self, event: &Event) {
        let data: Value = serde_json::from_str(&event.data).expect("an object");
        let time = &data["position"];
        let time = time
            .as_u64()
            .or_else(|| time.as_str()?.parse().ok())
            .expect("a time");
        // Only where nothing of before is shown any more.
        let is_fresh = self.held.keys().all(|view| self.fresh.contains(view));
        assert!(
            is_fresh || Some(time) >= self.time,
            "time went back: {event:?}"
        );
        self.fresh.clear();
        if let Some(id) = &event.id {
            assert!(self.ids.insert(id.clone()), "an id twice: {event:?}");
            self.id = Some(id.clone());
        } else {
            assert!(self.id.is_some(), "the first needs an id: {event:?}");
        }
        self.time = Some(time);
        self.shown = self.held.clone();
    }

    /// Whether a view has such a row since its last base.
    pub fn bases_hold(&self, view: &str, text: &str) -> bool {
        self.held[view].keys().any(|row| row.contains(text))
    }

    /// Takes the next event in; whether the views stand together.
    pub fn next(&mut self, stream: &mut Stream) -> bool {
        let event = stream.next().expect("the stream goes on");
        self.apply(&event)
    }

    /// Reads until the gateway ends the stream.
    pub fn read_to_end(&mut self, stream: &mut Stream) {
        let deadline = Instant::now() + PATIENCE;
        while let Some(event) = stream.next() {
            assert!(Instant::now() < deadline, "it goes on: {event:?}");
            self.apply(&event);
        }
    }

    /// Reads until the views stand together and the condition holds.
    pub fn read_until(&mut self, stream: &mut Stream, done: impl Fn(&Joined) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !(self.next(stream) && done(self)) {
            let state = (self.time, &self.id, &self.upstream, &self.bases);
            assert!(Instant::now() < deadline, "not in time: {state:?}");
        }
    }
}
