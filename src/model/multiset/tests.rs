//! The multiset against an ordered map that does the same by plain arithmetic.

use std::collections::BTreeMap;

use super::*;
use crate::model::frozen::Progress;
use proptest::prelude::*;

type Oracle = BTreeMap<String, i64>;

/// Rows of very different lengths, so that chunks are filled both by their
/// number and by their bytes.
fn text(row: u32) -> String {
    let length = match row % 97 {
        0 => 70_000,
        1 => 3000,
        other => other,
    };
    format!("{{\"{row}\":\"{}\"}}", "é".repeat(index_of(length)))
}

fn index_of(number: u32) -> usize {
    usize::try_from(number).unwrap()
}

fn contents(set: &Multiset) -> Oracle {
    let mut rows = Oracle::new();
    for (row, copies) in set.iter() {
        assert_eq!(rows.insert(row.to_owned(), copies), None, "a row twice");
    }
    rows
}

/// The set is what the oracle says, by every way to look at it.
#[track_caller]
fn check(set: &Multiset, oracle: &Oracle) {
    assert_eq!(&contents(set), oracle);
    let copies = |n: &i64| n.unsigned_abs();
    let rows: u64 = oracle.values().map(copies).sum();
    let bytes = oracle.iter().map(|(row, n)| copies(n) * count(row.len()));
    assert_eq!((set.rows(), set.bytes()), (rows, bytes.sum::<u64>()));
    for (row, n) in oracle {
        assert_eq!(set.get(row), *n);
    }
    assert_eq!(set.get("{\"other\":1}"), 0);
    check_written(&set.freeze(), usize::MAX, oracle);
}

/// What was frozen is what the oracle says, written a few bytes at a time.
#[track_caller]
fn check_written(frozen: &Frozen, room: usize, oracle: &Oracle) {
    let (mut text, mut progress) = (String::new(), Progress::default());
    loop {
        let mut part = Vec::new();
        let is_all = frozen.write(&mut progress, room, &mut part);
        assert!(part.len() <= room && (is_all || part.len() + 4 > room));
        text.push_str(std::str::from_utf8(&part).expect("whole characters"));
        if is_all {
            break;
        }
    }
    let mut lines: Vec<_> = text.split_terminator("},").collect();
    lines.sort_unstable();
    let listed = oracle
        .iter()
        .flat_map(|(row, n)| vec![&row[..row.len() - 1]; index_of(u32::try_from(*n).unwrap())]);
    let mut listed: Vec<_> = listed.collect();
    listed.sort_unstable();
    assert_eq!(lines.len(), listed.len());
    assert!(lines == listed, "written rows differ");
}

/// Makes a change in both; the set refuses exactly what the oracle forbids.
#[track_caller]
fn change(set: &mut Multiset, oracle: &mut Oracle, row: &str, diff: i64) {
    let held = oracle.get(row).copied().unwrap_or(0);
    let expected = match held + diff {
        negative @ ..0 => Err(Refusal::Negative(negative)),
        _ => Ok(()),
    };
    assert_eq!(set.add(row, diff), expected);
    if expected.is_ok() {
        match held + diff {
            0 => oracle.remove(row),
            copies => oracle.insert(row.to_owned(), copies),
        };
    }
}

/// What is dead is bounded; the last chunks count as a whole.
#[track_caller]
fn check_waste(set: &Multiset) {
    let (dead, all) = set.arena.wasted();
    assert!(
        dead <= all / 3 + (1 << 21),
        "{dead} of {all} bytes are dead"
    );
}

#[test]
fn oracle_multiset_long_random_history_with_compaction() {
    for seed in 0..2 {
        let mut random = fastrand::Rng::with_seed(seed);
        let (mut set, mut oracle) = (Multiset::default(), Oracle::new());
        let mut moved = 0;
        for step in 0..30_000u32 {
            // Grows, then shrinks, then grows again.
            let grows = (step / 10_000) % 2 == 0;
            let row = text(random.u32(..3000));
            let diff = match (grows, random.u32(..10)) {
                (true, 0..7) | (false, 0..2) => 1,
                (_, 7) => 2,
                _ => -1,
            };
            change(&mut set, &mut oracle, &row, diff);
            if random.u32(..50) == 0 {
                let (dead, _) = set.arena.wasted();
                set.tidy();
                moved += usize::from(set.arena.wasted().0 < dead);
                check_waste(&set);
            }
            if step % 5000 == 4999 {
                check(&set, &oracle);
            }
        }
        check(&set, &oracle);
        assert!(moved > 0, "nothing was ever compacted");
        for (row, n) in oracle.clone() {
            change(&mut set, &mut oracle, &row, -n);
        }
        check(&set, &Oracle::new());
    }
}

#[test]
fn oracle_multiset_of_many_small_rows_splits_and_joins() {
    let rows: Vec<String> = (0..150_000).map(|row| format!("{{\"a\":{row}}}")).collect();
    let mut filling = Filling::default();
    rows.iter().for_each(|row| filling.add(row, 1));
    let built = filling.finish().unwrap();
    let mut grown = Multiset::default();
    rows.iter().for_each(|row| grown.add(row, 1).unwrap());
    assert!(built == grown && grown.rows() == count(rows.len()));
    // All but a few go, in an order that leaves every chunk half empty for long.
    for set in [&mut grown, &mut built.clone()] {
        for start in [1, 0] {
            for row in rows.iter().skip(start).step_by(2).skip(3) {
                set.add(row, -1).unwrap();
                set.tidy();
            }
            check_waste(set);
        }
        assert_eq!(set.rows(), 6);
        check(set, &rows[..6].iter().map(|row| (row.clone(), 1)).collect());
        rows[6..].iter().for_each(|row| set.add(row, 1).unwrap());
        assert!(*set == built);
    }
}

#[test]
fn multiset_refused_change_changes_nothing() {
    let mut set = Multiset::default();
    assert_eq!(set.add("{}", -1), Err(Refusal::Negative(-1)));
    assert_eq!(set.add("{}", 0), Ok(()));
    assert_eq!(set.rows(), 0);
    set.add("{}", i64::MAX).unwrap();
    assert_eq!(set.add("{}", 1), Err(Refusal::Overflow));
    assert_eq!(set.get("{}"), i64::MAX);
    assert_eq!(set.add("{}", -i64::MAX), Ok(()));
    assert_eq!((set.rows(), set.bytes()), (0, 0));
    let mut filling = Filling::default();
    filling.add("{}", i64::MAX);
    filling.add("{}", 1);
    assert_eq!(filling.finish().unwrap_err(), Refusal::Overflow);
    let mut filling = Filling::default();
    filling.add("{}", 1);
    filling.add("{}", -3);
    assert_eq!(filling.finish().unwrap_err(), Refusal::Negative(-2));
}

#[test]
fn oracle_frozen_rows_stay_while_the_set_changes() {
    for seed in 0..3 {
        let mut random = fastrand::Rng::with_seed(seed);
        let (mut set, mut oracle) = (Multiset::default(), Oracle::new());
        let mut frozen = Vec::new();
        for step in 0..12_000u32 {
            let row = text(random.u32(..1500));
            let diff = match random.u32(..10) {
                0 => 3,
                _ if step % 4000 < 2500 => 1,
                _ => -oracle.get(&row).copied().unwrap_or(0),
            };
            change(&mut set, &mut oracle, &row, diff);
            set.tidy();
            if random.u32(..900) == 0 {
                frozen.push((set.freeze(), set.retired(), oracle.clone()));
            }
        }
        assert!(frozen.len() > 5, "{}", frozen.len());
        let given_up = frozen.iter().filter(|it| it.1 < set.retired());
        assert!(given_up.count() > 3, "no chunk was given up");
        for (frozen, _, oracle) in &frozen {
            check_written(frozen, random.usize(4..100_000), oracle);
        }
        check(&set, &oracle);
    }
}

#[test]
fn frozen_text_is_shared_until_it_is_given_up() {
    let rows: Vec<String> = (0..20_000).map(|row| format!("{{\"a\":{row}}}")).collect();
    let mut set = Multiset::default();
    rows.iter().for_each(|row| set.add(row, 1).unwrap());
    let frozen = set.freeze();
    assert_eq!(set.retired(), 0);
    set.add("{}", 1).unwrap();
    // What was being filled is the only thing that was copied, if anything.
    let copied = set.retired();
    assert!(copied < 1 << 20, "{copied}");
    rows.iter().for_each(|row| set.add(row, -1).unwrap());
    set.tidy();
    let all: usize = rows.iter().map(|row| row.len() + 1).sum();
    assert!(set.retired() >= count(all) - copied, "{}", set.retired());
    check_written(
        &frozen,
        1000,
        &rows.into_iter().map(|row| (row, 1)).collect(),
    );
}

proptest! {
    #[test]
    fn oracle_multiset_filled_in_any_order_is_the_sum(
        updates in prop::collection::vec((0u32..40, -3i64..4), 0..200),
    ) {
        let mut filling = Filling::default();
        let mut oracle = Oracle::new();
        for (row, diff) in &updates {
            filling.add(&text(*row), *diff);
            *oracle.entry(text(*row)).or_insert(0) += diff;
        }
        oracle.retain(|_, n| *n != 0);
        match filling.finish() {
            Ok(set) => check(&set, &oracle),
            Err(refusal) => prop_assert!(
                matches!(refusal, Refusal::Negative(n) if oracle.values().any(|m| *m == n))
            ),
        }
    }
}

#[test]
fn filled_sets_are_written_alike_whatever_their_hashes_are() {
    let written = || {
        let mut filling = Filling::default();
        // Most rows come to nothing, in an order of their own, so that chunks
        // are compacted and used again.
        for row in 0..60_000 {
            filling.add(&text(row * 98 + 2), 1);
        }
        for row in (0..60_000).filter(|row| row % 7 != 0).rev() {
            filling.add(&text(row * 98 + 2), -1);
        }
        let mut bytes = Vec::new();
        filling.finish().unwrap().freeze().write_all(&mut bytes);
        bytes
    };
    let first = written();
    assert!(!first.is_empty());
    assert!((0..3).all(|_| written() == first));
}
