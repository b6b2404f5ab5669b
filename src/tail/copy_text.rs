//! COPY text: lines out of chunks, fields out of lines. Pure.
//!
//! Nothing is allocated per line or field: a field is a slice of the chunk, or
//! of one scratch buffer if it holds an escape.

use std::str;

use crate::model::value::{COPY_NULL, copy_letter};

/// Text that is no COPY text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CopyTextError {
    /// A field's bytes, unescaped, are not UTF-8.
    #[error("invalid UTF-8")]
    InvalidUtf8,
    /// A line is longer than the bound.
    #[error("a line is longer than {max} bytes")]
    LineTooLong {
        /// The bound.
        max: usize,
    },
    /// The data ended within a line.
    #[error("the data ended within a line")]
    PartialLine,
}

/// Cuts a stream of chunks into lines. A chunk may hold several lines or a
/// part of one, though servers send one line per message.
#[derive(Debug)]
pub struct Lines {
    /// The beginning of a line whose end has not come yet.
    partial: Vec<u8>,
    line_bytes_max: usize,
}

impl Lines {
    /// No line yet; a longer line than `line_bytes_max` is an error.
    pub fn new(line_bytes_max: usize) -> Self {
        Lines {
            partial: Vec::new(),
            line_bytes_max,
        }
    }

    /// Hands each line that `chunk` completes to `each`, without its newline.
    pub fn push<E: From<CopyTextError>>(
        &mut self,
        mut chunk: &[u8],
        mut each: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        // Newlines within values are escaped, so each raw one ends a line.
        while let Some(at) = memchr::memchr(b'\n', chunk) {
            let (line, rest) = chunk.split_at(at);
            chunk = rest.get(1..).unwrap_or_default();
            if self.partial.is_empty() {
                self.check(line.len())?;
                each(line)?;
            } else {
                self.keep(line)?;
                each(&self.partial)?;
                self.partial.clear();
            }
        }
        if !chunk.is_empty() {
            self.keep(chunk)?;
        }
        Ok(())
    }

    /// Says whether the stream may end here.
    pub fn finish(&self) -> Result<(), CopyTextError> {
        match self.partial.is_empty() {
            true => Ok(()),
            false => Err(CopyTextError::PartialLine),
        }
    }

    fn keep(&mut self, part: &[u8]) -> Result<(), CopyTextError> {
        self.check(self.partial.len().saturating_add(part.len()))?;
        self.partial.extend_from_slice(part);
        Ok(())
    }

    fn check(&self, length: usize) -> Result<(), CopyTextError> {
        match length > self.line_bytes_max {
            true => Err(CopyTextError::LineTooLong {
                max: self.line_bytes_max,
            }),
            false => Ok(()),
        }
    }
}

/// The fields of one line, each still as it stood on the wire.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    /// `None` after the last field: an empty rest is still one empty field.
    rest: Option<&'a [u8]>,
}

impl<'a> Fields<'a> {
    /// The fields of a line.
    pub fn of(line: &'a [u8]) -> Self {
        Fields { rest: Some(line) }
    }

    /// What has not been cut into fields yet; `None` after the last one.
    pub fn rest(&self) -> Option<&'a [u8]> {
        self.rest
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest?;
        match memchr::memchr(b'\t', rest) {
            Some(at) => {
                let (field, tail) = rest.split_at(at);
                self.rest = tail.get(1..);
                Some(field)
            }
            None => {
                self.rest = None;
                Some(rest)
            }
        }
    }
}

/// Whether a field is NULL.
pub fn is_null(field: &[u8]) -> bool {
    field == COPY_NULL.as_bytes()
}

/// A field's value, `None` for NULL. `scratch` is overwritten if the field
/// holds an escape.
pub fn value<'a>(
    field: &'a [u8],
    scratch: &'a mut Vec<u8>,
) -> Result<Option<&'a str>, CopyTextError> {
    let bytes = match memchr::memchr(b'\\', field) {
        None => field,
        Some(_) if is_null(field) => return Ok(None),
        Some(first) => {
            unescape(field, first, scratch);
            scratch.as_slice()
        }
    };
    match str::from_utf8(bytes) {
        Ok(text) => Ok(Some(text)),
        Err(_) => Err(CopyTextError::InvalidUtf8),
    }
}

/// Writes `field` without its escapes into `out`; `first` is where the first
/// backslash stands.
fn unescape(field: &[u8], first: usize, out: &mut Vec<u8>) {
    out.clear();
    let (plain, mut rest) = field.split_at(first);
    out.extend_from_slice(plain);
    while let Some((_backslash, tail)) = rest.split_first() {
        let (byte, tail) = escape(tail);
        out.push(byte);
        let plain = memchr::memchr(b'\\', tail).unwrap_or(tail.len());
        let (plain, next) = tail.split_at(plain);
        out.extend_from_slice(plain);
        rest = next;
    }
}

/// The byte that an escape stands for, given what follows its backslash, and
/// the rest after it.
fn escape(tail: &[u8]) -> (u8, &[u8]) {
    let Some((&kind, rest)) = tail.split_first() else {
        // A backslash at the end of a field: it stands for itself.
        return (b'\\', tail);
    };
    if let Some(byte) = copy_letter(kind) {
        return (byte, rest);
    }
    match kind {
        b'0'..=b'7' => digits(tail, 8, 3),
        // Without a digit after it, `\x` is the letter.
        b'x' if rest.first().is_some_and(u8::is_ascii_hexdigit) => digits(rest, 16, 2),
        // Any other character stands for itself, `\.` among them.
        other => (other, rest),
    }
}

/// One to `max` digits as a byte; like PostgreSQL, `\777` keeps the low bits.
fn digits(tail: &[u8], radix: u32, max: usize) -> (u8, &[u8]) {
    let (mut value, mut rest) = (0u32, tail);
    for _ in 0..max {
        let Some((&byte, next)) = rest.split_first() else {
            break;
        };
        let Some(digit) = char::from(byte).to_digit(radix) else {
            break;
        };
        value = value * radix + digit;
        rest = next;
    }
    // Masked to eight bits, so the conversion cannot fail.
    (u8::try_from(value & 0xff).unwrap_or(0), rest)
}

#[cfg(test)]
mod tests;
