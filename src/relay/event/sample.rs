//! What a view's dictionary is made of: some of its rows, and events as its streams have
//! them, with all that these repeat.

use serde::de::IgnoredAny;

use crate::limits::{BASE_SLICE_BYTES, DICTIONARY_BYTES_MAX, DICTIONARY_ROW_BYTES_MAX};
use crate::model::delta::{Change, Delta};
use crate::model::position::Position;
use crate::model::row::Row;
use crate::relay::event::frame::encode_delta;
use crate::relay::event::names::EVENT_BASE;

/// The first slice of a base is enough for one.
const _: () = assert!(DICTIONARY_BYTES_MAX <= BASE_SLICE_BYTES);

/// The text that refers best to a view that has these rows, the beginning of an array,
/// at a position. What is at its end is the cheapest to refer to: a new row, and a row in
/// place of another.
pub fn sample(rows: &[u8], position: Position) -> String {
    let rows = rows.get(..DICTIONARY_BYTES_MAX).unwrap_or(rows);
    // The last character may be cut.
    let whole = rows.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    let mut text = format!("event: {EVENT_BASE}\ndata: {whole}\n");
    let [one, other] = first_two(whole);
    let one = one.unwrap_or("{}");
    let inserted = [(one, 1)];
    let replaced = [(one, -1), (other.unwrap_or(one), 1)];
    for changes in [&inserted[..], &replaced] {
        let changes = changes.iter().map(|(row, diff)| Change {
            row: Row::from(*row),
            diff: *diff,
        });
        let delta = Delta::new(position.timestamp, changes.collect());
        let event = encode_delta(&delta, position).event();
        text.push_str(&String::from_utf8_lossy(&event));
    }
    text
}

/// The first two rows of the beginning of an array, where they are whole and short.
fn first_two(array: &str) -> [Option<&str>; 2] {
    let mut rest = array.strip_prefix('[').unwrap_or_default();
    [(); 2].map(|()| {
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<IgnoredAny>();
        values.next()?.ok()?;
        let (row, behind) = rest.split_at_checked(values.byte_offset())?;
        rest = behind.strip_prefix(',').unwrap_or_default();
        (row.len() <= DICTIONARY_ROW_BYTES_MAX).then_some(row)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::position::{Incarnation, Timestamp};
    use crate::relay::event::dictionary::Shelf;
    use crate::relay::event::form::Form;
    use crate::relay::event::packing::Packing;

    fn position(timestamp: u64) -> Position {
        Position {
            timestamp: Timestamp::new(timestamp),
            incarnation: Incarnation::of(["v"]),
        }
    }

    fn row(number: u32) -> String {
        format!(
            "{{\"city\":\"Berlin, \\\"}}\",\"name\":\"customer {number}\",\"orders\":{number}}}"
        )
    }

    #[test]
    fn sample_has_rows_and_whole_events() {
        let rows = format!("[{},{},{}", row(1), row(2), &row(3)[..20]);
        let text = sample(rows.as_bytes(), position(7));
        let id = position(7).to_string();
        let expected = format!(
            "event: base\ndata: {rows}\n\
             event: delta\ndata: [{{\"insert\":{one}}}]\nid: {id}\n\n\
             event: delta\ndata: [{{\"delete\":{one}}},{{\"insert\":{two}}}]\nid: {id}\n\n",
            one = row(1),
            two = row(2),
        );
        assert_eq!(text, expected);
        // Of one row, of none, and cut within a character.
        for (rows, row) in [
            ("[{\"a\":1}]", "{\"a\":1}"),
            ("[]", "{}"),
            ("[{\"\u{e9}", "{}"),
        ] {
            let text = sample(rows.as_bytes(), position(7));
            let event = format!("\nevent: delta\ndata: [{{\"insert\":{row}}}]\n");
            assert!(text.contains(&event), "{text}");
        }
        let cut = sample("[\"\u{e9}".as_bytes().split_last().unwrap().1, position(7));
        assert!(cut.starts_with("event: base\ndata: [\"\n"), "{cut}");
        let long = format!("[{{\"a\":\"{}\"}}", "x".repeat(DICTIONARY_BYTES_MAX * 2));
        let length = sample(long.as_bytes(), position(7)).len();
        assert!(length < DICTIONARY_BYTES_MAX + 256, "{length}");
    }

    #[test]
    fn sample_makes_a_short_event_a_third() {
        let rows: Vec<String> = (0..100).map(row).collect();
        let rows = format!("[{}]", rows.join(","));
        let shelf = Shelf::default();
        let text = || sample(rows.as_bytes(), position(1_790_000_000_123));
        let dictionary = shelf.get_or_make(text).unwrap();
        let form = Form {
            is_chunked: false,
            packing: Some(Packing::Dictionary(dictionary.clone())),
        };
        let changes = vec![Change {
            row: Row::from(row(1_234).as_str()),
            diff: 1,
        }];
        let position = position(1_790_000_712_345);
        let event = encode_delta(&Delta::new(position.timestamp, changes), position);
        let packed = event.piece(&form).bytes;
        assert_eq!(dictionary.unpack(&packed), event.event());
        let sizes = (packed.len(), event.length());
        assert!(sizes.0 * 3 < sizes.1, "{sizes:?}");
    }
}
