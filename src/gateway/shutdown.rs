//! How the gateway ends: the streams spread over a time, between two events;
//! then all that is left, each within a bound.

use std::io;
use std::sync::PoisonError;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::rt::time::{sleep, timeout};
use log::{info, warn};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::TailSlot;
use crate::http::views::Gateway;
use crate::limits::{
    DRAIN_STEPS, SHUTDOWN_FLUSH, SHUTDOWN_LOOK_EVERY, SHUTDOWN_STREAMS_MAX, SHUTDOWN_WORKERS_MAX,
};
use crate::relay::publish::publisher::Wake;
use crate::relay::shared_view::LOTS;

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

/// Ends the streams little by little, until none is left, the time is over, or
/// another signal comes. No stream begins any more.
pub async fn drain(gateway: &Gateway, time: Duration, signals: &mut Signals) {
    let steps = async {
        for step in 1..=DRAIN_STEPS {
            close(gateway, LOTS.end / DRAIN_STEPS * (step - 1));
            let step = time / u32::from(DRAIN_STEPS);
            if timeout(step, none_left(gateway)).await.is_ok() {
                return;
            }
        }
    };
    tokio::select! {
        () = steps => {}
        () = signals.next() => {}
    }
}

/// So many of a thousand streams end at the end of the frame they are sending.
fn close(gateway: &Gateway, per_mille: u16) {
    for (shared, publisher) in gateway.sources.all().iter() {
        shared.close(per_mille);
        publisher.do_send(Wake);
    }
}

fn streams(gateway: &Gateway) -> usize {
    let all = gateway.sources.all();
    all.iter()
        .map(|(shared, _)| shared.subscriber_count())
        .sum()
}

async fn none_left(gateway: &Gateway) {
    while streams(gateway) > 0 {
        sleep(SHUTDOWN_LOOK_EVERY).await;
    }
}

/// Ends the streams between two events, then the server, each within a bound:
/// neither a client that does not read nor a blocked upstream holds us up.
pub async fn end(gateway: &Gateway, tails: &[TailSlot], server: &ServerHandle) {
    close(gateway, LOTS.end);
    for tail in tails {
        // Dropping it ends it without waiting for its threads: one of them may
        // hang on a dead connection.
        drop(tail.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
    let all_ended = async {
        none_left(gateway).await;
        // The last bytes are handed to the kernel after the body has ended.
        sleep(SHUTDOWN_FLUSH).await;
    };
    if timeout(SHUTDOWN_STREAMS_MAX, all_ended).await.is_err() {
        warn!(
            "{} streams did not take their last event in time",
            streams(gateway)
        );
    }
    if timeout(SHUTDOWN_WORKERS_MAX, server.stop(false))
        .await
        .is_err()
    {
        warn!("HTTP workers did not stop in time");
    }
}
