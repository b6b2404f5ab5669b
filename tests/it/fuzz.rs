//! Whatever comes in: bytes made by chance from a corpus, and what must hold
//! for each of them. A bounded loop, since cargo-fuzz needs a nightly compiler.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use viewcast::cli::Flags;
use viewcast::config;
use viewcast::model::position::Position;
use viewcast::model::row::Column;
use viewcast::model::value::Encoder;
use viewcast::tail::copy_text::{CopyTextError, Lines};
use viewcast::tail::message::{Message, Messages};

use crate::soak;
use crate::support::dice::Dice;
use crate::support::gateway::Gateway;
use crate::support::materialize::{Generation, Materialize, row};
use crate::support::sse::Stream;

/// What a target runs in `make test`; in a soak, a twentieth of it each.
const SHORT: Duration = Duration::from_millis(700);

/// Inputs in `make test`, at the most: the same ones each time. What is new is
/// for `make soak` to find.
const SHORT_INPUTS: u64 = 20_000;

fn seed() -> u64 {
    soak::seed_or(1)
}

/// The files of a corpus, in the order of their names.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/corpus")
        .join(name);
    let mut paths: Vec<_> = fs::read_dir(folder)
        .expect("a corpus")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    paths
        .iter()
        .map(|path| fs::read(path).expect("a file"))
        .collect()
}

/// Pieces that have a meaning somewhere.
const TOKENS: [&[u8]; 26] = [
    b"\t",
    b"\n",
    b"\\N",
    b"\\",
    b"\\x",
    b"\\7",
    b"\"",
    b"{",
    b"}",
    b"[",
    b"]",
    b"(",
    b",",
    b"NULL",
    b"-",
    b"0",
    b"18446744073709551616",
    b"1e999",
    b"NaN",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"=",
    b"'''",
    b"=>",
    b"\0",
    b"\r",
];

fn mutated(corpus: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut input = dice.pick(corpus).clone();
    for _ in 0..dice.below(7) {
        let at = dice.below(input.len() + 1);
        let to = (at + dice.below(9)).min(input.len());
        match dice.below(6) {
            0 if at < input.len() => input[at] ^= 1 << dice.below(8),
            1 => drop(input.splice(at..at, dice.pick(&TOKENS).iter().copied())),
            2 => drop(input.drain(at..to)),
            3 => {
                let again = input[at..to].repeat(dice.below(40) + 1);
                input.splice(to..to, again);
            }
            4 => {
                let other = dice.pick(corpus);
                let from = dice.below(other.len() + 1);
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
            _ => {
                let byte = u8::try_from(dice.below(256)).unwrap();
                input.insert(at, byte);
            }
        }
    }
    input
}

/// Tries the corpus itself, then mutations of it, for a while.
fn fuzz(name: &str, holds: impl Fn(&[u8], &mut Dice)) {
    let corpus = corpus(name);
    let seed = seed();
    let mut dice = Dice::new(seed);
    let time = soak::seconds().map_or(SHORT, |all| all / 20);
    let end = Instant::now() + time;
    let mut tried = 0u64;
    let most = soak::seconds().map_or(SHORT_INPUTS, |_| u64::MAX);
    while tried < u64::try_from(corpus.len()).unwrap() || (Instant::now() < end && tried < most) {
        let input = match corpus.get(usize::try_from(tried).unwrap()) {
            Some(input) => input.clone(),
            None => mutated(&corpus, &mut dice),
        };
        let outcome = catch_unwind(AssertUnwindSafe(|| holds(&input, &mut dice)));
        if let Err(panic) = outcome {
            println!("seed {seed}, input {}", input.escape_ascii());
            resume_unwind(panic);
        }
        tried += 1;
    }
    soak::report(
        &format!("fuzzing: {name}"),
        &format!("{tried:>10}  inputs from seed {seed}"),
    );
}

const TYPES: [&str; 6] = [
    "integer",
    "text",
    "jsonb",
    "numeric",
    "integer list",
    "double precision",
];

fn columns(types: &[&str]) -> Vec<Column> {
    let named = types
        .iter()
        .enumerate()
        .map(|(at, kind)| Column::new(format!("c{at}"), *kind));
    named.collect()
}

/// The lines that chunks make, and how they end.
fn lines(chunks: &[&[u8]]) -> (Vec<Vec<u8>>, Result<(), CopyTextError>) {
    let mut lines = Lines::new(4_000);
    let mut found = Vec::new();
    for chunk in chunks {
        let pushed = lines.push(chunk, |line| {
            found.push(line.to_vec());
            Ok::<(), CopyTextError>(())
        });
        if pushed.is_err() {
            return (found, pushed);
        }
    }
    let end = lines.finish();
    (found, end)
}

/// A value as another project reads it; `None` where that has limits of its
/// own, in depth and in the size of a number within jsonb.
fn parsed(json: &str) -> Option<serde_json::Value> {
    match serde_json::from_str(json) {
        Ok(value) => Some(value),
        Err(error) => {
            let text = error.to_string();
            let is_limit = text.contains("recursion limit") || text.contains("out of range");
            assert!(is_limit, "{text}: {json}");
            None
        }
    }
}

#[test]
fn fuzz_copy_text_is_read_the_same_in_any_pieces() {
    fuzz("copy", |input, dice| {
        let whole = lines(&[input]);
        let (at, to) = (dice.below(input.len() + 1), dice.below(input.len() + 1));
        let (at, to) = (at.min(to), at.max(to));
        assert_eq!(
            lines(&[&input[..at], &input[at..to], &input[to..]]).0,
            whole.0
        );
        let mut messages = Messages::new(&columns(&TYPES));
        for line in whole.0 {
            let Ok(Message::Update { diff, row, .. }) = messages.read(&line) else {
                continue;
            };
            assert!(diff != 0);
            // One object on one line, whatever the values were.
            let Some(value) = parsed(row) else {
                continue;
            };
            assert_eq!(value.as_object().expect("an object").len(), TYPES.len());
            assert!(
                !row.bytes().any(|byte| byte < 0x20),
                "a raw control character"
            );
            let row = row.to_owned();
            let again = messages.read(&line);
            assert!(matches!(again, Ok(Message::Update { row: same, .. }) if same == row));
        }
    });
}

#[test]
fn fuzz_values_are_json_and_numbers_keep_their_digits() {
    let types = [
        "text",
        "bigint",
        "numeric",
        "double precision",
        "jsonb",
        "integer list",
        "text[]",
        "map[text=>text]",
        "record(a: integer, b: text)",
        "boolean",
        "interval",
    ];
    let columns = columns(&types);
    let encoder = Encoder::new(&columns);
    fuzz("values", |input, _| {
        let text = String::from_utf8_lossy(input);
        for (at, kind) in types.iter().enumerate() {
            let mut out = String::new();
            encoder.value(at, Some(&text), &mut out);
            // What stands before a value is its name and punctuation.
            let (_, value) = out.split_once(':').expect("a name first");
            let Some(shown) = parsed(value) else {
                continue;
            };
            assert!(
                !value.bytes().any(|byte| byte < 0x20),
                "{kind}: a raw control character"
            );
            match *kind {
                "text" | "interval" => assert_eq!(shown.as_str(), Some(&*text)),
                "bigint" | "numeric" | "double precision" => {
                    // In JSON's own grammar, the digits stay as they are.
                    let is_number = text.trim() == text
                        && serde_json::from_str::<serde_json::Number>(&text).is_ok();
                    let digits = shown.as_str().unwrap_or(value).to_lowercase();
                    assert!(
                        !is_number || digits == text.trim().to_lowercase(),
                        "{kind}: {value}"
                    );
                }
                _ => {}
            }
        }
    });
}

#[test]
fn fuzz_positions_are_read_whole_or_not_at_all() {
    fuzz("position", |input, _| {
        let Ok(text) = std::str::from_utf8(input) else {
            return;
        };
        let Ok(position) = text.parse::<Position>() else {
            return;
        };
        let shown = position.to_string();
        assert_eq!(shown.parse(), Ok(position));
        // Nothing but zeros before the number may be lost.
        assert_eq!(text.trim_start_matches('0'), shown.trim_start_matches('0'));
    });
}

#[test]
fn fuzz_configuration_is_an_answer_and_keeps_its_secret() {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("viewcast.toml");
    fuzz("config", |input, _| {
        fs::write(&path, input).expect("written");
        let flags = Flags {
            config: Some(path.clone()),
            ..Flags::default()
        };
        let nothing = |_: &str| None;
        let text = String::from_utf8_lossy(input);
        let in_place = |line: &str| {
            line.starts_with("upstream = \"")
                && (line.contains(":hunter2@") || line.contains(" password=hunter2\""))
        };
        let is_secret = text.matches("hunter2").count() == 1 && text.lines().any(in_place);
        let said = match (
            config::load(&flags, &nothing),
            config::check(&flags, &nothing),
        ) {
            (Ok(config), Ok((_, shown))) => {
                toml::from_str::<toml::Table>(&shown).expect("what is shown is TOML");
                format!("{shown}{config:?}")
            }
            (_, Err(errors)) | (Err(errors), _) => {
                assert!(!errors.0.is_empty());
                for error in &errors.0 {
                    assert!(error.hint().ends_with(['.', '?']), "{error:?}");
                }
                errors.report()
            }
        };
        assert!(
            !is_secret || !said.contains("hunter2"),
            "the password shows: {said}"
        );
    });
}

#[test]
fn fuzz_last_event_ids_always_get_a_base() {
    let server = Materialize::start(Generation::Modern);
    server.create_view("v", &[("n", "integer")]);
    let at = server.commit("v", vec![(row(["1"]), 1)]);
    let url = server.url();
    let gateway = Gateway::start(&["--upstream", &url, "--view", "v"]);
    gateway.await_ready();
    let good = Stream::open(gateway.address, "/v/stream")
        .expect("base")
        .id
        .expect("an id");
    let mut dice = Dice::new(seed());
    let corpus = [corpus("position"), vec![good.clone().into_bytes()]].concat();
    let tries = if soak::seconds().is_some() {
        3_000
    } else {
        150
    };
    for _ in 0..tries {
        let mut id = mutated(&corpus, &mut dice);
        // What can stand in a header.
        id.retain(|byte| (0x20..0x7f).contains(byte) || *byte >= 0x80);
        let id: String = id.iter().map(|byte| char::from(*byte)).collect();
        // A good one goes on, one from the future is waited for.
        let timestamp = id
            .trim()
            .split('-')
            .next()
            .and_then(|text| text.parse::<u64>().ok());
        if id.trim().ends_with(good.split_once('-').unwrap().1) && timestamp >= Some(at) {
            continue;
        }
        let mut stream = Stream::open_with(gateway.address, "/v/stream", &[("Last-Event-ID", &id)]);
        let event = stream.next().expect("an event");
        assert_eq!(event.name, "base", "{id:?}");
    }
}
