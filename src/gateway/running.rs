//! A view that is served, and one that is served no more.

use std::sync::{Arc, MutexGuard, PoisonError};

use actix::Addr;
use crossbeam_channel::Receiver;

use super::publishers::Desk;
use super::start::{Started, TailSlot};
use crate::config::views::ViewChoice;
use crate::model::reason::Why;
use crate::process;
use crate::relay::shared_view::SharedView;
use crate::relay::shell::publisher_actor::{PublisherActor, Stop};
use crate::tail::past::Past;
use crate::tail::{TailError, TailHandle};

/// A view that is served.
pub struct Running {
    /// As what.
    pub choice: ViewChoice,
    /// What its streams see of it.
    pub shared: Arc<SharedView>,
    slot: TailSlot,
    publisher: Published,
    /// Where its tail tells that it has given up, if that does not end the gateway.
    over: Option<Receiver<TailError>>,
}

/// A publisher that ends when this is dropped.
struct Published {
    publisher: Addr<PublisherActor>,
    /// Held for its end alone.
    _desk: Desk,
}

impl Drop for Published {
    fn drop(&mut self) {
        self.publisher.do_send(Stop);
    }
}

/// A view that nobody finds any more, with the streams that it still has. They
/// are told when this is dropped, at the latest with the gateway.
pub struct Leaving {
    shared: Arc<SharedView>,
    why: Why,
    /// Held for its end alone.
    _publisher: Published,
}

impl Drop for Leaving {
    fn drop(&mut self) {
        // By the relays, so that it does not matter what of the view still runs.
        self.shared.give_up(self.why, process::now());
    }
}

impl Running {
    /// A view that was started; `over` is where its tail tells that it has given up,
    /// if that does not end the gateway.
    pub fn new(choice: ViewChoice, started: Started, over: Option<Receiver<TailError>>) -> Self {
        let (source, slot, desk) = started;
        Running {
            choice,
            shared: source.shared,
            slot,
            publisher: Published {
                publisher: source.publisher,
                _desk: desk,
            },
            over,
        }
    }

    /// Why its tail has given up, if it has since this was asked last.
    pub fn gave_up(&self) -> Option<TailError> {
        self.over.as_ref()?.try_recv().ok()
    }

    /// Ends its tail. What that knew, and the streams, which are told why later.
    pub fn stop(self, why: Why) -> (Past, Leaving) {
        let tail = lock(&self.slot).take();
        let past = tail.map(TailHandle::past).unwrap_or_default();
        let leaving = Leaving {
            shared: self.shared,
            why,
            _publisher: self.publisher,
        };
        (past, leaving)
    }
}

/// What is in a slot.
pub fn lock(slot: &TailSlot) -> MutexGuard<'_, Option<TailHandle>> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}
