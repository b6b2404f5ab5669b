//! What open windows tell their readers, and how these learn of it.

use std::rc::Weak;
use std::sync::Arc;
use std::time::Instant;

use super::Windows;
use crate::limits::{WINDOW_BASE_WAIT, WINDOW_FRAME_OVERHEAD, WINDOW_FRAMES_BYTES_MAX};
use crate::model::delta::Delta;
use crate::model::position::{Position, Timestamp};
use crate::model::retention::Cursor;
use crate::relay::event::frame::Frame;
use crate::relay::log::shared_log::Log;
use crate::relay::log::window_request::WindowRequest;
use crate::relay::thread::round::WriteNews;

impl Windows {
    /// A frame for the readers of one window, of the log's entry before a place.
    pub(super) fn tell(
        &mut self,
        number: usize,
        frame: Arc<Frame>,
        at: (Timestamp, Cursor),
        now: Instant,
    ) {
        let bytes = frame.encoded.length().saturating_add(WINDOW_FRAME_OVERHEAD);
        let Some(open) = self.get_mut(number) else {
            return;
        };
        open.push(frame, at, now);
        self.hold(number, at.1, bytes);
        self.wake(number);
    }

    /// The same of a frame that everybody is told.
    pub(super) fn tell_all(&mut self, frame: &Arc<Frame>, at: (Timestamp, Cursor), now: Instant) {
        for number in self.open.places() {
            match self.get_mut(number) {
                Some(open) if open.is_followed() => {
                    self.tell(number, Arc::clone(frame), at, now);
                }
                Some(open) => {
                    open.pass(at.1);
                    // Who waits for its base may wait in vain.
                    self.wake(number);
                }
                None => {}
            }
        }
    }

    /// Holds a frame for those who lack it, as long as there is room.
    fn hold(&mut self, number: usize, behind: Cursor, bytes: usize) {
        self.held.push_back((number, behind, bytes));
        self.held_bytes = self.held_bytes.saturating_add(bytes);
        // Two looks for each frame that comes: what was read is soon found.
        let is_read = |it: &Self| {
            let (number, behind, _) = it.held.front()?;
            Some(it.get(*number).is_none_or(|open| open.is_dropped(*behind)))
        };
        for _ in 0..2 {
            if is_read(self) == Some(true) {
                self.drop_oldest();
            }
        }
        while self.held_bytes > WINDOW_FRAMES_BYTES_MAX && !self.held.is_empty() {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some((number, behind, bytes)) = self.held.pop_front() {
            self.held_bytes = self.held_bytes.saturating_sub(bytes);
            if let Some(open) = self.get_mut(number) {
                open.drop_until(behind);
            }
        }
    }

    /// There is news for a window's readers.
    pub(super) fn wake(&mut self, number: usize) {
        if let Some(open) = self.get_mut(number)
            && open.wake()
            && !std::mem::replace(&mut open.is_queued, true)
        {
            self.woken.push_back(number);
        }
    }

    /// All readers are to look around.
    pub(in crate::relay::thread) fn wake_all(&mut self) {
        self.open.places().for_each(|number| self.wake(number));
    }

    /// What lies before this place was not seen, and may be gone for good.
    pub(super) fn lose(&mut self, first: Cursor) {
        for open in self.open.iter_mut() {
            open.lose(first);
        }
        self.wake_all();
    }

    /// The log is let go: whoever still reads it ends.
    pub(in crate::relay::thread) fn forget(&mut self, log: &Arc<Log>) {
        self.log = Arc::clone(log);
        self.requests.clear();
        self.bases.clear();
        self.held.clear();
        self.held_bytes = 0;
        for open in self.open.iter_mut() {
            open.request = None;
        }
        self.lose(Cursor::at(u64::MAX));
    }

    /// A reader follows its window from now on.
    pub(in crate::relay::thread) fn follow(
        &mut self,
        (number, place): (usize, usize),
        at: (Cursor, Timestamp),
        outlet: Option<Weak<dyn WriteNews>>,
        now: Instant,
    ) {
        let Some(open) = self.get_mut(number) else {
            return;
        };
        if !open.is_followed() {
            open.heard = now;
        }
        open.follow(place, at, outlet);
        if open.tick.is_none() && open.wants_beats() {
            let heard = open.heard;
            let tick = self.beats.after(heard);
            self.beats.add(tick, number);
            if let Some(open) = self.get_mut(number) {
                open.tick = Some(tick);
            }
        }
    }

    /// Tells windows that have been silent for long that nothing has changed, up to
    /// where the log reaches.
    pub(in crate::relay::thread) fn beat(&mut self, head: Position, now: Instant) {
        while let Some((tick, windows)) = self.beats.pop(now) {
            for number in windows {
                self.look_at(number, tick, head, now);
            }
        }
    }

    fn look_at(&mut self, number: usize, tick: super::beats::Tick, head: Position, now: Instant) {
        let Some(open) = self.open.get_mut(number) else {
            return;
        };
        // Another window may have its number by now.
        if open.tick != Some(tick) {
            return;
        }
        open.tick = None;
        if !open.wants_beats() {
            return;
        }
        let mut next = self.beats.after(open.heard);
        let is_silent = next <= tick;
        if is_silent {
            let (at, of) = (head.timestamp, open.incarnation(head.incarnation));
            let beat = match at > open.sent {
                true => Frame::delta(Delta::new(at, Vec::new()), of),
                false => Frame::heartbeat_in_place(at),
            };
            open.push_beat(Arc::new(beat), at, now);
            next = self.beats.after(now);
        }
        open.tick = Some(next);
        self.beats.add(next, number);
        if is_silent {
            self.wake(number);
        }
    }

    /// When `beat` is to be called next.
    pub(in crate::relay::thread) fn wake_at(&self) -> Option<Instant> {
        self.beats.wake_at()
    }

    /// Begins a round through the outlets of the windows that have news, unless one
    /// is going on.
    pub(in crate::relay::thread) fn begin_round(&mut self) {
        if !self.is_in_round() {
            std::mem::swap(&mut self.round, &mut self.woken);
        }
    }

    /// Whether outlets are left in the round.
    pub(in crate::relay::thread) fn is_in_round(&self) -> bool {
        self.within.is_some() || !self.round.is_empty()
    }

    /// Adds the next outlets of the round, until there are so many.
    pub(in crate::relay::thread) fn next_outlets(
        &mut self,
        full: usize,
        outlets: &mut Vec<Weak<dyn WriteNews>>,
    ) {
        while outlets.len() < full {
            let next = self.within.take();
            let next = next.or_else(|| self.round.pop_front().map(|number| (number, 0)));
            let Some((number, from)) = next else {
                return;
            };
            let Some(open) = self.get_mut(number) else {
                continue;
            };
            // What comes from now on is for the next round.
            open.is_queued = false;
            let rest = open.outlets(from, full, outlets);
            self.within = rest.map(|place| (number, place));
        }
    }

    /// Adds all outlets.
    pub(in crate::relay::thread) fn all_outlets(&self, outlets: &mut Vec<Weak<dyn WriteNews>>) {
        for open in self.open.iter() {
            open.outlets(0, usize::MAX, outlets);
        }
    }

    /// Waits for a window's base; it, if somebody does not wait for it already.
    pub(in crate::relay::thread) fn want_base(
        &mut self,
        number: usize,
    ) -> Option<Arc<WindowRequest>> {
        let log = Arc::clone(&self.log);
        let open = self.get_mut(number)?;
        if open.request.is_some() {
            return None;
        }
        let request = WindowRequest::new(Arc::clone(&open.window), log);
        let request = Arc::new(request);
        open.request = Some(Arc::clone(&request));
        self.requests.push_back((number, Arc::clone(&request)));
        Some(request)
    }

    /// Hands on the bases that the publisher has made.
    pub(in crate::relay::thread) fn take_bases(&mut self, now: Instant) {
        while self.bases.front().is_some_and(|(until, _)| *until <= now) {
            self.bases.pop_front();
        }
        while let Some((number, request)) = self.requests.front().cloned()
            && let Some(answer) = request.answered()
        {
            self.requests.pop_front();
            let Some(open) = self.get_mut(number) else {
                continue;
            };
            let is_it = |wanted: &Arc<WindowRequest>| Arc::ptr_eq(wanted, &request);
            // Another window may have its number by now.
            if !open.request.as_ref().is_some_and(is_it) {
                continue;
            }
            match answer {
                Some(base) => {
                    open.take_base(base);
                    if base.short.is_none() {
                        let until = now + WINDOW_BASE_WAIT;
                        self.bases.push_back((until, Arc::clone(base)));
                    }
                }
                None => open.request = None,
            }
            self.wake(number);
        }
    }
}

#[cfg(test)]
mod tests;
