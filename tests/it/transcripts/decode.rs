//! The table of values in docs/PROTOCOL.md once more: from the bytes of a COPY
//! line to a row's JSON text, with nothing of the gateway's.

use std::collections::BTreeMap;

use serde_json::to_string;

use super::super::support::table::Rows;

/// A column's name and SQL type.
pub type Columns = [(String, String)];

/// One line of a stream with progress.
#[derive(Debug)]
pub struct Line {
    pub time: u64,
    /// A row's change: diff and JSON; `None` is progress.
    pub change: Option<(i64, String)>,
}

/// The lines of a stream.
pub fn lines(columns: &Columns, chunks: &[Vec<u8>]) -> Vec<Line> {
    let text = String::from_utf8(chunks.concat()).expect("UTF-8");
    let read = |line: &str| {
        let mut fields = line.split('\t');
        let mut leading = || fields.next().expect("three leading fields");
        let (time, progressed, diff) = (leading().parse().unwrap(), leading(), leading());
        let values: Vec<Option<String>> = fields.map(field).collect();
        assert_eq!(values.len(), columns.len(), "{line:?}");
        let change = match progressed {
            "t" => None,
            "f" => Some((diff.parse().unwrap(), row(columns, &values))),
            other => panic!("progressed is {other:?}"),
        };
        Line { time, change }
    };
    text.split_terminator('\n').map(read).collect()
}

/// The rows at a time: a sum over the lines up to it.
pub fn rows_at(lines: &[Line], time: u64) -> Rows {
    let mut sum: BTreeMap<&str, i64> = BTreeMap::new();
    for line in lines.iter().filter(|line| line.time <= time) {
        if let Some((diff, row)) = &line.change {
            *sum.entry(row).or_default() += diff;
        }
    }
    sum.retain(|_, copies| *copies != 0);
    let positive = |(row, copies): (&str, i64)| (row.to_owned(), u64::try_from(copies).unwrap());
    sum.into_iter().map(positive).collect()
}

/// A field of a line: `None` is NULL. Servers escape four characters only.
fn field(raw: &str) -> Option<String> {
    if raw == "\\N" {
        return None;
    }
    let mut text = String::new();
    let mut characters = raw.chars();
    while let Some(character) = characters.next() {
        text.push(match character {
            '\\' => match characters.next() {
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some('\\') => '\\',
                other => panic!("escape of {other:?}"),
            },
            other => other,
        });
    }
    Some(text)
}

/// A row's JSON; of two columns of one name the second has a number.
pub fn row(columns: &Columns, values: &[Option<String>]) -> String {
    let mut members = Vec::new();
    for (at, ((name, sql_type), value)) in columns.iter().zip(values).enumerate() {
        let before = columns[..at]
            .iter()
            .filter(|(other, _)| other == name)
            .count();
        let key = match before {
            0 => name.clone(),
            n => format!("{name}_{}", n + 1),
        };
        let value = json(sql_type, value.as_deref());
        members.push(format!("{}:{value}", to_string(&key).unwrap()));
    }
    format!("{{{}}}", members.join(","))
}

/// A value's JSON.
fn json(sql_type: &str, text: Option<&str>) -> String {
    let Some(text) = text else {
        return "null".to_owned();
    };
    let string = || to_string(text).unwrap();
    if let Some(element) = sql_type.strip_suffix("[]") {
        return Nested::of(text).list(element);
    }
    match sql_type.split('(').next().unwrap() {
        "boolean" => (text == "t").to_string(),
        "smallint" | "integer" | "uint2" | "uint4" | "oid" => text.to_owned(),
        "bigint" | "uint8" | "numeric" => match is_exact(text) {
            true => text.to_owned(),
            false => string(),
        },
        "real" | "double precision" => match text {
            "NaN" | "Infinity" | "-Infinity" => string(),
            "inf" => "\"Infinity\"".to_owned(),
            "-inf" => "\"-Infinity\"".to_owned(),
            number => number.to_owned(),
        },
        "jsonb" => text.to_owned(),
        "list" => Nested::of(text).list("list"),
        "map" => Nested::of(text).map(),
        "record" => Nested::of(text).record(),
        _ => string(),
    }
}

/// Whether JavaScript holds a number exactly.
fn is_exact(text: &str) -> bool {
    let digits = text.trim_start_matches('-');
    match digits.split_once('.') {
        None => digits.parse::<u128>().is_ok_and(|it| it < 1 << 53),
        Some((whole, fraction)) => {
            let all = format!("{whole}{fraction}");
            all.trim_start_matches('0').len() <= 15
        }
    }
}

/// What braces and parentheses hold.
struct Nested<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
}

impl<'a> Nested<'a> {
    fn of(text: &'a str) -> Self {
        Nested {
            rest: text.chars().peekable(),
        }
    }

    /// A text in quotes or up to one of these characters, and whether it was
    /// in quotes.
    fn word(&mut self, ends: &str) -> (String, bool) {
        let mut word = String::new();
        let quoted = self.rest.next_if_eq(&'"').is_some();
        while let Some(next) = self.rest.peek().copied() {
            if !quoted && ends.contains(next) {
                break;
            }
            self.rest.next();
            match next {
                '"' if quoted => match self.rest.next_if_eq(&'"') {
                    Some(_) => word.push('"'),
                    None => break,
                },
                '\\' if quoted => word.extend(self.rest.next()),
                other => word.push(other),
            }
        }
        (word, quoted)
    }

    fn value(&mut self, element: &str) -> String {
        if self.rest.peek() == Some(&'{') {
            return self.list(element);
        }
        let (word, quoted) = self.word(",}");
        match word.as_str() {
            "NULL" if !quoted => "null".to_owned(),
            // The elements of what the catalog calls "list" are text.
            text => json(if element == "list" { "text" } else { element }, Some(text)),
        }
    }

    fn list(&mut self, element: &str) -> String {
        assert_eq!(self.rest.next(), Some('{'));
        let mut values = Vec::new();
        while self.rest.next_if_eq(&'}').is_none() {
            values.push(self.value(element));
            self.rest.next_if_eq(&',');
        }
        format!("[{}]", values.join(","))
    }

    fn map(&mut self) -> String {
        assert_eq!(self.rest.next(), Some('{'));
        let mut members = Vec::new();
        while self.rest.next_if_eq(&'}').is_none() {
            let (key, _) = self.word("=");
            assert_eq!((self.rest.next(), self.rest.next()), (Some('='), Some('>')));
            let value = self.value("text");
            members.push(format!("{}:{value}", to_string(&key).unwrap()));
            self.rest.next_if_eq(&',');
        }
        format!("{{{}}}", members.join(","))
    }

    fn record(&mut self) -> String {
        assert_eq!(self.rest.next(), Some('('));
        let mut fields = Vec::new();
        loop {
            fields.push(match self.word(",)") {
                (word, false) if word.is_empty() => "null".to_owned(),
                (word, _) => to_string(&word).unwrap(),
            });
            if self.rest.next() == Some(')') {
                return format!("[{}]", fields.join(","));
            }
        }
    }
}
