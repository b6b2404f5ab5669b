//! The table of values in docs/PROTOCOL.md: each example goes through the
//! tail's decoder as the bytes a server sends, and must come out as the JSON
//! that stands beside it. The table in the document is written by this test.

use std::fmt::Write as _;
use std::path::Path;

use viewcast::model::row::Column;
use viewcast::tail::message::{Message, Messages};

mod property;
pub mod source;

/// SQL type, the field of a COPY line, and its JSON.
pub const TABLE: &[(&str, &str, &str)] = &[
    ("any", r"\N", "null"),
    ("boolean", "t", "true"),
    ("boolean", "f", "false"),
    ("smallint", "-32768", "-32768"),
    ("integer", "2147483647", "2147483647"),
    ("uint2", "65535", "65535"),
    ("uint4", "4294967295", "4294967295"),
    ("oid", "20042", "20042"),
    ("regclass", "top10", r#""top10""#),
    ("regtype", "integer", r#""integer""#),
    ("bigint", "9007199254740991", "9007199254740991"),
    (
        "bigint",
        "-9223372036854775808",
        r#""-9223372036854775808""#,
    ),
    ("uint8", "18446744073709551615", r#""18446744073709551615""#),
    ("numeric", "1.50", "1.50"),
    ("numeric", "-0.001", "-0.001"),
    ("numeric", "1234567890.12345", "1234567890.12345"),
    ("numeric", "1234567890.123456", r#""1234567890.123456""#),
    (
        "numeric(39,0)",
        "999999999999999999999999999999999999999",
        r#""999999999999999999999999999999999999999""#,
    ),
    (
        "numeric(39,38)",
        "-1.23456789012345678901234567890123456789",
        r#""-1.23456789012345678901234567890123456789""#,
    ),
    ("numeric", "NaN", r#""NaN""#),
    ("real", "1.5", "1.5"),
    ("real", "-0", "-0"),
    ("double precision", "1e+16", "1e+16"),
    ("double precision", "10000000000000000", "10000000000000000"),
    ("double precision", "NaN", r#""NaN""#),
    ("double precision", "Infinity", r#""Infinity""#),
    ("double precision", "-Infinity", r#""-Infinity""#),
    ("double precision", "inf", r#""Infinity""#),
    ("text", "", r#""""#),
    ("text", "NULL", r#""NULL""#),
    ("text", r"\\N", r#""\\N""#),
    (
        "text",
        r"tab\tnewline\nreturn\rback\\slash",
        r#""tab\tnewline\nreturn\rback\\slash""#,
    ),
    (
        "text",
        r#"quote " and ' and <b>"#,
        r#""quote \" and ' and <b>""#,
    ),
    (
        "text",
        "\u{1} \u{8} \u{b} \u{c} \u{1b} \u{7f}",
        "\"\\u0001 \\b \\u000b \\f \\u001b \u{7f}\"",
    ),
    ("text", r"\b\f\v\101\x41", "\"\\b\\f\\u000bAA\""),
    ("text", r"\\ud800\\udc00", r#""\\ud800\\udc00""#),
    (
        "text",
        "é ☃ 𝄞 \u{2028} \u{feff}",
        "\"é ☃ 𝄞 \u{2028} \u{feff}\"",
    ),
    ("character varying(5)", "abcde", r#""abcde""#),
    ("character(5)", "ab   ", r#""ab   ""#),
    ("bytea", r"\\x00ff10", r#""\\x00ff10""#),
    ("bytea", r"\\x", r#""\\x""#),
    (
        "uuid",
        "6f4b6612-5a5e-4a3e-9e5e-0123456789ab",
        r#""6f4b6612-5a5e-4a3e-9e5e-0123456789ab""#,
    ),
    ("date", "2020-01-02", r#""2020-01-02""#),
    ("date", "4713-01-01 BC", r#""4713-01-01 BC""#),
    ("date", "262142-12-31", r#""262142-12-31""#),
    ("time", "23:59:59.999999", r#""23:59:59.999999""#),
    (
        "timestamp without time zone",
        "2020-01-02 03:04:05.5",
        r#""2020-01-02 03:04:05.5""#,
    ),
    (
        "timestamp without time zone",
        "0044-03-15 12:00:00 BC",
        r#""0044-03-15 12:00:00 BC""#,
    ),
    (
        "timestamp(3) without time zone",
        "10000-01-01 00:00:00",
        r#""10000-01-01 00:00:00""#,
    ),
    (
        "timestamp with time zone",
        "2020-01-02 11:04:05.5+00",
        r#""2020-01-02 11:04:05.5+00""#,
    ),
    (
        "timestamp with time zone",
        "0001-12-31 23:59:59+00 BC",
        r#""0001-12-31 23:59:59+00 BC""#,
    ),
    (
        "interval",
        "1 year 2 months 3 days 04:05:06.789",
        r#""1 year 2 months 3 days 04:05:06.789""#,
    ),
    ("interval", "-1 month +01:00:00", r#""-1 month +01:00:00""#),
    (
        "mz_timestamp",
        "18446744073709551615",
        r#""18446744073709551615""#,
    ),
    ("jsonb", "null", "null"),
    (
        "jsonb",
        r#"{"a":[1,{"b":[]},"x"],"c":null}"#,
        r#"{"a":[1,{"b":[]},"x"],"c":null}"#,
    ),
    (
        "jsonb",
        "12345678901234567890.12345678901234567890",
        "12345678901234567890.12345678901234567890",
    ),
    ("jsonb", "[1.0,1e400,-0]", "[1.0,1e400,-0]"),
    ("jsonb", r#"{"k":1,"k":2}"#, r#"{"k":1,"k":2}"#),
    (
        "jsonb",
        r#""line\\nbreak \\ud800 \\"q\\"""#,
        r#""line\nbreak \ud800 \"q\"""#,
    ),
    ("integer[]", "{1,2,NULL}", "[1,2,null]"),
    ("integer[]", "{}", "[]"),
    ("integer[]", "{{1,2},{3,4}}", "[[1,2],[3,4]]"),
    (
        "text[]",
        r#"{{a,"b c"},{NULL,"NULL"},{"q\\"q","ba\\\\ck"},{"","{x},"}}"#,
        r#"[["a","b c"],[null,"NULL"],["q\"q","ba\\ck"],["","{x},"]]"#,
    ),
    (
        "numeric[]",
        "{1,12345678901234567890}",
        r#"[1,"12345678901234567890"]"#,
    ),
    ("integer list", "{1,NULL}", "[1,null]"),
    (
        "text list list",
        r#"{{a},{},NULL,{"b,c"}}"#,
        r#"[["a"],[],null,["b,c"]]"#,
    ),
    ("list", "{{1,2},{3}}", r#"[["1","2"],["3"]]"#),
    (
        "map[text=>integer]",
        r#"{a=>1,"b c"=>NULL}"#,
        r#"{"a":1,"b c":null}"#,
    ),
    (
        "map[text=>map[text=>boolean]]",
        "{a=>{b=>t}}",
        r#"{"a":{"b":true}}"#,
    ),
    ("map", "{a=>1}", r#"{"a":"1"}"#),
    (
        "record",
        r#"(1,"a b",,2.5,"")"#,
        r#"["1","a b",null,"2.5",""]"#,
    ),
    (
        "record(a: integer, b: text?)",
        r#"(1,"q""q\\\\")"#,
        r#"[1,"q\"q\\"]"#,
    ),
    ("int4range", "[1,10)", r#""[1,10)""#),
    ("numrange", "empty", r#""empty""#),
    ("int8range", "(,)", r#""(,)""#),
    (
        "tsrange",
        r#"["2020-01-02 00:00:00","2020-01-03 00:00:00")"#,
        r#""[\"2020-01-02 00:00:00\",\"2020-01-03 00:00:00\")""#,
    ),
    ("mz_aclitem", "u1=r/s1", r#""u1=r/s1""#),
    ("a type of tomorrow", "(?)", r#""(?)""#),
];

/// The JSON of one field, given as the bytes of a COPY line.
fn json(sql_type: &str, field: &[u8]) -> String {
    let columns = [Column::new("c", sql_type)];
    let mut messages = Messages::new(&columns);
    let line = [b"1\tf\t1\t".as_slice(), field].concat();
    match messages.read(&line).expect("a line") {
        Message::Update { row, .. } => {
            let row = row
                .strip_prefix("{\"c\":")
                .and_then(|row| row.strip_suffix('}'));
            row.expect("an object of one column").to_owned()
        }
        Message::Progress(_) => panic!("no progress"),
    }
}

/// A text in a cell of a Markdown table, as code; what a reader cannot see is
/// spelled out.
fn cell(text: &str) -> String {
    let mut shown = String::new();
    for character in text.chars() {
        match character {
            '|' => shown.push_str("\\|"),
            '\0'..='\u{1f}' | '\u{7f}' | '\u{2028}' | '\u{feff}' => {
                write!(shown, "‹U+{:04X}›", u32::from(character)).unwrap();
            }
            other => shown.push(other),
        }
    }
    match shown.as_str() {
        "" => "(empty)".to_owned(),
        // Code ends at the first backtick, and loses blanks at both ends.
        text if text.starts_with(' ') || text.ends_with(' ') => format!("` {text} `"),
        text => format!("`{text}`"),
    }
}

#[test]
fn values_of_the_table_come_out_as_it_says() {
    let mut shown = String::from("| SQL type | COPY text | JSON |\n|---|---|---|\n");
    for (sql_type, copy, expected) in TABLE {
        let found = json(sql_type, copy.as_bytes());
        assert_eq!(found, *expected, "{sql_type} {copy}");
        let _: &serde_json::value::RawValue =
            serde_json::from_str(expected).unwrap_or_else(|e| panic!("{expected}: {e}"));
        writeln!(
            shown,
            "| {sql_type} | {} | {} |",
            cell(copy),
            cell(expected)
        )
        .unwrap();
    }
    in_document(&shown);
}

/// Compares with what stands between the marks of docs/PROTOCOL.md, or writes
/// it there.
fn in_document(table: &str) {
    const BEGIN: &str = "<!-- values: written by tests/it/values.rs -->\n";
    const END: &str = "<!-- end of values -->";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/PROTOCOL.md");
    let document = std::fs::read_to_string(&path).expect("the document");
    let (head, rest) = document.split_once(BEGIN).expect("the first mark");
    let (held, tail) = rest.split_once(END).expect("the last mark");
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, format!("{head}{BEGIN}{table}{END}{tail}")).expect("written");
        return;
    }
    assert_eq!(
        held, table,
        "docs/PROTOCOL.md is not what the code does; if that is meant, run \
         UPDATE_SNAPSHOTS=1 cargo test"
    );
}

#[test]
fn values_of_a_megabyte_come_out_whole() {
    let text: String = (0..1 << 20)
        .map(|n| ['a', '\t', '\\', '\n', '"', '\u{1}', 'é'][n % 7])
        .collect();
    let mut field = String::new();
    for character in text.chars() {
        match character {
            '\t' => field.push_str("\\t"),
            '\n' => field.push_str("\\n"),
            '\\' => field.push_str("\\\\"),
            other => field.push(other),
        }
    }
    let out: String = serde_json::from_str(&json("text", field.as_bytes())).expect("a string");
    assert!(out == text, "{} of {} bytes", out.len(), text.len());
    let array = format!("{{{}}}", vec!["12"; 1 << 18].join(","));
    let out: Vec<u8> = serde_json::from_str(&json("integer[]", array.as_bytes())).expect("numbers");
    assert!(out == vec![12; 1 << 18]);
    let digits = "7".repeat(1 << 20);
    assert!(
        json("jsonb", digits.as_bytes()) == digits,
        "digit for digit"
    );
}
