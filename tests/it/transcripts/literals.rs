//! The literals behind VALUES.

use super::implied::Row;

/// The rows behind VALUES.
pub(super) fn tuples(sql: &str) -> Vec<Row> {
    let at = sql.to_ascii_lowercase().find(" values ").expect("values") + 8;
    let mut rest = sql[at..].trim_start();
    let mut rows = Vec::new();
    while let Some(inside) = rest.strip_prefix('(') {
        rest = inside;
        let mut row = Row::new();
        loop {
            let (value, left) = value(rest.trim_start());
            row.push(value);
            rest = left.trim_start();
            let is_last = rest.starts_with(')');
            rest = &rest[1..];
            if is_last {
                break;
            }
        }
        rows.push(row);
        rest = rest.trim_start().trim_start_matches(',').trim_start();
    }
    rows
}

/// A literal, and what follows it.
fn value(text: &str) -> (Option<String>, &str) {
    let quoted = text.strip_prefix('\'').or_else(|| text.strip_prefix("E'"));
    let Some(mut rest) = quoted else {
        let end = text.find([',', ')']).expect("an end");
        let word = &text[..end];
        let value = (!word.eq_ignore_ascii_case("null")).then(|| word.to_owned());
        return (value, &text[end..]);
    };
    let mut value = String::new();
    loop {
        let (piece, left) = rest.split_once('\'').expect("an end");
        value.push_str(piece);
        rest = left;
        match rest.strip_prefix('\'') {
            Some(left) => {
                value.push('\'');
                rest = left;
            }
            None => break,
        }
    }
    if text.starts_with('E') {
        value = value
            .replace("\\t", "\t")
            .replace("\\n", "\n")
            .replace("\\r", "\r");
    }
    (Some(value), rest)
}
