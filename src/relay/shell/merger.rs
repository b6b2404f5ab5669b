//! The thread of the process that does the jobs of `relay::log::jobs`.

use std::sync::{Arc, LazyLock};
use std::thread;

use crossbeam_channel::{Sender, bounded};

use crate::limits::MERGES_WAITING_MAX;
use crate::relay::log::jobs::{Job, Jobs};

/// The way to the thread. If it could not be started, every job is refused.
#[derive(Debug)]
pub struct Merger(Sender<Job>);

/// One for the process, started for the first view.
static MERGER: LazyLock<Arc<Merger>> = LazyLock::new(|| {
    let (sender, jobs) = bounded::<Job>(MERGES_WAITING_MAX);
    let named = thread::Builder::new().name("merger".to_owned());
    if let Err(error) = named.spawn(move || jobs.into_iter().for_each(Job::run)) {
        log::error!("no thread for merging backlogs could be started: {error}");
    }
    Arc::new(Merger(sender))
});

/// The process's merger.
pub fn merger() -> Arc<dyn Jobs> {
    Arc::<Merger>::clone(&MERGER)
}

impl Jobs for Merger {
    fn submit(&self, job: Job) -> bool {
        self.0.try_send(job).is_ok()
    }
}
