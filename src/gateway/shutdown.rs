//! Carries out the drain: its clock, its signals, and what it has done.

use std::io;
use std::sync::PoisonError;
use std::time::Instant;

use actix_web::dev::ServerHandle;
use actix_web::rt::time::{sleep_until, timeout};
use log::{info, warn};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::drain::{Drain, Effect, Event};
use super::start::TailSlot;
use crate::http::gateway::Gateway;
use crate::limits::SHUTDOWN_WORKERS_MAX;
use crate::relay::shell::publisher_actor::Wake;

/// The signals that end the process; one that comes before it is waited for
/// is not lost.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    quit: Signal,
}

impl Signals {
    /// From now on the signals come here.
    pub fn new() -> io::Result<Self> {
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            quit: signal(SignalKind::quit())?,
        })
    }

    /// Waits for the next one.
    pub async fn next(&mut self) {
        let name = tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.quit.recv() => "SIGQUIT",
        };
        info!("{name}: ending all streams");
    }
}

/// What there is to be ended.
pub struct Ending<'a> {
    /// The views and their streams.
    pub gateway: &'a Gateway,
    /// What the views are read with.
    pub tails: &'a [TailSlot],
    /// Who answers requests.
    pub server: &'a ServerHandle,
}

impl Ending<'_> {
    /// Does what the drain asks for, from its beginning to its end.
    pub async fn follow(self, begun: (Drain, Vec<Effect>), signals: &mut Signals) {
        let (mut drain, mut effects) = begun;
        loop {
            for effect in effects {
                self.carry_out(effect).await;
            }
            let Some(wake_at) = drain.wake_at() else {
                return;
            };
            let event = tokio::select! {
                () = sleep_until(wake_at.into()) => Event::Streams(self.streams()),
                () = signals.next(), if drain.is_spreading() => Event::Signal,
            };
            effects = drain.handle(event, Instant::now());
        }
    }

    async fn carry_out(&self, effect: Effect) {
        match effect {
            Effect::Close { per_mille } => {
                for source in self.gateway.sources.all().iter() {
                    source.shared.close(per_mille);
                    source.publisher.do_send(Wake);
                }
            }
            Effect::StopUpstreams => {
                for tail in self.tails {
                    // Dropping it ends it without waiting for its threads: one
                    // of them may hang on a dead connection.
                    drop(tail.lock().unwrap_or_else(PoisonError::into_inner).take());
                }
            }
            Effect::StopServer { left } => {
                if left > 0 {
                    warn!("{left} streams did not take their last event in time");
                }
                let stopped = timeout(SHUTDOWN_WORKERS_MAX, self.server.stop(false));
                if stopped.await.is_err() {
                    warn!("HTTP workers did not stop in time");
                }
            }
        }
    }

    fn streams(&self) -> usize {
        let all = self.gateway.sources.all();
        let counts = all.iter().map(|source| source.shared.subscriber_count());
        counts.sum()
    }
}
