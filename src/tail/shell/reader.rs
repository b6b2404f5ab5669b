//! The thread of a reader: carries on its conversation with a real server.

use std::io::BufRead;
use std::sync::Arc;
use std::time::Instant;

use postgres::Client;

use crate::connection::Line;

use crate::tail::TailError;
use crate::tail::conversation::{Over, Question, Reply, Request, Subscription};
use crate::tail::failure::Failure;
use crate::tail::reader::Reader;

use super::failures;
use super::gate::{CONNECTING, Turn};
use super::questions::{self, Session};
use super::view_threads::{ViewThreads, Worker};

/// A reader and what it is connected to.
struct Driver<'a> {
    threads: &'a Arc<ViewThreads>,
    reader: Reader,
    /// How often the bell had been rung when the reader was last heard.
    rings: u64,
    /// The tail has told something, or wants something done.
    has_news: bool,
    /// Held until it is known what the view is, or not. What a server answers at
    /// its next tick only, such as the COPY, is waited for by many at once.
    turn: Option<Turn>,
}

/// Reads the view for as long as `generation` lasts; `cause` is why the reader
/// before this one was given up.
pub fn run(threads: &Arc<ViewThreads>, generation: u64, cause: Option<TailError>) {
    let mut driver = Driver {
        threads,
        reader: Reader::new(generation, cause, Instant::now()),
        rings: 0,
        has_news: false,
        turn: None,
    };
    let mut client: Option<Client> = None;
    let mut line = Line::default();
    let mut request = driver.next(Reply::Begin);
    loop {
        let leaves = match request {
            Request::Connect | Request::Wait(_) => true,
            Request::Over(ref over) => *over != Over::Complete,
            Request::Ask(_) | Request::Copy(_) | Request::Read => false,
        };
        if let Some(client) = client.take_if(|_| leaves) {
            // The COPY may still be running.
            threads.discard(client, line.clone());
        }
        if !is_of_connecting(&request) {
            driver.turn = None;
        }
        driver.settle();
        request = match (request, &mut client) {
            (Request::Connect, _) if !driver.has_turn() => driver.next(Reply::Woken),
            (Request::Connect, _) => {
                line = threads.line(generation, Worker::Reader);
                let (connected, reply) = connect(threads, &line);
                client = connected;
                let next = driver.next(reply);
                if let (Some(client), Request::Ask(_)) = (&client, &next) {
                    threads.set_token(client.cancel_token(), &line);
                }
                next
            }
            (Request::Ask(question), Some(client)) => {
                let answer = questions::answer(client, &mut Session::default(), &question);
                driver.next(Reply::Answered(answer))
            }
            (Request::Copy(subscription), Some(client)) => driver.read(client, &subscription),
            (Request::Wait(until), _) => driver.wait(until),
            (Request::Over(Over::Fatal(error)), _) => {
                // Full means that another view's fatal error is on its way.
                let _ = threads.fatal.try_send(error);
                return;
            }
            (Request::Over(_), _) => return,
            (Request::Ask(_) | Request::Copy(_) | Request::Read, _) => {
                driver.next(Reply::CopyEnded(Err(Failure::broken("no connection"))))
            }
        };
    }
}

/// Whether this is done in the reader's turn.
fn is_of_connecting(request: &Request) -> bool {
    match request {
        Request::Ask(question) => *question != Question::Now,
        _ => false,
    }
}

fn connect(threads: &ViewThreads, line: &Line) -> (Option<Client>, Reply<'static>) {
    match threads.connector.connect_on(line) {
        Ok(client) => (Some(client), Reply::Connected(Ok(()))),
        Err(error) => {
            let failure = failures::of_connecting(&error);
            (None, Reply::Connected(Err(failure)))
        }
    }
}

impl Driver<'_> {
    /// Tells the reader what came of its request; its next one.
    fn next(&mut self, reply: Reply<'_>) -> Request {
        self.rings = self.threads.rings();
        let mut tail = self.threads.tail();
        let request = self.reader.next(&mut tail, reply, Instant::now());
        self.has_news = tail.has_news();
        request
    }

    /// Has done what the tail wants, and waits until all that is told has room.
    fn settle(&mut self) {
        if self.has_news {
            self.threads.do_effects();
            self.threads.deliver();
            self.has_news = false;
        }
    }

    /// Waits until it may connect; false if it is to do so no more.
    fn has_turn(&mut self) -> bool {
        let generation = self.reader.generation();
        let tail = || self.threads.tail();
        self.turn = CONNECTING.try_enter().or_else(|| {
            tail().queue(generation, true);
            let turn = CONNECTING.enter(|| tail().generation() == generation);
            tail().queue(generation, false);
            turn
        });
        self.turn.is_some()
    }

    fn wait(&mut self, until: Instant) -> Request {
        self.threads.wait(until, self.rings);
        self.next(Reply::Woken)
    }

    /// Begins a COPY, and reads it for as long as the reader wants that; what
    /// it wants then.
    fn read(&mut self, client: &mut Client, subscription: &Subscription) -> Request {
        let mut copy = match client.copy_out(&subscription.sql()) {
            Ok(copy) => copy,
            Err(error) => {
                let failure = failures::of_question(&error);
                return self.next(Reply::Copying(Err(failure)));
            }
        };
        let mut request = self.next(Reply::Copying(Ok(())));
        loop {
            self.settle();
            request = match request {
                Request::Read => match copy.fill_buf() {
                    Ok([]) => self.next(Reply::CopyEnded(Ok(()))),
                    // One message of the server, most often one line.
                    Ok(chunk) => {
                        let length = chunk.len();
                        let request = self.next(Reply::Chunk(chunk));
                        copy.consume(length);
                        request
                    }
                    Err(error) => {
                        let failure = failures::of_stream(&error);
                        self.next(Reply::CopyEnded(Err(failure)))
                    }
                },
                Request::Wait(until) => self.wait(until),
                other => return other,
            };
        }
    }
}
