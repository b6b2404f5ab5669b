//! What a reader makes of what operators do to the server: errors that end or
//! refuse a COPY, and a view that has another object.

use super::super::*;

/// `APPLY REPLACEMENT`: the same view, and at the time that was told last the
/// new object may show what nobody was told.
#[test]
fn reader_of_a_view_with_another_definition_begins_with_a_snapshot_and_no_word() {
    let mut script = Script::streaming(Dialect::Subscribe);
    let request = script.next(Reply::CopyEnded(Err(broken())));
    assert_eq!(script.told(), ["failed broken"]);
    assert_eq!(script.after(request), Request::Connect);
    script.expect(connected(), Request::Ask(Question::Dialect));
    script.next(answer(Answer::Dialect(Dialect::Subscribe)));
    let mut other = object("u2");
    other.meaning.as_mut().unwrap().first_id = Some("u1".to_owned());
    let found = Found::new(&view(), other, "environment").unwrap();
    let sql = "[u2 AS \"v\"]";
    let snapshot = copy(Dialect::Subscribe, sql, From::Snapshot);
    script.expect(answer(Answer::Found(Box::new(found))), snapshot);
    assert_eq!(script.told(), ["described"]);
}

#[test]
fn reader_believes_the_catalog_and_no_words_that_a_view_is_gone() {
    let unknown = || TailError::UnknownView {
        name: "v".to_owned(),
        near: Vec::new(),
    };
    for code in ["42704", "XX000", "0A000"] {
        for (exists, gone) in [(true, "gone renamed"), (false, "gone dropped")] {
            let mut script = Script::streaming(Dialect::Subscribe);
            script.ends(code, "it rains");
            assert_eq!(script.told(), ["interrupted changing"]);
            let question = Question::StillExists("u1".to_owned());
            script.expect(Reply::Answered(Err(unknown())), Request::Ask(question));
            let request = script.next(answer(Answer::Exists(Some(exists))));
            assert_eq!(script.told(), [gone]);
            assert_eq!(script.after(request), Request::Connect);
        }
        // It is there, or nobody says.
        let broke = || TailError::Stream(broken());
        for answered in [described("u1"), Reply::Answered(Err(broke()))] {
            let is_there = matches!(answered, Reply::Answered(Ok(_)));
            let mut script = Script::streaming(Dialect::Subscribe);
            script.ends(code, "relation 'v' was dropped");
            let request = script.next(answered);
            let told = match code == "42704" && is_there {
                // Something else is gone: it is asked for at once.
                true => ["interrupted changing", "interrupted changing"],
                false => ["interrupted changing", "failed refused"],
            };
            assert_eq!(script.told(), told);
            assert_eq!(script.after(request), Request::Connect);
        }
    }
    // What says nothing about the view is an outage at once.
    for code in ["22012", "57014", "53200", "58000", "08006"] {
        let mut script = Script::streaming(Dialect::Subscribe);
        let failure = Failure::answer(code, "relation 'v' was dropped");
        let request = script.next(Reply::CopyEnded(Err(failure)));
        assert_eq!(script.told().len(), 1);
        assert_eq!(script.after(request), Request::Connect);
    }
}

#[test]
fn reader_tries_what_people_have_to_mend_more_and_more_slowly() {
    for (code, message, waits) in [
        ("22012", "division by zero", AT_FAULT_WAITS),
        ("42501", "permission denied", AT_FAULT_WAITS),
        ("XX000", "result exceeds max size", TOO_LARGE_WAITS),
        ("58000", "any other", 1),
    ] {
        let mut script = Script::streaming(Dialect::Subscribe);
        let refused = || Failure::answer(code, message);
        let mut request = script.next(Reply::CopyEnded(Err(refused())));
        let mut longest = Duration::ZERO;
        for _ in 0..100 {
            // Where it may be about the view, the catalog is asked first.
            if matches!(request, Request::Ask(_)) {
                request = script.next(described("u1"));
            }
            let Request::Wait(until) = request else {
                panic!("{code}: {request:?}");
            };
            longest = longest.max(until - script.now);
            assert_eq!(script.after(Request::Wait(until)), Request::Connect);
            script.connect(Dialect::Subscribe, "u1");
            request = script.next(Reply::Copying(Err(refused())));
            if matches!(request, Request::Copy(_)) {
                request = script.next(Reply::Copying(Err(refused())));
            }
        }
        let ceiling = script.tail.settings().reconnect_max * waits;
        assert!(longest <= ceiling, "{code}: {longest:?}");
        assert!(longest > ceiling * 4 / 5, "{code}: {longest:?}");
    }
}

#[test]
fn reader_tells_what_became_of_a_view_that_is_another_now() {
    for (exists, told) in [
        (Some(true), ["moved"].as_slice()),
        (Some(false), &["gone recreated", "described"]),
        (None, &["gone recreated", "described"]),
    ] {
        let mut script = Script::streaming(Dialect::Subscribe);
        script.ends("XX000", "other words");
        let request = script.next(described("u2"));
        assert_eq!(
            script.told(),
            ["interrupted changing", "interrupted changing"]
        );
        assert_eq!(script.after(request), Request::Connect);
        let request = script.connect(Dialect::Subscribe, "u2");
        let question = Question::StillExists("u1".to_owned());
        assert_eq!(request, Request::Ask(question));
        let sql = "[u2 AS \"v\"]";
        script.expect(
            answer(Answer::Exists(exists)),
            copy(Dialect::Subscribe, sql, From::Snapshot),
        );
        assert_eq!(script.told(), told);
    }
}
