//! The stand-in's own wire output beside that of the recorded servers, message
//! by message, for the same situations. What differs on purpose is listed here
//! and justified in docs/STANDIN.md.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use viewcast::demo::{Demo, DemoDialect, Options, start};

use super::demo_standin::options;
use crate::transcripts::data;

mod pairs;

use pairs::{ALIKE, MODERN, NEWEST, OLD, Pair};

/// A message without what varies from run to run.
type Shape = String;

/// Digits are times, ids and counts: no part of a shape.
fn without_digits(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars() {
        match character {
            '0'..='9' if out.ends_with('n') => {}
            '0'..='9' => out.push('n'),
            other => out.push(other),
        }
    }
    out
}

fn copy_data(line: &str) -> Shape {
    let fields: Vec<&str> = line.trim_end_matches('\n').split('\t').collect();
    match fields.get(1) {
        Some(&"t") if fields[2..].iter().all(|field| *field == "\\N") => {
            format!("CopyData progress of {}", fields.len())
        }
        _ => format!("CopyData update of {}", fields.len()),
    }
}

/// The same message, or the same two in turn, many times is the same as once.
fn collapsed(shapes: Vec<Shape>) -> Vec<Shape> {
    let mut out: Vec<Shape> = Vec::new();
    for shape in shapes {
        let repeats = out.last() == Some(&shape);
        out.extend((!repeats).then_some(shape));
        if let [.., a, b, c, d] = out.as_slice()
            && a == c
            && b == d
            && a.starts_with("CopyData")
        {
            out.truncate(out.len() - 2);
        }
    }
    out
}

// ---------------------------------------------------------------- recorded

/// A quoted value after ` NAME=` of a recorded message.
fn recorded_part(message: &str, name: &str) -> Option<String> {
    let (_, rest) = message.split_once(&format!(" {name}="))?;
    let quote = rest.chars().next()?;
    Some(rest.get(1..)?.split(quote).next()?.to_owned())
}

fn recorded_shape(message: &str) -> Option<Shape> {
    let (kind, rest) = message.split_once(' ').unwrap_or((message, ""));
    Some(match kind {
        "RowDescription" => {
            let columns = rest
                .split(" | ")
                .map(|column| column.split(",table=").next().unwrap());
            format!("RowDescription {}", columns.collect::<Vec<_>>().join(" "))
        }
        "DataRow" => format!("DataRow of {}", rest.matches(", ").count() + 1),
        "CommandComplete" => format!(
            "CommandComplete {}",
            without_digits(rest.trim_matches('\''))
        ),
        "ErrorResponse" => {
            let part = |name| recorded_part(message, name);
            let flags: String = ["D", "H", "P"]
                .iter()
                .filter(|it| part(it).is_some())
                .copied()
                .collect();
            let message = without_digits(&part("M")?);
            format!(
                "ErrorResponse {} {} {message} +{flags}",
                part("S")?,
                part("C")?
            )
        }
        "CopyOutResponse" => format!("CopyOutResponse {}", rest.split(" colfmts").next()?),
        "CopyData" => {
            let bytes = rest.strip_prefix("b'")?.strip_suffix('\'')?;
            copy_data(
                &bytes
                    .replace("\\t", "\t")
                    .replace("\\n", "\n")
                    .replace("\\\\", "\\"),
            )
        }
        "ReadyForQuery" | "CopyDone" | "EmptyQueryResponse" => message.to_owned(),
        // The real server's remarks carry no data, and ours has none to make.
        "NoticeResponse" => return None,
        _ => return None,
    })
}

/// What followed a statement on its connection, up to the next one there.
fn recorded(directory: &str, file: &str, statement: &str) -> Vec<Shape> {
    let path = data()
        .join("transcripts")
        .join(directory)
        .join(format!("{file}.txt"));
    let text = std::fs::read_to_string(path).unwrap();
    let mut connection: Option<&str> = None;
    let mut shapes = Vec::new();
    for line in text.lines() {
        let Some((on, rest)) = line.strip_prefix('[').and_then(|l| l.split_once("] ")) else {
            continue;
        };
        match (connection, rest.strip_prefix(">>> ")) {
            (None, Some(sql)) if sql == statement => connection = Some(on),
            (Some(it), Some(_)) if it == on => break,
            (Some(it), None) if it == on => shapes.extend(recorded_shape(rest)),
            _ => {}
        }
    }
    assert!(!shapes.is_empty(), "{directory}/{file}: {statement}");
    collapsed(shapes)
}

// ---------------------------------------------------------------- ours

struct Connection(TcpStream);

fn text(body: &[u8]) -> String {
    let end = body
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(body.len());
    String::from_utf8_lossy(&body[..end]).into_owned()
}

fn our_shape(kind: u8, body: &[u8]) -> Option<Shape> {
    let number = |at: usize| i16::from_be_bytes([body[at], body[at + 1]]);
    Some(match kind {
        b'T' => {
            let (mut at, mut columns) = (2, Vec::new());
            for _ in 0..number(0) {
                let name = text(&body[at..]);
                at += name.len() + 7;
                let wide = |at: usize| i32::from_be_bytes(body[at..at + 4].try_into().unwrap());
                columns.push(format!(
                    "{name}:oid={},len={},typmod={},fmt={}",
                    wide(at),
                    number(at + 4),
                    wide(at + 6),
                    number(at + 10)
                ));
                at += 12;
            }
            format!("RowDescription {}", columns.join(" "))
        }
        b'D' => format!("DataRow of {}", number(0)),
        b'C' => format!("CommandComplete {}", without_digits(&text(body))),
        b'E' => {
            let parts: Vec<String> = body.split(|byte| *byte == 0).map(text).collect();
            let part = |name: char| {
                parts
                    .iter()
                    .find_map(|part| part.strip_prefix(name))
                    .map(str::to_owned)
            };
            let flags: String = ['D', 'H', 'P']
                .into_iter()
                .filter(|it| part(*it).is_some())
                .collect();
            let message = without_digits(&part('M')?);
            format!(
                "ErrorResponse {} {} {message} +{flags}",
                part('S')?,
                part('C')?
            )
        }
        b'H' => format!("CopyOutResponse fmt={} ncols={}", body[0], number(1)),
        b'd' => copy_data(&String::from_utf8_lossy(body)),
        b'c' => "CopyDone".to_owned(),
        b'I' => "EmptyQueryResponse".to_owned(),
        b'Z' => format!("ReadyForQuery {}", char::from(body[0])),
        _ => return None,
    })
}

impl Connection {
    fn open(demo: &Demo) -> Self {
        let mut socket = TcpStream::connect(demo.address()).unwrap();
        let parameters = b"\0\x03\0\0user\0materialize\0database\0materialize\0\0";
        let length = i32::try_from(parameters.len() + 4).unwrap();
        socket
            .write_all(&[&length.to_be_bytes(), parameters.as_slice()].concat())
            .unwrap();
        let mut connection = Connection(socket);
        while connection.next().as_deref() != Some("ReadyForQuery I") {}
        connection
    }

    fn next(&mut self) -> Option<Shape> {
        let mut head = [0; 5];
        self.0.read_exact(&mut head).expect("the stand-in goes on");
        let length = i32::from_be_bytes(head[1..].try_into().unwrap());
        let mut body = vec![0; usize::try_from(length - 4).unwrap()];
        self.0.read_exact(&mut body).unwrap();
        our_shape(head[0], &body)
    }

    fn send(&mut self, sql: &str) {
        let length = i32::try_from(sql.len() + 5).unwrap();
        let message = [b"Q", &length.to_be_bytes()[..], sql.as_bytes(), b"\0"].concat();
        self.0.write_all(&message).unwrap();
    }

    /// Messages up to one that begins like this.
    fn until(&mut self, last: &str) -> Vec<Shape> {
        let mut shapes = Vec::new();
        loop {
            let shape = self.next();
            let is_last = shape.as_ref().is_some_and(|shape| shape.starts_with(last));
            shapes.extend(shape);
            if is_last {
                return shapes;
            }
        }
    }

    fn ask(&mut self, sql: &str) -> Vec<Shape> {
        self.send(sql);
        collapsed(self.until("ReadyForQuery"))
    }
}

// ---------------------------------------------------------------- both

/// Whether the stand-in's answer to a recorded statement is compared here.
pub(crate) fn is_compared(directory: &str, file: &str, sql: &str) -> bool {
    let (alike, of_one) = match directory {
        "0.7" => (ALIKE, OLD),
        "26.17" => (ALIKE, MODERN),
        "26.35" => (&[][..], NEWEST),
        // The stand-in imitates no such server.
        _ => return false,
    };
    let mut pairs = alike.iter().chain(of_one);
    pairs.any(|(of, statement, _)| *of == file && *statement == sql)
}

/// Asks all statements in order, on one connection; what differs.
fn differences(demo: &Demo, directory: &str, pairs: &[&[Pair]]) -> Vec<String> {
    let mut connection = Connection::open(demo);
    let mut differences = Vec::new();
    for (file, statement, ours) in pairs.iter().copied().flatten() {
        let (theirs, ours) = (recorded(directory, file, statement), connection.ask(ours));
        if theirs != ours {
            differences.push(format!(
                "{statement}\n  recorded {theirs:#?}\n  ours     {ours:#?}"
            ));
        }
    }
    differences
}

fn demo(dialect: DemoDialect) -> Demo {
    let options = Options {
        dialect,
        ..options(20, 500.0, 2_000)
    };
    start(options).unwrap()
}

#[test]
fn wire_of_the_modern_stand_in_is_that_of_the_recorded_server() {
    let demo = demo(DemoDialect::Subscribe);
    let different = differences(&demo, "26.17", &[ALIKE, MODERN]);
    assert!(different.is_empty(), "{}", different.join("\n"));

    let (mut tail, mut sql) = (Connection::open(&demo), Connection::open(&demo));
    let copy = "COPY (SUBSCRIBE TO mz_ok WITH (SNAPSHOT, PROGRESS)) TO STDOUT";
    tail.send(copy);
    let mut ours = tail.until("CopyData update");
    ours.extend(tail.until("CopyData progress"));
    sql.ask("DROP MATERIALIZED VIEW mz_ok");
    ours.extend(tail.until("ReadyForQuery"));
    assert_eq!(
        collapsed(ours),
        recorded("26.17", "drop_while_subscribed", copy)
    );

    // A view of one column, as the recorded one has.
    let plain = tail.ask("COPY (SUBSCRIBE TO nosuch) TO STDOUT");
    assert_eq!(plain.len(), 2);
    tail.send("COPY (SUBSCRIBE TO nv) TO STDOUT");
    let mut ours = tail.until("CopyData update");
    sql.ask("DROP VIEW nv");
    ours.extend(tail.until("ReadyForQuery"));
    let statement = "COPY (SUBSCRIBE TO nonmat WITH (SNAPSHOT, PROGRESS)) TO STDOUT";
    let theirs = recorded("26.17", "drop_table_cascade_while_subscribed", statement);
    let told = |shapes: &[Shape]| {
        shapes
            .last_chunk::<2>()
            .unwrap()
            .clone()
            .map(|it| it.replace("nonmat", "nv"))
    };
    assert_eq!(told(&collapsed(ours)), told(&theirs));

    sql.ask("CREATE MATERIALIZED VIEW mz_ok AS SELECT code, family FROM wikis");
    let now: u64 =
        crate::demo_standin::query(&mut crate::demo_standin::connect(&demo), "SELECT mz_now()")[0]
            [0]
        .as_ref()
        .unwrap()
        .parse()
        .unwrap();
    let ours = tail.ask(&format!(
        "COPY (SUBSCRIBE TO mz_ok WITH (PROGRESS) AS OF {} UP TO {}) TO STDOUT",
        now + 100,
        now + 300
    ));
    let until = "COPY (SUBSCRIBE TO mz_ok WITH (PROGRESS) UP TO 1795383531916) TO STDOUT";
    // The recording ended before the stream did.
    let theirs = recorded("26.17", "err_statements", until);
    assert_eq!(ours[..theirs.len()], theirs);
    let end = ["CopyDone", "CommandComplete COPY n", "ReadyForQuery I"];
    assert_eq!(ours[theirs.len()..], end);
}

#[test]
fn wire_of_what_the_stand_in_learned_is_that_of_the_newest_server() {
    let demo = demo(DemoDialect::Subscribe);
    let different = differences(&demo, "26.35", &[NEWEST]);
    assert!(different.is_empty(), "{}", different.join("\n"));

    // A stream goes on with what it began with, whatever names mean meanwhile.
    let (mut tail, mut sql) = (Connection::open(&demo), Connection::open(&demo));
    sql.ask("CREATE SCHEMA one");
    sql.ask("CREATE SCHEMA two");
    for schema in ["one", "two"] {
        sql.ask(&format!("CREATE TABLE {schema}.t (a int)"));
        sql.ask(&format!("INSERT INTO {schema}.t VALUES (1)"));
    }
    tail.send("COPY (SUBSCRIBE one.t WITH (PROGRESS)) TO STDOUT");
    let mut ours = tail.until("CopyData update");
    sql.ask("ALTER SCHEMA one SWAP WITH two");
    sql.ask("INSERT INTO two.t VALUES (2)");
    ours.extend(tail.until("CopyData update"));
    let theirs = recorded(
        "26.35",
        "schema_swap",
        "COPY (SUBSCRIBE blue.v WITH (PROGRESS)) TO STDOUT",
    );
    assert_eq!(collapsed(ours), theirs);
}

#[test]
fn wire_of_the_old_stand_in_is_that_of_the_recorded_server() {
    let demo = demo(DemoDialect::Tail);
    let different = differences(&demo, "0.7", &[ALIKE, OLD]);
    assert!(different.is_empty(), "{}", different.join("\n"));

    let (mut tail, mut sql) = (Connection::open(&demo), Connection::open(&demo));
    sql.ask("CREATE VIEW under AS SELECT code, family FROM wikis");
    sql.ask("CREATE VIEW over AS SELECT * FROM under");
    let copy = "COPY (TAIL over WITH (PROGRESS)) TO STDOUT";
    tail.send(copy);
    let mut ours = tail.until("CopyData progress");
    sql.ask("DROP VIEW under CASCADE");
    ours.extend(tail.until("ReadyForQuery"));
    let theirs = recorded(
        "0.7",
        "drop_table_cascade_while_tailed",
        "COPY (TAIL mz_ok WITH (PROGRESS)) TO STDOUT",
    );
    assert_eq!(collapsed(ours), theirs);
}
