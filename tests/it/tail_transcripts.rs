//! Every recorded stream through decoder, messages and
//! assembler: each event compared with a sum over the raw lines, the final
//! contents with a golden file.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use viewcast::model::event::TailEvent;
use viewcast::model::row::Column;
use viewcast::model::view::View;
use viewcast::tail::assembler::{Assembler, Start};
use viewcast::tail::copy_text::{CopyTextError, Lines};
use viewcast::tail::message::{Message, Messages};

pub fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

/// One COPY of one connection.
pub struct Recorded {
    pub name: String,
    pub sql: String,
    pub width: usize,
    pub chunks: Vec<Vec<u8>>,
    pub is_done: bool,
    /// Code and message of the error that ended it.
    pub error: Option<(String, String)>,
    /// Whether the connection's end ended it.
    pub is_cut: bool,
    /// Whether it was recorded without progress, which `with_progress` adds.
    is_plain: bool,
}

impl Recorded {
    /// The same stream as the gateway asks for it: with the second column, and
    /// one progress row at the end, unless the view is complete there.
    fn with_progress(mut self) -> Self {
        if !self.is_plain {
            return self;
        }
        self.width += 1;
        let mut last = 0;
        for chunk in &mut self.chunks {
            let text = String::from_utf8(std::mem::take(chunk)).unwrap();
            let (timestamp, rest) = text.split_once('\t').unwrap();
            last = timestamp.parse::<u64>().unwrap();
            *chunk = format!("{timestamp}\tf\t{rest}").into_bytes();
        }
        if !self.is_done && last > 0 {
            let nulls = "\t\\N".repeat(self.width - 2);
            self.chunks
                .push(format!("{}\tt{nulls}\n", last + 1).into_bytes());
        }
        self
    }
}

/// The bytes of a Python bytes literal.
fn literal(text: &str) -> Vec<u8> {
    let inner = text.strip_prefix('b').expect("a bytes literal");
    let inner = &inner.as_bytes()[1..inner.len() - 1];
    let (mut bytes, mut at) = (Vec::new(), 0);
    while at < inner.len() {
        if inner[at] != b'\\' {
            bytes.push(inner[at]);
            at += 1;
            continue;
        }
        at += 2;
        bytes.push(match inner[at - 1] {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'x' => {
                at += 2;
                let digits = std::str::from_utf8(&inner[at - 2..at]).unwrap();
                u8::from_str_radix(digits, 16).unwrap()
            }
            other => other,
        });
    }
    bytes
}

/// The quoted text after `name` in a recorded error.
fn part(error: &str, name: &str) -> String {
    let (_, rest) = error.split_once(name).expect("recorded with each error");
    let quote = rest.chars().next().unwrap();
    let text = rest[1..].split(quote).next().unwrap();
    text.to_owned()
}

/// The COPYs of streams in a transcript, and what SHOW COLUMNS said of its
/// relations.
pub fn read(path: &Path) -> (Vec<Recorded>, BTreeMap<String, BTreeMap<String, String>>) {
    let text = fs::read_to_string(path).unwrap();
    let mut done: Vec<Recorded> = Vec::new();
    let mut open: BTreeMap<String, Recorded> = BTreeMap::new();
    let mut types: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut shown: Option<String> = None;
    for line in text.lines() {
        let Some((connection, rest)) = line.strip_prefix('[').and_then(|l| l.split_once("] "))
        else {
            continue;
        };
        if let Some(sql) = rest.strip_prefix(">>> ") {
            done.extend(open.remove(connection));
            shown = sql.strip_prefix("SHOW COLUMNS FROM ").map(str::to_string);
            let known = !sql.contains("FORMAT") && !sql.contains("ENVELOPE");
            let streams = ["COPY (TAIL", "COPY (SUBSCRIBE"]
                .iter()
                .any(|it| sql.starts_with(it));
            if streams && known {
                let recorded = Recorded {
                    name: connection.to_string(),
                    sql: sql.to_string(),
                    width: 0,
                    chunks: Vec::new(),
                    is_done: false,
                    error: None,
                    is_cut: false,
                    is_plain: !sql.contains("PROGRESS"),
                };
                open.insert(connection.to_string(), recorded);
            }
        } else if let (Some(relation), Some(row)) = (&shown, rest.strip_prefix("DataRow [")) {
            let cells: Vec<String> = row
                .trim_end_matches(']')
                .split(", ")
                .filter(|cell| cell.starts_with('b'))
                .map(|cell| String::from_utf8(literal(cell)).unwrap_or_default())
                .collect();
            if let [name, _, sql_type, ..] = cells.as_slice() {
                let of = types.entry(relation.clone()).or_default();
                of.insert(name.clone(), sql_type.clone());
            }
        }
        let Some(recorded) = open.get_mut(connection) else {
            continue;
        };
        if let Some(rest) = rest.strip_prefix("CopyOutResponse fmt=0 ncols=") {
            recorded.width = rest.split(' ').next().unwrap().parse().unwrap();
        } else if let Some(bytes) = rest.strip_prefix("CopyData ") {
            recorded.chunks.push(literal(bytes));
        } else if rest == "CopyDone" {
            recorded.is_done = true;
        } else if let Some(rest) = rest.strip_prefix("ErrorResponse ") {
            recorded.error = Some((part(rest, " C="), part(rest, " M=")));
        } else if rest.starts_with("<EOF") {
            recorded.is_cut = true;
        }
    }
    done.extend(open.into_values());
    done.retain(|recorded| recorded.width > 0);
    let done = done.into_iter().map(Recorded::with_progress);
    (done.collect(), types)
}

/// The columns of what a COPY reads: names from CREATE are not needed, the
/// recorded views of one type have `i` and `c`.
pub fn columns(
    recorded: &Recorded,
    types: &BTreeMap<String, BTreeMap<String, String>>,
) -> Vec<Column> {
    let width = recorded.width - 3;
    let relation = recorded
        .sql
        .trim_start_matches("COPY (")
        .trim_start_matches("TAIL ")
        .trim_start_matches("SUBSCRIBE ")
        .trim_start_matches("TO ")
        .split([' ', ')'])
        .next()
        .unwrap();
    let known = types.get(relation);
    let column = |name: String| Column {
        sql_type: known
            .and_then(|known| known.get(&name))
            .map_or_else(|| "text".to_string(), Clone::clone),
        name,
    };
    let is_typed = known.is_some_and(|known| known.len() == 2 && known.contains_key("c"));
    match (is_typed, known) {
        (true, _) => ["i", "c"].map(|name| column(name.to_string())).into(),
        (false, Some(known)) if width == 1 && known.len() == 1 => {
            known.keys().cloned().map(column).collect()
        }
        _ => (1..=width).map(|at| column(format!("c{at}"))).collect(),
    }
}

/// The raw lines up to a time, summed: field texts by multiplicity.
pub fn oracle(recorded: &Recorded, through: u64) -> BTreeMap<Vec<u8>, i64> {
    let mut rows = BTreeMap::new();
    for line in recorded.chunks.concat().split(|byte| *byte == b'\n') {
        let mut fields = line.splitn(4, |byte| *byte == b'\t');
        let mut text = || String::from_utf8_lossy(fields.next().unwrap_or_default()).into_owned();
        let (timestamp, progressed, diff) = (text(), text(), text());
        if progressed == "f" && timestamp.parse::<u64>().unwrap() <= through {
            let row = fields.next().unwrap_or_default().to_vec();
            *rows.entry(row).or_insert(0) += diff.parse::<i64>().unwrap();
        }
    }
    rows.retain(|_, copies| *copies != 0);
    rows
}

/// A publisher: takes events and compares copies with the oracle each time.
fn take(view: &mut Option<View>, event: TailEvent, recorded: &Recorded, closed: &mut usize) {
    match event {
        TailEvent::Snapshot(snapshot) => {
            assert!(view.is_none(), "two snapshots");
            *view = Some(snapshot);
        }
        TailEvent::Delta(delta) => view.as_mut().unwrap().apply(&delta).unwrap(),
        TailEvent::Progress(at) => view.as_mut().unwrap().advance(at),
        _ => return,
    }
    let view = view.as_ref().unwrap();
    let expected = oracle(recorded, view.timestamp().get());
    let mut copies: Vec<i64> = view
        .rows()
        .map(|(_, n)| i64::try_from(n).unwrap())
        .collect();
    let mut expected: Vec<i64> = expected.into_values().collect();
    copies.sort_unstable();
    expected.sort_unstable();
    assert_eq!(copies, expected, "{} at {}", recorded.sql, view.timestamp());
    *closed += 1;
}

/// What the stream shows in the end, fed in chunks of at most `size` bytes.
pub fn replay(
    recorded: &Recorded,
    columns: &[Column],
    size: usize,
    closed: &mut usize,
) -> Option<View> {
    let mut messages = Messages::new(columns);
    let mut assembler = Assembler::new(Start::Snapshot { floor: None }, u64::MAX);
    let mut lines = Lines::new(1 << 20);
    let mut view = None;
    let bytes = recorded.chunks.concat();
    for chunk in bytes.chunks(size) {
        let each = |line: &[u8]| -> Result<(), CopyTextError> {
            let event = match messages.read(line).unwrap() {
                Message::Update {
                    timestamp,
                    diff,
                    row,
                } => assembler.update(timestamp, diff, row),
                Message::Progress(timestamp) => assembler.progress(timestamp),
            };
            if let Some(event) = event.unwrap() {
                take(&mut view, event, recorded, closed);
            }
            Ok(())
        };
        lines.push(chunk, each).unwrap();
    }
    lines.finish().unwrap();
    let is_modern = recorded.sql.contains("SUBSCRIBE");
    if recorded.is_done && (is_modern || assembler.is_at_end_of_time()) {
        for event in assembler.finish().unwrap() {
            take(&mut view, event, recorded, closed);
        }
    }
    view
}

/// The transcripts of a generation of servers, sorted by name.
pub fn paths(generation: &str) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(data().join("transcripts").join(generation))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "txt"))
        .collect();
    paths.sort();
    paths
}

#[test]
fn tail_transcripts_show_what_their_raw_lines_sum_to() {
    let mut shown = String::new();
    let (mut streams, mut closed) = (0, 0);
    for generation in ["0.7", "26.17"] {
        for path in paths(generation) {
            let (recordings, types) = read(&path);
            for recorded in recordings {
                let columns = columns(&recorded, &types);
                let view = replay(&recorded, &columns, usize::MAX, &mut closed);
                for size in [1, 7, 64] {
                    assert_eq!(replay(&recorded, &columns, size, &mut closed), view);
                }
                streams += 1;
                let name = path.file_stem().unwrap().to_string_lossy();
                let kinds: Vec<_> = columns.iter().map(|one| one.sql_type.as_str()).collect();
                writeln!(
                    shown,
                    "{generation}/{name} {}: {} [{}]",
                    recorded.name,
                    recorded.sql,
                    kinds.join(", ")
                )
                .unwrap();
                let mut rows: Vec<String> = match &view {
                    None => vec!["(no snapshot)".to_string()],
                    Some(view) => view.rows().map(|(row, n)| format!("{n} {row}")).collect(),
                };
                rows.sort();
                for row in rows {
                    writeln!(shown, "  {row}").unwrap();
                }
            }
        }
    }
    assert!(
        streams > 150 && closed > 1000,
        "{streams} streams, {closed} closed"
    );
    let path = data().join("transcripts.golden");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &shown).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        shown, expected,
        "run again with UPDATE_GOLDEN=1 and read the difference"
    );
}
