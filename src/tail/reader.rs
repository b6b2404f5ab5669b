//! The life of a view's connections: connect, describe, stream, fail, wait.

use std::io::{self, BufRead};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use postgres::Client;
use postgres::error::SqlState;

use crate::limits::{
    BACKOFF_RESET_AFTER, COPY_LINE_BYTES_MAX, NOT_READABLE_RETRIES_MAX, NOT_READABLE_WAIT,
    TOO_LARGE_WAITS,
};
use crate::model::reason::Why;

use super::assembler::{Assembler, Start};
use super::copy_text::Lines;
use super::describe::{Found, Object};
use super::dialect::{Dialect, From};
use super::end::End;
use super::ending::ended;
use super::error::TailError;
use super::gate::Stale;
use super::message::Messages;
use super::names::{self, Meaning};
use super::proof::Proof;
use super::shared::{Phase, Shared};
use super::telling::take;
use super::{backoff, describe};

/// Reads the view for as long as `generation` lasts; `cause` is why the reader
/// before this one was given up.
pub(super) fn run(shared: &Arc<Shared>, generation: u64, cause: Option<TailError>) {
    let mut not_readable = 0;
    let mut outcome = cause.map(End::Failed);
    loop {
        let began = Instant::now();
        let end = match outcome.take() {
            Some(end) => end,
            None => match connection(shared, generation) {
                Ok(()) => End::Complete,
                Err(end) => end,
            },
        };
        let (error, is_early) = match end {
            End::Stale => return,
            End::Complete => return shared.set_phase(generation, Phase::Complete),
            End::NotReadable(error) => (error, not_readable < NOT_READABLE_RETRIES_MAX),
            // The next connection tells what there is now.
            End::LooksConstant | End::Failed(TailError::Replaced) => {
                match interrupted(shared, generation) {
                    Ok(()) => continue,
                    Err(Stale) => return,
                }
            }
            End::Failed(error) => (error, false),
        };
        shared.set_phase(generation, Phase::Waiting);
        if is_early {
            not_readable += 1;
            log::debug!("view \"{}\": {}", shared.name(), error.chain());
            if interrupted(shared, generation).is_err() {
                return;
            }
            shared.pause(generation, NOT_READABLE_WAIT);
            continue;
        }
        not_readable = 0;
        match failed(shared, generation, error, began) {
            Ok(Some(wait)) => shared.pause(generation, wait),
            Ok(None) | Err(Stale) => return,
        }
    }
}

fn interrupted(shared: &Shared, generation: u64) -> Result<(), Stale> {
    shared.gate.enter(generation)?.interrupted()
}

/// Tells a failure; how long to wait, or `None` if there is no use in trying
/// again.
fn failed(
    shared: &Arc<Shared>,
    generation: u64,
    error: TailError,
    began: Instant,
) -> Result<Option<Duration>, Stale> {
    let longest = shared.settings.reconnect_max;
    let mut entered = shared.gate.enter(generation)?;
    if error.is_too_large() {
        // Each attempt reads all that may be held: slower and slower.
        let times = entered.too_large(&error)?;
        let longest = longest.saturating_mul(TOO_LARGE_WAITS);
        return Ok(Some(backoff::wait(times, longest)));
    }
    if began.elapsed() >= BACKOFF_RESET_AFTER {
        entered.held.failures = 0;
    }
    if error.is_of_the_choice() {
        if !entered.held.was_found {
            shared.set_phase(generation, Phase::Over);
            // Full means that another view's fatal error is on its way.
            let _ = shared.fatal.try_send(error);
            return Ok(None);
        }
        entered.vanished(&error)?;
    } else {
        entered.failed(&error)?;
    }
    Ok(Some(backoff::wait(entered.held.failures, longest)))
}

/// One connection from beginning to end.
fn connection(shared: &Arc<Shared>, generation: u64) -> Result<(), End> {
    shared.set_phase(generation, Phase::Setup);
    shared.gate.enter(generation)?;
    let mut client = shared.connector.connect().map_err(TailError::Connect)?;
    let result = on_connection(shared, generation, &mut client);
    match &result {
        // The COPY may still be running.
        Err(_) => shared.discard(client),
        Ok(()) => drop(client),
    }
    result
}

fn on_connection(shared: &Arc<Shared>, generation: u64, client: &mut Client) -> Result<(), End> {
    shared.gate.enter(generation)?;
    shared.set_token(client.cancel_token());
    let dialect = match shared.settings.dialect {
        Some(dialect) => dialect,
        None => describe::dialect(client)?,
    };
    describe::check_dialect(&shared.settings.view, dialect)?;
    let found = describe::describe(client, &shared.settings.view);
    let found = found.map_err(|error| missing(shared, generation, client, error))?;
    let became = became(shared, generation, client, &found)?;
    let Found {
        mut description,
        object,
    } = found;
    description.is_steady = dialect.has_steady_progress();
    let messages = Messages::keeping(&description.columns, description.kept.clone());
    let start = {
        let mut entered = shared.gate.enter(generation)?;
        shared.known.set(generation, object.meaning.clone());
        entered.describe(description, became)?;
        entered.held.dialect = Some(dialect);
        entered.held.start(dialect)
    };
    let reading = Reading {
        shared,
        generation,
        messages,
        object: Arc::new(object),
    };
    reading.stream(client, dialect, start)?;
    ended(shared, generation, client, dialect)
}

/// The error of a view that was not found: it may only be called otherwise now.
fn missing(
    shared: &Arc<Shared>,
    generation: u64,
    client: &mut Client,
    error: TailError,
) -> TailError {
    let TailError::UnknownView { name, near } = error else {
        return error;
    };
    let before = shared.known.meaning().unwrap_or_default();
    if shared.gate.enter(generation).is_ok() {
        // The watch tells when there is something of that name.
        shared.known.set(generation, Some(Meaning::default()));
    }
    let is_elsewhere = match before.ids.as_slice() {
        // Without an answer it is not there.
        [id] => names::still_exists(client, id).unwrap_or_default() == Some(true),
        _ => false,
    };
    match is_elsewhere {
        true => TailError::Renamed { name },
        false => TailError::UnknownView { name, near },
    }
}

/// What became of the view before, if this is another: for its subscribers.
fn became(
    shared: &Arc<Shared>,
    generation: u64,
    client: &mut Client,
    found: &Found,
) -> Result<Why, End> {
    let anew = Why::Recreated;
    let before = match &shared.gate.enter(generation)?.held.description {
        Some(known) if known.incarnation != found.description.incarnation => known.clone(),
        _ => return Ok(anew),
    };
    let known = shared.known.meaning();
    match (known, &found.object.meaning) {
        (Some(known), Some(now)) if known.ids != now.ids => {
            let [id] = known.ids.as_slice() else {
                return Ok(anew);
            };
            Ok(match names::still_exists(client, id)? {
                Some(true) => Why::Moved,
                Some(false) | None => anew,
            })
        }
        _ if before.columns == found.description.columns => Ok(anew),
        _ => Ok(Why::ColumnsChanged),
    }
}

/// A refusal to resume is an answer; anything else is the connection's end.
fn check_refused(error: postgres::Error) -> Result<(), TailError> {
    match error.as_db_error() {
        Some(_) => Ok(()),
        None => Err(TailError::Refused(error)),
    }
}

/// What it means that a snapshot was refused.
fn refusal(error: postgres::Error, is_by_id: bool) -> End {
    let says_no_id = |it: &postgres::error::DbError| it.message().starts_with("invalid id");
    if is_by_id && error.as_db_error().is_some_and(says_no_id) {
        // Dropped since it was asked for.
        return End::NotReadable(TailError::Replaced);
    }
    match says_not_readable(&error) {
        true => End::NotReadable(TailError::Refused(error)),
        false => End::Failed(TailError::Refused(error)),
    }
}

/// Whether an old server has not made a new view's history readable yet.
fn says_not_readable(error: &postgres::Error) -> bool {
    error.as_db_error().is_some_and(|error| {
        let message = error.message();
        message.contains("requested as_of") && message.contains("not >= since")
    })
}

/// What it means that a COPY broke.
fn stream_error(error: io::Error) -> End {
    let source = error.get_ref().and_then(|it| it.downcast_ref());
    let says_dropped = source
        .and_then(postgres::Error::as_db_error)
        .is_some_and(|it| {
            let message = it.message();
            // The words of 26.17, and those of 26.35.
            message.starts_with("subscribe has been terminated because")
                || message.starts_with("relation ") && message.ends_with(" was dropped")
        });
    let error = TailError::Stream(error);
    match says_dropped {
        true => End::NotReadable(error),
        false => End::Failed(error),
    }
}

/// The reading of one COPY.
struct Reading<'a> {
    shared: &'a Arc<Shared>,
    generation: u64,
    messages: Messages,
    /// What is asked for.
    object: Arc<Object>,
}

impl Reading<'_> {
    /// Starts the COPY and reads it to its end.
    fn stream(mut self, client: &mut Client, dialect: Dialect, start: Start) -> Result<(), End> {
        let object = Arc::clone(&self.object);
        let mut floor = None;
        match start {
            Start::Resume(closed) => {
                match client.copy_out(&dialect.copy_sql(&object.sql, From::After(closed))) {
                    Ok(copy) => return self.read_all(copy, start),
                    Err(error) => check_refused(error)?,
                }
                log::debug!("view \"{}\": no resume from {closed}", self.shared.name());
                floor = Some(closed);
            }
            Start::Snapshot { floor: above, .. } => floor = floor.max(above),
        }
        let clock = self.shared.gate.enter(self.generation)?.held.clock;
        let reached = clock.reached();
        let start = Start::Snapshot { floor, reached };
        let error = match client.copy_out(&dialect.copy_sql(&object.sql, From::Snapshot)) {
            Ok(copy) => return self.read_all(copy, start),
            Err(error) => error,
        };
        if !object.is_by_id || error.code() != Some(&SqlState::SYNTAX_ERROR) {
            return Err(refusal(error, object.is_by_id));
        }
        // It answers questions by the id, but does not stream by it.
        let object = Object {
            sql: self.shared.settings.view.sql.clone(),
            is_by_id: false,
            ..Object::clone(&object)
        };
        let copied = client.copy_out(&dialect.copy_sql(&object.sql, From::Snapshot));
        self.object = Arc::new(object);
        match copied {
            Ok(copy) => self.read_all(copy, start),
            Err(error) => Err(refusal(error, false)),
        }
    }

    fn read_all(&mut self, mut copy: impl BufRead, start: Start) -> Result<(), End> {
        let shared = self.shared;
        {
            let mut entered = shared.gate.enter(self.generation)?;
            let bytes_max = shared.settings.unclosed_bytes_max;
            entered.held.assembler = Some(Assembler::new(start, bytes_max));
            entered.held.withheld = Some(Vec::new());
            entered.held.is_current = false;
            entered.held.streams = entered.held.streams.wrapping_add(1);
            let position = entered.held.position();
            log::info!(
                "view \"{}\": streaming from position {position}",
                shared.name()
            );
        }
        shared.set_phase(self.generation, Phase::Streaming);
        let mut proof = Proof::new(shared, self.generation, Arc::clone(&self.object));
        let mut lines = Lines::new(COPY_LINE_BYTES_MAX);
        loop {
            // One message of the server, most often one line.
            let chunk = copy.fill_buf().map_err(stream_error)?;
            if chunk.is_empty() {
                break;
            }
            let length = chunk.len();
            shared.received.fetch_add(1, Ordering::Relaxed);
            let mut entered = shared.gate.enter(self.generation)?;
            lines.push(chunk, |line| take(&mut entered, &mut self.messages, line))?;
            drop(entered);
            copy.consume(length);
            proof.look()?;
        }
        Ok(lines.finish()?)
    }
}
