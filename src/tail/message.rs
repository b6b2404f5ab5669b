//! One line of a tail: a row's change, or progress. Pure.

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
        }
    }

    /// The message in a line without its newline.
    pub fn read(&mut self, line: &[u8]) -> Result<Message<'_>, MessageError> {
        let mut fields = Fields::of(line);
        let mut leading = || fields.next().ok_or_else(|| self.wrong_columns(line));
        let (timestamp, progressed, diff) = (leading()?, leading()?, leading()?);
        let timestamp = number(timestamp).ok_or(MessageError::Timestamp)?;
        let timestamp = Timestamp::new(timestamp);
        match progressed {
            b"f" => {
                let diff = diff_of(diff).ok_or(MessageError::Diff)?;
                self.read_row(fields, line)?;
                Ok(Message::Update {
                    timestamp,
                    diff,
                    row: &self.row,
                })
            }
            b"t" => match fields.count() == self.kept.sent() {
                true => Ok(Message::Progress(timestamp)),
                false => Err(self.wrong_columns(line)),
            },
            _ => Err(MessageError::Progressed),
        }
    }

    fn read_row(&mut self, mut fields: Fields<'_>, line: &[u8]) -> Result<(), MessageError> {
        self.row.clear();
        let mut at = 0;
        for is_kept in self.kept.iter() {
            let Some(field) = fields.next() else {
                return Err(self.wrong_columns(line));
            };
            if !is_kept {
                continue;
            }
            match copy_text::value(field, &mut self.scratch) {
                Ok(text) => self.encoder.value(at, text, &mut self.row),
                Err(CopyTextError::InvalidUtf8) => {
                    let column = self.names.get(at).cloned().unwrap_or_default();
                    return Err(MessageError::InvalidUtf8 { column });
                }
                Err(other) => return Err(other.into()),
            }
            at += 1;
        }
        if fields.next().is_some() {
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
