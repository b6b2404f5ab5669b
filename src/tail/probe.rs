//! Questions about a view on a second connection, from a short-lived thread.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use postgres::Client;

use crate::model::event::TailEvent;

use super::assembler::Unclosed;
use super::dialect::Dialect;
use super::error::TailError;
use super::gate::Stale;
use super::shared::{Phase, Shared};
use super::{describe, telling};

/// Starts asking, unless a probe is under way; whether one was started.
pub(super) fn start(shared: &Arc<Shared>, generation: u64) -> bool {
    if shared.probing.is_running.swap(true, Ordering::SeqCst) {
        return false;
    }
    let started = shared.start_thread("ask", move |shared| {
        // Stale means that the question is no longer of interest.
        let _ = ask(shared, generation);
        shared.probing.is_running.store(false, Ordering::SeqCst);
    });
    if started.is_err() {
        shared.probing.is_running.store(false, Ordering::SeqCst);
    }
    started.is_ok()
}

fn ask(shared: &Arc<Shared>, generation: u64) -> Result<(), Stale> {
    let (asked, dialect, streams) = {
        let entered = shared.gate.enter(generation)?;
        let held = &entered.held;
        (held.description.clone(), held.dialect, held.streams)
    };
    let connected = shared.connector.connect().map_err(TailError::Connect);
    let found = connected.and_then(|mut client| {
        let found = describe::describe(&mut client, &shared.settings.view)?;
        Ok((client, found))
    });
    let (mut client, found) = match found {
        Ok(found) => found,
        Err(error) if dialect == Some(Dialect::Tail) && error.is_no_room() => {
            // The server lives and says why it does not answer; an old one's
            // silence alone means nothing. The next probe may find room.
            log::debug!("view \"{}\": {}", shared.name(), error.chain());
            return Ok(());
        }
        Err(error) => {
            // Also a view that is gone: the next reader finds that and says so.
            shared.replace(generation, error);
            return Ok(());
        }
    };
    if asked.as_ref().map(|asked| asked.incarnation) != Some(found.description.incarnation) {
        shared.replace(generation, TailError::Replaced);
        return Ok(());
    }
    match look_at_time(shared, generation, &mut client, dialect)? {
        Ok(()) => {}
        Err(error) => {
            shared.replace(generation, error);
            return Ok(());
        }
    }
    shared.probing.found_well.fetch_add(1, Ordering::SeqCst);
    if dialect == Some(Dialect::Tail) && shared.phase() == Phase::Streaming {
        let mut entered = shared.gate.enter(generation)?;
        if entered.held.streams != streams {
            return Ok(());
        }
        // Asked behind the beginning of the stream: it is of the view.
        entered.confirm()?;
        drop(entered);
        settle(shared, generation, &mut client, &found.object.sql)?;
    }
    Ok(())
}

/// Asks what time it is there, by which it is judged whether the stream is
/// rightly silent.
fn look_at_time(
    shared: &Arc<Shared>,
    generation: u64,
    client: &mut Client,
    dialect: Option<Dialect>,
) -> Result<Result<(), TailError>, Stale> {
    let told = match dialect {
        Some(dialect) => describe::now(client, dialect),
        None => Ok(None),
    };
    let time = match told {
        Ok(Some(time)) => time,
        Ok(None) => return Ok(Ok(())),
        Err(error) => return Ok(Err(error)),
    };
    let mut entered = shared.gate.enter(generation)?;
    if entered.held.clock.is_back(time) {
        // It would be silent until the time comes again that it has told.
        return Ok(Err(TailError::WentBack));
    }
    entered.held.clock.set(time, Instant::now());
    Ok(Ok(()))
}

/// What an old server leaves unsaid: that a view is empty, and that the rows
/// it sent are all.
fn settle(
    shared: &Arc<Shared>,
    generation: u64,
    client: &mut Client,
    view: &str,
) -> Result<(), Stale> {
    let (untouched, unclosed) = match &shared.gate.enter(generation)?.held.assembler {
        Some(assembler) => (assembler.is_untouched(), assembler.unclosed()),
        None => return Ok(()),
    };
    let as_of = unclosed.map(|unclosed| unclosed.timestamp);
    if !untouched && unclosed.is_none() {
        return Ok(());
    }
    let (rows, at) = match describe::count(client, view, as_of) {
        Ok(counted) => counted,
        Err(error) => {
            // E.g. a view that fails when read, or a time that is not
            // readable any more: the next probe may do better.
            log::debug!("view \"{}\": {}", shared.name(), error.chain());
            return Ok(());
        }
    };
    let mut entered = shared.gate.enter(generation)?;
    let Some(assembler) = entered.held.assembler.as_mut() else {
        return Ok(());
    };
    let event: Option<TailEvent> = match unclosed {
        None if rows == 0 => assembler.found_empty(at),
        None => None,
        Some(Unclosed { timestamp, .. }) => {
            let counted = Unclosed {
                timestamp,
                copies: rows,
            };
            match assembler.found_complete(counted) {
                Ok(event) => event,
                Err(error) => {
                    drop(entered);
                    shared.replace(generation, error.into());
                    return Ok(());
                }
            }
        }
    };
    telling::tell(&mut entered, event)
}
