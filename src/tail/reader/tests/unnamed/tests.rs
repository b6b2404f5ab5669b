//! A view that the catalog does not name the object of.

use super::super::*;

/// Another one may have taken its place, and what it is now follows from nothing
/// that was told of the first.
#[test]
fn reader_resumes_nothing_where_the_catalog_does_not_say_which_object_it_is() {
    let nameless = || {
        let object = Object {
            meaning: None,
            sql: "\"v\"".to_owned(),
            is_by_id: false,
            ..object("u1")
        };
        let found = Found::new(&view(), object, "environment");
        Reply::Answered(found.map(|found| Answer::Found(Box::new(found))))
    };
    let mut script = Script::new();
    for told in [vec!["described", "snapshot 5", "progress 8"], vec![]] {
        script.expect(connected(), Request::Ask(Question::Dialect));
        script.next(answer(Answer::Dialect(Dialect::Subscribe)));
        let started = script.next(nameless());
        let snapshot = copy(Dialect::Subscribe, "\"v\"", From::Snapshot);
        assert_eq!(started, snapshot);
        if told.is_empty() {
            continue;
        }
        script.expect(Reply::Copying(Ok(())), Request::Read);
        script.expect(Reply::Chunk(b"5\tt\t\\N\t\\N\n"), Request::Read);
        script.verdict(Verdict::Same);
        script.expect(Reply::Chunk(b"5\tf\t1\t7\n9\tt\t\\N\t\\N\n"), Request::Read);
        assert_eq!(script.told(), told);
        let request = script.next(Reply::CopyEnded(Err(broken())));
        assert_eq!(script.after(request), Request::Connect);
    }
}
