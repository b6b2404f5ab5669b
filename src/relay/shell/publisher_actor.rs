//! One actor per view: hands what its tail says to the publisher, and calls it
//! when something is due.

use std::sync::Arc;
use std::time::Instant;

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message, SpawnHandle};
use crossbeam_channel::Receiver;

use crate::limits::PUBLISH_RUN_EVENTS;
use crate::model::event::Heard;
use crate::process;
use crate::relay::publish::publisher::{Again, Publisher};
use crate::relay::wake_flag::WakeFlag;

/// There are events in the channel, or a base is wanted, or it is time to
/// close: look at everything.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Wake;

/// The view is served no more.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Stop;

/// Asks the tail to start again from a snapshot, for the reason given.
pub type Resync = Box<dyn Fn(Again) + Send>;

/// A publisher, the channel that feeds it, and its timer.
pub struct PublisherActor {
    publisher: Publisher,
    events: Receiver<Heard>,
    /// Lowered before the channel is looked at.
    pending: Arc<WakeFlag>,
    resync: Resync,
    /// The timer, and when it goes off; one is enough, since it looks again.
    timer: Option<(SpawnHandle, Instant)>,
}

impl PublisherActor {
    /// The publisher's actor, fed by the channel.
    pub fn new(
        publisher: Publisher,
        events: Receiver<Heard>,
        pending: Arc<WakeFlag>,
        resync: Resync,
    ) -> Self {
        PublisherActor {
            publisher,
            events,
            pending,
            resync,
            timer: None,
        }
    }

    /// Sees to it that the publisher looks when something is due.
    fn set_timer(&mut self, context: &mut Context<Self>) {
        let Some(due) = self.publisher.wake_at() else {
            return;
        };
        if self.timer.as_ref().is_some_and(|(_, at)| *at <= due) {
            return;
        }
        if let Some((later, _)) = self.timer.take() {
            context.cancel_future(later);
        }
        let wait = due.saturating_duration_since(process::now().instant);
        let timer = context.run_later(wait, |actor, context| {
            actor.timer = None;
            actor.handle(Wake, context);
        });
        self.timer = Some((timer, due));
    }
}

impl Actor for PublisherActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.set_timer(context);
    }
}

impl Handler<Wake> for PublisherActor {
    type Result = ();

    fn handle(&mut self, _: Wake, context: &mut Self::Context) {
        // Lowered before looking: what comes meanwhile wakes us again.
        self.pending.lower();
        for heard in self.events.try_iter().take(PUBLISH_RUN_EVENTS) {
            if let Some(again) = self.publisher.hear(heard, process::now()) {
                (self.resync)(again);
            }
        }
        // Others on this thread have their turn before the rest.
        if !self.events.is_empty() && self.pending.raise() {
            context.notify(Wake);
        }
        self.publisher.look(process::now());
        if self.publisher.is_behind() && self.pending.raise() {
            context.notify(Wake);
        }
        self.set_timer(context);
    }
}

impl Handler<Stop> for PublisherActor {
    type Result = ();

    fn handle(&mut self, _: Stop, context: &mut Self::Context) {
        context.stop();
    }
}
