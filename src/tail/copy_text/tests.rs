//! The decoder against tables and against an encoder of its own.

use super::*;
use proptest::prelude::*;

fn decoded(field: &[u8]) -> Result<Option<String>, CopyTextError> {
    let mut scratch = Vec::new();
    Ok(value(field, &mut scratch)?.map(str::to_string))
}

#[test]
fn copy_text_escapes_are_decoded() {
    let cases: [(&[u8], &str); 18] = [
        (b"", ""),
        (b"plain", "plain"),
        (b"\\\\N", "\\N"),
        (b"a\\tb\\nc\\rd", "a\tb\nc\rd"),
        (b"\\b\\f\\v", "\u{8}\u{c}\u{b}"),
        (b"\\101\\60x", "A0x"),
        (b"\\1018", "A8"),
        (b"\\303\\251", "é"),
        (b"\\x41\\x4g", "A\u{4}g"),
        (b"\\xc3\\xa9", "é"),
        (b"\\xg", "xg"),
        (b"\\x", "x"),
        (b"\\.", "."),
        (b"\\q\\\"", "q\""),
        (b"\\\xc3\xa9", "é"),
        (b"tail\\", "tail\\"),
        (b"\\N\\N", "NN"),
        (b"\\777", "\u{fffd}"),
    ];
    for (field, expected) in cases {
        match decoded(field) {
            Ok(text) => assert_eq!(text.as_deref(), Some(expected), "{field:?}"),
            // 0o777 keeps its low bits, 0xff, which is no UTF-8.
            Err(error) => assert_eq!((error, expected), (CopyTextError::InvalidUtf8, "\u{fffd}")),
        }
    }
    assert_eq!(decoded(b"\\N"), Ok(None));
    assert_eq!(decoded(b"\xff"), Err(CopyTextError::InvalidUtf8));
    assert_eq!(decoded(b"\\xff"), Err(CopyTextError::InvalidUtf8));
}

#[test]
fn copy_text_fields_keep_empty_ones() {
    let fields = |line: &'static [u8]| Fields::of(line).collect::<Vec<_>>();
    assert_eq!(fields(b""), [b""]);
    assert_eq!(fields(b"\t\t"), [b"", b"", b""]);
    assert_eq!(fields(b"a\tb"), [b"a", b"b"]);
}

#[test]
fn copy_text_line_without_end_is_refused() {
    let mut lines = Lines::new(10);
    let none = |_: &[u8]| Ok::<(), CopyTextError>(());
    lines.push(b"12345", none).unwrap();
    assert_eq!(lines.finish(), Err(CopyTextError::PartialLine));
    let error = lines.push(b"678901", none).unwrap_err();
    assert_eq!(error, CopyTextError::LineTooLong { max: 10 });
}

/// An encoder that escapes more than any server does, by its own rules.
fn encode(values: &[Option<String>], style: u8) -> Vec<u8> {
    let mut line = Vec::new();
    for (at, value) in values.iter().enumerate() {
        if at > 0 {
            line.push(b'\t');
        }
        let Some(value) = value else {
            line.extend(b"\\N");
            continue;
        };
        for byte in value.bytes() {
            match byte {
                b'\\' => line.extend(b"\\\\"),
                b'\n' => line.extend(b"\\n"),
                b'\t' => line.extend(b"\\t"),
                b'\r' => line.extend(b"\\r"),
                byte if style == 1 && byte >= 0x80 => line.extend(format!("\\{byte:03o}").bytes()),
                byte if style == 2 && byte < 0x20 => line.extend(format!("\\x{byte:02x}").bytes()),
                byte => line.push(byte),
            }
        }
    }
    line.push(b'\n');
    line
}

proptest! {
    #[test]
    fn copy_text_rows_survive_encoding_and_any_split(
        rows in prop::collection::vec(
            prop::collection::vec(prop::option::of("[\\PC\\\\\n\t\r\u{0}-\u{1f}é𝄞]{0,12}"), 1..5), 1..6),
        style in 0u8..3,
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let bytes: Vec<u8> = rows.iter().flat_map(|row| encode(row, style)).collect();
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        at.extend([0, bytes.len()]);
        at.sort_unstable();
        let mut lines = Lines::new(usize::MAX);
        let mut found: Vec<Vec<Option<String>>> = Vec::new();
        for pair in at.windows(2) {
            lines.push(&bytes[pair[0]..pair[1]], |line| {
                found.push(Fields::of(line).map(decoded).collect::<Result<_, _>>()?);
                Ok::<(), CopyTextError>(())
            }).unwrap();
        }
        lines.finish().unwrap();
        prop_assert_eq!(found, rows);
    }
}
