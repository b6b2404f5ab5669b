//! One line of a tail: a row's change, or progress. Pure.

use std::str;

use crate::limits::DIFF_MAX;
use crate::model::event::Kept;
use crate::model::position::Timestamp;
use crate::model::row::Column;
use crate::model::value::Encoder;

use super::copy_text::{self, CopyTextError, Fields};

/// Columns before the view's own: timestamp, progressed, diff.
const LEADING: usize = 3;

/// One line of a tail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// A row's multiplicity changes.
    Update {
        /// When.
        timestamp: Timestamp,
        /// By how many copies; never zero.
        diff: i64,
        /// The row as JSON.
        row: &'a str,
    },
    /// No update will come at a time below this one.
    Progress(Timestamp),
}

/// A line that no tail of this view can hold. It names the column, never the
/// row's contents: those belong to the view's readers, not to a log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Too few or too many fields.
    #[error("a row of the tail has {found} columns where {expected} were expected")]
    Columns {
        /// How many there should be.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// The timestamp is not a decimal number of 64 bits.
    #[error("a row of the tail has a malformed \"timestamp\": expected a whole number")]
    Timestamp,
    /// Neither `t` nor `f`.
    #[error("a row of the tail has a malformed \"progressed\": expected t or f")]
    Progressed,
    /// The diff is not a number, or zero, or beyond counting.
    #[error("a row of the tail has a malformed \"diff\": expected a whole number other than 0")]
    Diff,
    /// A value is not text.
    #[error("invalid UTF-8 in column \"{column}\"")]
    InvalidUtf8 {
        /// Its name.
        column: String,
    },
    /// Not even a line.
    #[error("malformed COPY data: {0}")]
    CopyText(#[from] CopyTextError),
}

/// Reads the lines of one view's tail.
#[derive(Debug)]
pub struct Messages {
    encoder: Encoder,
    names: Vec<String>,
    /// Which of the columns that come these are.
    kept: Kept,
    /// The row being built; kept, so that no row allocates.
    row: String,
    scratch: Vec<u8>,
    head: Head,
}

/// The leading fields of the last row, with the tab behind them: the rows of a
/// snapshot, and most of a timestamp, begin with the same bytes.
#[derive(Debug)]
struct Head {
    /// Empty until there was a row.
    bytes: Vec<u8>,
    timestamp: Timestamp,
    diff: i64,
}

impl Head {
    /// What follows in a line that begins as the last row did.
    fn rest<'a>(&self, line: &'a [u8]) -> Option<&'a [u8]> {
        match self.bytes.is_empty() {
            true => None,
            false => line.strip_prefix(self.bytes.as_slice()),
        }
    }
}

impl Messages {
    /// A reader of lines whose rows have these columns.
    pub fn new(columns: &[Column]) -> Self {
        Messages::keeping(columns, Kept::all(columns.len()))
    }

    /// A reader of lines of which only these columns are kept. Rows that
    /// differ in the others alone become one: whoever collects them adds their
    /// multiplicities up.
    pub fn keeping(columns: &[Column], kept: Kept) -> Self {
        Messages {
            kept,
            encoder: Encoder::new(columns),
            names: columns.iter().map(|column| column.name.clone()).collect(),
            row: String::new(),
            scratch: Vec::new(),
            head: Head {
                bytes: Vec::new(),
                timestamp: Timestamp::MIN,
                diff: 0,
            },
        }
    }

    /// The message in a line without its newline.
    pub fn read(&mut self, line: &[u8]) -> Result<Message<'_>, MessageError> {
        if let Some(rest) = self.head.rest(line) {
            self.read_row(Some(rest), line)?;
            return Ok(self.update());
        }
        let mut fields = Fields::of(line);
        let mut leading = || fields.next().ok_or_else(|| self.wrong_columns(line));
        let (timestamp, progressed, diff) = (leading()?, leading()?, leading()?);
        let timestamp = number(timestamp).ok_or(MessageError::Timestamp)?;
        let timestamp = Timestamp::new(timestamp);
        match progressed {
            b"f" => {
                let diff = diff_of(diff).ok_or(MessageError::Diff)?;
                self.read_row(fields.rest(), line)?;
                self.keep_head(fields.rest(), line, timestamp, diff);
                Ok(self.update())
            }
            b"t" => match fields.count() == self.kept.sent() {
                true => Ok(Message::Progress(timestamp)),
                false => Err(self.wrong_columns(line)),
            },
            _ => Err(MessageError::Progressed),
        }
    }

    /// The row that was just read.
    fn update(&self) -> Message<'_> {
        Message::Update {
            timestamp: self.head.timestamp,
            diff: self.head.diff,
            row: &self.row,
        }
    }

    /// Keeps what stands before `rest` in the line, and what it means.
    fn keep_head(&mut self, rest: Option<&[u8]>, line: &[u8], timestamp: Timestamp, diff: i64) {
        let head = &mut self.head;
        (head.timestamp, head.diff) = (timestamp, diff);
        head.bytes.clear();
        // A row without columns has no tab behind its leading fields, and is
        // not worth a shorter way.
        let length = rest.map_or(0, |rest| line.len().saturating_sub(rest.len()));
        head.bytes
            .extend_from_slice(line.get(..length).unwrap_or_default());
    }

    /// Reads the columns of a row; `rest` is the line behind its leading
    /// fields, `None` if it ends with them.
    fn read_row(&mut self, rest: Option<&[u8]>, line: &[u8]) -> Result<(), MessageError> {
        self.row.clear();
        // Once for the line rather than for each of its values. What is no
        // UTF-8 as a whole may be so without its escapes, value by value.
        match rest.map(str::from_utf8).transpose() {
            Ok(text) => self.read_text(text, line),
            Err(_) => self.read_fields(rest, line),
        }
    }

    /// Reads a row of text in one pass, save what is escaped or seldom.
    fn read_text(&mut self, mut rest: Option<&str>, line: &[u8]) -> Result<(), MessageError> {
        let mut at = 0;
        for column in 0..self.kept.sent() {
            let Some(text) = rest else {
                return Err(self.wrong_columns(line));
            };
            let left = match self.kept.is_shown(column) {
                true => self.read_raw(at, text)?,
                false => at_tab(text).1,
            };
            at += usize::from(self.kept.is_shown(column));
            // Nothing is left after the last value, else a tab is.
            rest = left.strip_prefix('\t');
        }
        self.end_row(rest.is_some(), line)
    }

    /// Reads a row value by value.
    fn read_fields(&mut self, rest: Option<&[u8]>, line: &[u8]) -> Result<(), MessageError> {
        let mut fields = rest.into_iter().flat_map(Fields::of);
        let mut at = 0;
        for column in 0..self.kept.sent() {
            let field = fields.next().ok_or_else(|| self.wrong_columns(line))?;
            if self.kept.is_shown(column) {
                self.read_field(at, field)?;
                at += 1;
            }
        }
        self.end_row(fields.next().is_some(), line)
    }

    /// Reads the value that the text begins with; what is left after it.
    fn read_raw<'t>(&mut self, at: usize, text: &'t str) -> Result<&'t str, MessageError> {
        if let Some(left) = self.encoder.raw_value(at, text, &mut self.row) {
            return Ok(left);
        }
        let (field, left) = at_tab(text);
        match field.contains('\\') {
            true => self.read_field(at, field.as_bytes())?,
            false => self.encoder.value(at, Some(field), &mut self.row),
        }
        Ok(left)
    }

    fn read_field(&mut self, at: usize, field: &[u8]) -> Result<(), MessageError> {
        match copy_text::value(field, &mut self.scratch) {
            Ok(text) => self.encoder.value(at, text, &mut self.row),
            Err(CopyTextError::InvalidUtf8) => {
                let column = self.names.get(at).cloned().unwrap_or_default();
                return Err(MessageError::InvalidUtf8 { column });
            }
            Err(other) => return Err(other.into()),
        }
        Ok(())
    }

    fn end_row(&mut self, is_more: bool, line: &[u8]) -> Result<(), MessageError> {
        if is_more {
            return Err(self.wrong_columns(line));
        }
        self.encoder.end(&mut self.row);
        Ok(())
    }

    fn wrong_columns(&self, line: &[u8]) -> MessageError {
        MessageError::Columns {
            expected: LEADING + self.kept.sent(),
            found: Fields::of(line).count(),
        }
    }
}

/// The text before its first tab, and the rest from there on.
fn at_tab(text: &str) -> (&str, &str) {
    let end = memchr::memchr(b'\t', text.as_bytes()).unwrap_or(text.len());
    text.split_at(end)
}

/// Decimal digits and nothing else.
fn number(field: &[u8]) -> Option<u64> {
    if field.is_empty() {
        return None;
    }
    let digit = |sum: u64, byte: &u8| {
        let digit = char::from(*byte).to_digit(10)?;
        sum.checked_mul(10)?.checked_add(u64::from(digit))
    };
    field.iter().try_fold(0, digit)
}

fn diff_of(field: &[u8]) -> Option<i64> {
    let (digits, negative) = match field {
        [b'-', digits @ ..] => (digits, true),
        digits => (digits, false),
    };
    let size = i64::try_from(number(digits)?).ok()?;
    match size {
        1..=DIFF_MAX if negative => Some(-size),
        1..=DIFF_MAX => Some(size),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
