use super::Event::{Current, Failed, Final, Found, Interrupted, Overdue};
use super::State::{Complete, Doubted, GivenUp, Live, Lost};
use super::*;
use crate::model::reason::Cause;

const A: Reason = reason(Cause::Broken);
const B: Reason = reason(Cause::Unreachable);
/// Of the query: that the view is described says nothing against it.
const C: Reason = reason(Cause::Denied);

const fn reason(cause: Cause) -> Reason {
    Reason::new(cause)
}

fn asking() -> State {
    State::Loading(Attempt::Asking)
}

fn reading() -> State {
    State::Loading(Attempt::Reading)
}

fn failing(reason: Reason) -> State {
    State::Loading(Attempt::Failed(reason))
}

fn lost(reason: Reason) -> State {
    Lost(Attempt::Failed(reason))
}

fn gone(why: Why) -> State {
    State::Gone { why, failure: None }
}

fn gone_failing(reason: Reason) -> State {
    State::Gone {
        why: Why::Dropped,
        failure: Some(reason),
    }
}

const EVENTS: [Event; 9] = [
    Found,
    Current,
    Final,
    Interrupted(B),
    Overdue,
    Failed(B),
    Event::Gone(Why::Dropped),
    Event::Gone(Why::TooLarge),
    Event::GivenUp(Why::Removed),
];

fn lost_row(state: &State) -> [(State, Told); 9] {
    let gone = |why| (gone(why), Told::Gone(why));
    [
        (Lost(Attempt::Reading), Told::Nothing),
        (Live, Told::Live),
        (Complete, Told::Live),
        (lost(B), Told::Nothing),
        (state.clone(), Told::Nothing),
        (lost(B), Told::Nothing),
        gone(Why::Dropped),
        gone(Why::TooLarge),
        (GivenUp(Why::Removed), Told::Gone(Why::Removed)),
    ]
}

/// Every state, and what becomes of it by each of `EVENTS`, in their order.
fn table() -> Vec<(State, [(State, Told); 9])> {
    use Told::Nothing as Quiet;
    let dropped = || (gone(Why::Dropped), Told::Gone(Why::Dropped));
    let too_large = || (gone(Why::TooLarge), Told::Gone(Why::TooLarge));
    let given_up = || (GivenUp(Why::Removed), Told::Gone(Why::Removed));
    let loading = |state: State| {
        let row = [
            (reading(), Quiet),
            (Live, Quiet),
            (Complete, Quiet),
            (failing(B), Quiet),
            (state.clone(), Quiet),
            (failing(B), Quiet),
            dropped(),
            too_large(),
            given_up(),
        ];
        (state, row)
    };
    let holding = |state: State, interrupted: State, overdue: (State, Told)| {
        let row = [
            (state.clone(), Quiet),
            (Live, Quiet),
            (Complete, Quiet),
            (interrupted, Quiet),
            overdue,
            (lost(B), Told::Lost),
            dropped(),
            too_large(),
            given_up(),
        ];
        (state, row)
    };
    let absent = |state: State| {
        let row = [
            (gone(Why::Dropped), Quiet),
            (Live, Quiet),
            (Complete, Quiet),
            (gone_failing(B), Quiet),
            (state.clone(), Quiet),
            (gone_failing(B), Quiet),
            (gone(Why::Dropped), Quiet),
            (gone(Why::TooLarge), Quiet),
            given_up(),
        ];
        (state, row)
    };
    vec![
        loading(asking()),
        loading(reading()),
        loading(failing(A)),
        holding(Live, Doubted(B), (Live, Quiet)),
        holding(Doubted(A), Doubted(A), (lost(A), Told::Lost)),
        (lost(A), lost_row(&lost(A))),
        (Lost(Attempt::Reading), lost_row(&Lost(Attempt::Reading))),
        holding(Complete, Doubted(B), (Complete, Quiet)),
        absent(gone(Why::Dropped)),
        absent(gone_failing(A)),
        (
            GivenUp(Why::GivenUp),
            EVENTS.map(|_| (GivenUp(Why::GivenUp), Quiet)),
        ),
    ]
}

/// An attempt that fails as the last one did does not make the reason flicker.
#[test]
fn upstream_keeps_the_refusal_of_a_query_until_there_are_rows() {
    for state in [failing(C), lost(C), gone_failing(C)] {
        assert_eq!(state.next(Found), (state.clone(), Told::Nothing));
        let (next, _) = state.next(Failed(B)).0.next(Found);
        assert_ne!(next, state, "another failure is the one that counts");
        assert_eq!(state.next(Current).0, Live);
    }
}

#[test]
fn upstream_is_the_next_state_of_the_table_by_every_event() {
    for (state, row) in table() {
        for (event, expected) in EVENTS.into_iter().zip(row) {
            assert_eq!(state.next(event), expected, "{state:?} by {event:?}");
        }
    }
}

/// Whatever comes in whatever order: who holds rows is told before they may
/// be stale, that they are fresh again, and once that there are none.
#[test]
fn upstream_tells_those_who_hold_rows_the_truth_in_every_order() {
    let mut random = fastrand::Rng::with_seed(11);
    for _ in 0..2_000 {
        let mut upstream = Upstream::new(0);
        // What a stream knows by what it was told: rows, and whether fresh.
        let (mut holds, mut is_fresh) = (false, true);
        for now_ms in 1..40 {
            let Some(event) = random.choice(EVENTS) else {
                continue;
            };
            match upstream.handle(event, now_ms) {
                Told::Lost => {
                    assert!(holds && is_fresh, "lost of what is not held, or twice");
                    is_fresh = false;
                }
                Told::Live => {
                    assert!(holds && !is_fresh, "live of what was live");
                    is_fresh = true;
                }
                Told::Gone(_) => (holds, is_fresh) = (false, true),
                Told::Nothing => {}
            }
            if matches!(event, Current | Final) && !upstream.is_given_up() {
                // The first is told by the base.
                holds = true;
            }
            assert_eq!(
                holds,
                !matches!(upstream.word(), Word::Loading | Word::Gone)
            );
            let is_lost = upstream.word() == Word::Lost;
            assert_eq!(holds && !is_fresh, is_lost, "{upstream:?} by {event:?}");
            // A reason wherever something is amiss, and no other.
            assert_eq!(upstream.reason().is_none(), upstream.is_fresh());
            assert_eq!(upstream.reason_word().is_empty(), upstream.is_fresh());
        }
    }
}

#[test]
fn upstream_is_lost_since_the_data_are_in_doubt() {
    let mut upstream = Upstream::new(1);
    let mut by = |event, now_ms| {
        let told = upstream.handle(event, now_ms);
        (told, upstream.since_ms())
    };
    assert_eq!(by(Failed(A), 2), (Told::Nothing, 1), "loading all the time");
    assert_eq!(by(Current, 3), (Told::Nothing, 3));
    assert_eq!(by(Current, 4), (Told::Nothing, 3));
    assert_eq!(by(Interrupted(A), 5), (Told::Nothing, 3), "live so far");
    assert_eq!(by(Interrupted(B), 6), (Told::Nothing, 3));
    assert_eq!(by(Overdue, 7), (Told::Lost, 5));
    assert_eq!(by(Failed(B), 8), (Told::Nothing, 5), "one outage");
    assert_eq!(by(Current, 9), (Told::Live, 9));
    assert_eq!(by(Failed(A), 10), (Told::Lost, 10));
    assert_eq!(by(Current, 11), (Told::Live, 11));
    let dropped = Event::Gone(Why::Dropped);
    assert_eq!(by(dropped, 12), (Told::Gone(Why::Dropped), 12));
    assert_eq!(by(Failed(B), 13), (Told::Nothing, 12));
    assert_eq!(by(dropped, 14), (Told::Nothing, 12));
    assert_eq!(by(Event::Gone(Why::TooLarge), 15), (Told::Nothing, 15));
}

/// Of a doubt that proves unfounded nobody is told, by `since` neither.
#[test]
fn upstream_that_was_only_in_doubt_is_what_it_was_all_the_time() {
    for (event, word) in [(Current, Word::Live), (Final, Word::Complete)] {
        let mut upstream = Upstream::new(1);
        for (event, now_ms) in [(event, 2), (Interrupted(A), 3), (Found, 4), (event, 5)] {
            assert_eq!(upstream.handle(event, now_ms), Told::Nothing);
            assert_eq!((upstream.word(), upstream.since_ms()), (word, 2));
        }
        // The next doubt is one of its own.
        for (event, now_ms) in [(Interrupted(A), 6), (Overdue, 7)] {
            let _ = upstream.handle(event, now_ms);
        }
        assert_eq!((upstream.word(), upstream.since_ms()), (Word::Lost, 6));
    }
}

#[test]
fn upstream_of_a_final_view_is_known_to_be_that_until_it_is_found_otherwise() {
    for (events, expected) in [
        (vec![Current], false),
        (vec![Final], true),
        (vec![Final, Interrupted(A)], true),
        (vec![Final, Interrupted(A), Overdue, Found], true),
        (vec![Final, Failed(A)], true),
        (vec![Final, Failed(A), Current], false),
        (vec![Final, Interrupted(A), Current, Failed(A)], false),
        (vec![Final, Event::Gone(Why::Dropped)], false),
    ] {
        let mut upstream = Upstream::new(0);
        for event in &events {
            let _ = upstream.handle(*event, 0);
        }
        assert_eq!(upstream.is_final(), expected, "{events:?}");
    }
}

#[test]
fn upstream_says_in_words_what_is_amiss() {
    let mut upstream = Upstream::new(0);
    let mut by = |event| {
        let _ = upstream.handle(event, 0);
        upstream.reason().map(std::borrow::Cow::into_owned)
    };
    let failed = B.to_string();
    assert_eq!(by(Failed(B)), Some(failed.clone()));
    assert_eq!(by(Current), None);
    assert_eq!(by(Failed(B)), Some(failed.clone()));
    let reading = by(Found).expect("a reason");
    assert!(reading.contains("being read"), "{reading}");
    assert_eq!(by(Failed(B)), Some(failed.clone()));
    let dropped = Why::Dropped.words();
    assert_eq!(by(Event::Gone(Why::Dropped)).as_deref(), Some(dropped));
    let both = format!("{dropped}; since then: {failed}");
    assert_eq!(by(Failed(B)), Some(both));
    assert_eq!(by(Found).as_deref(), Some(dropped));
}
