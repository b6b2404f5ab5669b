//! A recorded stream as the gateway asks for it.

use super::decode::{Line, lines, rows_at};
use super::{Exchange, MODERN, Message, implied};
use crate::support::materialize::Play;
use crate::support::table::Rows;
use crate::values::source::copy_field;

/// One stream: the messages of one COPY, or of a cursor or a bare TAIL put into
/// the lines of one.
#[derive(Clone, Debug)]
pub struct Recorded {
    pub exchange: Exchange,
    pub columns: Vec<(String, String)>,
    /// With the three leading columns.
    pub width: usize,
    pub chunks: Vec<Vec<u8>>,
    pub is_done: bool,
    /// Code and message of the error that ended it.
    pub error: Option<(String, String)>,
    /// Whether the connection's end ended it.
    pub is_cut: bool,
    /// Whether it came without progress, which is put in here.
    pub is_plain: bool,
}

impl Recorded {
    /// `file` is all that was recorded with it.
    pub fn of(exchange: &Exchange, file: &[Exchange]) -> Self {
        let mut recorded = Recorded {
            exchange: exchange.clone(),
            columns: implied::columns(exchange, file),
            width: 0,
            chunks: Vec::new(),
            is_done: false,
            error: None,
            is_cut: false,
            is_plain: !exchange.sql.contains("PROGRESS"),
        };
        let mut is_copy = false;
        for message in exchange.says() {
            match message {
                Message::CopyOut { columns, .. } => {
                    recorded.width = *columns;
                    is_copy = true;
                }
                Message::Columns(columns) => recorded.width = columns.len(),
                Message::Data(bytes) => recorded.chunks.push(bytes.clone()),
                Message::Row(row) => recorded.chunks.push(line(row)),
                Message::Error(code, text) => recorded.error = Some((code.clone(), text.clone())),
                Message::Done => recorded.is_done = true,
                Message::Complete(_) if !is_copy => {
                    recorded.is_done = !exchange.sql.starts_with("DECLARE");
                }
                Message::Eof => recorded.is_cut = true,
                Message::Complete(_) | Message::Setting(_) | Message::Other => {}
            }
        }
        if recorded.is_plain {
            recorded.add_progress();
        }
        recorded
    }

    /// The second column, and one progress row at the end, unless the view is
    /// complete there.
    fn add_progress(&mut self) {
        self.width += 1;
        let mut last = 0;
        for chunk in &mut self.chunks {
            let text = String::from_utf8(std::mem::take(chunk)).unwrap();
            let (time, rest) = text.split_once('\t').unwrap();
            last = time.parse::<u64>().unwrap();
            *chunk = format!("{time}\tf\t{rest}").into_bytes();
        }
        if !self.is_done && last > 0 {
            self.chunks.push(progress(last + 1, self.width));
        }
    }

    /// The lines by the tests' own decoder.
    pub fn lines(&self) -> Vec<Line> {
        lines(&self.columns, &self.chunks)
    }

    /// The time of each message.
    pub fn times(&self) -> Vec<u64> {
        let time = |chunk: &Vec<u8>| {
            let text = String::from_utf8_lossy(chunk);
            text.split('\t').next().unwrap().parse().unwrap()
        };
        self.chunks.iter().map(time).collect()
    }

    /// The place of the message after which the first rows are complete, if the
    /// stream's own lines say so.
    pub fn closes_at(&self) -> Option<usize> {
        let times = self.times();
        let first = *times.first()?;
        times.iter().position(|time| *time > first)
    }

    /// Whether the recorded end says that the rows are the view's last ones: an
    /// old server says so by the end of time only.
    pub fn is_final(&self) -> bool {
        let is_modern = MODERN.contains(&self.exchange.generation);
        self.is_done && (is_modern || self.times().contains(&u64::MAX))
    }

    /// The last time that the stream closed: of a change, if its last progress
    /// closed one. `None` if it never closed any.
    pub fn end(&self) -> Option<u64> {
        if self.is_final() {
            return self.times().last().copied();
        }
        let mut lines = self.lines();
        let at = lines.iter().rposition(|line| line.change.is_none())?;
        let last = lines[at].time;
        let first = lines.first()?.time;
        lines.truncate(at);
        let changes = lines.iter().rev().take_while(|line| line.change.is_some());
        let changed = changes.map(|line| line.time).max();
        (last > first).then(|| changed.unwrap_or(last - 1))
    }

    /// The rows at a time.
    pub fn rows_at(&self, time: u64) -> Rows {
        rows_at(&self.lines(), time)
    }
}

/// A row of an answer as a line.
fn line(row: &[Option<Vec<u8>>]) -> Vec<u8> {
    let field = |value: &Option<Vec<u8>>| {
        let text = value.as_ref().map(|it| std::str::from_utf8(it).unwrap());
        copy_field(text, false)
    };
    let fields: Vec<Vec<u8>> = row.iter().map(field).collect();
    let mut line = fields.join(&b'\t');
    line.push(b'\n');
    line
}

/// A row of an answer as a message of a COPY, as wide as it is.
pub fn as_data(message: &Message) -> Option<Play> {
    match message {
        Message::Row(row) => Some(Play::data(&line(row))),
        _ => None,
    }
}

/// A progress line of a stream so wide.
pub fn progress(time: u64, width: usize) -> Vec<u8> {
    let nulls = "\t\\N".repeat(width - 2);
    format!("{time}\tt{nulls}\n").into_bytes()
}
