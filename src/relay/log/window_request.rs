//! Windows whose rows somebody waits for: threads ask, the publisher answers.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::model::window::Window;
use crate::relay::log::bases::Base;
use crate::relay::log::shared_log::Log;

/// The rows of a window as of now, or soon.
#[derive(Debug)]
pub struct WindowRequest {
    /// The window.
    pub window: Arc<Window>,
    /// The log that is to continue the rows.
    pub log: Arc<Log>,
    answer: OnceLock<Option<Arc<Base>>>,
}

impl WindowRequest {
    /// A request that is yet to be answered.
    pub fn new(window: Arc<Window>, log: Arc<Log>) -> Self {
        WindowRequest {
            window,
            log,
            answer: OnceLock::new(),
        }
    }

    /// Answers it: with the rows, or with nothing where the log is over.
    pub fn answer(&self, base: Option<Arc<Base>>) {
        // Answered once, by the one publisher that there is.
        let _ = self.answer.set(base);
    }

    /// The answer, if it is there.
    pub fn answered(&self) -> Option<&Option<Arc<Base>>> {
        self.answer.get()
    }
}

/// The requests of one view that wait for their answers, the first one first: at
/// most one for each window that is open on a thread, and one for each request of
/// a window's rows.
#[derive(Debug, Default)]
pub struct WindowRequests {
    /// Asked without a lock by who looks after everything.
    is_any: AtomicBool,
    waiting: Mutex<VecDeque<Arc<WindowRequest>>>,
}

impl WindowRequests {
    /// Whether any waits.
    pub fn is_any(&self) -> bool {
        self.is_any.load(Ordering::Acquire)
    }

    /// One more; whether the publisher is to be woken for it.
    pub fn push(&self, request: Arc<WindowRequest>) -> bool {
        let mut waiting = self.lock();
        waiting.push_back(request);
        !self.is_any.swap(true, Ordering::AcqRel)
    }

    /// Takes the first one.
    pub fn pop(&self) -> Option<Arc<WindowRequest>> {
        let mut waiting = self.lock();
        let first = waiting.pop_front();
        self.is_any.store(!waiting.is_empty(), Ordering::Release);
        first
    }

    /// Nothing is left half done by a thread that panics.
    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<WindowRequest>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
