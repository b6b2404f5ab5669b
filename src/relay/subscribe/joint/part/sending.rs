//! What a stream of several views tells of one of them.

use std::sync::Arc;
use std::task::Waker;

use bytes::Bytes;

use super::{Part, Sent, Stage};
use crate::model::position::Timestamp;
use crate::relay::event::frame::Kind;
use crate::relay::event::long_event::{Extent, LongEvent, Reading};
use crate::relay::event::names::EVENT_DELTA;
use crate::relay::log::backlog::Merged;
use crate::relay::subscribe::joint::output::Out;
use crate::relay::thread::local_log::Due;

impl Part {
    pub(super) fn tell(&self, name: &str, data: Bytes, out: &mut Out) {
        let bytes = self.prefix.len() + name.len() + data.len() + 2;
        self.counters.count_bytes(out.begin_event() + bytes);
        self.counters.count_frames(1);
        for text in [self.prefix.as_str(), name, "\n"] {
            out.own(text.as_bytes());
        }
        out.shared(data);
        // The blank line that ends the event: an id is behind it elsewhere.
        out.own(b"\n");
    }

    /// The same of an event that is read in slices.
    pub(super) fn tell_long(&self, name: &str, long: &Arc<LongEvent>, out: &mut Out) {
        self.counters.count_frames(1);
        out.begin_event();
        for text in [self.prefix.as_str(), name, "\n"] {
            out.own(text.as_bytes());
        }
        out.long(Reading::new(long, Extent::Data), &self.counters);
        out.own(b"\n");
    }

    /// Tells what comes next up to this time.
    pub(in crate::relay::subscribe::joint) fn send(
        &mut self,
        until: Timestamp,
        out: &mut Out,
    ) -> Sent {
        if let Some(sent) = self.send_merged(out) {
            return sent;
        }
        let Stage::Following { log, cursor } = &mut self.stage else {
            return Sent::Nothing;
        };
        let due = log.borrow_mut().due(*cursor, until);
        match due {
            Due::Frame(frame, place) => {
                *cursor = place;
                match &frame.long {
                    Some(long) => self.tell_long(frame.event_name(), long, out),
                    None => self.tell(frame.event_name(), frame.encoded.data(), out),
                }
                match frame.kind {
                    Kind::Delta(_) => Sent::Rows,
                    Kind::Upstream { .. } => Sent::Word,
                    Kind::Gone => {
                        (self.stage, self.at) = (Stage::Absent, None);
                        // Another log may be of an earlier time.
                        self.seen = Timestamp::MIN;
                        Sent::Rows
                    }
                }
            }
            Due::Merged(waiting) => {
                self.merging = Some(waiting);
                self.send_merged(out).unwrap_or(Sent::Later)
            }
            Due::Nothing(place) => {
                *cursor = place;
                Sent::Nothing
            }
            Due::Forgotten => Sent::Forgotten,
        }
    }

    /// Tells what the client lacked, once that is one delta; `None` where
    /// nothing is merged for it.
    fn send_merged(&mut self, out: &mut Out) -> Option<Sent> {
        let waiting = self.merging.take()?;
        let Some(merged) = waiting.poll(Waker::noop()) else {
            self.merging = Some(waiting);
            return Some(Sent::Later);
        };
        let Stage::Following { cursor, .. } = &mut self.stage else {
            return None;
        };
        match merged {
            Merged::Short(event) => {
                *cursor = waiting.to();
                self.counters.count_compacted();
                self.tell(EVENT_DELTA, event.data(), out);
                Some(Sent::Rows)
            }
            Merged::Long(long) => {
                // Else it is merged anew.
                let long = long.upgrade()?;
                *cursor = waiting.to();
                self.counters.count_compacted();
                self.tell_long(EVENT_DELTA, &long, out);
                Some(Sent::Rows)
            }
            Merged::Skipped => None,
            // The first of them is a change, which moves the position.
            Merged::Nothing | Merged::Forgotten | Merged::Refused => Some(Sent::Forgotten),
        }
    }
}
