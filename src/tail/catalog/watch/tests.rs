use std::sync::Arc;

use super::*;
use crate::model::reason::Cause;
use crate::model::row::Column;
use crate::tail::failure::{ConnectFailure, Failure};
use crate::tail::names::Item;
use crate::tail::object::Object;
use crate::tail::settings::TailView;

fn parts(name: &str) -> Vec<String> {
    vec![name.to_owned()]
}

/// What the catalog says: names and the ids that they mean.
fn facts(items: &[(&str, &str)]) -> Facts {
    let item = |(name, id): &(&str, &str)| Item {
        name: (*name).to_owned(),
        id: (*id).to_owned(),
        ..Item::default()
    };
    Facts {
        items: Some(items.iter().map(item).collect()),
        ..Facts::default()
    }
}

/// The inquiry of tail 4 about its stream 9, which is of `v` with the id `u1`.
fn inquiry(is_by_id: bool) -> Inquiry {
    Inquiry {
        tail: 4,
        stream: 9,
        view: Arc::new(TailView {
            name: "v".to_owned(),
            parts: parts("v"),
            ..TailView::default()
        }),
        object: Arc::new(object("u1", is_by_id)),
    }
}

fn object(id: &str, is_by_id: bool) -> Object {
    Object {
        meaning: facts(&[("v", id)]).meaning(&parts("v")),
        columns: vec![Column::new("n", "integer")],
        is_by_id,
        ..Object::default()
    }
}

fn verdict(verdict: Verdict) -> CatalogEffect {
    CatalogEffect::Verdict {
        tail: 4,
        stream: 9,
        verdict,
    }
}

fn answer(answer: Answer) -> CatalogReply {
    CatalogReply::Answered(Ok(answer))
}

fn failed(error: TailError) -> CatalogReply {
    CatalogReply::Answered(Err(error))
}

fn woken(inquiries: Vec<Inquiry>, watched: &[&str]) -> CatalogReply {
    CatalogReply::Woken {
        inquiries,
        watched: watched.iter().map(|name| parts(name)).collect(),
    }
}

fn ask(question: Question, seconds: u64, anew: bool) -> CatalogRequest {
    CatalogRequest::Ask {
        question,
        limit: Duration::from_secs(seconds),
        anew,
    }
}

fn name(name: &str) -> Question {
    Question::Name(parts(name))
}

fn names(names: &[&str]) -> Question {
    Question::Names(names.iter().map(|name| parts(name)).collect())
}

/// A watch, its clock, and what it may say next.
struct Script {
    watch: CatalogWatch,
    now: Instant,
}

impl Script {
    fn new(patterns: &[&str]) -> Self {
        let pattern = |text: &&str| ViewPattern::parse(text).unwrap().unwrap();
        let rules = CatalogRules {
            patterns: patterns.iter().map(pattern).collect(),
            ..CatalogRules::default()
        };
        let now = Instant::now();
        let watch = CatalogWatch::new(rules, now);
        Script { watch, now }
    }

    #[track_caller]
    fn expect(&mut self, reply: CatalogReply, request: CatalogRequest) {
        assert_eq!(self.watch.next(reply, self.now), request);
    }

    #[track_caller]
    fn expect_rest(&mut self, reply: CatalogReply) {
        let request = self.watch.next(reply, self.now);
        assert!(
            matches!(request, CatalogRequest::Rest { .. }),
            "{request:?}"
        );
    }

    fn effects(&mut self) -> Vec<CatalogEffect> {
        std::iter::from_fn(|| self.watch.take_effect()).collect()
    }
}

#[test]
fn watch_begins_with_the_first_inquiry_and_goes_on_every_interval() {
    let mut script = Script::new(&[]);
    script.expect(CatalogReply::Begin, CatalogRequest::Rest { until: None });
    let request = ask(names(&["v", "w"]), 2, false);
    script.expect(woken(vec![inquiry(true)], &["w", "v"]), request);
    let asked = script.now;
    script.now += Duration::from_millis(5);
    let facts = facts(&[("v", "u1"), ("w", "u7")]);
    script.expect(
        answer(Answer::Names(Some(facts.clone()))),
        CatalogRequest::Judge {
            names: vec![parts("v"), parts("w")],
            facts,
            asked,
        },
    );
    assert_eq!(script.effects(), [verdict(Verdict::Same)]);
    let until = Some(asked + CatalogRules::default().interval);
    let is_other = false;
    script.expect(
        CatalogReply::Judged { is_other },
        CatalogRequest::Rest { until },
    );
    // An inquiry does not put the next round off, nor bring it on.
    script.expect(woken(vec![inquiry(true)], &[]), ask(name("v"), 2, false));
}

#[test]
fn watch_asks_on_a_connection_of_its_own_after_what_makes_a_session_doubtful() {
    let denied = || TailError::Query {
        what: "x",
        failure: Failure::answer("42501", "permission denied"),
    };
    let broken = || TailError::Query {
        what: "x",
        failure: Failure::broken("connection closed"),
    };
    for (reply, is_anew) in [
        (answer(Answer::Name(facts(&[("v", "u1")]))), false),
        (answer(Answer::Name(facts(&[("v", "u2")]))), true),
        (failed(denied()), false),
        (failed(broken()), true),
        (CatalogReply::Silent, true),
    ] {
        let mut script = Script::new(&[]);
        script.expect(CatalogReply::Begin, CatalogRequest::Rest { until: None });
        script.expect(woken(vec![inquiry(true)], &[]), ask(name("v"), 2, false));
        if let CatalogRequest::Judge { .. } = script.watch.next(reply, script.now) {
            let is_other = false;
            script.expect_rest(CatalogReply::Judged { is_other });
        }
        assert_eq!(script.effects().len(), 1);
        script.now += Duration::from_secs(60);
        let request = script.watch.next(woken(Vec::new(), &["w"]), script.now);
        assert_eq!(request, ask(name("w"), 2, is_anew));
    }
}

#[test]
fn watch_asks_one_by_one_where_all_at_once_hangs_and_answers_who_waits() {
    let mut script = Script::new(&[]);
    script.expect(CatalogReply::Begin, CatalogRequest::Rest { until: None });
    let request = ask(names(&["v", "w"]), 2, false);
    script.expect(woken(vec![inquiry(true)], &["w"]), request);
    script.expect(CatalogReply::Silent, ask(name("v"), 2, true));
    // One that hangs keeps nobody waiting.
    script.expect(CatalogReply::Silent, ask(name("w"), 2, true));
    let error = TailError::Silent { seconds: 2 };
    let unanswered = verdict(Verdict::unanswered(&error));
    assert_eq!(script.effects(), [unanswered]);
    script.watch.next(CatalogReply::Silent, script.now);
    // All of these rest for a while.
    script.now += Duration::from_secs(2);
    script.expect_rest(woken(vec![inquiry(true)], &["w"]));
    assert_eq!(script.effects(), [verdict(Verdict::unanswered(&error))]);
    script.now += Duration::from_secs(8);
    let request = ask(names(&["v", "w"]), 4, true);
    script.expect(woken(vec![inquiry(true)], &["w"]), request);
}

#[test]
fn watch_compares_the_columns_of_what_is_streamed_by_name() {
    let refused = Object {
        meaning: None,
        ..object("u1", false)
    };
    for (found, expected) in [
        (Ok(object("u1", false)), Verdict::Same),
        (Ok(object("u2", false)), Verdict::Other),
        (Ok(refused), Verdict::untold()),
        (
            Err(TailError::Renamed {
                name: "v".to_owned(),
            }),
            Verdict::Other,
        ),
    ] {
        let mut script = Script::new(&[]);
        script.expect(CatalogReply::Begin, CatalogRequest::Rest { until: None });
        let inquiry = inquiry(false);
        let question = Question::Object(Arc::clone(&inquiry.view));
        script.expect(woken(vec![inquiry], &[]), ask(question, 2, false));
        script.expect_rest(CatalogReply::Answered(found.map(Answer::Object)));
        assert_eq!(script.effects(), [verdict(expected)]);
    }
}

#[test]
fn watch_lists_what_patterns_name_and_the_role_may_read() {
    let view = |name: &str| ViewName::parse(name).unwrap();
    let mut script = Script::new(&["s.*", "t.*"]);
    let until = Some(script.now);
    script.expect(CatalogReply::Begin, CatalogRequest::Rest { until });
    let relations = |text: &str| Question::Relations {
        pattern: ViewPattern::parse(text).unwrap().unwrap(),
        dialect: None,
    };
    let round = woken(Vec::new(), &[]);
    script.expect(round.clone(), ask(relations("s.*"), 2, false));
    let found = vec![view("s.a"), view("s.b"), view("s.c")];
    script.expect(
        answer(Answer::Relations(found)),
        ask(relations("t.*"), 2, false),
    );
    let readable = |name: &str| Question::Readable(view(name));
    script.expect(CatalogReply::Silent, ask(readable("s.a"), 2, true));
    let next = ask(readable("s.b"), 2, false);
    script.expect(answer(Answer::Readable), next);
    let denied = TailError::Query {
        what: "x",
        failure: Failure::answer("42501", "permission denied"),
    };
    script.expect(failed(denied), ask(readable("s.c"), 2, false));
    script.expect_rest(answer(Answer::Readable));
    let listed = |is_whole| {
        let names = vec![view("s.a"), view("s.c")];
        CatalogEffect::Listed(Listed { names, is_whole })
    };
    // The other pattern was not answered.
    let unlisted = CatalogEffect::Unlisted(Cause::Silent.into());
    assert_eq!(script.effects(), [listed(false), unlisted.clone()]);
    // Who may be read is not asked for again, and who may not is only later.
    script.now += Duration::from_secs(2);
    script.expect(round, ask(relations("s.*"), 2, false));
    let found = vec![view("s.a"), view("s.b"), view("s.c")];
    script.expect_rest(answer(Answer::Relations(found)));
    assert_eq!(script.effects(), [listed(false), unlisted]);
}

#[test]
fn watch_without_a_connection_asks_nothing_more_in_that_round() {
    let mut script = Script::new(&["s.*"]);
    script.watch.next(CatalogReply::Begin, script.now);
    script.expect(
        woken(vec![inquiry(true)], &["w"]),
        ask(names(&["v", "w"]), 2, false),
    );
    let unreachable = TailError::Connect(ConnectFailure {
        failure: Failure::broken("connection refused"),
        hint: String::new(),
        is_refused_login: false,
        is_no_room: false,
        is_without_password: false,
    });
    script.expect_rest(failed(unreachable.clone()));
    let unanswered = verdict(Verdict::unanswered(&unreachable));
    let unlisted = CatalogEffect::Unlisted(unreachable.reason());
    assert_eq!(script.effects(), [unanswered, unlisted]);
}
