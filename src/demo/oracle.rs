//! Oracle tests: each view, recomputed from the recorded edits in plain Rust,
//! must equal what the dataflow maintains, at many timestamps.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::catalog::{Catalog, SharedCatalog, number};
use super::dataflow::{Dataflow, Plan};
use super::dialect::DemoDialect;
use super::feed::{Edit, Feed, Pace, Recording};
use super::live_feed::Edits;
use super::store::Store;
use super::value::{Row, Value};

/// An hour, the window of minutes, in microseconds.
const HOUR_US: u64 = 3_600_000_000;

const TICK_MS: u64 = 10_000;

fn row(values: impl IntoIterator<Item = Value>) -> Row {
    values.into_iter().collect()
}

fn bigint(count: usize) -> Value {
    Value::BigInt(i64::try_from(count).unwrap())
}

/// NULL of no edits, as SQL has it.
fn sum_of_bytes(edits: &[Edit]) -> Value {
    if edits.is_empty() {
        return Value::Null;
    }
    Value::Numeric(edits.iter().map(|edit| edit.bytes as i128).sum())
}

fn page_edits(edits: &[Edit]) -> Vec<Row> {
    let mut pages: BTreeMap<(Option<&str>, &str, &str), (usize, i128)> = BTreeMap::new();
    for edit in edits {
        let page = pages.entry((edit.user.as_deref(), &edit.wiki, &edit.page));
        let page = page.or_default();
        *page = (page.0 + 1, page.1 + edit.bytes as i128);
    }
    let rows = pages.into_iter().map(|((user, wiki, page), sums)| {
        let user = user.map_or(Value::Null, Value::text);
        let [wiki, page] = [wiki, page].map(Value::text);
        row([user, wiki, page, bigint(sums.0), Value::Numeric(sums.1)])
    });
    rows.collect()
}

/// The rows of every view that hangs on edits, by relation number.
fn recompute(
    edits: &[Edit],
    clock_us: u64,
    hot_us: u64,
    recording: &Recording,
) -> BTreeMap<usize, Vec<Row>> {
    let mut users: BTreeMap<&str, usize> = BTreeMap::new();
    let mut wikis: BTreeMap<&str, (usize, i128)> = BTreeMap::new();
    let mut minutes: BTreeMap<u64, usize> = BTreeMap::new();
    let mut pages: BTreeMap<(&str, &str), (usize, BTreeSet<&str>)> = BTreeMap::new();
    for edit in edits {
        if let Some(user) = &edit.user {
            *users.entry(user).or_default() += 1;
        }
        let wiki = wikis.entry(&edit.wiki).or_default();
        *wiki = (wiki.0 + 1, wiki.1 + edit.bytes as i128);
        let minute = edit.event_ms / 60_000;
        if minute * 60_000_000 + HOUR_US > clock_us {
            *minutes.entry(minute).or_default() += 1;
        }
        if edit.event_ms * 1_000 + hot_us > clock_us {
            let page = pages.entry((&edit.page, &edit.wiki)).or_default();
            page.0 += 1;
            page.1.extend(edit.user.as_deref());
        }
    }
    let bytes = sum_of_bytes(edits);
    let counter = row([bigint(edits.len()), bytes, bigint(users.len())]);
    let user_row = |(user, count): &(&str, usize)| row([Value::text(user), bigint(*count)]);
    let mut ranking: Vec<(&str, usize)> = users.into_iter().collect();
    let user_edits = ranking.iter().map(user_row).collect();
    ranking.sort_by_key(|(user, count)| (std::cmp::Reverse(*count), *user));
    let top10 = ranking.iter().take(10).map(user_row).collect();
    let by_language = wikis.into_iter().map(|(code, (edits, bytes))| {
        let wiki = recording
            .wikis
            .iter()
            .find(|wiki| wiki.code == code)
            .unwrap();
        let [language, family] = [&wiki.language, &wiki.family].map(Value::text);
        row([language, family, bigint(edits), Value::Numeric(bytes)])
    });
    let per_minute = minutes.into_iter().map(|(minute, edits)| {
        row([
            Value::Timestamp(i64::try_from(minute * 60_000).unwrap()),
            bigint(edits),
        ])
    });
    let hot = pages
        .into_iter()
        .filter(|(_, (_, editors))| editors.len() > 1);
    let hot = hot.map(|((page, wiki), (edits, editors))| {
        row([
            Value::text(page),
            Value::text(wiki),
            bigint(editors.len()),
            bigint(edits),
        ])
    });
    BTreeMap::from([
        (number::COUNTER, vec![counter]),
        (number::USER_EDITS, user_edits),
        (number::PAGE_EDITS, page_edits(edits)),
        (number::TOP10, top10),
        (number::EDITS_BY_LANGUAGE, by_language.collect()),
        (number::EDITS_PER_MINUTE, per_minute.collect()),
        (number::HOT_PAGES, hot.collect()),
    ])
}

/// Runs `ticks` ticks without a clock, some of them in one step, and compares
/// all views at every `every`-th of their timestamps.
fn check(rate: f64, seed: u64, ticks: u64, every: usize) {
    let recording = Arc::new(Recording::load().unwrap());
    // Long ticks, so that the window of hot pages is passed within the test.
    let tick = Duration::from_millis(TICK_MS);
    let pace = Pace::new(&recording, rate, seed, tick, 1_000_000);
    let hot_us = pace.hot_window_ms() * 1_000;
    let catalog = Catalog::new(DemoDialect::Subscribe);
    let (store, publisher) = Store::new(catalog.relations.len(), 1_000_000, u64::MAX / 2);
    let (_, requests) = tokio::sync::mpsc::channel(1);
    let feed = Feed::starting_at(Arc::clone(&recording), pace, seed, 0);
    let recording_too = Arc::clone(&recording);
    let mut dataflow = Dataflow::new(Plan {
        recording: recording_too,
        pace,
        edits: Edits::Recorded(feed),
        catalog: Arc::new(SharedCatalog::new(catalog)),
        requests,
        publisher,
    });
    dataflow.advance(0);
    for tick in (1..=ticks).filter(|tick| tick % 7 < 4) {
        dataflow.advance(tick);
    }
    let mut hot_pages = 0;
    for tick in (0..store.frontier().saturating_sub(1_000_000) / TICK_MS).step_by(every) {
        let clock_us = pace.event_us(tick);
        let edits: Vec<Edit> = (0..)
            .map(|index| (index, recording.edit(index)))
            .take_while(|(index, edit)| {
                *index < seed || (tick > 0 && edit.event_ms * 1_000 <= clock_us)
            })
            .map(|(_, edit)| edit)
            .collect();
        for (relation, mut expected) in recompute(&edits, clock_us, hot_us, &recording) {
            let mut rows: Vec<Row> = Vec::new();
            for (row, count) in store
                .history(relation)
                .unwrap()
                .contents(pace.timestamp(tick))
                .unwrap()
            {
                assert_eq!(count, 1, "relation {relation} at tick {tick}: {row:?}");
                rows.push(row);
            }
            rows.sort();
            expected.sort();
            assert_eq!(rows, expected, "relation {relation} at tick {tick}");
            hot_pages += if relation == number::HOT_PAGES {
                rows.len()
            } else {
                0
            };
        }
    }
    assert!(hot_pages > 0, "the test is to see hot pages");
}

#[test]
fn oracle_views_from_the_first_edit_on() {
    check(4.0, 0, 240, 3);
}

#[test]
fn oracle_views_after_a_seed() {
    check(20.0, 3_000, 90, 5);
}

#[test]
fn oracle_views_when_the_recording_starts_again() {
    // 39,244 edits are a lap; the hours around its end are the quiet ones.
    check(6.0, 38_500, 90, 9);
}
