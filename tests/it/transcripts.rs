//! The recordings of `tests/data/transcripts`, read whole: every statement, and
//! every message that came back. Nothing here shares code with the gateway, so
//! that what is made of the bytes is a second opinion.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::pgwire;

pub mod claims;
pub mod decode;
pub mod implied;
mod literals;
mod psql;
pub mod recorded;

/// The servers that tail: folders of recordings.
pub const OLD: [&str; 2] = ["0.7", "0.26"];
/// The servers that subscribe.
pub const MODERN: [&str; 2] = ["26.17", "26.35"];
/// All servers that were recorded.
pub const GENERATIONS: [&str; 4] = [OLD[0], OLD[1], MODERN[0], MODERN[1]];

/// Where the tests' data is.
pub fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

/// A column of a RowDescription.
#[derive(Clone, Debug, PartialEq)]
pub struct Described {
    pub name: String,
    oid: i32,
    length: i16,
    modifier: i32,
}

impl Described {
    /// The type by its number, of columns whose types were asked for in vain.
    pub fn sql_type(&self) -> String {
        match self.oid {
            23 => "integer",
            25 => "text",
            701 => "double precision",
            other => panic!("{}: type {other}", self.name),
        }
        .to_owned()
    }
}

/// What a server said.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// A COPY begins.
    CopyOut { format: u8, columns: usize },
    /// One message of it.
    Data(Vec<u8>),
    /// Its proper end.
    Done,
    /// The columns of an answer.
    Columns(Vec<Described>),
    /// A row of an answer.
    Row(Vec<Option<Vec<u8>>>),
    /// The tag of a command.
    Complete(String),
    /// Code and text.
    Error(String, String),
    /// What a session is told of a setting.
    Setting(Vec<u8>),
    /// The connection's end.
    Eof,
    /// Ready, or a remark: nothing to be played.
    Other,
}

/// A statement and what came back on its connection, until the next one there.
#[derive(Clone, Debug)]
pub struct Exchange {
    pub generation: &'static str,
    /// The file's name without its end.
    pub file: String,
    pub connection: String,
    /// The statement's place in the file; what happened later stands later.
    pub line: usize,
    pub sql: String,
    /// Each with its place.
    pub messages: Vec<(usize, Message)>,
}

impl Exchange {
    pub fn says(&self) -> impl Iterator<Item = &Message> {
        self.messages.iter().map(|(_, message)| message)
    }

    /// Code and text of the error in it.
    pub fn error(&self) -> Option<(&str, &str)> {
        self.says().find_map(|message| match message {
            Message::Error(code, text) => Some((code.as_str(), text.as_str())),
            _ => None,
        })
    }

    /// What a session is told of its settings.
    pub fn settings(&self) -> Vec<Vec<u8>> {
        let setting = |message: &Message| match message {
            Message::Setting(setting) => Some(setting.clone()),
            _ => None,
        };
        self.says().filter_map(setting).collect()
    }

    /// Whether a statement was never answered.
    pub fn is_silent(&self) -> bool {
        self.says().all(|message| *message == Message::Other) && !self.sql.is_empty()
    }

    /// The rows of an answer.
    pub fn rows(&self) -> Vec<&[Option<Vec<u8>>]> {
        let mut rows = Vec::new();
        for message in self.says() {
            if let Message::Row(row) = message {
                rows.push(row.as_slice());
            }
        }
        rows
    }

    /// The columns of an answer.
    pub fn columns(&self) -> Option<&[Described]> {
        self.says().find_map(|message| match message {
            Message::Columns(columns) => Some(columns.as_slice()),
            _ => None,
        })
    }

    /// The bytes of the answer, as they came but for ReadyForQuery.
    pub fn wire(&self) -> Vec<u8> {
        self.says().flat_map(Message::wire).collect()
    }
}

impl Message {
    fn wire(&self) -> Vec<u8> {
        match self {
            Message::CopyOut { format, columns } => {
                let mut body = vec![*format];
                body.extend(i16::try_from(*columns).unwrap().to_be_bytes());
                body.extend([0, *format].repeat(*columns));
                pgwire::message(b'H', &body)
            }
            Message::Data(bytes) => pgwire::message(b'd', bytes),
            Message::Done => pgwire::message(b'c', &[]),
            Message::Columns(columns) => {
                let mut body = i16::try_from(columns.len()).unwrap().to_be_bytes().to_vec();
                for column in columns {
                    body.extend(column.name.as_bytes());
                    // A NUL, then table and column.
                    body.extend([0; 7]);
                    body.extend(column.oid.to_be_bytes());
                    body.extend(column.length.to_be_bytes());
                    body.extend(column.modifier.to_be_bytes());
                    body.extend([0; 2]);
                }
                pgwire::message(b'T', &body)
            }
            Message::Row(row) => {
                let mut body = i16::try_from(row.len()).unwrap().to_be_bytes().to_vec();
                for value in row {
                    let length = value
                        .as_ref()
                        .map_or(-1, |it| i32::try_from(it.len()).unwrap());
                    body.extend(length.to_be_bytes());
                    body.extend(value.iter().flatten());
                }
                pgwire::message(b'D', &body)
            }
            Message::Complete(tag) => pgwire::complete(tag),
            Message::Error(code, text) => pgwire::error(code, text),
            Message::Setting(setting) => pgwire::message(b'S', setting),
            Message::Eof | Message::Other => Vec::new(),
        }
    }

    /// A line of a transcript behind its connection's name.
    fn read(text: &str) -> Message {
        let (kind, rest) = text.split_once(' ').unwrap_or((text, ""));
        match kind {
            "CopyOutResponse" => {
                let number = |name: &str| {
                    let (_, rest) = rest.split_once(name).expect("recorded");
                    rest.split(' ').next().unwrap()
                };
                Message::CopyOut {
                    format: number("fmt=").parse().unwrap(),
                    columns: number("ncols=").parse().unwrap(),
                }
            }
            "CopyData" => Message::Data(literal(rest).0),
            "CopyDone" => Message::Done,
            "ParameterStatus" => Message::Setting(literal(rest).0),
            "RowDescription" => Message::Columns(rest.split(" | ").map(described).collect()),
            "DataRow" => Message::Row(values(rest)),
            "CommandComplete" => Message::Complete(string(rest)),
            "ErrorResponse" => Message::Error(part(rest, "C="), part(rest, "M=")),
            "ReadyForQuery"
            | "NoticeResponse"
            | "EmptyQueryResponse"
            | "AuthenticationOk"
            | "AuthenticationCleartextPassword"
            | "BackendKeyData" => Message::Other,
            "<EOF:" => Message::Eof,
            "<client" | "<new" => Message::Other,
            _ => panic!("unknown message {text:?}"),
        }
    }
}

/// A string or bytes literal of Python, and what stands behind it.
fn literal(text: &str) -> (Vec<u8>, &str) {
    let text = text.strip_prefix('b').unwrap_or(text);
    let quote = text.as_bytes()[0];
    let (mut bytes, mut at) = (Vec::new(), 1);
    while text.as_bytes()[at] != quote {
        let byte = text.as_bytes()[at];
        at += 1;
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        at += 1;
        bytes.push(match text.as_bytes()[at - 1] {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'x' => {
                at += 2;
                u8::from_str_radix(&text[at - 2..at], 16).unwrap()
            }
            other => other,
        });
    }
    (bytes, &text[at + 1..])
}

fn string(text: &str) -> String {
    String::from_utf8(literal(text).0).unwrap()
}

/// The quoted text after `name` in a recorded error.
fn part(error: &str, name: &str) -> String {
    string(error.split_once(name).expect("recorded with each error").1)
}

/// `name:oid=23,len=4,typmod=-1,fmt=0,...`
fn described(text: &str) -> Described {
    let (name, rest) = text.rsplit_once(":oid=").expect("a column");
    let mut numbers = rest.split(',').map(|it| it.rsplit('=').next().unwrap());
    let mut number = || numbers.next().unwrap().parse().unwrap();
    Described {
        name: name.to_owned(),
        oid: number(),
        length: i16::try_from(number()).unwrap(),
        modifier: number(),
    }
}

/// `[b'1', None]`
fn values(text: &str) -> Vec<Option<Vec<u8>>> {
    let mut rest = text.strip_prefix('[').expect("a list");
    let mut values = Vec::new();
    while rest != "]" {
        rest = rest.trim_start_matches(", ");
        if let Some(left) = rest.strip_prefix("None") {
            values.push(None);
            rest = left;
        } else {
            let (value, left) = literal(rest);
            values.push(Some(value));
            rest = left;
        }
    }
    values
}

/// The exchanges of a transcript in order; what a cursor fetched stands with
/// its declaration.
fn read(generation: &'static str, path: &Path) -> Vec<Exchange> {
    let file = path.file_stem().unwrap().to_string_lossy().into_owned();
    let text = fs::read_to_string(path).unwrap();
    let mut exchanges: Vec<Exchange> = Vec::new();
    let mut open: BTreeMap<String, usize> = BTreeMap::new();
    for (line, text) in text.lines().enumerate() {
        let Some((connection, rest)) = text.strip_prefix('[').and_then(|it| it.split_once("] "))
        else {
            if !text.starts_with("# ") {
                // A line break within a statement.
                let asked = exchanges.last_mut().filter(|it| it.messages.is_empty());
                let asked = asked.unwrap_or_else(|| panic!("{}: {text:?}", path.display()));
                asked.sql = format!("{}\n{text}", asked.sql);
            }
            continue;
        };
        // Done from outside, or by somebody whose answers were left out.
        if connection == "step" || connection == "sys" {
            continue;
        }
        let Some(sql) = rest.strip_prefix(">>> ") else {
            let at = open.get(connection).copied().expect("a statement before");
            exchanges[at].messages.push((line, Message::read(rest)));
            continue;
        };
        let declared = exchanges
            .iter()
            .rposition(|it| it.sql.starts_with("DECLARE "));
        let at = match declared {
            Some(at) if sql.starts_with("FETCH ") => at,
            _ => {
                exchanges.push(Exchange {
                    generation,
                    file: file.clone(),
                    connection: connection.to_owned(),
                    line,
                    sql: sql.to_owned(),
                    messages: Vec::new(),
                });
                exchanges.len() - 1
            }
        };
        open.insert(connection.to_owned(), at);
    }
    exchanges
}

/// All files of a generation, sorted by name.
pub fn paths(generation: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(data().join("transcripts").join(generation)).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// All exchanges of a generation, file by file; a file of the driver's is none.
pub fn files(generation: &'static str) -> Vec<Vec<Exchange>> {
    let mut files = Vec::new();
    for path in paths(generation) {
        let stem = path.file_stem().unwrap().to_string_lossy();
        match path.extension().and_then(|it| it.to_str()) {
            Some("txt") if stem == claims::DRIVER => {}
            Some("txt") => files.push(read(generation, &path)),
            Some("sql") => files.push(psql::read(generation, &path)),
            // Read with the statements that they belong to.
            Some("copy" | "err") => {}
            _ => panic!("nobody reads {}", path.display()),
        }
    }
    files
}
