//! Work that would keep a thread from its streams for too long: merging a
//! backlog, freeing a large piece of memory. It is handed to whoever has time.

use std::any::Any;
use std::fmt;

/// A piece of work that needs nothing but time.
pub struct Job(Box<dyn FnOnce() + Send>);

impl Job {
    /// To do this.
    pub fn new(work: impl FnOnce() + Send + 'static) -> Self {
        Job(Box::new(work))
    }

    /// Does it.
    pub fn run(self) {
        (self.0)();
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Job").finish_non_exhaustive()
    }
}

/// Where jobs go. The process has a thread for them; a test may run them at
/// once, late, or never.
pub trait Jobs: fmt::Debug + Send + Sync {
    /// Takes a job; `false` where too many wait already, and this one is
    /// dropped. It may be called under a lock, and does not wait.
    fn submit(&self, job: Job) -> bool;
}

/// Drops something large where nobody waits for it.
pub fn discard(jobs: &dyn Jobs, large: impl Any + Send) {
    // Where it is refused, it is dropped here.
    jobs.submit(Job::new(move || drop(large)));
}

/// Runs every job at once.
#[cfg(test)]
#[derive(Debug)]
pub struct AtOnce;

#[cfg(test)]
impl Jobs for AtOnce {
    fn submit(&self, job: Job) -> bool {
        job.run();
        true
    }
}
