//! Large deltas in place of backlogs that are being read: a bounded number,
//! whatever those do who read them.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::relay::event::long_event::LongEvent;
use crate::relay::log::jobs::{Jobs, discard};

/// Those of one log, the oldest first. At most as many bytes as the log itself
/// may keep, or one that is larger.
#[derive(Debug)]
pub struct LongBacklogs {
    held: VecDeque<(Arc<LongEvent>, u64)>,
    bytes: u64,
    bytes_max: u64,
    jobs: Arc<dyn Jobs>,
}

impl LongBacklogs {
    /// None yet; who frees them is given.
    pub fn new(jobs: Arc<dyn Jobs>) -> Self {
        LongBacklogs {
            held: VecDeque::new(),
            bytes: 0,
            bytes_max: u64::MAX,
            jobs,
        }
    }

    /// Bytes that the log may keep, and these as many again.
    pub fn bytes_max(&self) -> u64 {
        self.bytes_max
    }

    /// Sets what the log may keep, and lets go what nobody reads.
    pub fn tidy(&mut self, bytes_max: u64) {
        self.bytes_max = bytes_max;
        let bytes = &mut self.bytes;
        self.held.retain(|(long, size)| {
            // Whoever has just made it is about to read it.
            let is_read = long.is_read() || Arc::strong_count(long) > 1;
            if !is_read {
                *bytes = bytes.saturating_sub(*size);
            }
            is_read
        });
    }

    /// Keeps one more while it is read, in place of the oldest if need be.
    pub fn keep(&mut self, long: Arc<LongEvent>, size: u64) {
        self.tidy(self.bytes_max);
        while self.bytes.saturating_add(size) > self.bytes_max
            && let Some((given_up, oldest)) = self.held.pop_front()
        {
            self.bytes = self.bytes.saturating_sub(oldest);
            discard(&*self.jobs, given_up);
        }
        self.bytes = self.bytes.saturating_add(size);
        self.held.push_back((long, size));
    }
}
