//! Recorded bytes, played to whoever starts a COPY.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::Arc;

use super::super::pgwire;
use super::{Generation, Io, Materialize, Shared, Step};

/// One thing that a script does.
#[derive(Clone, Debug)]
pub enum Play {
    /// Sends these bytes, whole messages.
    Bytes(Vec<u8>),
    /// Waits until so many gates are open.
    Gate(usize),
    /// Sends nothing more, as an idle view does.
    Idle,
    /// Closes the connection.
    Close,
}

impl Play {
    /// The beginning of a COPY of so many columns.
    pub fn copy_out(columns: usize) -> Play {
        Play::Bytes(pgwire::copy_out(columns))
    }

    /// One CopyData message.
    pub fn data(bytes: &[u8]) -> Play {
        Play::Bytes(pgwire::message(b'd', bytes))
    }

    /// Several messages in one piece.
    pub fn together(messages: impl Iterator<Item = Play>) -> Play {
        let bytes = messages.flat_map(|message| match message {
            Play::Bytes(bytes) => bytes,
            other => panic!("no bytes: {other:?}"),
        });
        Play::Bytes(bytes.collect())
    }

    /// The proper end of a COPY.
    pub fn done() -> Play {
        let end = [pgwire::message(b'c', &[]), pgwire::complete("COPY 1")];
        Play::Bytes(end.concat())
    }

    /// An error.
    pub fn error(code: &str, message: &str) -> Play {
        Play::Bytes(pgwire::error(code, message))
    }
}

impl Materialize {
    /// What one more COPY of the view sends.
    pub fn script(&self, name: &str, script: Vec<Play>) {
        self.shared.with(|state| {
            let scripts = state.scripts.entry(name.to_string()).or_default();
            scripts.push_back(script);
        });
    }

    /// Has a count of the view find so many rows, whatever its scripts send.
    pub fn holds(&self, name: &str, rows: i64) {
        self.shared.with(|state| {
            let row = vec![Some("any".to_string())];
            state.view(name).push(Step::Commit(0, vec![(row, rows)]));
        });
    }

    /// Has the questions for the view's names and types answered with these
    /// bytes.
    pub fn describe_as(&self, name: &str, answers: [Vec<u8>; 2]) {
        self.shared
            .with(|state| state.view(name).described = Some(answers));
    }

    /// Has a question answered with these bytes so often.
    pub fn answer(&self, sql: &str, bytes: Vec<u8>, times: usize) {
        let answer = (sql.to_string(), bytes, times);
        self.shared.with(|state| state.answers.push(answer));
    }

    /// Opens one more gate of all scripts.
    pub fn open_gate(&self) {
        self.shared.with(|state| state.gates += 1);
    }

    /// Sets the time, which may only grow.
    pub fn set_now(&self, now: u64) {
        self.shared.with(|state| {
            assert!(now >= state.now);
            state.now = now;
        });
    }
}

/// Plays a script to its end.
pub(super) fn run(
    socket: &mut TcpStream,
    shared: &Arc<Shared>,
    process: i32,
    script: Vec<Play>,
) -> Io<()> {
    for play in script {
        match play {
            Play::Bytes(bytes) => socket.write_all(&bytes)?,
            Play::Close => return Err(std::io::ErrorKind::ConnectionAborted.into()),
            Play::Idle => return wait(socket, shared, process, usize::MAX).map(drop),
            Play::Gate(gate) => {
                if !wait(socket, shared, process, gate)? {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

/// Waits for a gate; false if the query was cancelled meanwhile.
fn wait(socket: &mut TcpStream, shared: &Arc<Shared>, process: i32, gate: usize) -> Io<bool> {
    let mut state = shared.lock();
    while state.gates < gate {
        let Some(connection) = state.connections.get(&process) else {
            return Err(std::io::ErrorKind::ConnectionAborted.into());
        };
        if connection.is_cancelled {
            let end = match state.generation {
                Generation::Old => Play::done(),
                Generation::Modern => {
                    Play::error("57014", "canceling statement due to user request")
                }
            };
            drop(state);
            if let Play::Bytes(bytes) = end {
                socket.write_all(&bytes)?;
            }
            return Ok(false);
        }
        state = shared.wait(state);
    }
    Ok(true)
}
