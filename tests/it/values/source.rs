//! Values as a database holds them, printed and put into COPY text by code that
//! shares nothing with the gateway's; and what each must be as JSON.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// A JSON document whose numbers are digits.
#[derive(Clone, Debug)]
pub enum Json {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    Array(Vec<Json>),
    /// Keys may repeat.
    Object(Vec<(String, Json)>),
}

/// A value of a column.
#[derive(Clone, Debug)]
pub enum Source {
    Null,
    Bool(bool),
    Integer(i32),
    BigInt(i64),
    Unsigned(u64),
    /// Digits, and how many of them stand after the point.
    Numeric(bool, String, usize),
    Double(f64),
    Single(f32),
    Text(String),
    Bytes(Vec<u8>),
    Json(Json),
    Array(Vec<Source>),
    List(Vec<Source>),
    Map(BTreeMap<String, Source>),
    Record(Vec<Source>),
}

impl Json {
    /// As `jsonb` is printed.
    fn print(&self) -> String {
        match self {
            Json::Null => "null".to_owned(),
            Json::Bool(value) => value.to_string(),
            Json::Number(digits) => digits.clone(),
            Json::Text(text) => serde_json::to_string(text).unwrap(),
            Json::Array(list) => {
                let list: Vec<String> = list.iter().map(Json::print).collect();
                format!("[{}]", list.join(","))
            }
            Json::Object(list) => {
                let pair = |(key, value): &(String, Json)| {
                    format!("{}:{}", serde_json::to_string(key).unwrap(), value.print())
                };
                let list: Vec<String> = list.iter().map(pair).collect();
                format!("{{{}}}", list.join(","))
            }
        }
    }
}

impl Source {
    /// The text that the server prints, `None` for NULL.
    pub fn print(&self) -> Option<String> {
        Some(match self {
            Source::Null => return None,
            Source::Bool(value) => if *value { "t" } else { "f" }.to_owned(),
            Source::Integer(number) => number.to_string(),
            Source::BigInt(number) => number.to_string(),
            Source::Unsigned(number) => number.to_string(),
            Source::Numeric(negative, digits, scale) => numeric(*negative, digits, *scale),
            Source::Double(number) if number.is_infinite() => if *number > 0.0 {
                "Infinity"
            } else {
                "-Infinity"
            }
            .to_owned(),
            // Half of them with an exponent, as newer servers print.
            Source::Double(number) if number.to_bits() % 2 == 0 => format!("{number:e}"),
            Source::Double(number) => number.to_string(),
            Source::Single(number) if number.is_finite() => number.to_string(),
            Source::Single(number) => Source::Double((*number).into()).print()?,
            Source::Text(text) => text.clone(),
            Source::Bytes(bytes) => {
                let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                format!("\\x{hex}")
            }
            Source::Json(json) => json.print(),
            Source::Array(list) | Source::List(list) => {
                let list: Vec<String> = list.iter().map(element).collect();
                format!("{{{}}}", list.join(","))
            }
            Source::Map(map) => {
                let pair = |(key, value): (&String, &Source)| {
                    format!("{}=>{}", quoted(key), element(value))
                };
                let list: Vec<String> = map.iter().map(pair).collect();
                format!("{{{}}}", list.join(","))
            }
            Source::Record(fields) => {
                let fields: Vec<String> = fields.iter().map(field).collect();
                format!("({})", fields.join(","))
            }
        })
    }

    /// Asserts that a JSON value is this value, by the table of PROTOCOL.md.
    pub fn check(&self, json: &RawValue) {
        let raw = json.get();
        let string = || -> String { serde_json::from_str(raw).expect(raw) };
        match self {
            Source::Null => assert_eq!(raw, "null"),
            Source::Bool(value) => assert_eq!(raw, value.to_string()),
            Source::Integer(number) => assert_eq!(raw.parse(), Ok(*number)),
            Source::BigInt(number) if number.unsigned_abs() < 1 << 53 => {
                assert_eq!(raw.parse(), Ok(*number));
            }
            Source::BigInt(number) => assert_eq!(string().parse(), Ok(*number)),
            Source::Unsigned(number) if *number < 1 << 53 => assert_eq!(raw.parse(), Ok(*number)),
            Source::Unsigned(number) => assert_eq!(string().parse(), Ok(*number)),
            Source::Numeric(negative, digits, scale) => {
                let text = numeric(*negative, digits, *scale);
                // What JavaScript holds comes as a number, else the digits do.
                let significant = digits.trim_start_matches('0').len();
                let whole = digits.parse::<u128>().is_ok_and(|n| n < 1 << 53);
                let exact = if *scale == 0 {
                    whole
                } else {
                    significant <= 15
                };
                assert_eq!(if exact { raw.to_owned() } else { string() }, text);
            }
            Source::Double(number) if number.is_nan() => assert_eq!(string(), "NaN"),
            Source::Double(number) if number.is_infinite() => {
                let expected = if *number > 0.0 {
                    "Infinity"
                } else {
                    "-Infinity"
                };
                assert_eq!(string(), expected);
            }
            Source::Double(number) => {
                let read: f64 = raw.parse().expect(raw);
                assert_eq!(read.to_bits(), number.to_bits(), "{raw}");
            }
            Source::Single(number) if number.is_finite() => {
                let read: f32 = raw.parse().expect(raw);
                assert_eq!(read.to_bits(), number.to_bits(), "{raw}");
            }
            Source::Single(number) => Source::Double((*number).into()).check(json),
            Source::Text(text) => assert_eq!(string(), *text),
            Source::Bytes(_) => assert_eq!(Some(string()), self.print()),
            Source::Json(json) => assert_eq!(raw, json.print()),
            Source::Array(list) | Source::List(list) | Source::Record(list) => {
                let found: Vec<&RawValue> = serde_json::from_str(raw).expect(raw);
                assert_eq!(found.len(), list.len(), "{raw}");
                list.iter()
                    .zip(found)
                    .for_each(|(one, json)| one.check(json));
            }
            Source::Map(map) => {
                let found: BTreeMap<String, &RawValue> = serde_json::from_str(raw).expect(raw);
                assert!(found.keys().eq(map.keys()), "{raw}");
                map.values()
                    .zip(found.values())
                    .for_each(|(one, json)| one.check(json));
            }
        }
    }
}

fn numeric(negative: bool, digits: &str, scale: usize) -> String {
    let sign = if negative { "-" } else { "" };
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    if scale == 0 {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{fraction}")
    }
}

/// An element of an array or list, or a value of a map.
fn element(value: &Source) -> String {
    match value {
        Source::Array(_) | Source::List(_) | Source::Map(_) => value.print().unwrap(),
        other => other
            .print()
            .map_or_else(|| "NULL".to_owned(), |text| quoted(&text)),
    }
}

/// Quoted where braces would else be misread.
fn quoted(text: &str) -> String {
    let special = |c: char| "{}\",\\=>".contains(c) || c.is_whitespace();
    if !text.is_empty() && !text.contains(special) && !text.eq_ignore_ascii_case("null") {
        return text.to_owned();
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A field of a record: nothing at all is NULL.
fn field(value: &Source) -> String {
    let Some(text) = value.print() else {
        return String::new();
    };
    let special = |c: char| "(),\"\\".contains(c) || c.is_whitespace();
    if !text.is_empty() && !text.contains(special) {
        return text;
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\"\""))
}

/// A field of a COPY line. `fancy` also escapes what a server may leave raw.
pub fn copy_field(text: Option<&str>, fancy: bool) -> Vec<u8> {
    let Some(text) = text else {
        return b"\\N".to_vec();
    };
    let mut out = Vec::new();
    for byte in text.bytes() {
        match (byte, fancy) {
            (b'\\', _) => out.extend(b"\\\\"),
            (b'\n', _) => out.extend(b"\\n"),
            (b'\r', _) => out.extend(b"\\r"),
            (b'\t', _) => out.extend(b"\\t"),
            (0x08, true) => out.extend(b"\\b"),
            (0x0b, true) => out.extend(b"\\v"),
            (0x0c, true) => out.extend(b"\\f"),
            (b'a', true) => out.extend(b"\\x61"),
            (b'"', true) => out.extend(b"\\042"),
            // A backslash before any other character stands for nothing.
            (b'%', true) => out.extend(b"\\%"),
            (other, _) => out.push(other),
        }
    }
    out
}
