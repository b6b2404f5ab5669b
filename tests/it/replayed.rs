//! The recorded bytes of real servers, played over TCP to the real gateway:
//! what a client of it holds at each id, against a sum over the raw lines and
//! the golden file of `tail_transcripts`.

use std::collections::BTreeMap;

use viewcast::model::row::Column;
use viewcast::model::view::View;

use crate::support::gateway::Gateway;
use crate::support::materialize::{Generation, Materialize, Play};
use crate::support::sse::Stream;
use crate::support::table::{Rows, Table};
use crate::tail_transcripts::{Recorded, columns, data, oracle, paths, read, replay};

/// One recorded stream and what it must come to.
pub struct Case {
    /// The view's name: file, connection, place in the file.
    pub name: String,
    pub recorded: Recorded,
    pub columns: Vec<Column>,
    /// What the decoder alone makes of it.
    end: Option<View>,
    /// The final rows by the golden file.
    rows: Rows,
}

/// The final rows of each stream of a generation by the golden file, in its order.
fn golden(directory: &str) -> Vec<Rows> {
    let golden = std::fs::read_to_string(data().join("transcripts.golden")).unwrap();
    let (mut blocks, mut is_ours) = (Vec::new(), false);
    for line in golden.lines() {
        let Some(row) = line.strip_prefix("  ") else {
            is_ours = line.starts_with(directory);
            if is_ours {
                blocks.push(Rows::new());
            }
            continue;
        };
        let row = row.split_once(' ').filter(|_| is_ours);
        if let Some((copies, row)) = row
            && let Ok(copies) = copies.parse()
        {
            blocks.last_mut().unwrap().insert(row.to_owned(), copies);
        }
    }
    blocks
}

/// All recorded streams of a generation.
pub fn cases(directory: &str) -> Vec<Case> {
    let mut blocks = golden(directory).into_iter();
    let mut cases = Vec::new();
    for path in paths(directory) {
        let (recordings, types) = read(&path);
        for (at, recorded) in recordings.into_iter().enumerate() {
            let columns = columns(&recorded, &types);
            let file = path.file_stem().unwrap().to_string_lossy();
            cases.push(Case {
                // A name without quotes is folded to lower case.
                name: format!("{file}_{}_{at}", recorded.name).to_lowercase(),
                end: replay(&recorded, &columns, usize::MAX, &mut 0),
                rows: blocks
                    .next()
                    .unwrap_or_else(|| panic!("{file} is not in the golden file")),
                recorded,
                columns,
            });
        }
    }
    cases
}

impl Case {
    /// The place in the recording after which the first rows are complete, if
    /// its own lines say so.
    fn closes_at(&self) -> Option<usize> {
        let times = self.recorded.chunks.iter().map(|chunk| {
            let text = String::from_utf8_lossy(chunk);
            text.split('\t').next().unwrap().parse::<u64>().unwrap()
        });
        let times: Vec<u64> = times.collect();
        let first = *times.first()?;
        times.iter().position(|time| *time > first)
    }

    /// The messages as they were recorded; a gate stands where the first rows
    /// are complete, or before all if `held`, and a second one before an end
    /// that is a fault.
    pub fn script(&self, held: bool) -> Vec<Play> {
        let mut script = vec![Play::copy_out(self.recorded.width)];
        let gate = match held {
            true => None,
            false => self.closes_at(),
        };
        if held {
            script.push(Play::Gate(1));
        }
        for (at, chunk) in self.recorded.chunks.iter().enumerate() {
            script.push(Play::data(chunk));
            if gate == Some(at) {
                script.push(Play::Gate(1));
            }
        }
        let end = match &self.recorded.error {
            Some((code, message)) => Play::error(code, message),
            None if self.recorded.is_cut => Play::Close,
            None if self.recorded.is_done => Play::done(),
            None => Play::Idle,
        };
        if !self.is_final() {
            script.push(Play::Gate(2));
        }
        script.push(end);
        script
    }

    /// Whether the recorded end says that the rows are the view's last ones:
    /// an old server says so by the end of time only.
    fn is_final(&self) -> bool {
        let is_modern = self.recorded.sql.contains("SUBSCRIBE");
        let end_of_time = u64::MAX.to_string();
        let is_last = |chunk: &Vec<u8>| chunk.starts_with(end_of_time.as_bytes());
        self.recorded.is_done && (is_modern || self.recorded.chunks.iter().any(is_last))
    }

    /// Creates the view.
    pub fn create(&self, server: &Materialize) {
        let columns: Vec<(&str, &str)> = (self.columns.iter())
            .map(|column| (column.name.as_str(), column.sql_type.as_str()))
            .collect();
        server.create_view(&self.name, &columns);
    }

    /// Reads the stream to where the recording ends; returns the ids seen.
    fn follow(&self, stream: &mut Stream, mut table: Table) -> usize {
        let end = self.end.as_ref().expect("a snapshot").timestamp().get();
        let mut ids = 0;
        loop {
            if let Some(timestamp) = table.timestamp {
                let mut copies: Vec<u64> = table.rows.values().copied().collect();
                let summed = oracle(&self.recorded, timestamp);
                let mut expected: Vec<u64> = summed
                    .into_values()
                    .map(|n| u64::try_from(n).unwrap())
                    .collect();
                copies.sort_unstable();
                expected.sort_unstable();
                assert_eq!(copies, expected, "{} at {timestamp}", self.name);
                ids += 1;
                if timestamp >= end {
                    assert_eq!(table.rows, self.rows, "{} in the end", self.name);
                    assert_eq!(table.bases, 1, "{}", self.name);
                    return ids;
                }
            }
            let before = table.timestamp;
            table.read_until(stream, |table| table.timestamp != before);
        }
    }
}

/// Plays all streams of a generation to one gateway, up to their faults, which
/// are `replayed_faults`' business; the ids compared.
fn play(generation: Generation, directory: &str) -> usize {
    let server = Materialize::start(generation);
    let mut cases = cases(directory);
    // A stream without a snapshot is none that the gateway asks for; one that
    // never closes its rows is a test of `replayed_faults`.
    cases.retain(|case| case.end.is_some());
    let mut arguments = vec!["--upstream".to_owned(), server.url()];
    for case in &cases {
        case.create(&server);
        // An old server tells nothing of an empty view: its base comes first.
        let held = generation == Generation::Old && case.recorded.sql.contains("TAIL ve ");
        server.script(&case.name, case.script(held));
        if case.is_final() {
            // The end of a view that does not change is believed when it comes
            // again, and a count of the rows agrees.
            server.script(&case.name, case.script(held));
            server.holds(&case.name, oracle(&case.recorded, u64::MAX).values().sum());
        }
        arguments.extend(["--view".to_owned(), case.name.clone()]);
    }
    // What is silent here is so on purpose.
    arguments.extend(["--upstream-timeout", "60s", "--heartbeat", "200ms"].map(str::to_owned));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let gateway = Gateway::start(&arguments);
    let mut streams: BTreeMap<&str, (Stream, Table)> = BTreeMap::new();
    for case in &cases {
        let mut stream = Stream::open(gateway.address, &format!("/{}/stream", case.name));
        let mut table = Table::default();
        let base = stream
            .next()
            .unwrap_or_else(|| panic!("{} has no base", case.name));
        assert_eq!(base.name, "base", "{}", case.name);
        table.apply(&base);
        streams.insert(&case.name, (stream, table));
    }
    server.open_gate();
    let mut ids = 0;
    for case in &cases {
        let (mut stream, table) = streams.remove(case.name.as_str()).unwrap();
        ids += case.follow(&mut stream, table);
    }
    for line in gateway.process.log() {
        assert!(
            !line.contains("malformed") && !line.contains("inconsistent"),
            "{line}"
        );
    }
    println!("{} streams, {ids} ids", cases.len());
    assert!(cases.len() > 60, "{} streams", cases.len());
    ids
}

#[test]
fn replayed_tails_of_the_old_server_reach_clients_exactly() {
    assert!(play(Generation::Old, "0.7") > 60);
}

#[test]
fn replayed_subscribes_of_the_modern_server_reach_clients_exactly() {
    assert!(play(Generation::Modern, "26.17") > 60);
}
