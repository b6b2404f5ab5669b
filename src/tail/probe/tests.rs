use super::*;
use crate::model::reason::Why;
use crate::tail::assembler::Start;
use crate::tail::failure::{ConnectFailure, Failure};
use crate::tail::names::Meaning;
use crate::tail::object::Object;
use crate::tail::settings::{TailSettings, TailView};
use crate::tail::view_tail::Effect;

fn found(what: &str) -> Found {
    let object = Object {
        sql: "\"v\"".to_owned(),
        ..Object::default()
    };
    Found::new(&TailView::default(), object, what).unwrap()
}

/// A tail whose stream of a server of this dialect has just begun.
fn streaming(dialect: Dialect, now: Instant) -> ViewTail {
    let settings = TailSettings::new(TailView::default());
    let mut tail = ViewTail::new(0, settings, fastrand::Rng::with_seed(1), now);
    tail.describe(found("here").description, Why::Recreated, now);
    tail.held.dialect = Some(dialect);
    tail.stream_begins(Start::Snapshot {
        floor: None,
        reached: None,
    });
    tail.held.reach.clock.set(Timestamp::new(900_000_000), now);
    while tail.take_told().is_some() {}
    while tail.take_effect().is_some() {}
    tail
}

/// Carries a probe on by these replies; the requests that each led to.
fn probed(tail: &mut ViewTail, replies: Vec<Reply<'_>>) -> Vec<Request> {
    let mut probe = Probe::new(0);
    let replies = [Reply::Begin].into_iter().chain(replies);
    replies
        .map(|reply| probe.next(tail, reply, Instant::now()))
        .collect()
}

fn connected() -> Reply<'static> {
    Reply::Connected(Ok(()))
}

fn answer(answer: Answer) -> Reply<'static> {
    Reply::Answered(Ok(answer))
}

fn describe(what: &str) -> Reply<'static> {
    answer(Answer::Found(Box::new(found(what))))
}

fn cause(tail: &mut ViewTail) -> Option<TailError> {
    match tail.take_effect() {
        Some(Effect::StartReader { cause, .. }) => cause,
        _ => None,
    }
}

#[test]
fn probe_gives_the_stream_up_by_what_it_finds() {
    let no_connection = |is_no_room| {
        TailError::Connect(ConnectFailure {
            failure: Failure::broken("connection refused"),
            hint: String::new(),
            is_refused_login: false,
            is_no_room,
            is_without_password: false,
        })
    };
    let time = |at| answer(Answer::Now(Some(Timestamp::new(at))));
    let (new, old) = (Dialect::Subscribe, Dialect::Tail);
    let refused = |is_no_room| Reply::Connected(Err(no_connection(is_no_room)));
    for (dialect, replies, expected) in [
        (new, vec![refused(true)], Some(no_connection(true))),
        (old, vec![refused(false)], Some(no_connection(false))),
        // A server that is well, and silent because it is idle.
        (old, vec![refused(true)], None),
        (
            new,
            vec![connected(), describe("there")],
            Some(TailError::Replaced),
        ),
        (
            new,
            vec![connected(), describe("here"), time(5)],
            Some(TailError::WentBack),
        ),
        (
            new,
            vec![connected(), describe("here"), time(900_000_001)],
            None,
        ),
    ] {
        let mut tail = streaming(dialect, Instant::now());
        tail.silence.is_probing = true;
        let requests = probed(&mut tail, replies);
        assert_eq!(requests.last(), Some(&Request::Over(Over::Left)));
        assert!(!tail.silence.is_probing);
        assert_eq!(cause(&mut tail), expected);
    }
}

fn counted() -> Reply<'static> {
    answer(Answer::Count(0, Timestamp::new(900_000_000)))
}

#[test]
fn probe_settles_what_an_old_server_leaves_unsaid() {
    let count = Request::Ask(Question::Count {
        relation: "\"v\"".to_owned(),
        as_of: None,
    });
    let over = Request::Over(Over::Left);
    let mut by_id = found("here");
    by_id.object.is_by_id = true;
    let by_id = answer(Answer::Found(Box::new(by_id)));
    // What is counted by an id is of the view; what is by a name, if it still means it.
    for (replies, requests) in [
        (vec![connected(), by_id, counted()], 4),
        (
            vec![connected(), describe("here"), counted(), describe("here")],
            5,
        ),
    ] {
        let mut tail = streaming(Dialect::Tail, Instant::now());
        let asked = probed(&mut tail, replies);
        assert_eq!((&asked[2], asked.last()), (&count, Some(&over)));
        assert_eq!(asked.len(), requests);
        let told = tail.take_told();
        assert!(matches!(told, Some(TailEvent::Snapshot(view)) if view.copies() == 0));
    }
}

/// A view that another one took the name of, between the question what the name means
/// and the one that counts by it, was told to be empty.
#[test]
fn probe_settles_nothing_by_rows_of_another_view() {
    let mut tail = streaming(Dialect::Tail, Instant::now());
    let replies = vec![connected(), describe("here"), counted(), describe("there")];
    probed(&mut tail, replies);
    assert!(tail.take_told().is_none());
    assert_eq!(cause(&mut tail), Some(TailError::Replaced));
}

#[test]
fn probe_takes_no_refusal_of_the_catalog_for_another_view() {
    let now = Instant::now();
    for (dialect, requests) in [(Dialect::Subscribe, 4), (Dialect::Tail, 3)] {
        let mut tail = streaming(dialect, now);
        let known = Meaning {
            ids: vec!["u1".to_owned()],
            ..Meaning::default()
        };
        tail.known.set(0, Some(known), now);
        let time = answer(Answer::Now(Some(Timestamp::new(900_000_001))));
        let replies = vec![connected(), describe("there"), time];
        let asked = probed(&mut tail, replies);
        // An old server would count whatever has the name.
        let first_over = asked.iter().position(|it| *it == Request::Over(Over::Left));
        assert_eq!(first_over, Some(requests - 1), "{dialect:?}");
        assert_eq!(cause(&mut tail), None);
    }
}

#[test]
fn probe_of_a_generation_that_is_over_changes_nothing() {
    let mut tail = streaming(Dialect::Tail, Instant::now());
    tail.replace(0, TailError::Ended);
    assert_eq!(probed(&mut tail, Vec::new()), [Request::Over(Over::Left)]);
    assert_eq!(cause(&mut tail), Some(TailError::Ended));
    assert_eq!(cause(&mut tail), None);
}
