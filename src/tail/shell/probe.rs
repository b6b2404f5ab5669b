//! The short-lived thread of a probe.

use std::sync::Arc;
use std::time::Instant;

use postgres::Client;

use crate::tail::conversation::{Reply, Request};
use crate::tail::probe::Probe;

use super::failures;
use super::questions::{self, Session};
use super::view_threads::{ViewThreads, Worker};

/// Asks what a probe wants to know, on a connection of its own.
pub fn run(threads: &Arc<ViewThreads>, generation: u64) {
    let mut probe = Probe::new(generation);
    let mut client: Option<Client> = None;
    let mut next = |reply| probe.next(&mut threads.tail(), reply, Instant::now());
    let mut request = next(Reply::Begin);
    loop {
        request = match (request, &mut client) {
            (Request::Ask(question), Some(client)) => {
                let answer = questions::answer(client, &mut Session::default(), &question);
                next(Reply::Answered(answer))
            }
            (Request::Connect, _) => {
                let line = threads.line(generation, Worker::Probe);
                match threads.connector.connect_on(&line) {
                    Ok(connected) => {
                        client = Some(connected);
                        next(Reply::Connected(Ok(())))
                    }
                    Err(error) => {
                        let failure = failures::of_connecting(&error);
                        next(Reply::Connected(Err(failure)))
                    }
                }
            }
            _ => break,
        };
        threads.do_effects();
        threads.deliver();
    }
    threads.do_effects();
    threads.deliver();
}
