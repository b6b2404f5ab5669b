use super::super::value::Value;
use super::*;

fn row(n: i64) -> Row {
    Arc::from([Value::BigInt(n)])
}

fn sorted(mut rows: Vec<(Row, i64)>) -> Vec<(Row, i64)> {
    rows.sort();
    rows
}

fn publish(publisher: &Publisher, updates: Vec<Update>, frontier: u64) {
    publisher.append(BTreeMap::from([(0, updates)]), frontier - 1);
    publisher.close(frontier);
}

#[test]
fn history_is_consolidated_and_read_at_any_kept_timestamp() {
    let (store, publisher) = Store::new(1, 100, 20);
    let first = vec![
        (row(1), 100, 1),
        (row(2), 100, 2),
        (row(1), 110, -1),
        (row(1), 110, 1),
    ];
    publish(&publisher, first, 111);
    publish(&publisher, vec![(row(2), 120, -1), (row(3), 120, 1)], 121);
    let history = store.history(0).unwrap();
    assert_eq!(history.since(), 100);
    assert_eq!(
        sorted(history.contents(110).unwrap()),
        [(row(1), 1), (row(2), 2)]
    );
    let expected = [(row(1), 1), (row(2), 1), (row(3), 1)];
    assert_eq!(sorted(history.contents(120).unwrap()), expected);
    let batches = history.updates(100, 121).unwrap();
    assert_eq!(batches.len(), 1, "the updates at 110 cancel out");
    publish(&publisher, vec![], 131);
    assert_eq!(history.contents(109), Err(Compacted { since: 110 }));
    assert_eq!(
        history.updates(109, 131).unwrap_err(),
        Compacted { since: 110 }
    );
    publish(&publisher, vec![], 200);
    assert_eq!(sorted(history.contents(199).unwrap()), expected);
}

#[test]
fn relations_come_and_go_and_keep_their_readers() {
    let (store, publisher) = Store::new(1, 100, 20);
    publisher.create(5, 110, BTreeMap::from([(row(1), 2)]), None);
    let held = store.history(5).unwrap();
    assert_eq!((held.since(), held.dropped()), (110, None));
    assert_eq!(held.contents(110).unwrap(), [(row(1), 2)]);
    publisher.remove(5, Dropped::Itself);
    assert!(store.history(5).is_none());
    assert_eq!(held.dropped(), Some(Dropped::Itself));
    assert_eq!(held.contents(110).unwrap(), [(row(1), 2)]);
}

#[test]
fn relation_with_refreshes_changes_at_them_alone_and_is_known_ahead() {
    let (store, publisher) = Store::new(0, 100, 1_000);
    let every = Every {
        ms: std::num::NonZeroU64::new(50).unwrap(),
        text: "50ms".to_owned(),
    };
    publisher.create(0, 100, BTreeMap::from([(row(1), 1)]), Some(&every));
    let history = store.history(0).unwrap();
    publish(&publisher, vec![(row(2), 110, 1)], 111);
    assert_eq!(history.frontier(store.frontier()), 150);
    assert!(history.updates(100, 150).unwrap().is_empty());
    // What comes and goes between two refreshes never shows.
    publish(&publisher, vec![(row(2), 120, -1), (row(3), 120, 1)], 121);
    publish(&publisher, vec![(row(4), 150, 1)], 150);
    assert_eq!(history.frontier(store.frontier()), 150);
    publish(&publisher, vec![(row(5), 151, 1)], 151);
    assert_eq!(history.frontier(store.frontier()), 200);
    let batches = history.updates(100, 200).unwrap();
    let [batch] = &batches[..] else {
        panic!("{batches:?}");
    };
    assert_eq!(batch.timestamp, 150);
    assert_eq!(sorted(batch.updates.clone()), [(row(3), 1), (row(4), 1)]);
    assert_eq!(history.contents(149).unwrap(), [(row(1), 1)]);
    let expected = [(row(1), 1), (row(3), 1), (row(4), 1)];
    assert_eq!(sorted(history.contents(199).unwrap()), expected);
}
