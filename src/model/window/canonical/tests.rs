//! Which texts are one value, by type.

use super::*;
use crate::model::value::ColumnKind;

/// The canonical form of what a server prints, by way of its JSON.
fn read(sql_type: &str, printed: &str) -> String {
    let mut json = String::new();
    ColumnKind::of(sql_type).push(printed, &mut json);
    let mut scratch = String::from("what was there before");
    let comparison = Comparison::of(sql_type).unwrap();
    comparison.read(&json, &mut scratch).unwrap().to_owned()
}

fn parse(sql_type: &str, value: &str) -> Option<String> {
    Comparison::of(sql_type).unwrap().parse(value)
}

/// All these ways to write it are what a server prints so, and none of the
/// others is.
#[track_caller]
fn check(sql_type: &str, printed: &str, same: &[&str], others: &[&str]) {
    let it = read(sql_type, printed);
    for value in same {
        let parsed = parse(sql_type, value);
        assert_eq!(
            parsed.as_ref(),
            Some(&it),
            "{sql_type} {printed} is {value}"
        );
    }
    for value in others {
        let parsed = parse(sql_type, value).expect(value);
        assert_ne!(parsed, it, "{sql_type} {printed} is not {value}");
    }
}

#[track_caller]
fn refused(sql_type: &str, values: &[&str]) {
    for value in values {
        assert_eq!(parse(sql_type, value), None, "{sql_type} {value}");
    }
}

const MAX: &str = "9223372036854775807";
const BEYOND: &str = "9223372036854775808";

#[test]
fn canonical_integers_are_one_by_value() {
    check(
        "bigint",
        "42",
        &["42", "+42", "042", " 42 "],
        &["-42", "4", "420"],
    );
    check("bigint", "0", &["0", "-0", "00"], &["1"]);
    check("bigint", MAX, &[MAX], &["9223372036854775806"]);
    check(
        "bigint",
        "9007199254740992",
        &["9007199254740992"],
        &["9007199254740993"],
    );
    check(
        "int8",
        "-9223372036854775808",
        &["-9223372036854775808"],
        &["0"],
    );
    check("uint8", BEYOND, &[BEYOND], &[MAX]);
    check(
        "mz_timestamp",
        "18446744073709551615",
        &["18446744073709551615"],
        &["0"],
    );
    refused(
        "integer",
        &[
            "",
            "1.0",
            "x",
            "2147483648",
            "1 2",
            "--1",
            "1e3",
            "0x1",
            "٣",
        ],
    );
    refused("bigint", &[BEYOND, "1; DROP TABLE orders"]);
    refused("uint4", &["-1", "4294967296"]);
    refused(
        "smallint",
        &["32768", "99999999999999999999999999999999999999999"],
    );
}

#[test]
fn canonical_decimals_are_one_whatever_their_scale() {
    for it in ["numeric", "numeric(38,0)", "decimal(39,2)"] {
        let one = ["1", "1.0", "1.", "01", "1e0", "10e-1", "0.1e1", "+1"];
        check(it, "1", &one, &["-1", "10", "1.01"]);
        check(it, "1.0", &one, &["-1", "10", "1.01"]);
        check(
            it,
            "100",
            &["100", "1e2", "1E+2", "100.0"],
            &["1", "10", "1000"],
        );
        check(it, "-0.050", &["-0.05", "-5e-2", "-.05"], &["0.05", "-0.5"]);
        check(it, "0.00", &["0", "-0", "0e7", ".0"], &["1"]);
        check(it, "NaN", &["NaN", "nan"], &["0", "1", "inf"]);
        check(it, BEYOND, &[BEYOND, "9223372036854775808.00"], &[MAX]);
        check(
            it,
            "12345678901234567890.50",
            &["12345678901234567890.5"],
            &["12345678901234567890"],
        );
        check(it, "120345", &["120345", "1203.45e2"], &["12345"]);
    }
    refused(
        "numeric",
        &[
            "",
            ".",
            "1e",
            "e1",
            "1,5",
            "--1",
            "1 1",
            "1e99999999999999999999",
        ],
    );
}

#[test]
fn canonical_floats_are_those_that_are_nearest() {
    let it = "double precision";
    check(
        it,
        "1.5",
        &["1.5", "1.50", "15e-1"],
        &["1.5000000000000002"],
    );
    check(it, "-0", &["0", "-0", "0.0"], &["1"]);
    check(it, "NaN", &["NaN", "nan"], &["0"]);
    check(it, "inf", &["Infinity", "inf", "+inf"], &["-inf"]);
    check(it, "-Infinity", &["-infinity", "-inf"], &["inf"]);
    check(it, "1e+16", &["1e16", "10000000000000000"], &["1e17"]);
    check("real", "0.1", &["0.1", "0.10000000149"], &["0.2"]);
    refused(it, &["1e400", "1e-400", "x", ""]);
    refused("real", &["1e39"]);
}

#[test]
fn canonical_texts_are_one_byte_for_byte() {
    let it = "text";
    check(it, "", &[""], &[" ", "NULL"]);
    check(it, "null", &["null"], &["NULL", ""]);
    check(it, "a\"b\\c\u{1}\n}é𝄞", &["a\"b\\c\u{1}\n}é𝄞"], &["a"]);
    check(it, "' OR 1=1 --", &["' OR 1=1 --"], &["x"]);
    check(it, "%2542", &["%2542"], &["%42", "B"]);
    check(it, "A", &["A"], &["a"]);
    check(it, " a ", &[" a "], &["a", " a"]);
    // One character in two forms.
    check(it, "é", &["é"], &["e\u{301}"]);
    check(it, "\\u0041", &["\\u0041"], &["A"]);
    let long = "x".repeat(1 << 20);
    check(it, &long, &[&long], &["x"]);
    check(
        "character(5)",
        "ab   ",
        &["ab", "ab ", "ab   "],
        &[" ab", "abc"],
    );
    check("character varying(5)", "ab ", &["ab "], &["ab"]);
}

#[test]
fn canonical_booleans_are_what_sql_takes_for_them() {
    let it = "boolean";
    check(
        it,
        "t",
        &["true", "t", "T", "yes", "on", "1", "TRUE", "y"],
        &["f"],
    );
    check(
        it,
        "f",
        &["false", "f", "no", "off", "of", "0", "n"],
        &["t"],
    );
    refused(it, &["", "o", "2", "truest", "null"]);
}

#[test]
fn canonical_uuids_are_one_in_every_spelling() {
    let uuid = "6f4b6612-5a5e-4a3e-9e5e-0123456789ab";
    let same = [
        uuid,
        "6F4B6612-5A5E-4A3E-9E5E-0123456789AB",
        "6f4b66125a5e4a3e9e5e0123456789ab",
        "{6f4b6612-5a5e-4a3e-9e5e-0123456789ab}",
        "6f4b-6612-5a5e-4a3e-9e5e-0123-4567-89ab",
    ];
    check(
        "uuid",
        uuid,
        &same,
        &["00000000-0000-0000-0000-000000000000"],
    );
    refused(
        "uuid",
        &[
            "",
            "6f4b6612",
            "{6f4b6612-5a5e-4a3e-9e5e-0123456789ab",
            "6f4b6612-5a5e-4a3e-9e5e-0123456789ab-",
            "-6f4b66125a5e4a3e9e5e0123456789ab",
            "6f4b6-6125a5e4a3e9e5e0123456789ab",
            "6f4b6612-5a5e-4a3e-9e5e-0123456789abc",
            "6f4b6612--5a5e-4a3e-9e5e-0123456789ab",
            "6f4b6612-5a5e-4a3e-9e5e-0123456789aé",
        ],
    );
}

#[test]
fn canonical_dates_and_times_are_as_materialize_prints_them() {
    check("date", "2020-02-29", &["2020-02-29"], &["2020-02-28"]);
    check("date", "4713-01-01 BC", &["4713-01-01 BC"], &["4713-01-01"]);
    check("date", "0001-02-29 BC", &["0001-02-29 BC"], &[]);
    check("date", "262142-12-31", &["262142-12-31"], &["2020-01-01"]);
    check(
        "time",
        "03:04:05.500",
        &["03:04:05.5", "03:04:05.50"],
        &["03:04:05"],
    );
    let it = "timestamp(3) without time zone";
    let same = ["2020-01-02 03:04:05.5", "2020-01-02T03:04:05.500Z"];
    check(it, "2020-01-02 03:04:05.5", &same, &["2020-01-02 03:04:05"]);
    let same = ["2020-01-02", "2020-01-02T00:00", "2020-01-02 00:00:00.0"];
    check(it, "2020-01-02 00:00:00", &same, &["2020-01-03"]);
    let before = "0044-03-15 12:00:00 BC";
    check(it, before, &[before], &["0044-03-15 12:00:00"]);
    let it = "timestamp with time zone";
    let same = [
        "2020-01-02 11:04:05.5+00",
        "2020-01-02T11:04:05.5Z",
        "2020-01-02 11:04:05.50+00:00",
        "2020-01-02 11:04:05.5 +00",
        "2020-01-02 11:04:05.5",
    ];
    check(
        it,
        "2020-01-02 11:04:05.500+00",
        &same,
        &["2020-01-02 11:04:05+00"],
    );
    let before = "0001-12-31 23:59:59+00 BC";
    check(it, before, &[before], &["0001-12-31"]);
    refused(
        "date",
        &[
            "",
            "2021-02-29",
            "2020-13-01",
            "2020-1-1",
            "0000-01-01",
            "today",
        ],
    );
    refused(
        "time",
        &[
            "24:00:00",
            "03",
            "03:04:60",
            "03:04:05.1234567",
            "03:04:05.",
            "03:04.5",
        ],
    );
    refused(
        it,
        &["2020-01-02 11:04:05+02", "now", "", "T", "Z", "2020-01-02T"],
    );
}

#[test]
fn canonical_form_of_null_is_none_and_of_what_is_no_value_itself() {
    for it in ["text", "boolean", "numeric", "uuid", "date", "real"] {
        let comparison = Comparison::of(it).unwrap();
        assert_eq!(comparison.read("null", &mut String::new()), None);
        assert_eq!(read(it, "?"), "?");
    }
}
