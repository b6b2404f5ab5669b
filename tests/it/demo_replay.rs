//! `demo --upstream`: what the replay says to a server, which is a script here.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use viewcast::demo::replay;

use super::demo_standin::options;
use crate::support::gateway::Process;

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap();
    [&[kind][..], &length.to_be_bytes(), body].concat()
}

/// Answers one connection: NULL or `max` to the questions for numbers, no
/// columns, success to all else; hangs up after `inserts` of them.
fn serve(mut socket: TcpStream, max: Option<&str>, inserts: usize, heard: &SyncSender<String>) {
    let mut length = [0; 4];
    socket.read_exact(&mut length).unwrap();
    let mut startup = vec![0; u32::from_be_bytes(length) as usize - 4];
    socket.read_exact(&mut startup).unwrap();
    let ready = message(b'Z', b"I");
    socket
        .write_all(&[message(b'R', &[0; 4]), ready.clone()].concat())
        .unwrap();
    let mut inserted = 0;
    let mut head = [0; 5];
    while socket.read_exact(&mut head).is_ok() && head[0] == b'Q' {
        let length = u32::from_be_bytes(head[1..].try_into().unwrap()) as usize - 4;
        let mut sql = vec![0; length];
        socket.read_exact(&mut sql).unwrap();
        sql.pop();
        let sql = String::from_utf8(sql).unwrap();
        let mut answer = Vec::new();
        if sql.starts_with("SELECT") {
            answer.extend(message(
                b'T',
                b"\0\x01n\0\0\0\0\0\0\0\0\0\0\x14\0\x08\xff\xff\xff\xff\0\0",
            ));
            let number = if sql.contains("wikis") {
                Some("0")
            } else {
                max
            };
            let field = number.map_or_else(
                || (-1_i32).to_be_bytes().to_vec(),
                |text| {
                    [
                        &u32::try_from(text.len()).unwrap().to_be_bytes(),
                        text.as_bytes(),
                    ]
                    .concat()
                },
            );
            answer.extend(message(b'D', &[&[0, 1][..], &field].concat()));
        }
        answer.extend(message(b'C', b"OK\0"));
        answer.extend(&ready);
        inserted += usize::from(sql.starts_with("INSERT INTO edits"));
        if heard.send(sql).is_err() || inserted > inserts || socket.write_all(&answer).is_err() {
            return;
        }
    }
}

#[test]
fn replay_creates_seeds_inserts_and_goes_on_after_a_lost_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!(
        "postgres://materialize@{}/materialize",
        listener.local_addr().unwrap()
    );
    let stop = AtomicBool::new(false);
    let (heard, statements) = sync_channel(1_024);
    let connect = || postgres::Client::connect(&url, postgres::NoTls).map_err(|e| e.to_string());
    thread::scope(|scope| {
        scope.spawn(|| replay(&connect, &options(10, 1_000.0, 1_200), &stop).unwrap());
        scope.spawn(move || {
            // Empty at first, then with what the first connection has taken in.
            for max in [None, Some("1699")] {
                serve(listener.accept().unwrap().0, max, 4, &heard);
            }
        });
        let next = || {
            let mut sql = statements.recv().unwrap();
            // What is there already is looked at before anything is created.
            while sql.starts_with("SHOW COLUMNS FROM ") {
                sql = statements.recv().unwrap();
            }
            sql
        };
        for _ in 0..9 {
            assert!(next().starts_with("CREATE "));
        }
        assert_eq!(next(), "SELECT count(*) FROM wikis");
        assert!(next().starts_with("INSERT INTO wikis VALUES ('ar', 'Arabic', 'Semitic'), "));
        assert_eq!(next(), "SELECT max(edit_id) FROM edits");
        let first = next();
        assert!(
            first.starts_with("INSERT INTO edits VALUES (0, '2015-09-12 00:46:58.771', 'en', ")
        );
        assert!(
            first.contains("), (499, ") && !first.contains("), (500, "),
            "500 rows at once"
        );
        assert!(next().starts_with("INSERT INTO edits VALUES (500, "));
        let again = statements.iter().find(|sql| sql.starts_with("CREATE "));
        assert!(again.is_some(), "the replay connects again");
        let on = statements
            .iter()
            .find(|sql| sql.starts_with("INSERT INTO edits"))
            .unwrap();
        assert!(
            on.starts_with("INSERT INTO edits VALUES (1700, "),
            "{}",
            &on[..60]
        );
        stop.store(true, Ordering::Relaxed);
        drop(statements);
    });
}

/// Answers one connection of which `edits` has other columns; the statements.
fn serve_foreign(mut socket: TcpStream) -> Vec<String> {
    let mut length = [0; 4];
    socket.read_exact(&mut length).unwrap();
    let mut startup = vec![0; u32::from_be_bytes(length) as usize - 4];
    socket.read_exact(&mut startup).unwrap();
    let ready = message(b'Z', b"I");
    socket
        .write_all(&[message(b'R', &[0; 4]), ready.clone()].concat())
        .unwrap();
    let mut heard = Vec::new();
    let mut head = [0; 5];
    while socket.read_exact(&mut head).is_ok() && head[0] == b'Q' {
        let length = u32::from_be_bytes(head[1..].try_into().unwrap()) as usize - 4;
        let mut sql = vec![0; length];
        socket.read_exact(&mut sql).unwrap();
        sql.pop();
        let sql = String::from_utf8(sql).unwrap();
        let mut answer = Vec::new();
        if sql == "SHOW COLUMNS FROM \"edits\"" {
            let column = |name: &str| {
                [
                    name.as_bytes(),
                    b"\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0",
                ]
                .concat()
            };
            let columns = ["name", "nullable", "type"].map(column).concat();
            answer.extend(message(b'T', &[&[0, 3][..], &columns].concat()));
            let field = |text: &str| {
                [
                    &u32::try_from(text.len()).unwrap().to_be_bytes()[..],
                    text.as_bytes(),
                ]
                .concat()
            };
            let row = ["document", "f", "uuid"].map(field).concat();
            answer.extend(message(b'D', &[&[0, 3][..], &row].concat()));
            answer.extend(message(b'C', b"SELECT 1\0"));
        } else {
            answer.extend(message(
                b'E',
                b"SERROR\0CXX000\0Munknown catalog item 'x'\0\0",
            ));
        }
        answer.extend(&ready);
        heard.push(sql);
        if socket.write_all(&answer).is_err() {
            break;
        }
    }
    heard
}

#[test]
fn replay_into_somebody_elses_table_stops_and_changes_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!(
        "postgres://materialize@{}/materialize?sslmode=disable",
        listener.local_addr().unwrap()
    );
    let server = thread::spawn(move || serve_foreign(listener.accept().unwrap().0));
    let mut process = Process::start(&["demo", "--listen", "127.0.0.1:0", "--upstream", &url]);
    assert_eq!(process.await_exit().code(), Some(1));
    let log = process.log();
    let told: Vec<_> = log.iter().filter(|line| line.contains("error")).collect();
    let expected = "error: could not start the demo: the upstream's \"edits\" is not the demo's: \
                    it has the columns document uuid, not edit_id bigint, edited_at timestamp, \
                    wiki text, page text, user_name text, bytes bigint, minute_until numeric, \
                    hot_until numeric";
    assert_eq!(told, [expected], "{log:#?}");
    assert!(
        log.iter()
            .any(|line| line.starts_with("hint: Nothing was changed."))
    );
    let heard = server.join().unwrap();
    let only_asked = heard
        .iter()
        .all(|sql| sql.starts_with("SHOW COLUMNS FROM "));
    assert!(!heard.is_empty() && only_asked, "{heard:#?}");
}
