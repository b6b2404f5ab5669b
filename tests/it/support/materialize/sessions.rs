//! The scripted server's connections.

use std::io::Write as _;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use super::super::pgwire::{self, Frontend};
use super::{Connection, Failure, Io, Shared, answers, auth, stream};

/// Serves whoever comes, until the server is dropped.
pub(super) fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for socket in listener.incoming() {
        let Ok(socket) = socket else { return };
        let (over, refuses) = {
            let state = shared.lock();
            (state.is_over, state.refuses)
        };
        if over {
            return;
        }
        if refuses {
            continue;
        }
        let shared = Arc::clone(shared);
        thread::spawn(move || {
            // An error is the end of the connection, whatever it is.
            let _ = serve(socket, &shared);
        });
    }
}

fn serve(mut socket: TcpStream, shared: &Arc<Shared>) -> Io<()> {
    socket.set_nodelay(true)?;
    let process = match pgwire::startup(&mut socket)? {
        pgwire::Startup::Cancel(process) => {
            shared.with(|state| {
                state.cancels += 1;
                if let Some(connection) = state.connections.get_mut(&process) {
                    connection.is_cancelled = true;
                }
            });
            return Ok(());
        }
        pgwire::Startup::Session(parameters) => {
            let refusal = shared.with(|state| {
                state.refusals += usize::from(state.refusal.is_some());
                state.refusal.clone()
            });
            if let Some((code, message)) = refusal {
                return socket.write_all(&pgwire::error(&code, &message));
            }
            let clone = socket.try_clone()?;
            shared.with(|state| {
                state.startups.push(parameters);
                let process = state.next_process;
                state.next_process += 1;
                let connection = Connection {
                    socket: clone,
                    streams: None,
                    is_cancelled: false,
                };
                state.connections.insert(process, connection);
                process
            })
        }
    };
    let served = session(&mut socket, shared, process);
    shared.with(|state| state.connections.remove(&process));
    let _ = socket.shutdown(Shutdown::Both);
    served
}

fn hang_while_silent(shared: &Shared) {
    let mut state = shared.lock();
    while state.is_silent && !state.is_over {
        state = shared.wait(state);
    }
}

fn session(socket: &mut TcpStream, shared: &Arc<Shared>, process: i32) -> Io<()> {
    hang_while_silent(shared);
    let password = shared.lock().password.clone();
    if let Some((auth, password)) = password
        && !auth::demand(socket, auth, &password)?
    {
        return Ok(());
    }
    let settings = shared.lock().settings.clone();
    socket.write_all(&pgwire::welcome(process, &settings))?;
    let mut prepared = String::new();
    loop {
        let message = pgwire::read(socket)?;
        hang_while_silent(shared);
        match message {
            Frontend::Query(sql) => {
                let failure = shared.with(|state| {
                    state.statements.push(sql.clone());
                    let mut failures = state.query_failures.iter();
                    let found = failures.position(|(question, _)| *question == sql);
                    found.map(|at| state.query_failures.remove(at).1)
                });
                let mut answer = match failure {
                    Some(Failure::Cut) => return Ok(()),
                    // Until the other side has enough of it.
                    Some(Failure::Silence) => return pgwire::read(socket).map(drop),
                    Some(Failure::Code(code)) => pgwire::error(code, "not now"),
                    None => answers::answer(&mut shared.lock(), &sql),
                };
                answer.extend(pgwire::ready());
                shared.with(|state| state.answered(&sql));
                socket.write_all(&answer)?;
            }
            Frontend::Execute => {
                shared.with(|state| state.statements.push(prepared.clone()));
                stream::copy(socket, shared, process, &prepared)?;
                shared.with(|state| {
                    if let Some(connection) = state.connections.get_mut(&process) {
                        connection.streams = None;
                        connection.is_cancelled = false;
                    }
                });
            }
            Frontend::Terminate => return Ok(()),
            other => {
                socket.write_all(&pgwire::formality(&other))?;
                if let Frontend::Parse(sql) = other {
                    prepared = sql;
                }
            }
        }
    }
}
