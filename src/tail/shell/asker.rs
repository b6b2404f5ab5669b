//! The connection that the catalog is asked on, from a thread of its own: so a
//! question that hangs can be left behind.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use postgres::{CancelToken, Client};

use crate::connection::{Connector, Line};
use crate::limits::CATALOG_THREADS_MAX;
use crate::tail::TailError;
use crate::tail::conversation::{Answer, Question};

use super::failures;
use super::questions::{self, Session};
use super::view_threads::lock;

type Answered = Result<Answer, TailError>;

/// Asks one question after the other on one connection.
pub struct Asker {
    connector: Connector,
    /// The thread that holds the connection.
    worker: Option<Worker>,
    /// Threads that have not ended.
    threads: Arc<AtomicUsize>,
}

struct Worker {
    questions: Sender<(Question, Sender<Answered>)>,
    /// Cancels what the connection does.
    token: Arc<Mutex<Option<CancelToken>>>,
    line: Line,
}

/// A connection, and what is known of it.
struct Link {
    connector: Connector,
    client: Option<Client>,
    session: Session,
    token: Arc<Mutex<Option<CancelToken>>>,
    line: Line,
}

impl Link {
    fn ask(&mut self, question: &Question) -> Answered {
        if self.client.as_ref().is_some_and(Client::is_closed) {
            self.client = None;
        }
        let client = match &mut self.client {
            Some(client) => client,
            None => {
                let connected = self.connector.connect_on(&self.line);
                let client = connected.map_err(|error| failures::of_connecting(&error))?;
                *lock(&self.token) = Some(client.cancel_token());
                self.session = Session::default();
                self.client.insert(client)
            }
        };
        questions::answer(client, &mut self.session, question)
    }
}

/// A line that is hung up when this is dropped, also by a thread that could not
/// be started.
struct HungUp(Line);

impl Drop for HungUp {
    fn drop(&mut self) {
        self.0.hang_up();
    }
}

/// Counts a thread until it ends, also by a panic.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Asker {
    pub fn new(connector: Connector) -> Self {
        Asker {
            connector,
            worker: None,
            threads: Arc::default(),
        }
    }

    /// Asks, and waits so long for the answer; without one in time, the
    /// connection is left. `anew` asks on a connection of its own.
    pub fn ask(&mut self, question: Question, limit: Duration, anew: bool) -> Option<Answered> {
        if anew {
            self.worker = None;
        }
        let worker = match &self.worker {
            Some(worker) => worker,
            None => match self.start() {
                Ok(worker) => self.worker.insert(worker),
                Err(error) => return Some(Err(error)),
            },
        };
        let (tell, told) = bounded(1);
        if worker.questions.send((question, tell)).is_err() {
            self.worker = None;
            return Some(Err(ended()));
        }
        match told.recv_timeout(limit) {
            Ok(answered) => Some(answered),
            Err(RecvTimeoutError::Timeout) => {
                self.abandon();
                None
            }
            Err(RecvTimeoutError::Disconnected) => {
                self.worker = None;
                Some(Err(ended()))
            }
        }
    }

    /// Leaves the connection in the middle of a question, and hangs it up: its
    /// thread ends.
    fn abandon(&mut self) {
        let Some(worker) = self.worker.take() else {
            return;
        };
        let token = lock(&worker.token).take();
        let line = HungUp(worker.line);
        if let Some(token) = token {
            let connector = self.connector.clone();
            // Best effort: the server ends the query with its connection too.
            let _ = self.spawn("catalog-cancel", move || {
                let line = line;
                connector.cancel(&token, &line.0);
            });
        }
    }

    fn start(&self) -> Result<Worker, TailError> {
        let (questions, asked): (_, Receiver<(Question, Sender<Answered>)>) = bounded(1);
        let token = Arc::<Mutex<_>>::default();
        let line = Line::default();
        let mut link = Link {
            connector: self.connector.clone(),
            client: None,
            session: Session::default(),
            token: Arc::clone(&token),
            line: line.clone(),
        };
        self.spawn("catalog-ask", move || {
            for (question, tell) in asked {
                // Nobody waits any more for what comes too late.
                let _ = tell.send(link.ask(&question));
            }
        })?;
        Ok(Worker {
            questions,
            token,
            line,
        })
    }

    fn spawn(&self, name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), TailError> {
        let counted = Counted(Arc::clone(&self.threads));
        if self.threads.fetch_add(1, Ordering::SeqCst) >= CATALOG_THREADS_MAX {
            return Err(TailError::Thread {
                reason: "too many questions to the catalog wait on dead connections".to_string(),
            });
        }
        let work = move || {
            let _counted = counted;
            work();
        };
        let started = thread::Builder::new().name(name.to_string()).spawn(work);
        started.map(drop).map_err(|error| TailError::Thread {
            reason: error.to_string(),
        })
    }
}

fn ended() -> TailError {
    TailError::Thread {
        reason: "the thread that asks the catalog ended".to_string(),
    }
}
