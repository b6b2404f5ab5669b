use super::*;

fn whole(text: &[u8]) -> Asked {
    match find(text) {
        Found::Whole(asked, length) => {
            assert_eq!(length, text.len(), "{:?}", String::from_utf8_lossy(text));
            asked
        }
        Found::Part => panic!("not whole: {:?}", String::from_utf8_lossy(text)),
    }
}

fn verdict(asked: &Asked) -> Option<HttpError> {
    let extensions = asked.request.extensions();
    extensions.get::<Verdict>().map(|verdict| verdict.0)
}

/// A request with these lines behind its first.
fn with(lines: &[u8]) -> Vec<u8> {
    [b"GET /a HTTP/1.1\r\nHost: h\r\n", lines, b"\r\n\r\n"].concat()
}

#[test]
fn request_is_read_from_its_lines() {
    let text = b"GET /top10/stream?x=/a HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nx-a:  2 \r\n\r\n";
    let asked = whole(text);
    assert_eq!((verdict(&asked), asked.is_last), (None, false));
    assert_eq!(asked.request.uri().to_string(), "/top10/stream?x=/a");
    let values: Vec<_> = asked.request.headers().get_all("x-a").collect();
    assert_eq!(values, ["1", "2"]);
    // What follows is another request's, and so is an empty line before it.
    let Found::Whole(_, length) = find(&[b"\r\n", &text[..], b"GET /b"].concat()) else {
        panic!("not whole");
    };
    assert_eq!(length, text.len() + 2);
    // Each beginning of it is a part.
    for length in 0..text.len() {
        assert!(matches!(find(&text[..length]), Found::Part), "{length}");
    }
}

#[test]
fn request_says_whether_another_may_follow() {
    for (text, expected) in [
        ("GET / HTTP/1.1\r\n\r\n", false),
        ("GET / HTTP/1.7\r\n\r\n", false),
        ("GET / HTTP/1.0\r\n\r\n", true),
        ("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true),
        ("GET / HTTP/1.1\r\nConnection: a, CLOSE\r\n\r\n", true),
        ("GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", false),
        ("GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\n", true),
        ("GET / HTTP/1.1\r\nContent-Length: 3, 3\r\n\r\n", true),
        ("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", true),
    ] {
        assert_eq!(whole(text.as_bytes()).is_last, expected, "{text:?}");
    }
}

#[test]
fn request_with_a_body_that_nobody_can_tell_the_end_of_is_none() {
    for lines in [
        "Content-Length: -1",
        "Content-Length: +0",
        "Content-Length:",
        "Content-Length: 3, 4",
        "Content-Length: 3\r\nContent-Length: 4",
        "Transfer-Encoding: gzip",
        "Transfer-Encoding: chunked, gzip",
    ] {
        let asked = whole(&with(lines.as_bytes()));
        assert_eq!(
            verdict(&asked),
            Some(HttpError::MalformedRequest),
            "{lines}"
        );
    }
    for lines in ["Transfer-Encoding: gzip, Chunked", "Content-Length: 007"] {
        let asked = whole(&with(lines.as_bytes()));
        assert_eq!((verdict(&asked), asked.is_last), (None, true), "{lines}");
    }
}

#[test]
fn request_that_is_refused_has_nothing_of_another_one() {
    for (first, method, version) in [
        ("HEAD / HTTP/1.1", Method::HEAD, Version::HTTP_11),
        ("GET / HTTP/1.0", Method::GET, Version::HTTP_10),
        ("\u{1}", Method::GET, Version::HTTP_11),
    ] {
        // The library uses the memory of requests again.
        drop(whole(
            b"HEAD http://other/x HTTP/1.0\r\nHost: other\r\n\r\n",
        ));
        let asked = whole(format!("{first}\r\nno colon\r\n\r\n").as_bytes());
        assert!(verdict(&asked).is_some(), "{first}");
        let request = &asked.request;
        assert_eq!((request.method(), request.version()), (&method, version));
        assert_eq!(request.uri().to_string(), "/");
    }
}

#[test]
fn request_target_is_a_path_or_a_whole_address() {
    for (target, expected) in [
        (&b"/a?b#c"[..], Ok("/a?b")),
        (b"http://H:1/a?b", Ok("http://H:1/a?b")),
        (b"http://h", Ok("http://h/")),
        (
            b"/a?x=gr\xc3\xb6\xff\"<>\x01",
            Ok("/a?x=gr%C3%B6%FF%22%3C%3E%01"),
        ),
        (b"/gr\xc3\xb6\xc3\x9fe", Err(HttpError::MalformedPath)),
        (b"/\x01", Err(HttpError::MalformedPath)),
        (b"a", Err(HttpError::MalformedPath)),
        (b"h:80", Err(HttpError::MalformedPath)),
        (b"http:///a", Err(HttpError::MalformedPath)),
        (b"http://me@h/a", Err(HttpError::MalformedPath)),
        (b"", Err(HttpError::MalformedPath)),
    ] {
        let asked = whole(&[b"GET ", target, b" HTTP/1.1\r\nHost: h\r\n\r\n"].concat());
        let found = match verdict(&asked) {
            None => Ok(asked.request.uri().to_string()),
            Some(error) => Err(error),
        };
        let expected = expected.map(str::to_owned);
        assert_eq!(found, expected, "{:?}", String::from_utf8_lossy(target));
    }
    for other in [
        "OPTIONS * HTTP/1.1\r\n\r\n",
        "CONNECT h:80 HTTP/1.1\r\n\r\n",
    ] {
        assert_eq!(verdict(&whole(other.as_bytes())), None, "{other:?}");
    }
}

#[test]
fn request_header_may_hold_any_bytes() {
    let asked = whole(&with(b"X-A: a\0b\x01\x7f\xff\r\nX-B: c\r\n \t d\r\nX-C:"));
    assert_eq!(verdict(&asked), None);
    let value = |name: &str| asked.request.headers().get(name).unwrap().as_bytes();
    assert_eq!(value("x-a"), b"a b  \xff");
    assert_eq!(value("x-b"), b"c d");
    assert_eq!(value("x-c"), b"");
}

#[test]
fn request_that_is_none_is_told_so() {
    for text in [
        &b"\x16\x03\x01"[..],
        b"\0\0\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET  / HTTP/1.1\r\n\r\n",
        b"GET /a b HTTP/1.1\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / http/1.1\r\n\r\n",
        b"G(T / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n folded: 1\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nbad name: 1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : h\r\n\r\n",
        b"GET / HTTP/1.1\r\n: h\r\n\r\n",
    ] {
        let asked = whole(text);
        let text = String::from_utf8_lossy(text);
        assert_eq!(
            verdict(&asked),
            Some(HttpError::MalformedRequest),
            "{text:?}"
        );
        assert!(asked.is_last);
    }
    // Who may read the answer is known from what was read.
    let asked = whole(b"GET / HTTP/1.1\r\nOrigin: https://a\r\nno colon\r\n\r\n");
    assert!(asked.request.headers().contains_key("origin"));
}

#[test]
fn request_head_that_is_too_large_is_told_so() {
    let many = |count| with("X-A: 1\r\n".repeat(count).trim_end().as_bytes());
    assert_eq!(verdict(&whole(&many(REQUEST_HEADERS_MAX - 1))), None);
    let long = |length| with(format!("X-A: {}", "a".repeat(length)).as_bytes());
    assert_eq!(verdict(&whole(&long(REQUEST_HEAD_BYTES_MAX - 100))), None);
    let cookies = with("Cookie: a=1\r\n".repeat(200).trim_end().as_bytes());
    assert_eq!(verdict(&whole(&cookies)), None);
    let target = format!("GET /?{} HTTP/1.1\r\n\r\n", "\u{fc}".repeat(15_000));
    for large in [
        many(REQUEST_HEADERS_MAX),
        long(REQUEST_HEAD_BYTES_MAX),
        target.into_bytes(),
        // Nobody waits for its end.
        vec![b'a'; REQUEST_HEAD_BUFFER_BYTES_MAX],
    ] {
        assert_eq!(verdict(&whole(&large)), Some(HttpError::HeadTooLarge));
    }
}
