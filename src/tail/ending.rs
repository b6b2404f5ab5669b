//! What it means that a server has ended a stream as if it were finished.

use std::sync::Arc;

use postgres::Client;

use crate::model::position::Timestamp;

use super::assembler::{Assembler, Unclosed};
use super::describe;
use super::dialect::Dialect;
use super::end::End;
use super::error::TailError;
use super::gate::Stale;
use super::held::Held;
use super::shared::Shared;
use super::telling::tell;

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

/// The server has ended the COPY without an error. That is how a constant
/// view ends, but on an old server also a dropped one and a cancelled query;
/// and to take a view that changes for a constant one would silence it for
/// good. So what a newer server ends is believed at the second time in a row,
/// only if it ended within the snapshot, as a constant view does, and if a
/// count of the view finds as many rows.
pub(super) fn ended(
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
    let now = describe::now(client, dialect)?;
    let mut entered = shared.gate.enter(generation)?;
    let assembler = entered.held.assembler.as_mut().ok_or(Stale)?;
    let events = assembler.finish(now).map_err(TailError::Assembler)?;
    for event in events {
        tell(&mut entered, Some(event))?;
    }
    log::info!(
        "view \"{}\" is constant: its contents are final",
        shared.name()
    );
    Ok(())
}
