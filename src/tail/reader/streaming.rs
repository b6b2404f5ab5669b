//! The reading of one COPY.

use std::sync::Arc;
use std::time::Instant;

use crate::limits::COPY_LINE_BYTES_MAX;

use crate::tail::conversation::Request;
use crate::tail::copy_text::Lines;
use crate::tail::dialect::Dialect;
use crate::tail::end::End;
use crate::tail::message::Messages;
use crate::tail::object::Object;
use crate::tail::proof::Proof;
use crate::tail::view_tail::ViewTail;

use super::ending::Ending;

/// A COPY that runs.
#[derive(Debug)]
pub(super) struct Streaming {
    dialect: Dialect,
    messages: Messages,
    lines: Lines,
    proof: Proof,
}

impl Streaming {
    /// Nothing has come yet.
    pub fn new(dialect: Dialect, messages: Messages, object: Arc<Object>) -> Self {
        Streaming {
            dialect,
            messages,
            lines: Lines::new(COPY_LINE_BYTES_MAX),
            proof: Proof::new(object),
        }
    }

    /// Takes some bytes: most often one message of the server, with one line.
    pub fn take(
        &mut self,
        tail: &mut ViewTail,
        chunk: &[u8],
        now: Instant,
    ) -> Result<Request, End> {
        tail.silence.received();
        let messages = &mut self.messages;
        self.lines
            .push(chunk, |line| tail.take(messages, line, now))?;
        self.look(tail, now)
    }

    /// Looks whether it is certain what the stream is of.
    pub fn look(&mut self, tail: &mut ViewTail, now: Instant) -> Result<Request, End> {
        self.proof.look(tail, now)
    }

    /// The server has ended the COPY without an error.
    pub fn finish(self) -> Result<Ending, End> {
        self.lines.finish()?;
        Ok(Ending::new(self.dialect))
    }
}
