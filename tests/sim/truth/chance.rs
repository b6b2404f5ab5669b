//! Changes that are made by chance.

use super::{Changes, Object, Row};
use crate::dice::Dice;

/// Bytes of a view that was rewritten: more than are sent at once.
const REWRITTEN_BYTES: usize = 90_000;

/// Changes that can be made to an object with these rows.
pub fn changes(object: &Object, dice: &mut Dice) -> Changes {
    let count = match dice.below(20) {
        0 => dice.below(40),
        _ => dice.below(5) + 1,
    };
    let mut rows = object.rows.clone();
    for (row, diff) in object.staged.iter().flat_map(|it| &it.1) {
        *rows.entry(row.clone()).or_insert(0) += diff;
    }
    let mut changes: Changes = Vec::new();
    for _ in 0..count {
        let n = i64::try_from(dice.below(12)).unwrap_or_default();
        let s = object.has_text().then(|| match object.text_bytes {
            0 => text(dice),
            bytes => "wide ".repeat(dice.below(bytes / 5)),
        });
        let s = s.filter(|s| !object.has_nulls || s != "\r");
        let row = Row { n, s };
        let here = rows.get(&row).copied().unwrap_or(0);
        let present: Vec<_> = rows.iter().filter(|(_, copies)| **copies > 0).collect();
        let (row, diff) = match dice.below(10) {
            0..4 => (row, 1),
            4..8 if !present.is_empty() => {
                let (row, copies) = dice.pick(&present);
                let all = dice.percent(30);
                ((*row).clone(), if all { -**copies } else { -1 })
            }
            8 => (row, 3),
            _ if here > 0 => (row, -here),
            _ => (row, 1),
        };
        *rows.entry(row.clone()).or_insert(0) += diff;
        changes.push((row, diff));
    }
    changes
}

/// All rows are replaced by others, as many as make a large view.
pub fn rewriting(object: &Object, dice: &mut Dice) -> Changes {
    let rows = object.rows.iter();
    let mut changes: Changes = rows.map(|(row, copies)| (row.clone(), -copies)).collect();
    let count = REWRITTEN_BYTES / object.text_bytes.max(1);
    changes.extend((0..count).map(|n| {
        let letter = char::from(b'a' + u8::try_from(dice.below(26)).unwrap_or(0));
        let s = letter.to_string().repeat(object.text_bytes);
        let n = i64::try_from(n).unwrap_or_default();
        (Row { n, s: Some(s) }, 1)
    }));
    changes
}

/// Texts with what COPY, JSON and SSE treat in their own ways.
fn text(dice: &mut Dice) -> String {
    let texts = [
        "a",
        "",
        "\\",
        "\t\n",
        "\r",
        "\"x\"",
        "data: x\n\n",
        "é\u{2028}",
        "id: 1-1",
    ];
    (*dice.pick(&texts)).to_owned()
}
