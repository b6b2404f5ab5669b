//! Any row, put into COPY text by another encoder, comes out as JSON equal to
//! the values it was made of.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::value::RawValue;
use viewcast::model::row::Column;
use viewcast::tail::message::{Message, Messages};

use super::source::{Json, Source, copy_field};

/// Texts that look like everything else, and any others.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "", "NULL", "null", "\\N", "\\.", "{}", "{a}", "(1,2)", "=>", ",", "\"", "\\", "\\\\",
            "\t", "\n", "\r\n", "\u{0}", "\u{b}", "\\ud800", "%a", "t", "1e5", "\u{2028}", "'",
        ])
        .prop_map(str::to_owned),
        "[ -~]{0,12}",
        ".{0,12}",
        "[\\x00-\\x1f\\\\\"{},()a-c\u{e9}\u{1d11e}]{0,12}",
    ]
}

fn digits() -> impl Strategy<Value = String> {
    prop_oneof!["0", "[1-9][0-9]{0,17}", "[1-9][0-9]{38}"]
}

fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        ("-?", digits(), "(\\.[0-9]{1,9})?(e[+-]?[0-9]{1,3})?")
            .prop_map(|(sign, whole, rest)| Json::Number(format!("{sign}{whole}{rest}"))),
        text().prop_map(Json::Text),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Json::Array),
            vec((text(), inner), 0..4).prop_map(Json::Object),
        ]
    })
}

/// Types whose values are strings as they are printed: any text will do.
fn as_printed() -> BoxedStrategy<(String, Source)> {
    let names = [
        "character(5)",
        "date",
        "time",
        "timestamp without time zone",
        "interval",
        "uuid",
        "int4range",
        "tstzrange",
        "regclass",
        "mz_aclitem",
    ];
    (prop::sample::select(names.to_vec()), text())
        .prop_map(|(name, text)| (name.to_owned(), Source::Text(text)))
        .boxed()
}

/// The name of a type and a value of it that is not NULL.
fn scalar() -> BoxedStrategy<(String, Source)> {
    let of = |name: &'static str, value: BoxedStrategy<Source>| {
        value
            .prop_map(move |value| (name.to_owned(), value))
            .boxed()
    };
    let numeric = (any::<bool>(), digits()).prop_flat_map(|(negative, digits)| {
        (Just(negative), 0..digits.len(), Just(digits)).prop_map(|(negative, scale, digits)| {
            // Zero has no sign.
            let zero = digits.bytes().all(|digit| digit == b'0');
            Source::Numeric(negative && !zero, digits, scale)
        })
    });
    let double = prop_oneof![
        any::<f64>(),
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
        Just(-0.0),
    ];
    prop_oneof![
        of("boolean", any::<bool>().prop_map(Source::Bool).boxed()),
        of("integer", any::<i32>().prop_map(Source::Integer).boxed()),
        of(
            "smallint",
            any::<i16>().prop_map(|n| Source::Integer(n.into())).boxed()
        ),
        of(
            "uint2",
            any::<u16>()
                .prop_map(|n| Source::Unsigned(n.into()))
                .boxed()
        ),
        of(
            "uint4",
            any::<u32>()
                .prop_map(|n| Source::Unsigned(n.into()))
                .boxed()
        ),
        of(
            "oid",
            any::<u32>()
                .prop_map(|n| Source::Unsigned(n.into()))
                .boxed()
        ),
        of("real", any::<f32>().prop_map(Source::Single).boxed()),
        of("bigint", any::<i64>().prop_map(Source::BigInt).boxed()),
        of(
            "bigint",
            (0_u32..=63)
                .prop_map(|n| Source::BigInt((1_i64 << (n % 63)) - 1))
                .boxed()
        ),
        of("uint8", any::<u64>().prop_map(Source::Unsigned).boxed()),
        of("numeric", numeric.boxed()),
        of("double precision", double.prop_map(Source::Double).boxed()),
        of("text", text().prop_map(Source::Text).boxed()),
        of(
            "character varying(5)",
            text().prop_map(Source::Text).boxed()
        ),
        of(
            "timestamp with time zone",
            text().prop_map(Source::Text).boxed()
        ),
        of(
            "mz_timestamp",
            any::<u64>()
                .prop_map(|n| Source::Text(n.to_string()))
                .boxed()
        ),
        of(
            "bytea",
            vec(any::<u8>(), 0..20).prop_map(Source::Bytes).boxed()
        ),
        of("jsonb", json().prop_map(Source::Json).boxed()),
        as_printed(),
    ]
    .boxed()
}

/// Values of one type: the name, and several of them, NULLs among them.
fn several() -> BoxedStrategy<(String, Vec<Source>)> {
    let kinds = [
        "boolean",
        "integer",
        "bigint",
        "numeric",
        "text",
        "jsonb",
        "double precision",
    ];
    vec(scalar(), 40)
        .prop_flat_map(move |values| (prop::sample::select(kinds.to_vec()), Just(values)))
        .prop_map(|(kind, values)| {
            let same = values.into_iter().filter(|(name, _)| name == kind);
            let values = same.enumerate().map(|(at, (_, value))| match at % 4 {
                3 => Source::Null,
                _ => value,
            });
            (kind.to_owned(), values.collect())
        })
        .boxed()
}

/// Arrays of one or two dimensions, lists, lists of lists, maps, records.
fn nested() -> BoxedStrategy<(String, Source)> {
    let lists = |(kind, values): (String, Vec<Source>)| {
        let split = values.len() / 2;
        let halves = [values[..split].to_vec(), values[split..].to_vec()];
        (
            format!("{kind} list list"),
            Source::List(halves.map(Source::List).into()),
        )
    };
    let matrix = |(kind, values): (String, Vec<Source>)| {
        // All rows of an array are as long as each other, and none is empty.
        let rows = values
            .chunks_exact(2)
            .map(|row| Source::Array(row.to_vec()));
        (format!("{kind}[]"), Source::Array(rows.collect()))
    };
    let map = (several(), btree_map(text(), Just(()), 0..5)).prop_map(|((kind, values), keys)| {
        let map = keys.into_keys().zip(values).collect();
        (format!("map[text=>{kind}]"), Source::Map(map))
    });
    let record = vec(scalar(), 1..5).prop_map(|fields| {
        let kinds: Vec<String> = (fields.iter().enumerate())
            .map(|(at, (kind, _))| format!("f{at}: {kind}?"))
            .collect();
        let mut values: Vec<Source> = fields.into_iter().map(|(_, value)| value).collect();
        if values.len() > 2 {
            values[1] = Source::Null;
        }
        (
            format!("record({})", kinds.join(", ")),
            Source::Record(values),
        )
    });
    prop_oneof![
        several().prop_map(|(kind, values)| (format!("{kind}[]"), Source::Array(values))),
        several().prop_map(|(kind, values)| (format!("{kind} list"), Source::List(values))),
        several().prop_map(lists),
        several().prop_map(matrix),
        map,
        record,
    ]
    .boxed()
}

fn row() -> impl Strategy<Value = Vec<(String, Source)>> {
    let null = scalar().prop_map(|(kind, _)| (kind, Source::Null));
    vec(prop_oneof![4 => scalar(), 3 => nested(), 1 => null], 1..6)
}

/// An object's values in their order.
fn fields(row: &str) -> Vec<Box<RawValue>> {
    struct Fields(Vec<Box<RawValue>>);
    impl<'de> Deserialize<'de> for Fields {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct InOrder;
            impl<'de> serde::de::Visitor<'de> for InOrder {
                type Value = Fields;
                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("an object")
                }
                fn visit_map<A: serde::de::MapAccess<'de>>(
                    self,
                    mut map: A,
                ) -> Result<Fields, A::Error> {
                    let mut values = Vec::new();
                    while let Some((_, value)) = map.next_entry::<String, Box<RawValue>>()? {
                        values.push(value);
                    }
                    Ok(Fields(values))
                }
            }
            deserializer.deserialize_map(InOrder)
        }
    }
    let Fields(values) = serde_json::from_str(row).unwrap_or_else(|e| panic!("{row}: {e}"));
    values
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn values_of_any_row_come_out_equal(row in row(), fancy in any::<bool>()) {
        let columns: Vec<Column> = (row.iter().enumerate())
            .map(|(at, (kind, _))| Column::new(format!("c{at}"), kind.clone()))
            .collect();
        let mut line = b"5\tf\t-3".to_vec();
        for (_, value) in &row {
            line.push(b'\t');
            line.extend(copy_field(value.print().as_deref(), fancy));
        }
        let mut messages = Messages::new(&columns);
        let Message::Update { diff, row: json, .. } = messages.read(&line).unwrap() else {
            panic!("no progress");
        };
        prop_assert_eq!(diff, -3);
        prop_assert!(!json.bytes().any(|byte| byte < b' '), "{}", json);
        let values = fields(json);
        prop_assert_eq!(values.len(), row.len());
        for ((_, source), json) in row.iter().zip(&values) {
            source.check(json);
        }
    }
}
