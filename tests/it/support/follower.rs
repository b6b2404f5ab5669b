//! A client whose rows are compared with a scripted server's after each event.

use std::collections::BTreeMap;

use super::gateway::Gateway;
use super::materialize::Materialize;
use super::sse::{Event, Stream};
use super::standin::{TextRows, text_rows};
use super::table::Table;

/// A client that compares its rows with the oracle at every id.
pub struct Follower<'a> {
    pub server: &'a Materialize,
    pub view: &'static str,
    pub stream: Stream,
    pub table: Table,
}

impl<'a> Follower<'a> {
    /// Opens the view's stream and reads up to its base.
    pub fn join(server: &'a Materialize, gateway: &Gateway, view: &'static str) -> Self {
        let stream = Stream::open(gateway.address, &format!("/{view}/stream"));
        let mut follower = Follower::of(server, view, stream);
        while follower.table.timestamp.is_none() {
            follower.step();
        }
        follower
    }

    /// Reads a stream of which nothing was read yet.
    pub fn of(server: &'a Materialize, view: &'static str, stream: Stream) -> Self {
        Follower {
            server,
            view,
            stream,
            table: Table::default(),
        }
    }

    /// Takes the next event.
    pub fn step(&mut self) -> Event {
        let event = self.stream.next().expect("the stream goes on");
        self.table.apply(&event);
        if event.id.is_some() {
            self.compare();
        }
        event
    }

    fn compare(&self) {
        let timestamp = self.table.timestamp.expect("a position");
        let oracle: BTreeMap<_, _> = self.server.contents_at(self.view, timestamp);
        let expected: TextRows = oracle
            .into_iter()
            .map(|(row, copies)| (row, u64::try_from(copies).expect("positive")))
            .collect();
        assert_eq!(
            text_rows(&self.table.rows),
            expected,
            "{} at {timestamp}",
            self.view
        );
    }

    /// Reads until the position has reached a timestamp.
    pub fn reach(&mut self, timestamp: u64) {
        while self.table.timestamp < Some(timestamp) {
            self.step();
        }
        assert_eq!(self.table.bases, 1, "one base per connection [P2]");
    }

    /// Reads until the upstream is said to be `live` or `lost`.
    pub fn until_upstream(&mut self, word: &str) {
        let data = format!("\"{word}\"");
        while self.table.upstream.as_ref() != Some(&data) {
            self.step();
        }
    }
}
