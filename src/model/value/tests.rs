//! The value table of docs/PROTOCOL.md, row by row.

use super::*;

fn json(sql_type: &str, text: &str) -> String {
    let mut out = String::new();
    ColumnKind::of(sql_type).push(text, &mut out);
    serde_json::from_str::<serde_json::Value>(&out).expect("valid JSON");
    out
}

#[track_caller]
fn check(sql_type: &str, cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        assert_eq!(json(sql_type, text), *expected, "{sql_type} {text}");
    }
}

#[test]
fn value_boolean() {
    for name in ["boolean", "bool"] {
        check(
            name,
            &[
                ("t", "true"),
                ("f", "false"),
                ("true", "true"),
                ("x", "\"x\""),
            ],
        );
    }
}

#[test]
fn value_small_integers_are_numbers() {
    for name in [
        "smallint", "int2", "integer", "int4", "uint2", "uint4", "oid",
    ] {
        check(
            name,
            &[
                ("0", "0"),
                ("-32768", "-32768"),
                ("4294967295", "4294967295"),
                ("x1", "\"x1\""),
            ],
        );
    }
}

#[test]
fn value_exact_numbers_are_strings_where_javascript_would_round() {
    for name in [
        "bigint",
        "int8",
        "uint8",
        "numeric",
        "numeric(38,0)",
        "numeric(10,2)",
    ] {
        check(
            name,
            &[
                ("0", "0"),
                ("-1", "-1"),
                ("9007199254740991", "9007199254740991"),
                ("9007199254740992", "\"9007199254740992\""),
                ("-9007199254740991", "-9007199254740991"),
                ("-9223372036854775808", "\"-9223372036854775808\""),
                ("18446744073709551615", "\"18446744073709551615\""),
                (
                    "99999999999999999999999999",
                    "\"99999999999999999999999999\"",
                ),
                ("1.50", "1.50"),
                ("-0.001", "-0.001"),
                ("0.00", "0.00"),
                ("12345678.9012345", "12345678.9012345"),
                ("12345678.90123456", "\"12345678.90123456\""),
                ("0.000000000000000012345", "0.000000000000000012345"),
                (".5", "0.5"),
                ("5.", "5"),
                ("+7", "7"),
                ("007", "7"),
                ("1E+30", "\"1E+30\""),
                ("NaN", "\"NaN\""),
                ("Infinity", "\"Infinity\""),
                ("", "\"\""),
                (".", "\".\""),
                ("1.2.3", "\"1.2.3\""),
            ],
        );
    }
}

#[test]
fn value_floats_keep_their_digits() {
    for name in ["real", "float4", "double precision", "float8"] {
        check(
            name,
            &[
                ("1.5", "1.5"),
                ("-0", "-0"),
                ("1e+16", "1e+16"),
                ("1E-7", "1e-7"),
                (".5", "0.5"),
                ("10000000000000000", "10000000000000000"),
                ("NaN", "\"NaN\""),
                ("nan", "\"NaN\""),
                ("inf", "\"Infinity\""),
                ("-inf", "\"-Infinity\""),
                ("-Infinity", "\"-Infinity\""),
                ("1e", "\"1e\""),
            ],
        );
    }
}

#[test]
fn value_texts_are_strings_as_printed() {
    for name in [
        "text",
        "varchar",
        "character varying(5)",
        "character(5)",
        "uuid",
        "bytea",
        "date",
        "time",
        "timestamp",
        "timestamp(3) without time zone",
        "timestamp with time zone",
        "interval",
        "mz_timestamp",
        "int4range",
        "mz_aclitem",
        "whatever",
        "",
    ] {
        check(
            name,
            &[("12", "\"12\""), ("", "\"\""), ("NULL", "\"NULL\"")],
        );
    }
    let all: String = (0..0x30u8)
        .map(char::from)
        .chain(['\\', '\u{7f}', '\u{2028}', '𝄞'])
        .collect();
    assert_eq!(
        json("text", &all),
        concat!(
            r#""\u0000\u0001\u0002\u0003\u0004\u0005\u0006\u0007\b\t\n\u000b\f\r\u000e\u000f"#,
            r#"\u0010\u0011\u0012\u0013\u0014\u0015\u0016\u0017\u0018\u0019\u001a\u001b\u001c\u001d\u001e\u001f"#,
            " !\\\"#$%&'()*+,-./\\\\\u{7f}\u{2028}𝄞\"",
        )
    );
}

#[test]
fn value_text_prefix_is_found_at_every_offset() {
    for special in ['"', '\\', '\n', '\0', '\u{1f}'] {
        for before in 0..20 {
            for plain in ['a', ' ', '!', '#', '[', ']', '\u{7f}', 'é', '\u{ff}'] {
                let text: String = std::iter::repeat_n(plain, before)
                    .chain([special, plain])
                    .collect();
                let head = before * plain.len_utf8();
                assert_eq!(super::text::plain_prefix(text.as_bytes()), head, "{text:?}");
            }
        }
    }
}

#[test]
fn value_jsonb_is_the_value_itself_or_a_string() {
    check(
        "jsonb",
        &[
            (
                "{\"a\":[1,null,\"x\\n\"],\"b\":1.0}",
                "{\"a\":[1,null,\"x\\n\"],\"b\":1.0}",
            ),
            (
                "123456789012345678901234567890",
                "123456789012345678901234567890",
            ),
            ("{broken", "\"{broken\""),
            ("[1]}", "\"[1]}\""),
            ("[1,\n2]", "\"[1,\\n2]\""),
        ],
    );
}

#[test]
fn value_arrays_and_lists() {
    check(
        "integer[]",
        &[
            ("{1,2,NULL}", "[1,2,null]"),
            ("{{1,2},{3,4}}", "[[1,2],[3,4]]"),
            ("{}", "[]"),
            ("{1,", "\"{1,\""),
            ("1", "\"1\""),
            ("{1}x", "\"{1}x\""),
            ("{,}", "\"{,}\""),
        ],
    );
    check(
        "text list",
        &[(
            r#"{a,"b c","",NULL,"NULL","q\"q","ba\\ck","c,d","{x}"}"#,
            r#"["a","b c","",null,"NULL","q\"q","ba\\ck","c,d","{x}"]"#,
        )],
    );
    check("integer list list", &[("{{1},{2,NULL}}", "[[1],[2,null]]")]);
    check("list", &[("{{1,2},{3}}", r#"[["1","2"],["3"]]"#)]);
    check(
        "numeric(38,0)[]",
        &[("{1,12345678901234567890}", "[1,\"12345678901234567890\"]")],
    );
    let deep = "{".repeat(100) + &"}".repeat(100);
    assert_eq!(json("list", &deep), format!("\"{deep}\""));
}

#[test]
fn value_maps_and_records() {
    check(
        "map[text=>integer]",
        &[
            ("{a=>1,\"q q\"=>NULL}", r#"{"a":1,"q q":null}"#),
            ("{}", "{}"),
        ],
    );
    check(
        "map[text=>map[text=>bool]]",
        &[("{a=>{b=>t}}", r#"{"a":{"b":true}}"#)],
    );
    check(
        "map",
        &[
            ("{a=>1,b=>{c=>2}}", r#"{"a":"1","b":{"c":"2"}}"#),
            ("{a}", "\"{a}\""),
        ],
    );
    check(
        "record",
        &[
            (r#"(1,"a b",,2.5)"#, r#"["1","a b",null,"2.5"]"#),
            (r#"("a""b","c\\d","")"#, r#"["a\"b","c\\d",""]"#),
            ("()", "[]"),
            ("(1", "\"(1\""),
        ],
    );
    check(
        "record(a: integer, b: numeric(10,2)?)",
        &[("(1,2.50)", "[1,2.50]")],
    );
}

#[test]
fn encoder_rows_have_all_columns_under_distinct_names() {
    let column = |name: &str| Column::new(name, "integer");
    let names = |list: &[&str]| distinct_names(&list.iter().map(|n| column(n)).collect::<Vec<_>>());
    assert_eq!(names(&["a", "a", "a"]), ["a", "a_2", "a_3"]);
    assert_eq!(names(&["a", "a", "a_2"]), ["a", "a_3", "a_2"]);
    assert_eq!(names(&["a_2", "a", "a"]), ["a_2", "a", "a_3"]);
    let encoder = Encoder::new(&[column("a\"b"), column("c")]);
    let mut row = String::new();
    encoder.value(0, Some("1"), &mut row);
    encoder.value(1, None, &mut row);
    encoder.end(&mut row);
    assert_eq!(row, r#"{"a\"b":1,"c":null}"#);
    let mut empty = String::new();
    Encoder::new(&[]).end(&mut empty);
    assert_eq!(empty, "{}");
}
