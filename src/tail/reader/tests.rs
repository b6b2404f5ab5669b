//! Conversations of a reader, as scripts: what it is told on the left of each
//! arrow, what it wants then on the right.

use super::*;
use crate::limits::PROOF_WAIT_BY_ID;
use crate::model::event::TailEvent;
use crate::model::position::Timestamp;
use crate::model::reason::Cause;
use crate::model::row::Column;
use crate::tail::conversation::Subscription;
use crate::tail::dialect::From;
use crate::tail::failure::{ConnectFailure, Failure};
use crate::tail::inquiry::Verdict;
use crate::tail::object::Object;
use crate::tail::settings::{TailSettings, TailView};
use crate::tail::view_tail::Effect;

mod by_the_server {
    mod tests;
}

mod of_the_past {
    mod tests;
}

mod unnamed {
    mod tests;
}

/// A tail, its current reader and a clock.
struct Script {
    tail: ViewTail,
    reader: Reader,
    now: Instant,
}

fn object(id: &str) -> Object {
    Object {
        meaning: Some(Meaning {
            ids: vec![id.to_owned()],
            place: Some(vec!["v".to_owned()]),
            ..Meaning::default()
        }),
        columns: vec![Column::new("n", "integer")],
        sql: format!("[{id} AS \"v\"]"),
        is_by_id: true,
    }
}

fn described(id: &str) -> Reply<'static> {
    found(object(id))
}

fn found(object: Object) -> Reply<'static> {
    let found = Found::new(&view(), object, "environment");
    Reply::Answered(found.map(|found| Answer::Found(Box::new(found))))
}

fn view() -> TailView {
    TailView {
        name: "v".to_owned(),
        sql: "\"v\"".to_owned(),
        parts: vec!["v".to_owned()],
        ..TailView::default()
    }
}

fn connected() -> Reply<'static> {
    Reply::Connected(Ok(()))
}

fn answer(answer: Answer) -> Reply<'static> {
    Reply::Answered(Ok(answer))
}

fn copy(dialect: Dialect, relation: &str, from: From) -> Request {
    Request::Copy(Subscription {
        dialect,
        relation: relation.to_owned(),
        from,
    })
}

impl Script {
    fn new() -> Self {
        Script::with(TailSettings::new(view()))
    }

    fn with(settings: TailSettings) -> Self {
        let now = Instant::now();
        let chance = fastrand::Rng::with_seed(3);
        let mut tail = ViewTail::new(5, settings, chance, now);
        tail.take_effect();
        let mut script = Script {
            tail,
            reader: Reader::new(0, None, now),
            now,
        };
        script.expect(Reply::Begin, Request::Connect);
        script
    }

    fn next(&mut self, reply: Reply<'_>) -> Request {
        self.reader.next(&mut self.tail, reply, self.now)
    }

    #[track_caller]
    fn expect(&mut self, reply: Reply<'_>, request: Request) {
        assert_eq!(self.next(reply), request);
    }

    /// Waits as long as the reader wants to; what it wants then.
    #[track_caller]
    fn after(&mut self, request: Request) -> Request {
        let Request::Wait(until) = request else {
            panic!("{request:?}");
        };
        self.now = self.now.max(until);
        self.next(Reply::Woken)
    }

    /// From a connection to a COPY that was asked for. What time it is there is not
    /// told.
    #[track_caller]
    fn connect(&mut self, dialect: Dialect, id: &str) -> Request {
        match self.connect_to(dialect, object(id)) {
            Request::Ask(Question::Now) => self.next(answer(Answer::Now(None))),
            request => request,
        }
    }

    #[track_caller]
    fn connect_to(&mut self, dialect: Dialect, object: Object) -> Request {
        self.expect(connected(), Request::Ask(Question::Dialect));
        let view = Arc::clone(self.tail.view());
        let question = Request::Ask(Question::Describe(view));
        self.expect(answer(Answer::Dialect(dialect)), question);
        self.next(found(object))
    }

    /// A stream with its snapshot told.
    #[track_caller]
    fn streaming(dialect: Dialect) -> Self {
        let mut script = Script::new();
        let started = script.connect(dialect, "u1");
        assert_eq!(started, copy(dialect, "[u1 AS \"v\"]", From::Snapshot));
        script.tell_snapshot();
        script
    }

    /// The COPY begins, and its snapshot is told: one row at 5, closed through 8.
    #[track_caller]
    fn tell_snapshot(&mut self) {
        self.expect(Reply::Copying(Ok(())), Request::Read);
        self.expect(Reply::Chunk(b"5\tt\t\\N\t\\N\n"), Request::Read);
        self.verdict(Verdict::Same);
        self.expect(Reply::Chunk(b"5\tf\t1\t7\n9\tt\t\\N\t\\N\n"), Request::Read);
        let told = ["described", "snapshot 5", "progress 8"];
        assert_eq!(self.told(), told);
    }

    fn verdict(&mut self, verdict: Verdict) {
        let inquiry = self.tail.take_effect();
        let Some(Effect::Inquire(inquiry)) = inquiry else {
            panic!("{inquiry:?}");
        };
        self.tail.take_verdict(inquiry.stream, verdict);
    }

    /// The server ends the stream with an error: the catalog is asked.
    #[track_caller]
    fn ends(&mut self, code: &str, message: &str) {
        let view = Arc::clone(self.tail.view());
        let question = Request::Ask(Question::Describe(view));
        let failure = Failure::answer(code, message);
        self.expect(Reply::CopyEnded(Err(failure)), question);
    }

    fn told(&mut self) -> Vec<String> {
        let told = std::iter::from_fn(|| self.tail.take_told());
        let word = |event| match event {
            TailEvent::Described(_) => "described".to_owned(),
            TailEvent::Moved(_) => "moved".to_owned(),
            TailEvent::History(until) => format!("history {until}"),
            TailEvent::Snapshot(view) => format!("snapshot {}", view.timestamp()),
            TailEvent::Delta(delta) => format!("delta {}", delta.timestamp()),
            TailEvent::Progress(at) => format!("progress {at}"),
            TailEvent::Complete => "complete".to_owned(),
            TailEvent::Interrupted(reason) => format!("interrupted {}", reason.cause.word()),
            TailEvent::Failed(reason) => format!("failed {}", reason.cause.word()),
            TailEvent::Gone(why) => format!("gone {}", why.word()),
            TailEvent::Distrusted(until) => format!("distrusted {until}"),
        };
        told.map(word).collect()
    }
}

fn broken() -> Failure {
    Failure::broken("connection closed")
}

#[test]
fn reader_resumes_after_what_it_told_when_the_stream_breaks() {
    let mut script = Script::streaming(Dialect::Subscribe);
    let request = script.next(Reply::CopyEnded(Err(broken())));
    assert_eq!(script.told(), ["failed broken"]);
    assert_eq!(script.after(request), Request::Connect);
    let after = |at| From::After(Timestamp::new(at));
    let sql = "[u1 AS \"v\"]";
    let request = script.connect(Dialect::Subscribe, "u1");
    assert_eq!(request, copy(Dialect::Subscribe, sql, after(8)));
    // Its history is gone: a snapshot is asked for.
    let refused = || Failure::answer("XX000", "Timestamp (8) is not valid");
    script.expect(
        Reply::Copying(Err(refused())),
        copy(Dialect::Subscribe, sql, From::Snapshot),
    );
    let request = script.next(Reply::Copying(Err(refused())));
    assert!(matches!(request, Request::Ask(_)));
    let request = script.next(described("u1"));
    assert_eq!(script.told(), ["described", "failed refused"]);
    assert!(matches!(request, Request::Wait(_)));
}

#[test]
fn reader_tells_nothing_before_it_is_certain_what_the_stream_is_of() {
    for (verdict, told) in [
        (Some(Verdict::Same), &["snapshot 5", "progress 8"][..]),
        (Some(Verdict::Other), &["interrupted changing"]),
        // By its id it is the object, whatever the catalog leaves open.
        (None, &["snapshot 5", "progress 8"]),
    ] {
        let mut script = Script::new();
        script.connect(Dialect::Subscribe, "u1");
        script.expect(Reply::Copying(Ok(())), Request::Read);
        let lines = b"5\tt\t\\N\t\\N\n5\tf\t1\t7\n9\tt\t\\N\t\\N\n";
        let until = script.now + PROOF_WAIT_BY_ID;
        script.expect(Reply::Chunk(lines), Request::Wait(until));
        script.expect(Reply::Woken, Request::Wait(until));
        assert_eq!(script.told(), ["described"]);
        match verdict.clone() {
            Some(verdict) => script.verdict(verdict),
            None => script.now = until,
        }
        let request = script.next(Reply::Woken);
        let goes_on = verdict != Some(Verdict::Other);
        assert_eq!(request == Request::Read, goes_on, "{request:?}");
        assert_eq!(script.told(), told);
    }
}

#[test]
fn reader_of_a_generation_that_is_over_says_nothing() {
    let mut script = Script::streaming(Dialect::Subscribe);
    script.tail.resync("a row twice", None);
    let line = b"9\tf\t1\t8\n20\tt\t\\N\t\\N\n";
    script.expect(Reply::Chunk(line), Request::Over(Over::Left));
    script.expect(Reply::CopyEnded(Ok(())), Request::Over(Over::Left));
    assert_eq!(script.told(), [""; 0]);
    // The next one tells why, and takes its place.
    let effect = script.tail.take_effect();
    let Some(Effect::StartReader { generation, cause }) = effect else {
        panic!("{effect:?}");
    };
    script.reader = Reader::new(generation, cause, script.now);
    let request = script.next(Reply::Begin);
    assert_eq!(script.told(), ["interrupted bad_data"]);
    assert_eq!(script.after(request), Request::Connect);
    let request = script.connect(Dialect::Subscribe, "u1");
    let sql = "[u1 AS \"v\"]";
    assert_eq!(request, copy(Dialect::Subscribe, sql, From::Snapshot));
}

#[test]
fn reader_gives_up_only_what_was_never_found() {
    let unknown = || TailError::UnknownView {
        name: "v".to_owned(),
        near: Vec::new(),
    };
    let mut script = Script::new();
    script.next(connected());
    script.next(answer(Answer::Dialect(Dialect::Tail)));
    let fatal = Request::Over(Over::Fatal(unknown()));
    script.expect(Reply::Answered(Err(unknown())), fatal);
    assert_eq!(script.tail.phase(), Phase::Over);

    let mut script = Script::streaming(Dialect::Tail);
    let request = script.next(Reply::CopyEnded(Err(broken())));
    assert_eq!(script.after(request), Request::Connect);
    script.next(connected());
    script.next(answer(Answer::Dialect(Dialect::Tail)));
    let question = Question::StillExists("u1".to_owned());
    script.expect(Reply::Answered(Err(unknown())), Request::Ask(question));
    let request = script.next(answer(Answer::Exists(Some(true))));
    assert_eq!(script.told(), ["failed broken", "gone renamed"]);
    assert_eq!(script.after(request), Request::Connect);
    // It is asked again each time what became of it.
    for (exists, told) in [(true, "gone renamed"), (false, "gone dropped")] {
        script.next(connected());
        script.next(answer(Answer::Dialect(Dialect::Tail)));
        let question = Question::StillExists("u1".to_owned());
        script.expect(Reply::Answered(Err(unknown())), Request::Ask(question));
        let request = script.next(answer(Answer::Exists(Some(exists))));
        assert_eq!(script.told(), [told]);
        assert_eq!(script.after(request), Request::Connect);
    }
}

#[test]
fn reader_believes_the_end_of_a_constant_view_at_the_second_look() {
    let mut script = Script::new();
    for look in 0..2 {
        script.connect(Dialect::Subscribe, "u1");
        script.expect(Reply::Copying(Ok(())), Request::Read);
        script.expect(Reply::Chunk(b"5\tt\t\\N\t\\N\n5\tf\t2\t7\n"), Request::Read);
        let request = script.next(Reply::CopyEnded(Ok(())));
        assert!(matches!(request, Request::Ask(Question::Describe(_))));
        if look == 0 {
            script.expect(described("u1"), Request::Connect);
        }
    }
    let count = Question::Count {
        relation: "[u1 AS \"v\"]".to_owned(),
        as_of: Some(Timestamp::new(5)),
    };
    script.expect(described("u1"), Request::Ask(count));
    let counted = Answer::Count(2, Timestamp::new(5));
    script.expect(answer(counted), Request::Ask(Question::Now));
    let time = Some(Timestamp::new(9));
    script.expect(answer(Answer::Now(time)), Request::Over(Over::Complete));
    let told = [
        "described",
        "interrupted changing",
        "described",
        "snapshot 5",
        "complete",
    ];
    assert_eq!(script.told(), told);
    assert_eq!(script.tail.phase(), Phase::Complete);
}

#[test]
fn reader_believes_no_end_among_the_rows_or_before_them() {
    let nothing: &[u8] = b"5\tt\t\\N\t\\N\n";
    let some: &[u8] = b"18446744073709551615\tf\t2\t7\n";
    for (dialect, looks, sent) in [(Dialect::Subscribe, 2, nothing), (Dialect::Tail, 1, some)] {
        let mut script = Script::new();
        for look in 1..=looks {
            script.connect(dialect, "u1");
            script.expect(Reply::Copying(Ok(())), Request::Read);
            script.next(Reply::Chunk(sent));
            let request = script.next(Reply::CopyEnded(Ok(())));
            assert!(matches!(request, Request::Ask(Question::Describe(_))));
            if look < looks {
                script.expect(described("u1"), Request::Connect);
            }
        }
        let count = Question::Count {
            relation: "[u1 AS \"v\"]".to_owned(),
            as_of: None,
        };
        script.expect(described("u1"), Request::Ask(count));
        let more = script.next(answer(Answer::Count(3, Timestamp::MAX)));
        assert!(matches!(more, Request::Wait(_)), "{dialect}: {more:?}");
        assert_eq!(script.told().pop().unwrap(), "failed ended");
        assert_ne!(script.tail.phase(), Phase::Complete);
    }
}

#[test]
fn reader_waits_longer_after_each_failure_and_tells_each() {
    let mut script = Script::new();
    for _ in 0..20 {
        let failure = ConnectFailure {
            failure: broken(),
            hint: String::new(),
            is_refused_login: false,
            is_no_room: false,
            is_without_password: false,
        };
        let before = script.now;
        let request = script.next(Reply::Connected(Err(TailError::Connect(failure))));
        assert_eq!(
            script.told(),
            [format!("failed {}", Cause::Unreachable.word())]
        );
        assert_eq!(script.tail.phase(), Phase::Waiting);
        assert_eq!(script.after(request), Request::Connect);
        assert!(script.now - before <= script.tail.settings().reconnect_max);
    }
}
