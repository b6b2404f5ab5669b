//! The bytes of SSE events, encoded once and shared by every subscriber.
//!
//! The data of every event is one line: row text is JSON, in which no raw line
//! break can stand, so nothing needs to be split or escaped here.

use std::sync::Arc;

use bytes::Bytes;

use crate::limits::LONG_EVENT_BYTES;
use crate::model::delta::Delta;
use crate::model::parted::Parted;
use crate::model::position::{Incarnation, Position, Timestamp};
use crate::model::value::EXACT_MAX;
use crate::model::window::{Layout, Shape};
use crate::relay::event::encoded::Encoded;
use crate::relay::event::long_event::LongEvent;
use crate::relay::event::names::{
    EVENT_BASE, EVENT_CONSISTENT, EVENT_DELTA, EVENT_GONE, EVENT_UPSTREAM, KEY_DELETE, KEY_INSERT,
    KEY_POSITION, push_tail,
};
use crate::relay::event::parts::Parts;
use crate::relay::latency::Came;

/// What a frame is, for those who skip, merge or end at it.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Changes, perhaps none (a heartbeat).
    Delta(Delta),
    /// `upstream`: live or lost.
    Upstream {
        /// Whether the data are fresh.
        live: bool,
    },
    /// `gone`: the last frame of a log.
    Gone,
}

/// One SSE event, ready to be written.
#[derive(Debug)]
pub struct Frame {
    /// Whether it moves the position of who is sent it.
    pub has_id: bool,
    /// The event as it goes over the wire.
    pub encoded: Encoded,
    /// The same slice by slice, where it is too large to be handed out at once.
    pub long: Option<Arc<LongEvent>>,
    /// What it is.
    pub kind: Kind,
    /// Its changes by their keys, for who looks for those of a window.
    pub parts: Parts,
    /// When its changes came, if it has any: to count how long they take.
    pub came: Option<Came>,
}

impl Frame {
    /// A delta at its timestamp, with its position as the id.
    pub fn delta(delta: Delta, incarnation: Incarnation) -> Frame {
        let position = Position {
            timestamp: delta.timestamp(),
            incarnation,
        };
        let encoded = encode_delta(&delta, position);
        let is_long = encoded.length() > LONG_EVENT_BYTES;
        Frame {
            has_id: true,
            long: is_long.then(|| Arc::new(LongEvent::encoded(&encoded, position))),
            encoded,
            kind: Kind::Delta(delta),
            parts: Parts::default(),
            came: None,
        }
    }

    /// An empty delta without an id, for when the position has not moved: the
    /// id of the last event stays in force, and ids go on to grow strictly.
    pub fn heartbeat_in_place(timestamp: Timestamp) -> Frame {
        Frame {
            has_id: false,
            encoded: Encoded::copy_of(format!("event: {EVENT_DELTA}\ndata: []\n\n").as_bytes()),
            long: None,
            kind: Kind::Delta(Delta::new(timestamp, Vec::new())),
            parts: Parts::default(),
            came: None,
        }
    }

    /// `upstream: "live"` or `"lost"`.
    pub fn upstream(live: bool) -> Frame {
        let state = if live { "live" } else { "lost" };
        let event = format!("event: {EVENT_UPSTREAM}\ndata: \"{state}\"\n\n");
        Frame {
            has_id: false,
            encoded: Encoded::copy_of(event.as_bytes()),
            long: None,
            kind: Kind::Upstream { live },
            parts: Parts::default(),
            came: None,
        }
    }

    /// `gone`, with a reason that is fit for browsers.
    pub fn gone(reason: &str) -> Frame {
        let data = serde_json::json!({ "reason": reason });
        let event = format!("event: {EVENT_GONE}\ndata: {data}\n\n");
        Frame {
            has_id: false,
            encoded: Encoded::copy_of(event.as_bytes()),
            long: None,
            kind: Kind::Gone,
            parts: Parts::default(),
            came: None,
        }
    }

    /// The changes, if that is what it is.
    pub fn changes(&self) -> Option<&Delta> {
        match &self.kind {
            Kind::Delta(delta) => Some(delta),
            Kind::Upstream { .. } | Kind::Gone => None,
        }
    }

    /// The changes by their keys; `None` where it has none.
    pub fn part(&self, shape: &Shape, layout: &Layout) -> Option<Arc<Parted>> {
        let delta = self.changes().filter(|delta| !delta.is_empty())?;
        let make = || Parted::of(delta, shape, layout);
        Some(self.parts.get_or_make(shape, make))
    }

    /// Whether it says nothing but that nothing changed.
    pub fn is_heartbeat(&self) -> bool {
        self.changes().is_some_and(Delta::is_empty)
    }

    /// Its event's name.
    pub fn event_name(&self) -> &'static str {
        match &self.kind {
            Kind::Delta(_) => EVENT_DELTA,
            Kind::Upstream { .. } => EVENT_UPSTREAM,
            Kind::Gone => EVENT_GONE,
        }
    }

    /// What keeping it costs: its bytes, and its rows' text once more, since
    /// the view may not hold them any longer; and the keys that were made of them.
    pub fn bytes_kept(&self) -> u64 {
        let changes = self.changes().map_or(&[][..], Delta::changes);
        let rows: usize = changes
            .iter()
            .map(|c| c.row.text().len() + ROW_OVERHEAD)
            .sum();
        let parts = self.parts.bytes();
        u64::try_from(self.encoded.length() + rows + parts + FRAME_OVERHEAD).unwrap_or(u64::MAX)
    }
}

/// Bytes of a change beside its row's text: a pointer, a diff, two counters
/// and the allocator's share.
const ROW_OVERHEAD: usize = 64;

/// Bytes of a frame beside its contents.
const FRAME_OVERHEAD: usize = 128;

/// All views of a stream stand at this time; the id is for coming back there.
pub fn consistent(time: Timestamp, id: Option<&str>) -> Bytes {
    let id = id.map_or_else(String::new, |id| format!("id: {id}\n"));
    // Like any number of rows: as text where JavaScript would round it.
    let quote = if time.get() > EXACT_MAX { "\"" } else { "" };
    let data = format!("{{\"{KEY_POSITION}\":{quote}{time}{quote}}}");
    Bytes::from(format!("event: {EVENT_CONSISTENT}\ndata: {data}\n{id}\n"))
}

/// Several deltas as one: their net effect, with the last one's position.
pub fn encode_delta(delta: &Delta, position: Position) -> Encoded {
    let mut out = head(EVENT_DELTA, delta_length(delta));
    out.push(b'[');
    let mut first = true;
    for change in delta.changes() {
        let key = if change.diff < 0 {
            KEY_DELETE
        } else {
            KEY_INSERT
        };
        for _ in 0..change.diff.unsigned_abs() {
            if !first {
                out.push(b',');
            }
            first = false;
            out.extend_from_slice(b"{\"");
            out.extend_from_slice(key.as_bytes());
            out.extend_from_slice(b"\":");
            out.extend_from_slice(change.row.text().as_bytes());
            out.push(b'}');
        }
    }
    out.push(b']');
    push_tail(position, &mut out);
    Encoded::finish(out)
}

/// A base of these rows, each with a comma behind it.
pub fn encode_base(listed: &[u8], position: Position) -> Encoded {
    let mut out = head(EVENT_BASE, listed.len());
    out.push(b'[');
    out.extend_from_slice(listed.strip_suffix(b",").unwrap_or(listed));
    out.push(b']');
    push_tail(position, &mut out);
    Encoded::finish(out)
}

/// `{"delete":` `}` and a comma.
const CHANGE_OVERHEAD: usize = 12;

/// Room for the event's name, an id of 20 digits and an incarnation.
const HEAD_LENGTH: usize = 80;

fn delta_length(delta: &Delta) -> usize {
    let length = |change: &crate::model::delta::Change| {
        let copies = usize::try_from(change.diff.unsigned_abs()).unwrap_or(usize::MAX);
        copies.saturating_mul(change.row.text().len() + CHANGE_OVERHEAD)
    };
    delta
        .changes()
        .iter()
        .map(length)
        .fold(0, usize::saturating_add)
}

/// `event` and the beginning of `data`, with room for what follows.
fn head(event: &str, room: usize) -> Vec<u8> {
    let mut out = Encoded::buffer(room.saturating_add(HEAD_LENGTH));
    for text in ["event: ", event, "\ndata: "] {
        out.extend_from_slice(text.as_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::delta::Change;
    use crate::model::row::Row;

    fn incarnation() -> Incarnation {
        Incarnation::of(["v"])
    }

    fn text(bytes: &Bytes) -> String {
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[test]
    fn frame_delta_lists_every_copy_deletes_first() {
        let change = |row: &str, diff| Change {
            row: Row::from(row),
            diff,
        };
        let delta = Delta::new(
            Timestamp::new(7),
            vec![change("{\"a\":1}", 2), change("{\"a\":2}", -1)],
        );
        let frame = Frame::delta(delta, incarnation());
        let id = incarnation();
        assert_eq!(
            text(&frame.encoded.event()),
            format!(
                "event: delta\ndata: [{{\"delete\":{{\"a\":2}}}},\
                 {{\"insert\":{{\"a\":1}}}},{{\"insert\":{{\"a\":1}}}}]\nid: 7-{id}\n\n"
            )
        );
    }

    #[test]
    fn frame_control_events_are_as_the_contract_says() {
        assert_eq!(
            text(&Frame::upstream(false).encoded.event()),
            "event: upstream\ndata: \"lost\"\n\n"
        );
        assert_eq!(
            text(&Frame::upstream(true).encoded.event()),
            "event: upstream\ndata: \"live\"\n\n"
        );
        assert_eq!(
            text(&Frame::gone("view \"v\" was\ndropped").encoded.event()),
            "event: gone\ndata: {\"reason\":\"view \\\"v\\\" was\\ndropped\"}\n\n"
        );
        let beat = Frame::heartbeat_in_place(Timestamp::new(5));
        assert_eq!(text(&beat.encoded.event()), "event: delta\ndata: []\n\n");
        assert_eq!(
            text(&consistent(Timestamp::new(7), Some("7-a.7-b"))),
            "event: consistent\ndata: {\"position\":7}\nid: 7-a.7-b\n\n"
        );
        assert_eq!(
            text(&consistent(Timestamp::MAX, None)),
            "event: consistent\ndata: {\"position\":\"18446744073709551615\"}\n\n"
        );
    }
}
