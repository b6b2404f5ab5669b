//! The life of a view's connections: connect, describe, stream, fail, wait.

use std::io::{self, BufRead};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use postgres::Client;
use postgres::error::SqlState;

use crate::limits::{
    BACKOFF_RESET_AFTER, COPY_LINE_BYTES_MAX, NOT_READABLE_RETRIES_MAX, NOT_READABLE_WAIT,
};
use crate::model::position::Timestamp;

use super::assembler::{Assembler, Start, Unclosed};
use super::copy_text::{CopyTextError, Lines};
use super::describe::{Found, Object};
use super::dialect::{Dialect, From};
use super::error::TailError;
use super::gate::{Entered, Held, Stale};
use super::message::{Message, MessageError, Messages};
use super::names::{self, Meaning};
use super::proof::{Proof, Refuted};
use super::shared::{Phase, Shared};
use super::{backoff, describe};

/// How a connection ended.
enum End {
    /// This reader was replaced.
    Stale,
    /// The view is constant and told whole.
    Complete,
    /// The view looks constant; a second look decides.
    LooksConstant,
    /// The view's history is not readable yet, or the view may be gone: the
    /// next connection tells, and until then there is nothing to be told.
    NotReadable(TailError),
    /// All else.
    Failed(TailError),
}

impl std::convert::From<Stale> for End {
    fn from(_: Stale) -> Self {
        End::Stale
    }
}

impl std::convert::From<TailError> for End {
    fn from(error: TailError) -> Self {
        End::Failed(error)
    }
}

impl std::convert::From<Refuted> for End {
    fn from(refuted: Refuted) -> Self {
        match refuted {
            Refuted::Stale => End::Stale,
            Refuted::Other => End::NotReadable(TailError::Replaced),
            Refuted::Unknown(error) => End::Failed(error),
        }
    }
}

impl std::convert::From<CopyTextError> for End {
    fn from(error: CopyTextError) -> Self {
        End::Failed(MessageError::CopyText(error).into())
    }
}

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
            End::LooksConstant | End::Failed(TailError::Replaced) => continue,
            End::Failed(error) => (error, false),
        };
        shared.set_phase(generation, Phase::Waiting);
        if is_early {
            not_readable += 1;
            log::debug!("view \"{}\": {}", shared.name(), error.chain());
            shared.pause(generation, NOT_READABLE_WAIT);
            continue;
        }
        not_readable = 0;
        match failed(shared, generation, error, began) {
            Ok(Some(failures)) => {
                let wait = backoff::wait(failures, shared.settings.reconnect_max);
                shared.pause(generation, wait);
            }
            Ok(None) | Err(Stale) => return,
        }
    }
}

/// Tells a failure; the number of failures in a row, or `None` if there is no
/// use in trying again.
fn failed(
    shared: &Arc<Shared>,
    generation: u64,
    error: TailError,
    began: Instant,
) -> Result<Option<u32>, Stale> {
    let mut entered = shared.gate.enter(generation)?;
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
        entered.gone(match &error {
            TailError::UnknownColumn { .. } => "the view's columns have changed",
            TailError::Renamed { .. } => "the view was renamed",
            _ => "the view was dropped",
        })?;
        entered.held.failures = entered.held.failures.saturating_add(1);
        log::info!("view \"{}\": {}", shared.name(), error.chain());
        return Ok(Some(entered.held.failures));
    }
    entered.failed(shared.name(), &error)?;
    Ok(Some(entered.held.failures))
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
) -> Result<&'static str, End> {
    let anew = "the view was dropped and created anew";
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
                Some(true) => "the view's name was given to another one",
                Some(false) | None => anew,
            })
        }
        _ if before.columns == found.description.columns => Ok(anew),
        _ => Ok("the view's columns have changed"),
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
            it.message()
                .starts_with("subscribe has been terminated because")
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
            Start::Snapshot { floor: above } => floor = floor.max(above),
        }
        let start = Start::Snapshot { floor };
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

/// Whether a count of the view finds no more rows than came. A server that
/// refuses to count says nothing against it.
fn is_all(client: &mut Client, view: &str, unclosed: Option<Unclosed>) -> Result<bool, TailError> {
    let Some(Unclosed { timestamp, copies }) = unclosed else {
        return Ok(true);
    };
    match describe::count(client, view, Some(timestamp)) {
        Ok((rows, _)) => Ok(rows == copies),
        Err(TailError::Query { source, .. }) if source.as_db_error().is_some() => Ok(true),
        Err(error) => Err(error),
    }
}

impl Held {
    /// A newer server has ended a COPY: whether the view is constant, as far as
    /// this connection and the one before it can tell.
    fn looks_constant(&mut self) -> Result<bool, End> {
        let is_snapshot = self
            .assembler
            .as_ref()
            .is_some_and(Assembler::awaits_snapshot);
        // Should it not be constant, only a snapshot is worth looking at.
        self.must_snapshot = true;
        if is_snapshot && !self.looked_constant {
            self.looked_constant = true;
            return Err(End::LooksConstant);
        }
        Ok(is_snapshot)
    }
}

/// Takes one line: what it closes is told.
fn take(entered: &mut Entered<'_>, messages: &mut Messages, line: &[u8]) -> Result<(), End> {
    let message = messages.read(line).map_err(TailError::Message)?;
    // There is one from the start of a stream to its end.
    let assembler = entered.held.assembler.as_mut().ok_or(Stale)?;
    let event = match message {
        Message::Update {
            timestamp,
            diff,
            row,
        } => assembler.update(timestamp, diff, row),
        Message::Progress(timestamp) => assembler.progress(timestamp),
    };
    match event.map_err(TailError::Assembler)? {
        Some(event) => Ok(entered.say(event)?),
        None => Ok(()),
    }
}

/// The server has ended the COPY without an error. That is how a constant
/// view ends, but on an old server also a dropped one and a cancelled query;
/// and to take a view that changes for a constant one would silence it for
/// good. So what a newer server ends is believed at the second time in a row,
/// only if it ended within the snapshot, as a constant view does, and if a
/// count of the view finds as many rows.
fn ended(
    shared: &Arc<Shared>,
    generation: u64,
    client: &mut Client,
    dialect: Dialect,
) -> Result<(), End> {
    let found = describe::describe(client, &shared.settings.view)?;
    let (at_end_of_time, untouched, confirmed, unclosed) = {
        let mut entered = shared.gate.enter(generation)?;
        let known = entered.held.description.as_ref();
        if known.map(|known| known.incarnation) != Some(found.description.incarnation) {
            return Err(End::Failed(TailError::Replaced));
        }
        // Asked behind all that came.
        entered.confirm()?;
        let confirmed = dialect == Dialect::Subscribe && entered.held.looks_constant()?;
        match &entered.held.assembler {
            Some(it) => (
                it.is_at_end_of_time(),
                it.is_untouched(),
                confirmed,
                it.unclosed(),
            ),
            None => (false, false, false, None),
        }
    };
    let is_final = match dialect {
        Dialect::Subscribe => confirmed && is_all(client, &found.object.sql, unclosed)?,
        // A constant view without rows shows nothing; a SELECT of it is valid
        // to the end of time.
        Dialect::Tail if untouched => {
            let counted = describe::count(client, &found.object.sql, None)?;
            counted == (0, Timestamp::MAX)
        }
        Dialect::Tail => at_end_of_time,
    };
    if !is_final {
        return Err(End::Failed(TailError::Ended));
    }
    let mut entered = shared.gate.enter(generation)?;
    let assembler = entered.held.assembler.as_mut().ok_or(Stale)?;
    let events = assembler.finish().map_err(TailError::Assembler)?;
    for event in events {
        entered.tell(event)?;
    }
    log::info!(
        "view \"{}\" is constant: its contents are final",
        shared.name()
    );
    Ok(())
}
