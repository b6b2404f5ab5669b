//! Lines to messages, good and bad.

use super::*;
use proptest::prelude::*;

fn messages() -> Messages {
    let column = |name: &str, sql_type: &str| Column {
        name: name.to_string(),
        sql_type: sql_type.to_string(),
    };
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
