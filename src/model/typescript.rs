//! The rows of views as TypeScript: what the table of docs/PROTOCOL.md,
//! "Values", comes to in the types of a program that reads them.

use super::row::Column;
use super::value::{ColumnKind, distinct_names, push_string};

#[cfg(test)]
mod tests;

/// What stands before the views: who wrote it, how it is used, and the types
/// that columns refer to.
const HEAD: &str = "\
// The rows of a viewcast gateway's views, as GET /views.d.ts and `viewcast types` write them. Write it
// anew when a view changes; do not edit it. Used with the client module:
//
//   const orders = new ViewStream<Views[\"orders\"]>(\"/orders/stream\", { key: \"id\" });
//   const several: SeveralViews<Views> = new ViewStream(\"/stream?view=orders&view=items\");
//
// A number that JavaScript does not hold exactly is a string of its digits, and so bigint, uint8 and
// numeric are `number | string`. A column is `| null` unless Materialize says that it never is.

/** What may stand in a column of type jsonb. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** real and double precision; JSON has no number for the three. */
export type Float = number | \"NaN\" | \"Infinity\" | \"-Infinity\";

/** An array; its SQL type does not say how many dimensions it has. */
export type SqlArray<T> = (T | null)[] | SqlArray<T>[];

/** A list whose elements' type Materialize does not tell. */
export type TextList = (string | null | TextList)[];

/** A map whose values' type Materialize does not tell. */
export type TextMap = { [key: string]: string | null | TextMap };

/** One row of each view, by the name that stands in the view's address. */
export interface Views {
";

/// A view whose rows are to be typed.
#[derive(Clone, Copy, Debug)]
pub struct TypedView<'a> {
    /// The name that stands in its address.
    pub name: &'a str,
    /// What it is, for people.
    pub description: Option<&'a str>,
    /// Its columns in order; none while they are not known.
    pub columns: &'a [Column],
}

/// A file of declarations that has the type of one row of each of these views.
pub fn declarations<'a>(views: impl IntoIterator<Item = TypedView<'a>>) -> String {
    let mut file = HEAD.to_owned();
    for view in views {
        if let Some(description) = view.description {
            push_comment("  ", description, &mut file);
        }
        if view.columns.is_empty() {
            push_comment("  ", "Its columns are not known yet.", &mut file);
            file += &format!("  {}: Record<string, unknown>;\n", property(view.name));
            continue;
        }
        file += &format!("  {}: {{\n", property(view.name));
        for (column, name) in view.columns.iter().zip(distinct_names(view.columns)) {
            push_comment("    ", &column.sql_type, &mut file);
            file += &format!("    {}: {};\n", property(&name), type_of(column));
        }
        file.push_str("  };\n");
    }
    file.push_str("}\n");
    file
}

/// The type of a column's values.
fn type_of(column: &Column) -> String {
    let kind = ColumnKind::of(&column.sql_type);
    match (&kind, column.is_nullable) {
        // Its own null and that of SQL are the same in JSON.
        (ColumnKind::Json, _) | (_, false) => written(&kind),
        (_, true) => or_null(&kind),
    }
}

/// The type of what a kind of values becomes, NULL left aside.
fn written(kind: &ColumnKind) -> String {
    match kind {
        ColumnKind::Boolean => "boolean".to_owned(),
        ColumnKind::Integer => "number".to_owned(),
        ColumnKind::Exact => "number | string".to_owned(),
        ColumnKind::Float => "Float".to_owned(),
        ColumnKind::Text => "string".to_owned(),
        ColumnKind::Json => "Json".to_owned(),
        ColumnKind::Array(element) => format!("SqlArray<{}>", written(element)),
        // Braces within text of an unknown type are taken for one more level.
        ColumnKind::List(element) if **element == ColumnKind::Text => "TextList".to_owned(),
        ColumnKind::List(element) => format!("({})[]", or_null(element)),
        ColumnKind::Map(value) if **value == ColumnKind::Text => "TextMap".to_owned(),
        ColumnKind::Map(value) => format!("{{ [key: string]: {} }}", or_null(value)),
        ColumnKind::Record(fields) if fields.is_empty() => "(string | null)[]".to_owned(),
        ColumnKind::Record(fields) => {
            let fields: Vec<String> = fields.iter().map(or_null).collect();
            format!("[{}]", fields.join(", "))
        }
    }
}

fn or_null(kind: &ColumnKind) -> String {
    format!("{} | null", written(kind))
}

/// A name as that of a property: in quotes unless it is an identifier of ASCII.
fn property(name: &str) -> String {
    let is_first = |byte: u8| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'$');
    let is_identifier = name.bytes().next().is_some_and(is_first)
        && name
            .bytes()
            .all(|byte| is_first(byte) || byte.is_ascii_digit());
    if is_identifier {
        return name.to_owned();
    }
    let mut quoted = String::new();
    push_string(name, &mut quoted);
    // JSON takes these two as they are; to older compilers they end the line.
    quoted
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

/// A comment for the editor, on one line, that no text can end early.
fn push_comment(indent: &str, text: &str, file: &mut String) {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ").replace("*/", "*\\/");
    *file += &format!("{indent}/** {line} */\n");
}
