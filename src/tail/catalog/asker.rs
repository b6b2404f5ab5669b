//! The connection that the catalog is asked on, from a thread of its own: so a
//! question that hangs can be left behind.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use postgres::{CancelToken, Client};

use crate::connection::Connector;
use crate::limits::CATALOG_THREADS_MAX;
use crate::tail::TailError;
use crate::tail::names::Session;

use super::lock;

type Question = Box<dyn FnOnce(&mut Link) + Send>;

/// Asks one question after the other on one connection.
pub(super) struct Asker {
    connector: Connector,
    /// The thread that holds the connection.
    worker: Option<Worker>,
    /// Threads that have not ended.
    threads: Arc<AtomicUsize>,
}

struct Worker {
    questions: Sender<Question>,
    /// Cancels what the connection does.
    token: Arc<Mutex<Option<CancelToken>>>,
}

/// A connection, and what is known of it.
struct Link {
    connector: Connector,
    client: Option<Client>,
    session: Session,
    token: Arc<Mutex<Option<CancelToken>>>,
}

impl Link {
    fn ask<T>(
        &mut self,
        question: impl FnOnce(&mut Client, &mut Session) -> Result<T, TailError>,
    ) -> Result<T, TailError> {
        if self.client.as_ref().is_some_and(Client::is_closed) {
            self.client = None;
        }
        let client = match &mut self.client {
            Some(client) => client,
            None => {
                let client = self.connector.connect().map_err(TailError::Connect)?;
                *lock(&self.token) = Some(client.cancel_token());
                self.session = Session::default();
                self.client.insert(client)
            }
        };
        question(client, &mut self.session)
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

    /// Asks, and waits so long for the answer. After an error that is none of
    /// the server's, and after a silence, the next question has a connection of
    /// its own.
    pub fn ask<T: Send + 'static>(
        &mut self,
        limit: Duration,
        question: impl FnOnce(&mut Client, &mut Session) -> Result<T, TailError> + Send + 'static,
    ) -> Result<T, TailError> {
        let (tell, told) = bounded(1);
        let question: Question = Box::new(move |link| {
            // Nobody waits any more for what comes too late.
            let _ = tell.send(link.ask(question));
        });
        let worker = match &self.worker {
            Some(worker) => worker,
            None => self.worker.insert(self.start()?),
        };
        if worker.questions.send(question).is_err() {
            self.worker = None;
            return Err(ended());
        }
        match told.recv_timeout(limit) {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                if !error.is_answer() {
                    self.close();
                }
                Err(error)
            }
            Err(RecvTimeoutError::Timeout) => {
                self.abandon();
                Err(TailError::Silent {
                    seconds: limit.as_secs(),
                })
            }
            Err(RecvTimeoutError::Disconnected) => {
                self.worker = None;
                Err(ended())
            }
        }
    }

    /// The next question has a connection of its own.
    pub fn close(&mut self) {
        self.worker = None;
    }

    /// Leaves the connection in the middle of a question; its thread ends when
    /// there is an answer or the socket ends.
    fn abandon(&mut self) {
        let token = self.worker.take().and_then(|it| lock(&it.token).take());
        if let Some(token) = token {
            let connector = self.connector.clone();
            // Best effort: the server ends the query with its connection too.
            let _ = self.spawn("catalog-cancel", move || connector.cancel(&token));
        }
    }

    fn start(&self) -> Result<Worker, TailError> {
        let (questions, asked): (_, Receiver<Question>) = bounded(1);
        let token = Arc::<Mutex<_>>::default();
        let mut link = Link {
            connector: self.connector.clone(),
            client: None,
            session: Session::default(),
            token: Arc::clone(&token),
        };
        self.spawn("catalog-ask", move || {
            for question in asked {
                question(&mut link);
            }
        })?;
        Ok(Worker { questions, token })
    }

    fn spawn(&self, name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), TailError> {
        let counted = Counted(Arc::clone(&self.threads));
        if self.threads.fetch_add(1, Ordering::SeqCst) >= CATALOG_THREADS_MAX {
            let text = "too many questions to the catalog wait on dead connections";
            return Err(TailError::Thread(io::Error::other(text)));
        }
        let work = move || {
            let _counted = counted;
            work();
        };
        let started = thread::Builder::new().name(name.to_string()).spawn(work);
        started.map(drop).map_err(TailError::Thread)
    }
}

fn ended() -> TailError {
    TailError::Thread(io::Error::other("the thread that asks the catalog ended"))
}
