//! Every recorded stream through decoder, messages and assembler: the rows at
//! each event compared with those that the tests' own decoder sums up, the final
//! contents with a golden file.

use std::fmt::Write as _;
use std::fs;

use viewcast::model::event::TailEvent;
use viewcast::model::row::Column;
use viewcast::model::view::View;
use viewcast::tail::assembler::{Assembler, Start};
use viewcast::tail::copy_text::{CopyTextError, Lines};
use viewcast::tail::message::{Message, Messages};

use crate::support::table::Rows;
use crate::transcripts::claims::{Claim, streams};
use crate::transcripts::decode::{Line, rows_at};
use crate::transcripts::recorded::Recorded;
use crate::transcripts::{GENERATIONS, MODERN, data};

/// A publisher: takes events and compares the rows each time.
fn take(
    view: &mut Option<View>,
    event: TailEvent,
    recorded: &Recorded,
    lines: &[Line],
    closed: &mut usize,
) {
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
    let rows: Rows = view
        .rows()
        .map(|(row, copies)| (row.to_owned(), copies))
        .collect();
    let at = view.timestamp().get();
    assert_eq!(
        rows,
        rows_at(lines, at),
        "{} at {at}",
        recorded.exchange.sql
    );
    *closed += 1;
}

/// What the stream shows in the end, fed in chunks of at most `size` bytes.
fn replay(recorded: &Recorded, size: usize, closed: &mut usize) -> Option<View> {
    let columns: Vec<Column> = (recorded.columns.iter().cloned())
        .map(|(name, sql_type)| Column::new(name, sql_type))
        .collect();
    let expected = recorded.lines();
    let mut messages = Messages::new(&columns);
    let start = Start::Snapshot {
        floor: None,
        reached: None,
    };
    let mut assembler = Assembler::new(start, u64::MAX);
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
            for event in event.unwrap().into_iter().chain(assembler.rest()) {
                take(&mut view, event, recorded, &expected, closed);
            }
            Ok(())
        };
        lines.push(chunk, each).unwrap();
    }
    lines.finish().unwrap();
    let is_modern = MODERN.contains(&recorded.exchange.generation);
    if recorded.is_done && (is_modern || assembler.is_at_end_of_time()) {
        for event in assembler.finish(None).unwrap() {
            take(&mut view, event, recorded, &expected, closed);
        }
    }
    view
}

#[test]
fn tail_transcripts_show_what_their_raw_lines_sum_to() {
    let mut shown = String::new();
    let (mut of_all, mut closed) = (0, 0);
    for generation in GENERATIONS {
        for recorded in streams(generation, Claim::Stream) {
            let view = replay(&recorded, usize::MAX, &mut closed);
            for size in [1, 7, 64] {
                assert_eq!(replay(&recorded, size, &mut closed), view);
            }
            of_all += 1;
            let exchange = &recorded.exchange;
            let kinds: Vec<_> = (recorded.columns.iter())
                .map(|(_, sql_type)| sql_type.as_str())
                .collect();
            writeln!(
                shown,
                "{generation}/{} {}: {} [{}]",
                exchange.file,
                exchange.connection,
                exchange.sql,
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
    assert!(
        of_all > 170 && closed > 1000,
        "{of_all} streams, {closed} closed"
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
