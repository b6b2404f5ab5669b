//! Lines to messages, good and bad.

use super::*;
use proptest::prelude::*;

fn messages() -> Messages {
    let column = |name: &str, sql_type: &str| Column::new(name, sql_type);
    Messages::new(&[column("n", "integer"), column("b", "text")])
}

#[test]
fn message_rows_and_progress_are_read() {
    let mut messages = messages();
    assert_eq!(
        messages.read(b"18446744073709551615\tf\t-3\t1\tx\\ty"),
        Ok(Message::Update {
            timestamp: Timestamp::MAX,
            diff: -3,
            row: r#"{"n":1,"b":"x\ty"}"#,
        })
    );
    assert_eq!(
        messages.read(b"7\tt\t\\N\t\\N\t\\N"),
        Ok(Message::Progress(Timestamp::new(7)))
    );
}

#[test]
fn message_malformed_is_named_without_its_contents() {
    use MessageError::*;
    let columns = |found| Columns { expected: 5, found };
    let column = "b".to_string();
    let cases: [(&[u8], MessageError); 12] = [
        (b"", columns(1)),
        (b"7\tf\t1\tsecret", columns(4)),
        (b"7\tf\t1\t1\tx\tsecret", columns(6)),
        (b"7\tt\t\\N\t\\N", columns(4)),
        (b"secret\tf\t1\t1\tx", Timestamp),
        (b"18446744073709551616\tf\t1\t1\tx", Timestamp),
        (b"-1\tf\t1\t1\tx", Timestamp),
        (b"7\tsecret\t1\t1\tx", Progressed),
        (b"7\tf\t0\t1\tx", Diff),
        (b"7\tf\tsecret\t1\tx", Diff),
        (b"7\tf\t99999999999999\t1\tx", Diff),
        (b"7\tf\t1\t1\tsecret\xff", InvalidUtf8 { column }),
    ];
    for (line, expected) in cases {
        let error = messages().read(line).unwrap_err();
        assert!(!error.to_string().contains("secret"));
        assert_eq!(error, expected, "{line:?}");
    }
}

proptest! {
    #[test]
    fn message_any_bytes_are_read_or_refused(line in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = messages().read(&line);
        let mut row = b"7\tf\t1\t".to_vec();
        row.extend(line);
        if let Ok(Message::Update { row, .. }) = messages().read(&row) {
            let parsed: serde_json::Value = serde_json::from_str(row).unwrap();
            prop_assert!(parsed.is_object() && !row.contains('\n'));
        }
    }
}

/// Rows with a column of each way to read one.
fn of_every_kind() -> Messages {
    let types = ["text", "bigint", "boolean", "double precision", "jsonb"];
    let columns: Vec<Column> = types
        .iter()
        .map(|sql_type| Column::new(format!("a \"{sql_type}\""), *sql_type))
        .collect();
    Messages::new(&columns)
}

/// The row, read value by value as if there were no shorter way.
fn read_plainly(messages: &mut Messages, line: &[u8]) -> Result<String, MessageError> {
    let mut fields = Fields::of(line);
    fields.by_ref().take(LEADING).for_each(drop);
    messages.row.clear();
    messages.read_fields(fields.rest(), line)?;
    Ok(messages.row.clone())
}

/// Whether both ways give the same row or error, also right after another row
/// with the same leading fields; the answer.
#[track_caller]
fn agree(row: &[u8]) -> Result<String, MessageError> {
    let line = [b"7\tf\t1\t", row].concat();
    let (mut one, mut other) = (of_every_kind(), of_every_kind());
    let expected = read_plainly(&mut other, &line);
    for _ in 0..2 {
        let read = one.read(&line).map(|message| match message {
            Message::Update { row, .. } => row.to_string(),
            Message::Progress(_) => "progress".to_string(),
        });
        assert_eq!(read, expected, "{:?}", String::from_utf8_lossy(row));
        one.read(b"7\tf\t1\tx\t1\tt\t1.5\t{}").unwrap();
    }
    expected
}

/// What hostile, escaped and odd values are made of.
#[rustfmt::skip]
const PIECES: [&[u8]; 34] = [
    b"", b"\"", b"\\\\", b"\\t", b"\\n", b"\\r", b"\\b", b"\\f", b"\\v", b"\\", b"\\N", b"\\q",
    b"\\x41", b"\\101", b"\\303\\251",
    b"\xc3\\251", b"\\xc3\xa9", b"\xc3\xa9", b"\xf0\x9d\x84\x9e", b"\xff", b"\xc3", b"\xed\xa0\x80",
    b"\x01", b"\x1f", b"\x7f", b"\0", b"\r", b" ", b"0", b"-12", b"9007199254740993", b"t", b"f",
    b"{\"a\":1}",
];

#[test]
fn differential_message_every_piece_at_every_place_reads_alike() {
    let fill = b"abcdefghijklmnopqrst";
    for piece in PIECES {
        for before in 0..fill.len() {
            for after in [0, 1, 9] {
                let value = [&fill[..before], piece, &fill[..after]].concat();
                for column in 0..5 {
                    let mut row: Vec<&[u8]> = vec![b"x\"", b"1", b"t", b"1.5", b"null"];
                    row[column] = &value;
                    let _ = agree(&row.join(&b'\t'));
                    // Too few and too many values, cut at this one.
                    let _ = agree(&row[..=column].join(&b'\t'));
                    row.push(&value);
                    agree(&row.join(&b'\t')).unwrap_err();
                }
            }
        }
    }
    let row = agree(b"\\303\\251\\t\"\t-12\tf\t1e5\t[1]").unwrap();
    let names: Vec<_> = row.matches("a \\\"").collect();
    assert_eq!(names.len(), 5);
    assert!(
        row.contains(r#":"é\t\"","#) && row.contains(":-12,"),
        "{row}"
    );
}

proptest! {
    #[test]
    fn differential_message_any_pieces_read_alike(
        fields in prop::collection::vec(
            prop::collection::vec((0..PIECES.len(), 0usize..12), 0..4), 0..7),
        raw in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let fields: Vec<Vec<u8>> = fields
            .iter()
            .map(|pieces| {
                let bytes = pieces.iter().flat_map(|(piece, fill)| {
                    [PIECES[*piece], &b"some filling"[..*fill]].concat()
                });
                bytes.collect()
            })
            .collect();
        let _ = agree(&fields.join(&b'\t'));
        let _ = agree(&raw);
    }
}
