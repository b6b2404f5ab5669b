//! Where values stand in rows of every kind.

use super::*;
use crate::model::value::Encoder;

fn columns(list: &[(&str, &str)]) -> Vec<Column> {
    let column = |(name, sql_type): &(&str, &str)| Column::new(*name, *sql_type);
    list.iter().map(column).collect()
}

/// The JSON of a row as it is made of what a server prints.
fn row(columns: &[Column], values: &[Option<&str>]) -> String {
    let (encoder, mut out) = (Encoder::new(columns), String::new());
    for (at, value) in values.iter().enumerate() {
        encoder.value(at, *value, &mut out);
    }
    encoder.end(&mut out);
    out
}

#[test]
fn layout_finds_values_whatever_stands_before_them() {
    let columns = columns(&[
        ("data", "jsonb"),
        ("id", "bigint"),
        ("customer", "text"),
        ("status", "text"),
        ("a\"b", "integer[]"),
        ("id", "integer"),
    ]);
    let layout = Layout::new(&columns);
    for (data, customer, list) in [
        (Some("{}"), None, None),
        (
            Some(r#"{"id":9,"x":["}",{"y":"\\\"]"}]}"#),
            Some("a\"b\\"),
            Some("{1,NULL}"),
        ),
        (Some("\"\\\"\""), Some(""), Some("{}")),
        (None, Some("},\"id\":7,{"), Some("{{1},{2}}")),
        (Some("[[],[{}]]"), Some("\\"), None),
    ] {
        let row = row(
            &columns,
            &[data, Some("1"), customer, None, list, Some("-2")],
        );
        let values: serde_json::Value = serde_json::from_str(&row).unwrap();
        for (column, (name, value)) in values.as_object().unwrap().iter().enumerate() {
            assert_eq!(layout.name(column), name);
            assert_eq!(layout.find(name), Some(column));
            let field: serde_json::Value =
                serde_json::from_str(layout.field(&row, column)).unwrap();
            assert_eq!(field, *value, "{name} of {row}");
        }
    }
    assert_eq!(layout.field("{}", 3), "", "a row that is none of the view");
    assert_eq!(Layout::new(&[]).field("{}", 0), "");
}
