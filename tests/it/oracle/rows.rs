//! Rows of many types: as the upstream prints them, as a client shows them, and
//! a hash of the row by which the two are compared.
//!
//! The way from a client's JSON back to values shares no code with the gateway.

use std::collections::HashMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::support::dice::Dice;
use crate::support::materialize::Values;

/// Names and values of a row, in the order of the columns.
type Cells = Vec<(String, Option<String>)>;

/// The hash of one row: names and values, 128 bits.
pub fn hash_row(cells: &[(String, Option<String>)]) -> u128 {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        salt.hash(&mut hasher);
        cells.hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(1) << 64 | half(2)
}

/// So many copies of a row in the hash of a multiset, which is the sum of its
/// rows' hashes: equal sums are equal multisets but for a collision.
pub fn copies_of(row: u128, copies: i64) -> u128 {
    row.wrapping_mul(i128::from(copies).cast_unsigned())
}

/// The types of columns that are generated.
const KINDS: [&str; 13] = [
    "integer",
    "bigint",
    "text",
    "boolean",
    "double precision",
    "numeric",
    "jsonb",
    "bytea",
    "timestamp with time zone",
    "uuid",
    "integer list",
    "date",
    "interval",
];

/// What names of columns begin with.
const NAMES: [&str; 6] = ["n", "Name", "a b", "x\"y", "größe", "value"];

/// The names that the first column of a view may have.
pub fn first_columns() -> impl Iterator<Item = String> {
    NAMES.iter().map(|name| format!("{name}0"))
}

/// A row that may stand in a view.
#[derive(Clone, Debug)]
pub struct PoolRow {
    /// As the upstream prints it.
    pub values: Values,
    pub hash: u128,
}

/// Columns of a view: most have a few, some have many.
pub fn columns(dice: &mut Dice) -> Vec<(String, &'static str)> {
    let count = match dice.percent(12) {
        true => dice.between(20, 60),
        false => dice.between(1, 6),
    };
    let mut columns: Vec<(String, &'static str)> = Vec::new();
    for at in 0..count {
        // The first one tells rows apart.
        let kind = if at == 0 {
            "integer"
        } else {
            *dice.pick(&KINDS)
        };
        columns.push((format!("{}{at}", dice.pick(&NAMES)), kind));
    }
    columns
}

/// Rows for a pool, all different.
pub fn pool(columns: &[(String, &'static str)], size: usize, dice: &mut Dice) -> Vec<PoolRow> {
    let mut rows = Vec::new();
    for at in 0..size {
        let mut printed = vec![Some(at.to_string())];
        let mut shown = printed.clone();
        for (_, kind) in columns.iter().skip(1) {
            let (value, as_shown) = value(kind, dice);
            shown.push(as_shown.or_else(|| value.clone()));
            printed.push(value);
        }
        if at == 0 && columns.len() > 1 && columns[1].1 == "text" && dice.percent(30) {
            // A huge row.
            let text = "huge \u{e9}\n".repeat(dice.below(20_000));
            printed[1] = Some(text.clone());
            shown[1] = Some(text);
        }
        let names = columns.iter().map(|(name, _)| name.clone());
        let cells: Cells = names.zip(shown).collect();
        rows.push(PoolRow {
            values: printed,
            hash: hash_row(&cells),
        });
    }
    rows
}

/// A value as it is printed, and how its JSON reads where that differs.
fn value(kind: &str, dice: &mut Dice) -> (Option<String>, Option<String>) {
    if dice.percent(10) {
        return (None, None);
    }
    let printed = match kind {
        "integer" => dice.pick(&["0", "-1", "2147483647", "-2147483648", "42"]),
        "bigint" => dice.pick(&[
            "0",
            "9007199254740991",
            "9007199254740993",
            "-9223372036854775808",
        ]),
        "boolean" => dice.pick(&["t", "f"]),
        "double precision" => dice.pick(&["0", "-0.5", "NaN", "Infinity", "-Infinity", "1e+16"]),
        "numeric" => dice.pick(&["1.50", "-0.001", "12345678901234567890.123456789", "7"]),
        "jsonb" => dice.pick(&["{\"a\":[1,null,\"x\\ny\"]}", "[]", "{}", "[{\"\":true}]"]),
        "bytea" => dice.pick(&["\\x", "\\x00ff0a", "\\xdeadbeef"]),
        "timestamp with time zone" => {
            dice.pick(&["2026-11-25 13:00:00+00", "0001-01-01 00:00:00+00"])
        }
        "uuid" => dice.pick(&["63616665-6630-3064-6465-616462656568"]),
        "date" => dice.pick(&["2026-11-25", "0044-03-15 BC"]),
        "interval" => dice.pick(&["1 day 02:03:04.5", "-00:00:01", "00:00:00"]),
        "integer list" => {
            let (printed, shown) =
                *dice.pick(&[("{}", "[]"), ("{1,2}", "[1,2]"), ("{NULL,-3}", "[null,-3]")]);
            return (Some(printed.to_string()), Some(shown.to_string()));
        }
        _ => {
            return (Some(text(dice)), None);
        }
    };
    (Some((*printed).to_string()), None)
}

/// Text with everything that COPY, JSON and SSE treat in their own ways.
fn text(dice: &mut Dice) -> String {
    let parts = [
        "a",
        "\\",
        "\\N",
        "\t",
        "\n",
        "\r",
        "\r\n",
        "\"",
        "data: x",
        "\u{1}",
        "\u{1f}",
        "\u{7f}",
        "\u{2028}",
        "\u{10ffff}",
        "日本",
        "",
        " ",
        "\\.",
        "id: 1-1\n\n",
        ":",
        "{",
        "]}",
    ];
    let count = dice.below(7);
    (0..count).map(|_| *dice.pick(&parts)).collect()
}

/// Rows that clients have seen, by their text: parsed once each.
#[derive(Debug, Default)]
pub struct Seen {
    by_text: HashMap<String, u128>,
    by_hash: HashMap<u128, String>,
}

impl Seen {
    /// The hash of a row of a client, or what is wrong with the row.
    pub fn hash(&mut self, row: &str) -> Result<u128, String> {
        if let Some(hash) = self.by_text.get(row) {
            return Ok(*hash);
        }
        let cells: Named = serde_json::from_str(row)
            .map_err(|error| format!("a row that is no object: {error}"))?;
        let hash = hash_row(&cells.0);
        // Equal rows have byte-equal text [P4].
        if let Some(other) = self.by_hash.insert(hash, row.to_owned()) {
            return Err(format!("one row, two texts: {other} and {row}"));
        }
        self.by_text.insert(row.to_owned(), hash);
        Ok(hash)
    }

    /// The text of a row, for messages.
    pub fn text(&self, hash: u128) -> String {
        let text = self
            .by_hash
            .get(&hash)
            .map_or("a row never seen", String::as_str);
        text.chars().take(200).collect()
    }
}

/// An object's names and values in their order, as SQL prints them.
struct Named(Cells);

impl<'de> Deserialize<'de> for Named {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Named;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named, A::Error> {
                let mut cells = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    cells.push((name, printed(value.get())));
                }
                Ok(Named(cells))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

fn printed(json: &str) -> Option<String> {
    Some(match json {
        "null" => return None,
        "true" => "t".to_owned(),
        "false" => "f".to_owned(),
        text if text.starts_with('"') => serde_json::from_str(text).expect("a string"),
        other => other.to_owned(),
    })
}
