//! What a stream of several views tells of one of them.

use std::task::Waker;

use bytes::Bytes;

use super::{Part, Sent, Stage};
use crate::model::position::Timestamp;
use crate::relay::event::body::Extent;
use crate::relay::event::form::Form;
use crate::relay::event::frame::Kind;
use crate::relay::event::long_event::Reading;
use crate::relay::event::names::EVENT_DELTA;
use crate::relay::log::backlog::Merged;
use crate::relay::subscribe::joint::output::Out;
use crate::relay::subscribe::windowed::Windowed;
use crate::relay::thread::next::Due;

impl Part {
    pub(super) fn tell(&self, name: &str, data: Bytes, out: &mut Out) {
        let bytes = self.prefix.len() + name.len() + data.len() + 2;
        self.tally.thread.count_bytes(out.begin_event() + bytes);
        self.tally.count_frames(1);
        for text in [self.prefix.as_str(), name, "\n"] {
            out.own(text.as_bytes());
        }
        out.shared(data);
        // The blank line that ends the event: an id is behind it elsewhere.
        out.own(b"\n");
    }

    /// The same of an event that is read in slices.
    pub(super) fn tell_long(&self, name: &str, reading: Reading, out: &mut Out) {
        self.tally.count_frames(1);
        out.begin_event();
        for text in [self.prefix.as_str(), name, "\n"] {
            out.own(text.as_bytes());
        }
        out.long(reading, &self.tally.thread);
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
        let seat = self.window.as_deref().and_then(Windowed::seat);
        let due = match seat {
            Some(seat) => seat.due(*cursor, until, &Form::EVENT),
            None => log.borrow_mut().due(*cursor, until),
        };
        match due {
            Due::Frame(frame, place) => {
                *cursor = place;
                match &frame.long {
                    Some(long) => {
                        let reading = Reading::new(long, Extent::Data);
                        self.tell_long(frame.event_name(), reading, out);
                    }
                    None => self.tell(frame.event_name(), frame.encoded.data(), out),
                }
                match frame.kind {
                    Kind::Delta(_) => Sent::Rows,
                    Kind::Upstream { .. } => Sent::Word,
                    Kind::Gone => {
                        (self.stage, self.at) = (Stage::Absent, None);
                        self.stand_up();
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
                self.tally.thread.count_compacted();
                self.tell(EVENT_DELTA, event.data(), out);
                Some(Sent::Rows)
            }
            Merged::Long(long) => {
                // Else it is merged anew.
                let long = long.upgrade()?;
                *cursor = waiting.to();
                self.tally.thread.count_compacted();
                self.tell_long(EVENT_DELTA, Reading::new(&long, Extent::Data), out);
                Some(Sent::Rows)
            }
            Merged::Skipped => None,
            // Nothing of it is of the window.
            Merged::Nothing if self.window.is_some() => {
                *cursor = waiting.to();
                None
            }
            // The first of them is a change, which moves the position.
            Merged::Nothing | Merged::Forgotten | Merged::Refused => Some(Sent::Forgotten),
        }
    }
}
