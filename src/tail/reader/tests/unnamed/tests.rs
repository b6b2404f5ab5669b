//! A view whose object the catalog does not name, or the server does not take by
//! its id.

use super::super::*;

/// Another one may have taken its place, and what it is now follows from nothing
/// that was told of the first.
#[test]
fn reader_resumes_nothing_where_the_catalog_does_not_say_which_object_it_is() {
    let nameless = || Object {
        meaning: None,
        sql: "\"v\"".to_owned(),
        is_by_id: false,
        ..object("u1")
    };
    let snapshot = || copy(Dialect::Subscribe, "\"v\"", From::Snapshot);
    let mut script = Script::new();
    let started = script.connect_to(Dialect::Subscribe, nameless());
    assert_eq!(started, snapshot());
    script.tell_snapshot();
    let request = script.next(Reply::CopyEnded(Err(broken())));
    assert_eq!(script.after(request), Request::Connect);
    let started = script.connect_to(Dialect::Subscribe, nameless());
    assert_eq!(started, snapshot());
}

#[test]
fn reader_streams_by_name_where_the_id_is_not_taken() {
    let mut script = Script::new();
    script.connect(Dialect::Subscribe, "u1");
    let syntax = Failure::answer("42601", "Expected identifier");
    script.expect(
        Reply::Copying(Err(syntax.clone())),
        copy(Dialect::Subscribe, "\"v\"", From::Snapshot),
    );
    let request = script.next(Reply::Copying(Err(syntax)));
    assert!(matches!(request, Request::Ask(_)));
    let request = script.next(described("u1"));
    assert!(matches!(request, Request::Wait(_)));
}

#[test]
fn reader_takes_no_refusal_of_the_catalog_for_another_view() {
    let mut script = Script::streaming(Dialect::Subscribe);
    let request = script.next(Reply::CopyEnded(Err(broken())));
    assert_eq!(script.after(request), Request::Connect);
    let untold = Object {
        meaning: None,
        ..object("u1")
    };
    script.connect_to(Dialect::Subscribe, untold);
    assert_eq!(script.told(), ["failed broken", "failed unproven"]);
}
