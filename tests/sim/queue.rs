//! What is to be done, in the order of its time.

use std::cmp::Ordering;

use crate::world::Task;

/// A task of the queue: the first is the greatest.
pub struct Queued {
    /// Its time in microseconds, what decides between those of one time, and its
    /// number.
    pub at: (u64, u64, u64),
    /// Large, and moved about by the queue.
    pub task: Box<Task>,
}

impl Queued {
    pub fn new(at: (u64, u64, u64), task: Task) -> Self {
        let task = Box::new(task);
        Queued { at, task }
    }
}

impl Ord for Queued {
    fn cmp(&self, other: &Self) -> Ordering {
        other.at.cmp(&self.at)
    }
}

impl PartialOrd for Queued {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Queued {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Queued {}
