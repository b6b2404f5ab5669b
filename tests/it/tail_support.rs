//! A tail under test: the real threads in front of a scripted server, with the
//! publisher's part played by the test.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use viewcast::model::event::{Heard, TailEvent};
use viewcast::model::position::Incarnation;
use viewcast::model::view::View;
use viewcast::tail::{TailError, TailHandle, TailSettings, TailView, spawn};

use crate::support::materialize::{Materialize, Values};

/// How long anything may take that should happen.
const PATIENCE: Duration = Duration::from_secs(15);

/// A running tail and what it has told so far.
pub struct Tailed {
    pub handle: Option<TailHandle>,
    events: Receiver<Heard>,
    pub fatal: Receiver<TailError>,
    /// The view as a publisher would hold it.
    pub view: Option<View>,
    pub incarnation: Option<Incarnation>,
    /// Kinds of events, in order, without their contents.
    pub told: Vec<&'static str>,
    columns: Vec<String>,
    pub is_lost: bool,
    /// After a resync nothing counts until the next snapshot, which may stand
    /// at any time.
    is_in_doubt: bool,
}

/// The settings of a tail of `name` with a short upstream timeout.
pub fn settings(name: &str) -> TailSettings {
    let view = TailView {
        name: name.to_string(),
        sql: format!("\"{}\"", name.replace('"', "\"\"")),
        parts: vec![name.to_string()],
        ..TailView::default()
    };
    let mut settings = TailSettings::new(view);
    settings.upstream_timeout = Duration::from_millis(700);
    settings
}

impl Tailed {
    pub fn start(server: &Materialize, name: &str) -> Self {
        Tailed::with(server, settings(name), 64)
    }

    pub fn with(server: &Materialize, settings: TailSettings, events: usize) -> Self {
        let _ = env_logger::builder().is_test(true).try_init();
        let (out, events) = bounded(events);
        let (fatal_in, fatal): (Sender<TailError>, _) = bounded(4);
        let address: postgres::Config = server.url().parse().unwrap();
        let handle = spawn(settings, address.into(), None, out, || {}, fatal_in).unwrap();
        Tailed {
            handle: Some(handle),
            events,
            fatal,
            view: None,
            incarnation: None,
            told: Vec::new(),
            columns: Vec::new(),
            is_in_doubt: false,
            is_lost: false,
        }
    }

    /// Takes one event as a publisher does: with every rule checked.
    fn take(&mut self, event: TailEvent) {
        let kind = match &event {
            TailEvent::Described(_) => "described",
            TailEvent::Moved(_) => "moved",
            TailEvent::Distrusted(_) => "distrusted",
            TailEvent::History(_) => "history",
            TailEvent::Snapshot(_) => "snapshot",
            TailEvent::Delta(_) => "delta",
            TailEvent::Progress(_) => "progress",
            TailEvent::Complete => "complete",
            TailEvent::Interrupted(_) => "interrupted",
            TailEvent::Failed(_) => "lost",
            TailEvent::Gone { .. } => "gone",
        };
        // Each failed attempt is told; an outage is one, and so is an absence.
        let is_again = match kind {
            "interrupted" => true,
            "progress" | "gone" => self.told.last() == Some(&kind),
            "lost" => self.is_lost,
            _ => false,
        };
        if !is_again {
            self.told.push(kind);
        }
        match event {
            TailEvent::Described(it) => {
                if self.incarnation.is_some_and(|held| held != it.incarnation) {
                    assert!(self.view.is_none(), "another incarnation without gone");
                }
                self.incarnation = Some(it.incarnation);
                self.columns = it.columns.into_iter().map(|one| one.name).collect();
            }
            TailEvent::Moved(it) => self.incarnation = Some(it.incarnation),
            TailEvent::Snapshot(view) => {
                let in_doubt = std::mem::take(&mut self.is_in_doubt);
                if let Some(held) = self.view.as_ref().filter(|_| !in_doubt) {
                    assert!(view.timestamp() >= held.timestamp(), "snapshot went back");
                    let (mut held, delta) = (held.clone(), held.difference(&view));
                    if view.timestamp() == held.timestamp() {
                        assert!(delta.is_empty(), "changes without time");
                    } else {
                        held.apply(&delta).unwrap();
                    }
                    assert_eq!(held, view);
                }
                self.view = Some(view);
                self.is_lost = false;
            }
            TailEvent::Delta(_) | TailEvent::Progress(_) if self.is_in_doubt => {}
            TailEvent::Delta(delta) => {
                let view = self.view.as_mut().expect("a delta without a snapshot");
                view.apply(&delta).unwrap();
                self.is_lost = false;
            }
            TailEvent::Progress(timestamp) => {
                let view = self.view.as_mut().expect("progress without a snapshot");
                assert!(timestamp >= view.timestamp(), "progress went back");
                view.advance(timestamp);
                self.is_lost = false;
            }
            TailEvent::Complete
            | TailEvent::Interrupted(_)
            | TailEvent::Distrusted(_)
            | TailEvent::History(_) => {}
            TailEvent::Failed(_) => self.is_lost = true,
            TailEvent::Gone(_) => {
                self.view = None;
                self.incarnation = None;
            }
        }
    }

    /// Does what a publisher does that has found an inconsistency.
    pub fn resync(&mut self, reason: &str) {
        self.is_in_doubt = true;
        let held = self.view.as_ref().map(View::timestamp);
        self.handle.as_ref().unwrap().resync(reason, held);
    }

    /// Takes events until the condition holds.
    pub fn until(&mut self, what: &str, condition: impl Fn(&Self) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !condition(self) {
            match self.events.recv_deadline(end) {
                Ok(heard) => self.take(heard.event),
                Err(error) => panic!("{error} waiting until {what}; told {:?}", self.told),
            }
        }
    }

    /// Takes what comes within so short a time.
    pub fn settle(&mut self, time: Duration) {
        let end = Instant::now() + time;
        loop {
            match self.events.recv_deadline(end) {
                Ok(heard) => self.take(heard.event),
                Err(RecvTimeoutError::Timeout) => return,
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    pub fn timestamp(&self) -> u64 {
        let view = self.view.as_ref();
        view.map_or(0, |view| view.timestamp().get())
    }

    /// The rows held, as the test's server would write them, all as strings.
    pub fn rows(&self) -> BTreeMap<Values, i64> {
        let Some(view) = &self.view else {
            return BTreeMap::new();
        };
        let parse = |text: &str| -> Values {
            let row: serde_json::Value = serde_json::from_str(text).unwrap();
            let value = |name: &String| match &row[name] {
                serde_json::Value::Null => None,
                serde_json::Value::String(text) => Some(text.clone()),
                other => Some(other.to_string()),
            };
            self.columns.iter().map(value).collect()
        };
        view.rows()
            .map(|(row, copies)| (parse(row), i64::try_from(copies).unwrap()))
            .collect()
    }

    /// Waits until the tail has reached the time, and compares the rows there.
    pub fn same_as(&mut self, server: &Materialize, name: &str, timestamp: u64) {
        self.until("the timestamp is reached", |it| it.timestamp() >= timestamp);
        let expected = server.contents_at(name, self.timestamp());
        assert_eq!(self.rows(), expected, "at {}", self.timestamp());
    }
}
