//! A reader that begins in the past, and what makes it begin in the present.

use std::time::Duration;

use super::super::*;

const SQL: &str = "[u1 AS \"v\"]";

/// A tail that holds nothing and wants ten seconds of the past.
fn script() -> Script {
    Script::with(TailSettings {
        history: Duration::from_secs(10),
        ..TailSettings::new(view())
    })
}

fn recorded(id: &str) -> Object {
    let mut object = object(id);
    object.meaning.as_mut().unwrap().is_recorded = true;
    object
}

fn time(ms: u64) -> Reply<'static> {
    answer(Answer::Now(Some(Timestamp::new(ms))))
}

fn from(from: From) -> Request {
    copy(Dialect::Subscribe, SQL, from)
}

fn at_least(ms: u64) -> Request {
    from(From::AtLeast(Timestamp::new(ms)))
}

impl Script {
    /// From a connection to what is asked once the view is known.
    fn describe(&mut self, dialect: Dialect, object: Object) -> Request {
        self.expect(connected(), Request::Ask(Question::Dialect));
        self.next(answer(Answer::Dialect(dialect)));
        self.next(found(object))
    }

    /// From a connection to a COPY of the past that runs.
    #[track_caller]
    fn in_the_past(&mut self) {
        let asked = self.describe(Dialect::Subscribe, recorded("u1"));
        assert_eq!(asked, Request::Ask(Question::Now));
        self.expect(time(90_000), at_least(80_000));
        self.expect(Reply::Copying(Ok(())), Request::Read);
    }
}

#[test]
fn reader_begins_in_the_past_and_says_until_when_it_is_there() {
    let mut script = script();
    script.in_the_past();
    assert_eq!(script.told(), ["described", "history 90000"]);
    let lines = b"85000\tt\t\\N\t\\N\n85000\tf\t1\t7\n86000\tf\t1\t8\n86001\tt\t\\N\t\\N\n";
    script.next(Reply::Chunk(lines));
    script.verdict(Verdict::Same);
    script.expect(Reply::Woken, Request::Read);
    assert_eq!(script.told(), ["snapshot 85000", "delta 86000"]);
    // The upstream's time is what it says, and not that of the snapshot.
    let clock = script.tail.held.reach.clock;
    assert_eq!(clock.now(script.now), Some(Timestamp::new(90_000)));
    // It breaks on the way: it goes on from there, until a later time.
    let request = script.next(Reply::CopyEnded(Err(broken())));
    assert_eq!(script.after(request), Request::Connect);
    let asked = script.describe(Dialect::Subscribe, recorded("u1"));
    assert_eq!(asked, Request::Ask(Question::Now));
    let after = from(From::After(Timestamp::new(86_000)));
    script.expect(time(95_000), after);
    script.expect(Reply::Copying(Ok(())), Request::Read);
    let lines = b"86000\tt\t\\N\t\\N\n95001\tt\t\\N\t\\N\n";
    script.next(Reply::Chunk(lines));
    script.verdict(Verdict::Same);
    script.expect(Reply::Woken, Request::Read);
    let told = [
        "failed broken",
        "described",
        "history 95000",
        "progress 95000",
    ];
    assert_eq!(script.told(), told);
    // In the present it is a stream like any other.
    let request = script.next(Reply::CopyEnded(Err(broken())));
    assert_eq!(script.after(request), Request::Connect);
    let asked = script.describe(Dialect::Subscribe, recorded("u1"));
    assert_eq!(asked, Request::Ask(Question::Now));
    script.expect(time(96_000), from(From::After(Timestamp::new(95_000))));
}

/// Only what the server has written down as it was shown.
#[test]
fn reader_begins_in_the_past_of_nothing_that_may_have_been_another_then() {
    let replaced = |first: &str| {
        let mut object = recorded("u2");
        object.meaning.as_mut().unwrap().first_id = Some(first.to_owned());
        object
    };
    let mut query = recorded("u1");
    query.meaning = None;
    for (object, dialect, is_asked) in [
        (recorded("u1"), Dialect::Subscribe, true),
        (replaced("u2"), Dialect::Subscribe, true),
        (replaced("u1"), Dialect::Subscribe, false),
        (object("u1"), Dialect::Subscribe, false),
        (recorded("s1"), Dialect::Subscribe, false),
        (query, Dialect::Subscribe, false),
        (recorded("u1"), Dialect::Tail, false),
    ] {
        let sql = object.sql.clone();
        let asked = script().describe(dialect, object);
        match is_asked {
            true => assert_eq!(asked, Request::Ask(Question::Now)),
            false => assert_eq!(asked, copy(dialect, &sql, From::Snapshot)),
        }
    }
}

#[test]
fn reader_that_is_refused_the_past_asks_for_the_present_on_the_same_connection() {
    let refused = || Failure::answer("22000", "could not find a valid timestamp for the query");
    let mut script = script();
    script.describe(Dialect::Subscribe, recorded("u1"));
    script.expect(time(90_000), at_least(80_000));
    script.expect(Reply::Copying(Err(refused())), from(From::Snapshot));
    script.expect(Reply::Copying(Ok(())), Request::Read);
    script.next(Reply::Chunk(b"90000\tt\t\\N\t\\N\n90001\tt\t\\N\t\\N\n"));
    script.verdict(Verdict::Same);
    script.next(Reply::Woken);
    assert_eq!(script.told(), ["described", "snapshot 90000"]);
    // Nor does it begin there without knowing the time.
    for answered in [
        answer(Answer::Now(None)),
        Reply::Answered(Err(TailError::Query {
            what: "its time",
            failure: refused(),
        })),
    ] {
        let mut script = super::tests::script();
        script.describe(Dialect::Subscribe, recorded("u1"));
        script.expect(answered, from(From::Snapshot));
    }
}

#[test]
fn reader_whose_past_fails_reads_the_present_at_once_and_without_a_word() {
    let mut script = script();
    script.in_the_past();
    script.ends("XX000", "Evaluation error: division by zero");
    script.expect(found(recorded("u1")), Request::Connect);
    assert_eq!(
        script.told(),
        ["described", "history 90000", "interrupted changing"]
    );
    let asked = script.describe(Dialect::Subscribe, recorded("u1"));
    assert_eq!(asked, from(From::Snapshot));
    // If it fails as well, that is told.
    script.expect(Reply::Copying(Ok(())), Request::Read);
    script.ends("XX000", "Evaluation error: division by zero");
    let request = script.next(found(recorded("u1")));
    assert!(matches!(request, Request::Wait(_)), "{request:?}");
    assert_eq!(script.told(), ["described", "failed evaluation_error"]);
}

#[test]
fn reader_whose_connection_breaks_tries_the_past_a_few_times() {
    let mut script = script();
    for _ in 0..crate::limits::HISTORY_TRIES_MAX {
        script.in_the_past();
        let request = script.next(Reply::CopyEnded(Err(broken())));
        assert_eq!(script.after(request), Request::Connect);
    }
    let asked = script.describe(Dialect::Subscribe, recorded("u1"));
    assert_eq!(asked, from(From::Snapshot));
}

/// The publisher may find the past inconsistent, or too large.
#[test]
fn reader_whose_publisher_refuses_the_past_reads_the_present_at_once() {
    for (held, is_resync) in [(Some(Timestamp::new(85_000)), true), (None, false)] {
        let mut script = script();
        script.in_the_past();
        let lines = b"85000\tt\t\\N\t\\N\n85000\tf\t1\t7\n86000\tf\t1\t8\n86001\tt\t\\N\t\\N\n";
        script.next(Reply::Chunk(lines));
        script.verdict(Verdict::Same);
        script.next(Reply::Woken);
        match is_resync {
            true => script.tail.resync("a row twice", held),
            false => script.tail.too_large(),
        }
        let effect = script.tail.take_effect();
        let Some(Effect::StartReader { generation, cause }) = effect else {
            panic!("{effect:?}");
        };
        script.told();
        script.reader = Reader::new(generation, cause, script.now);
        script.expect(Reply::Begin, Request::Connect);
        assert_eq!(script.told(), ["interrupted changing"]);
        assert_eq!(script.tail.held.closed, held);
        let asked = script.describe(Dialect::Subscribe, recorded("u1"));
        assert_eq!(asked, from(From::Snapshot));
    }
}

/// Of what was told before, positions are out that the past may contradict.
#[test]
fn reader_of_a_view_that_is_back_begins_in_the_present() {
    let mut script = script();
    script.in_the_past();
    script.next(Reply::Chunk(b"85000\tt\t\\N\t\\N\n90001\tt\t\\N\t\\N\n"));
    script.verdict(Verdict::Same);
    script.expect(Reply::Woken, Request::Read);
    script.ends("42704", "relation 'v' was dropped");
    let unknown = TailError::UnknownView {
        name: "v".to_owned(),
        near: Vec::new(),
    };
    script.next(Reply::Answered(Err(unknown)));
    let request = script.next(answer(Answer::Exists(Some(true))));
    assert_eq!(
        script.told().last().map(String::as_str),
        Some("gone renamed")
    );
    assert_eq!(script.after(request), Request::Connect);
    // The name is its own again.
    let asked = script.describe(Dialect::Subscribe, recorded("u1"));
    assert_eq!(asked, from(From::Snapshot));
}

/// Asked for what follows a time that is still to come, the server would show it as if
/// nothing had happened.
#[test]
fn reader_resumes_nothing_where_time_went_back() {
    for (time, from) in [
        (None, From::After(Timestamp::new(8))),
        (Some(400_000), From::After(Timestamp::new(8))),
        (Some(300_000), From::Snapshot),
    ] {
        let mut script = Script::streaming(Dialect::Subscribe);
        let clock = &mut script.tail.held.reach.clock;
        clock.set(Timestamp::new(400_000), script.now);
        let request = script.next(Reply::CopyEnded(Err(broken())));
        assert_eq!(script.after(request), Request::Connect);
        let asked = script.connect_to(Dialect::Subscribe, object("u1"));
        assert_eq!(asked, Request::Ask(Question::Now));
        let time = time.map(Timestamp::new);
        let request = script.next(answer(Answer::Now(time)));
        let sql = "[u1 AS \"v\"]";
        assert_eq!(request, copy(Dialect::Subscribe, sql, from), "{time:?}");
    }
}
