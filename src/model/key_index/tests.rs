//! The index against an ordered set that has the same entries.

use std::collections::BTreeSet;

use super::*;

fn keyed(key: u32, place: u32) -> Keyed {
    Keyed::new(Key::new(key), Place::of_bits(place))
}

/// The index has what the set has, and keeps to its invariants.
#[track_caller]
fn check(index: &KeyIndex, set: &BTreeSet<Keyed>) {
    let entries: Vec<Keyed> = index.leaves.iter().flatten().copied().collect();
    assert!(entries.iter().eq(set.iter()), "other entries");
    assert_eq!(index.rows, set.len());
    let firsts = index.leaves.iter().map(|leaf| leaf[0]);
    assert!(firsts.eq(index.firsts.iter().copied()));
    let room: usize = index.leaves.iter().map(Vec::capacity).sum();
    assert_eq!(index.room, room);
    let is_only = index.leaves.len() < 2;
    for leaf in &index.leaves {
        assert!(leaf.len() <= LEAF_MAX && (is_only || leaf.len() >= LEAF_MIN));
    }
    if set.len() >= LEAF_MIN {
        let (bytes, rows) = (index.bytes(), set.len());
        assert!(bytes < 14 * rows, "{bytes} bytes of {rows} rows");
    }
}

fn found(index: &KeyIndex, key: u32) -> Vec<Place> {
    index.places(Key::new(key)).collect()
}

#[test]
fn oracle_key_index_of_any_keys_has_what_was_put_in() {
    for (seed, keys) in [(0, 1), (1, 3), (2, 300), (3, u32::MAX)] {
        let mut random = fastrand::Rng::with_seed(seed);
        let (mut index, mut set) = (KeyIndex::default(), BTreeSet::new());
        let mut at = 0u32;
        for step in 0..60_000u32 {
            // Grows, shrinks to almost nothing, grows again; places come in
            // order, as those of an arena do, and any may go.
            let grows = !(15_000..42_000).contains(&step);
            if grows && random.u32(..10) > 0 || set.is_empty() {
                at += 1;
                let entry = keyed(random.u32(..keys), at);
                index.insert(entry);
                set.insert(entry);
            } else {
                let near = keyed(random.u32(..keys), random.u32(..at));
                let entry = set.range(near..).next().or_else(|| set.first());
                let entry = *entry.unwrap();
                index.remove(entry);
                set.remove(&entry);
            }
            if step % 1_000 == 0 {
                check(&index, &set);
                let some = set
                    .iter()
                    .nth(set.len() / 2)
                    .map_or(0, |it| it.key().bits());
                for key in [0, some, some.wrapping_add(1), u32::MAX] {
                    let range = keyed(key, 0)..=keyed(key, u32::MAX);
                    let expected: Vec<Place> = set.range(range).map(|it| it.place()).collect();
                    assert_eq!(found(&index, key), expected);
                }
            }
        }
        for entry in set.clone() {
            index.remove(entry);
        }
        check(&index, &BTreeSet::new());
        assert_eq!(index.bytes(), size_of::<KeyIndex>(), "nothing is kept");
    }
}

#[test]
fn key_index_built_at_once_is_the_one_that_grew() {
    let mut random = fastrand::Rng::with_seed(5);
    for count in [0, 1, 447, 448, 449, 5_000, 201_153, 300_000] {
        let rows: Vec<Keyed> = (0..count)
            .map(|at| keyed(random.u32(..50_000), at))
            .collect();
        let set = rows.iter().copied().collect();
        let mut index = KeyIndex::build(rows);
        check(&index, &set);
        let (bytes, rows) = (index.bytes(), set.len());
        assert!(
            rows < 5_000 || bytes < 87 * rows / 10,
            "{bytes} bytes of {rows} rows"
        );
        for entry in set {
            index.remove(entry);
        }
        check(&index, &BTreeSet::new());
    }
}

#[test]
fn key_index_forgets_nothing_that_it_does_not_have() {
    let mut index = KeyIndex::default();
    index.remove(keyed(1, 1));
    index.insert(keyed(2, 2));
    for other in [keyed(1, 2), keyed(2, 1), keyed(2, 3), keyed(3, 2)] {
        index.remove(other);
    }
    assert_eq!(found(&index, 2), [Place::of_bits(2)]);
}
