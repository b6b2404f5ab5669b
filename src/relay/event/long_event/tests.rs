use super::*;
use crate::model::delta::Change;
use crate::model::position::{Incarnation, Timestamp};
use crate::model::row::Row;
use crate::model::view::{View, ViewBuilder};
use crate::relay::event::body::listed_bytes;
use crate::relay::event::dictionary::Shelf;
use crate::relay::event::frame::encode_delta;

fn position() -> Position {
    Position {
        timestamp: Timestamp::new(9),
        incarnation: Incarnation::of(["v"]),
    }
}

fn row(number: usize) -> String {
    let length = match number % 50 {
        0 => 90_000,
        other => other,
    };
    format!("{{\"{number}\":\"{}\"}}", "é☃".repeat(length / 5))
}

/// A view of which some rows went and some stand several times.
fn view(rows: usize) -> View {
    let mut builder = ViewBuilder::new();
    (0..rows).for_each(|number| builder.add(&row(number), i64::try_from(number % 7 % 3).unwrap()));
    builder.finish(position().timestamp).unwrap()
}

fn changes(count: usize) -> Delta {
    let change = |number: usize| Change {
        row: Row::from(row(number).as_str()),
        diff: i64::try_from(number % 5).unwrap() - 2,
    };
    Delta::new(position().timestamp, (0..count).map(change).collect())
}

/// All slices together, as they come plain.
#[track_caller]
fn read(long: &Arc<LongEvent>, extent: Extent) -> String {
    let mut reading = Reading::new(long, extent);
    let mut text = String::new();
    while let Slice::Bytes(piece) = reading.next(&Form::EVENT) {
        assert!(
            piece.bytes.len() <= BASE_SLICE_BYTES,
            "{}",
            piece.bytes.len()
        );
        text.push_str(std::str::from_utf8(&piece.bytes).expect("whole characters"));
    }
    assert!(reading.is_over());
    text
}

/// The same, unpacked, in whichever way it was packed; the first reader of each way
/// packs, and the second is given that.
fn unpack(long: &Arc<LongEvent>) -> String {
    let shelf = Shelf::default();
    let dictionary = shelf.get_or_make(|| "one of the rows".to_owned()).unwrap();
    let with = Packing::Dictionary(Arc::clone(dictionary));
    let mut of_each = [Packing::Gzip, Packing::Gzip, with.clone(), with].map(|packing| {
        let form = Form {
            is_chunked: false,
            packing: Some(packing),
        };
        let mut reading = Reading::new(long, Extent::Event);
        let mut packed = Vec::new();
        while let Slice::Bytes(piece) = reading.next(&form) {
            packed.extend_from_slice(&piece.bytes);
        }
        let mut text = String::new();
        match form.packing {
            Some(Packing::Dictionary(dictionary)) => {
                text = String::from_utf8(dictionary.unpack(&packed)).unwrap();
            }
            _ => {
                // The stream's trailer, which is no part of the event, is missing.
                let mut decoder = flate2::read::DeflateDecoder::new(&packed[..]);
                let _ = std::io::Read::read_to_string(&mut decoder, &mut text);
            }
        }
        text
    });
    assert!(of_each.iter().all(|it| *it == of_each[0]));
    std::mem::take(&mut of_each[0])
}

#[test]
fn long_base_in_slices_is_the_event() {
    for rows in [0, 1, 2, 3, 700] {
        let view = view(rows);
        let mut listed = Vec::new();
        view.freeze().write_all(&mut listed);
        listed.pop();
        let array = format!("[{}]", String::from_utf8(listed).unwrap());
        let long = Arc::new(LongEvent::rows(view.freeze(), position()));
        assert!(read(&long, Extent::Array) == array);
        assert!(read(&long, Extent::Data) == format!("data: {array}\n"));
        let event = format!("event: base\ndata: {array}\nid: {}\n\n", position());
        assert!(read(&long, Extent::Event) == event);
        assert!(unpack(&long) == event);
        let parsed: Vec<serde_json::Value> = serde_json::from_str(&array).unwrap();
        assert_eq!(u64::try_from(parsed.len()).unwrap(), view.copies());
    }
}

#[test]
fn long_delta_in_slices_is_what_is_encoded_at_once() {
    for count in [0, 1, 3, 4, 300] {
        let delta = changes(count);
        let encoded = encode_delta(&delta, position());
        let event = String::from_utf8(encoded.event().to_vec()).unwrap();
        let data = String::from_utf8(encoded.data().to_vec()).unwrap();
        let array = &data["data: ".len()..data.len() - 1];
        let array_bytes = u64::try_from(array.len()).unwrap();
        assert_eq!(listed_bytes(&delta).max(1), array_bytes.saturating_sub(1));
        for long in [
            LongEvent::changes(delta.clone(), position()),
            LongEvent::encoded(&encoded, position()),
        ] {
            let long = Arc::new(long);
            assert!(read(&long, Extent::Event) == event);
            assert!(read(&long, Extent::Data) == data);
            assert!(unpack(&long) == event);
        }
    }
}

#[test]
fn long_event_that_is_given_up_says_so_at_the_next_slice() {
    let long = Arc::new(LongEvent::rows(view(700).freeze(), position()));
    let mut reading = Reading::new(&long, Extent::Event);
    assert!(matches!(reading.next(&Form::EVENT), Slice::Bytes(_)));
    assert!(long.is_read() && !reading.is_given_up());
    let other = Reading::new(&long, Extent::Event);
    drop(reading);
    assert!(long.is_read());
    drop(other);
    assert!(!long.is_read());
    let mut reading = Reading::new(&long, Extent::Event);
    drop(long);
    assert!(reading.is_given_up());
    assert!(matches!(reading.next(&Form::EVENT), Slice::GivenUp));
}

#[test]
fn long_event_that_ends_with_an_id_is_never_cut_within_it() {
    let id = position().to_string();
    for length in (BASE_SLICE_BYTES - 400)..(BASE_SLICE_BYTES + 200) {
        let event = format!("event: delta\ndata: {}\nid: {id}\n\n", "x".repeat(length));
        let long = Arc::new(LongEvent::encoded(
            &Encoded::copy_of(event.as_bytes()),
            position(),
        ));
        let mut reading = Reading::new(&long, Extent::Event);
        let Slice::Bytes(first) = reading.next(&Form::EVENT) else {
            panic!("a slice");
        };
        let has_id = first.bytes.ends_with(format!("\nid: {id}\n\n").as_bytes());
        assert!(has_id || first.bytes.ends_with(b"x"), "{length}");
    }
}

#[test]
fn slices_are_made_once_for_who_reads_at_the_same_time_and_kept_for_nobody() {
    let long = Arc::new(LongEvent::rows(view(2_000).freeze(), position()));
    let mut readers = [Extent::Event, Extent::Event].map(|extent| Reading::new(&long, extent));
    let mut slices = 0;
    loop {
        let [one, other] = readers.each_mut().map(|it| it.next(&Form::CHUNK));
        let (Slice::Bytes(one), Slice::Bytes(other)) = (one, other) else {
            break;
        };
        assert_eq!(one.bytes.as_ptr(), other.bytes.as_ptr());
        slices += 1;
    }
    assert!(slices > SLICES_KEPT, "{slices}");
    let whole = read(&long, Extent::Event);
    // One of another extent, in between, is given none of these.
    let mut reading = Reading::new(&long, Extent::Event);
    let Slice::Bytes(first) = reading.next(&Form::EVENT) else {
        panic!("a slice");
    };
    assert!(whole.starts_with(std::str::from_utf8(&first.bytes).unwrap()));
    assert!(read(&long, Extent::Array).starts_with("[{"));
    drop((readers, reading));
    assert!(long.recent().iter().all(Option::is_none));
}

#[test]
fn event_is_not_given_up_while_its_next_slices_are_being_written() {
    let long = Arc::new(LongEvent::rows(view(400).freeze(), position()));
    let [mut first, mut other, mut late] = [(); 3].map(|()| Reading::new(&long, Extent::Event));
    let mut known = 0;
    while let Slice::Bytes(_) = first.next(&Form::CHUNK) {
        known += 1;
        let of_a_longer_rest = other.upcoming(&Form::CHUNK, known - 1).slices.len();
        assert_eq!(of_a_longer_rest, usize::from(known > 1));
    }
    assert!((3..SLICES_KEPT).contains(&known), "{known}");
    let upcoming = other.upcoming(&Form::CHUNK, known);
    assert_eq!(upcoming.slices.len(), known, "the rest of the event");
    drop(long);
    for expected in &upcoming.slices {
        let Slice::Bytes(piece) = other.next(&Form::CHUNK) else {
            panic!("a slice");
        };
        assert_eq!(piece.bytes, expected);
    }
    drop(upcoming);
    assert!(matches!(late.next(&Form::CHUNK), Slice::GivenUp));
}
