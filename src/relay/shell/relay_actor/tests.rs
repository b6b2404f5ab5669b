use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use actix::Arbiter;
use actix_web::rt::System;
use actix_web::rt::time::timeout;
use crossbeam_channel::bounded;
use fastrand::Rng;

use super::*;
use crate::model::reason::Why;
use crate::model::retention::RetentionLimits;
use crate::process;
use crate::relay::publish::publisher::{Publisher, Settings};
use crate::relay::shell::merger::merger;
use crate::relay::subscribe::subscriber::Subscriber;

const LONG: Duration = Duration::from_secs(60);

/// A view's publisher on a thread of its own, as the gateway starts it.
fn publisher(shared: &Arc<SharedView>) -> (Addr<PublisherActor>, Arbiter) {
    let settings = Settings {
        heartbeat: LONG,
        min_interval: Duration::ZERO,
        retention: RetentionLimits {
            bytes_max: 1024,
            age_ms_max: 1_000,
        },
        view_bytes_max: 1024,
        upstream_timeout: LONG,
    };
    let arbiter = Arbiter::new();
    let (shared, (_, events)) = (Arc::clone(shared), bounded(1));
    let publisher = PublisherActor::start_in_arbiter(&arbiter.handle(), move |_| {
        let publisher = Publisher::new(shared, settings, fastrand::Rng::new(), process::now());
        PublisherActor::new(publisher, events, Arc::default(), Box::new(|_| {}))
    });
    (publisher, arbiter)
}

fn stop(arbiter: &mut Option<Arbiter>) {
    if let Some(arbiter) = arbiter.take() {
        arbiter.stop();
        arbiter.join().unwrap();
    }
}

/// What a stream says until its end.
async fn rest(subscriber: &mut Subscriber) -> String {
    let mut said = Vec::new();
    while let Some(bytes) =
        poll_fn(|context| subscriber.poll_next(Instant::now(), context.waker())).await
    {
        said.extend_from_slice(&bytes);
    }
    String::from_utf8(said).unwrap()
}

#[test]
fn relay_tells_who_waits_that_a_view_is_given_up_whatever_stops_first() {
    for publisher_stops_first in [true, false] {
        System::new().block_on(async {
            let shared = Arc::new(SharedView::new("v".to_string(), merger(), process::now()));
            let (publisher, arbiter) = publisher(&shared);
            let mut arbiter = Some(arbiter);
            let local = Relay::attach(&shared, &publisher);
            let mut waiting = Subscriber::new(&local, Vec::new(), Rng::new(), ());
            let first = poll_fn(|context| waiting.poll_next(Instant::now(), context.waker())).await;
            assert!(first.is_some(), "the first words");
            let is_waiting = Rc::new(Cell::new(false));
            let flag = Rc::clone(&is_waiting);
            // A task of its own: looked after only when it is woken.
            let reading = spawn(async move {
                let mut times = 0;
                poll_fn(|context| {
                    assert!(
                        waiting
                            .poll_next(Instant::now(), context.waker())
                            .is_pending()
                    );
                    times += 1;
                    // Once more when a relay has woken it.
                    match times {
                        1 => Poll::Pending,
                        _ => Poll::Ready(()),
                    }
                })
                .await;
                flag.set(true);
                rest(&mut waiting).await
            });
            while !is_waiting.get() {
                shared.wake_relays();
                yield_now().await;
            }
            // The last of these may have come behind it.
            for _ in 0..10 {
                yield_now().await;
            }
            if publisher_stops_first {
                stop(&mut arbiter);
            }
            shared.give_up(Why::GivenUp, process::now());
            stop(&mut arbiter);
            let reason = Why::GivenUp.words();
            let told = format!("event: gone\ndata: {{\"reason\":\"{reason}\"}}\n\n");
            let said = timeout(LONG, reading).await.expect("it is woken");
            assert!(said.expect("an end").ends_with(&told));
            // Who comes now is told the same, at once.
            let mut late = Subscriber::new(&local, Vec::new(), Rng::new(), ());
            let said = timeout(LONG, rest(&mut late)).await;
            assert!(said.expect("an end").ends_with(&told));
            // Nothing of it is held once its streams have ended.
            let held = Rc::downgrade(&local);
            drop((late, local));
            let let_go = async {
                while held.upgrade().is_some() {
                    yield_now().await;
                }
            };
            timeout(LONG, let_go).await.expect("the relay lets go");
        });
    }
}
