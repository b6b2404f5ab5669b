//! The index against an ordered list that has the same entries.

use std::collections::BTreeMap;

use super::*;

/// Rows, and how many there are of each: two texts may have one hash.
type Rows = BTreeMap<(u32, u32), usize>;

fn keyed((key, hash): (u32, u32)) -> Keyed {
    // Its lowest bit is left out.
    Keyed::new(Key::new(key << 1), hash)
}

fn add(rows: &mut Rows, row: (u32, u32)) {
    *rows.entry(row).or_default() += 1;
}

fn take(rows: &mut Rows, row: (u32, u32)) {
    match rows.get_mut(&row) {
        Some(count) if *count > 1 => *count -= 1,
        _ => drop(rows.remove(&row)),
    }
}

/// The hashes of a key, sorted.
fn found(index: &KeyIndex, key: u32) -> Vec<u32> {
    let mut hashes = Vec::new();
    index.find(Key::new(key << 1), &mut hashes);
    hashes.sort_unstable();
    hashes
}

#[track_caller]
fn check_key(index: &KeyIndex, rows: &Rows, key: u32) {
    let of_key = rows.range((key, 0)..=(key, u32::MAX));
    let hashes = of_key.flat_map(|((_, hash), count)| vec![*hash; *count]);
    assert_eq!(found(index, key), Vec::from_iter(hashes), "key {key}");
}

/// The index has what the list has, and keeps to its invariants.
#[track_caller]
fn check(index: &KeyIndex, rows: &Rows) {
    let room: usize = index
        .leaves
        .iter()
        .map(|leaf| leaf.entries.capacity())
        .sum();
    assert_eq!(index.room, room);
    let bytes = index.bytes();
    let mut index = index.clone();
    for change in std::mem::take(&mut index.fresh) {
        index.bring(change);
    }
    let settled = |leaf: &Leaf| {
        let mut leaf = leaf.clone();
        leaf.settle(&mut Vec::new());
        leaf.entries
    };
    let entries: Vec<Keyed> = index.leaves.iter().flat_map(settled).collect();
    let listed = rows
        .iter()
        .flat_map(|(row, count)| vec![keyed(*row); *count]);
    assert!(entries.iter().copied().eq(listed), "other entries");
    assert!(index.bounds.is_sorted() && index.bounds.len() == index.leaves.len());
    for (at, leaf) in index.leaves.iter().enumerate() {
        let (sorted, late) = leaf.entries.split_at(leaf.sorted);
        assert!(sorted.is_sorted() && late.len() < LATE_MAX);
        // Equal entries are not parted, which may leave few on one side.
        let is_any = index.leaves.len() == 1 || rows.len() < 20;
        assert!(is_any || (LEAF_MIN..=LEAF_MAX).contains(&sorted.len()));
        let above = index.bounds.get(at + 1);
        let belongs = |it: &Keyed| {
            it.row() >= index.bounds[at] && above.is_none_or(|above| it.row() < *above)
        };
        assert!(leaf.entries.iter().all(belongs));
    }
    let rows = entries.len();
    assert!(
        rows < 4_000 || bytes <= 16 * rows,
        "{bytes} bytes of {rows} rows"
    );
}

#[test]
fn oracle_key_index_of_any_keys_has_what_was_put_in() {
    for (seed, keys, hashes) in [
        (0, 1, u32::MAX),
        (1, 3, u32::MAX),
        (2, 300, 40),
        (3, u32::MAX >> 1, 9),
    ] {
        let mut random = fastrand::Rng::with_seed(seed);
        let (mut index, mut rows) = (KeyIndex::default(), Rows::new());
        for step in 0..60_000u32 {
            // Grows, shrinks to almost nothing, grows again.
            let grows = !(20_000..42_000).contains(&step);
            let near = (random.u32(..keys), random.u32(..hashes));
            if random.u32(..10) < if grows { 8 } else { 1 } || rows.is_empty() {
                index.insert(keyed(near));
                add(&mut rows, near);
            } else {
                let known = rows.range(near..).next().or_else(|| rows.iter().next());
                let row = *known.unwrap().0;
                index.remove(keyed(row));
                take(&mut rows, row);
                // Often what came last is what goes first.
                if random.bool() {
                    index.insert(keyed(row));
                    index.remove(keyed(row));
                }
            }
            if step % 1_000 == 0 {
                check(&index, &rows);
                let some = rows.keys().nth(rows.len() / 2).map_or(0, |row| row.0);
                for key in [0, some, some.wrapping_add(1) >> 1, keys - 1] {
                    check_key(&index, &rows, key);
                }
            }
        }
        for (row, count) in &rows {
            (0..*count).for_each(|_| index.remove(keyed(*row)));
        }
        // The last changes are noted only.
        assert!(found(&index, 0).is_empty());
        assert!(index.bytes() < 8_000, "{} bytes of nothing", index.bytes());
    }
}

#[test]
fn key_index_built_at_once_is_the_one_that_grew() {
    let mut random = fastrand::Rng::with_seed(5);
    for (count, hashes) in [
        (0, 9),
        (1, 9),
        (224, 9),
        (225, 9),
        (2_000, 1),
        (300_000, u32::MAX),
    ] {
        let mut rows = Rows::new();
        (0..count).for_each(|_| add(&mut rows, (random.u32(..5_000), random.u32(..hashes))));
        let entries = rows
            .iter()
            .flat_map(|(row, count)| vec![keyed(*row); *count]);
        let mut entries: Vec<Keyed> = entries.collect();
        random.shuffle(&mut entries);
        let mut index = KeyIndex::build(entries);
        check(&index, &rows);
        let (bytes, all) = (index.bytes(), 300_000);
        assert!(count < all || bytes < 94 * 300_000 / 10, "{bytes} bytes");
        for (row, count) in rows.clone() {
            for _ in 0..count {
                index.remove(keyed(row));
                take(&mut rows, row);
            }
            if random.u32(..1_000) == 0 {
                check(&index, &rows);
                check_key(&index, &rows, row.0 + 1);
            }
        }
    }
}

#[test]
fn key_index_of_rows_that_all_have_one_hash_is_one_leaf() {
    let (mut index, mut rows) = (KeyIndex::default(), Rows::new());
    for step in 0..3_000 {
        index.insert(keyed((7, 7)));
        add(&mut rows, (7, 7));
        if step % 500 == 0 {
            index.insert(keyed((step, step)));
            add(&mut rows, (step, step));
        }
    }
    check(&index, &rows);
    check_key(&index, &rows, 7);
    for _ in 0..2_990 {
        index.remove(keyed((7, 7)));
        take(&mut rows, (7, 7));
    }
    check(&index, &rows);
    check_key(&index, &rows, 7);
}
