use super::*;
use crate::model::delta::{Change, Delta};
use crate::model::row::Row;
use crate::relay::log::jobs::AtOnce;

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn incarnation() -> Incarnation {
    Incarnation::of(["v"])
}

/// A view of some megabytes.
fn view() -> View {
    let mut view = View::empty(Timestamp::new(1));
    replace(&mut view, 0);
    view
}

/// All rows become others.
fn replace(view: &mut View, generation: usize) {
    let change = |generation: usize, diff| {
        move |row: usize| Change {
            row: Row::from(format!("{generation:09}{row:09}").repeat(3_000).as_str()),
            diff,
        }
    };
    let mut changes: Vec<Change> = (0..200).map(change(generation + 1, 1)).collect();
    if generation > 0 {
        changes.extend((0..200).map(change(generation, -1)));
    }
    let next = Timestamp::new(view.timestamp().get() + 1);
    view.apply(&Delta::new(next, changes)).unwrap();
}

fn take(view: &View) -> Arc<Base> {
    Arc::new(Base::of(view, incarnation(), view.retired()))
}

#[test]
fn base_that_is_short_is_one_event_and_lists_every_copy() {
    let mut builder = crate::model::view::ViewBuilder::new();
    builder.add("{\"a\":1}", 3);
    let view = builder.finish(Timestamp::new(9)).unwrap();
    let base = Base::of(&view, incarnation(), 0);
    let array = "[{\"a\":1},{\"a\":1},{\"a\":1}]";
    assert_eq!(base.bytes, 25);
    let event = text(&base.short.unwrap().event());
    let id = incarnation();
    assert_eq!(event, format!("event: base\ndata: {array}\nid: 9-{id}\n\n"));
    let empty = Base::of(&View::empty(Timestamp::new(9)), incarnation(), 0);
    assert_eq!((empty.bytes, array_bytes(0, 0)), (2, 2));
    assert!(text(&empty.short.unwrap().event()).contains("data: []\n"));
}

#[test]
fn bases_that_are_read_are_few_however_often_the_view_is_replaced() {
    let (mut view, mut bases) = (view(), Bases::new(Arc::new(AtOnce)));
    let mut readings = Vec::new();
    for generation in 1..40 {
        bases.provide_current(|| take(&view));
        let current = bases.current().unwrap();
        readings.push(current.read(Extent::Event));
        bases.provide_latest(true, || panic!("the current one is it"));
        assert!(bases.held() <= 2, "{}", bases.held());
        replace(&mut view, generation);
        bases.outdate();
        bases.drop_current();
        bases.tidy(view.listed_bytes(), view.retired());
        assert!(bases.held() <= 1, "{}", bases.held());
    }
    assert_eq!(bases.taken(), 39);
    let held = readings.iter().filter(|it| !it.is_given_up()).count();
    assert!(held <= 1, "{held}");
    // The last is kept as long as it is read.
    assert!(!readings.last().unwrap().is_given_up());
    readings.clear();
    bases.tidy(view.listed_bytes(), view.retired());
    assert_eq!(bases.held(), 0);
}

#[test]
fn bases_that_share_their_memory_with_the_view_are_kept_for_all_who_read() {
    let (mut view, mut bases) = (view(), Bases::new(Arc::new(AtOnce)));
    let mut readings = Vec::new();
    for step in 0..i64::try_from(BASES_MAX / 2).unwrap() {
        bases.provide_latest(false, || take(&view));
        let latest = bases.latest().unwrap();
        readings.push(latest.read(Extent::Array));
        let next = Timestamp::new(view.timestamp().get() + 1);
        let change = Change {
            row: Row::from(format!("{{\"step\":{step}}}").as_str()),
            diff: 1,
        };
        view.apply(&Delta::new(next, vec![change])).unwrap();
        bases.outdate();
        bases.tidy(view.listed_bytes(), view.retired());
    }
    assert!(!readings.iter().any(Reading::is_given_up));
    assert_eq!(bases.held(), BASES_MAX / 2);
}

#[test]
fn bases_of_before_the_log_are_taken_anew_though_nothing_has_changed() {
    let (mut view, mut bases) = (View::empty(Timestamp::new(5)), Bases::new(Arc::new(AtOnce)));
    bases.provide_current(|| take(&view));
    bases.forget_before(Timestamp::new(5));
    assert!(bases.current().is_some(), "the log goes on from it");
    view.advance(Timestamp::new(9));
    bases.forget_before(Timestamp::new(6));
    bases.provide_current(|| take(&view));
    let current = bases.current().map(|base| base.position.timestamp);
    assert_eq!(current, Some(Timestamp::new(9)));
}
