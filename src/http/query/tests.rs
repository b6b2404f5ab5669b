use super::*;

fn wanted(conditions: &[(&str, Test)], select: Option<&[&str]>) -> Wanted {
    let mut wanted = Wanted::default();
    for (column, test) in conditions {
        wanted.and(column, test.clone());
    }
    if let Some(names) = select {
        wanted.select(names.iter().map(ToString::to_string).collect());
    }
    wanted
}

fn is(values: &[&str]) -> Test {
    Test {
        not: false,
        what: What::In(values.iter().map(ToString::to_string).collect()),
    }
}

fn not(test: Test) -> Test {
    Test { not: true, ..test }
}

fn plain(what: What) -> Test {
    Test { not: false, what }
}

/// How a value is written, and the test that it spells.
#[test]
fn query_conditions_are_read_as_the_table_says() {
    for (value, expected) in [
        ("eq.42", is(&["42"])),
        ("eq.", is(&[""])),
        ("eq.null", is(&["null"])),
        ("eq.NaN", is(&["NaN"])),
        ("eq.9223372036854775808", is(&["9223372036854775808"])),
        ("eq.a.b,(c)\"d\"", is(&["a.b,(c)\"d\""])),
        ("eq.1%27%3B+DROP+TABLE+x--", is(&["1'; DROP TABLE x--"])),
        // Decoded once, and as forms are.
        ("eq.%2525", is(&["%25"])),
        ("eq.a+b%2Bc%20d", is(&["a b+c d"])),
        ("eq.%e2%98%83%C3%A4", is(&["☃ä"])),
        ("eq.☃", is(&["☃"])),
        ("eq.%00%0A", is(&["\0\n"])),
        ("eq.a=b", is(&["a=b"])),
        ("eq.not.eq.1", is(&["not.eq.1"])),
        ("%65q.1", is(&["1"])),
        ("not.eq.1", not(is(&["1"]))),
        ("in.(1,2)", is(&["1", "2"])),
        ("in.(1)", is(&["1"])),
        ("in.()", is(&[])),
        ("in.(,)", is(&["", ""])),
        ("in.(a,)", is(&["a", ""])),
        ("in.(\"\")", is(&[""])),
        ("in.(a, b)", is(&["a", " b"])),
        ("in.(a\\b)", is(&["a\\b"])),
        ("in.(\"a,b\",\"c(d)\",e)", is(&["a,b", "c(d)", "e"])),
        ("in.(\"say \\\"x\\\\\\n\\\"\")", is(&["say \"x\\n\""])),
        ("in.%28%22a%2Cb%22%2Cc%29", is(&["a,b", "c"])),
        ("not.in.(1,2)", not(is(&["1", "2"]))),
        ("is.null", plain(What::Null)),
        ("is.true", plain(What::True)),
        ("is.false", plain(What::False)),
        ("not.is.null", not(plain(What::Null))),
        ("not.is.true", not(plain(What::True))),
    ] {
        let expected = Ok(wanted(&[("c", expected)], None));
        assert_eq!(of_one(&format!("c={value}")), expected, "{value}");
    }
}

#[test]
fn query_that_cannot_be_read_says_which_parameter_and_why() {
    let many = |count: usize| format!("c=in.({})", vec!["1"; count].join(","));
    let conditions = |count: usize| vec!["c=eq.1"; count].join("&");
    for (query, number, problem) in [
        ("c=1", 1, Problem::Condition),
        ("c=", 1, Problem::Condition),
        ("c", 1, Problem::Condition),
        ("=eq", 1, Problem::Condition),
        ("_=1795383343", 1, Problem::Condition),
        ("c=eq", 1, Problem::Condition),
        ("c=EQ.1", 1, Problem::Condition),
        ("c=neq.1", 1, Problem::Condition),
        ("c=gt.1", 1, Problem::Condition),
        ("c=like.a*", 1, Problem::Condition),
        ("c=not.not.eq.1", 1, Problem::Condition),
        ("c=is.unknown", 1, Problem::Condition),
        ("c=is.NULL", 1, Problem::Condition),
        ("c=is.null.", 1, Problem::Condition),
        ("c=in.1", 1, Problem::List),
        ("c=in.(1,2", 1, Problem::List),
        ("c=in.(a(b)", 1, Problem::List),
        ("c=in.(a\"b)", 1, Problem::List),
        ("c=in.(\"a)", 1, Problem::List),
        ("c=in.(\"a\"b)", 1, Problem::List),
        ("c=in.(\"a\\\")", 1, Problem::List),
        ("c=in.((1,2))", 1, Problem::List),
        ("&c=eq.1&&d=eq.%&e=eq.1", 2, Problem::Encoding),
        ("c=eq.%f", 1, Problem::Encoding),
        ("c=eq.%zz", 1, Problem::Encoding),
        ("c=eq.%ff", 1, Problem::Encoding),
        ("c=eq.%c3", 1, Problem::Encoding),
        ("c=eq.%ed%a0%80", 1, Problem::Encoding),
        ("%ff=eq.1", 1, Problem::Encoding),
        ("c=eq.1&limit=2", 2, Problem::NotSupported),
        ("order=c.desc", 1, Problem::NotSupported),
        ("or=(c.eq.1,d.eq.2)", 1, Problem::NotSupported),
        ("select=a&select=b", 2, Problem::SelectTwice),
        ("select=*&select=b", 2, Problem::SelectTwice),
        ("select=", 1, Problem::SelectNone),
        ("select=count(a)", 1, Problem::List),
        ("view=a", 1, Problem::View),
        (&many(VALUES_MAX + 1), 1, Problem::ManyValues),
        (&many(10_000), 1, Problem::ManyValues),
        (
            &conditions(CONDITIONS_MAX + 1),
            CONDITIONS_MAX + 1,
            Problem::ManyConditions,
        ),
    ] {
        let expected = Err(Misread { number, problem });
        assert_eq!(of_one(query), expected, "{query}");
    }
    assert!(of_one(&many(VALUES_MAX)).is_ok());
    assert!(of_one(&conditions(CONDITIONS_MAX)).is_ok());
}

#[test]
fn query_columns_are_named_as_they_are() {
    let one = || is(&["1"]);
    for (name, column) in [
        ("c", "c"),
        ("limit", "limit"),
        ("a+b", "a b"),
        ("a%26b%3D", "a&b="),
        ("Größe", "Größe"),
        ("a.b", "a.b"),
        ("column.select", "select"),
        ("column.view", "view"),
        ("column.access_token", "access_token"),
        ("column.last-event-id", "last-event-id"),
        ("column.column.x", "column.x"),
        ("column.c", "c"),
        ("column", "column"),
    ] {
        let expected = Ok(wanted(&[(column, one())], None));
        assert_eq!(of_one(&format!("{name}=eq.1")), expected, "{name}");
    }
    for (value, names) in [
        ("id", Some(&["id"][..])),
        ("id,total", Some(&["id", "total"])),
        ("\"a,b\",c", Some(&["a,b", "c"])),
        ("\"*\"", Some(&["*"])),
        ("*", None),
    ] {
        let expected = Ok(wanted(&[], names));
        assert_eq!(of_one(&format!("select={value}")), expected, "{value}");
    }
    let twice = of_one("c=eq.1&d=is.null&c=not.eq.2&select=d");
    let expected = [
        ("c", one()),
        ("d", plain(What::Null)),
        ("c", not(is(&["2"]))),
    ];
    assert_eq!(twice, Ok(wanted(&expected, Some(&["d"]))));
}

/// What is ours is read elsewhere, whatever bytes it is of.
#[test]
fn query_of_our_own_parameters_asks_for_everything() {
    for query in [
        "",
        "&&",
        "last-event-id=7-ab",
        "last_event_id=%ff",
        "lastEventId=%&access_token=a.b.c",
        "access%5Ftoken=x",
        "select=*",
    ] {
        let read = of_one(query);
        assert!(read.as_ref().is_ok_and(Wanted::is_all), "{query}: {read:?}");
    }
}

#[test]
fn query_of_several_views_names_the_view_before_the_column() {
    let text = |names: &[&str]| -> Vec<String> { names.iter().map(ToString::to_string).collect() };
    let query = "view=a&a.x=eq.1&view=s.b&view=a.b&s.b.select=y&a.b.x=eq.2&a.column.b.x=eq.3\
                 &last-event-id=9&s.b.column.select=is.null";
    let found = names(query).expect("names");
    assert_eq!(found, text(&["a", "s.b", "a.b"]));
    let one = |column, value: &str| (column, is(&[value]));
    let expected = [
        wanted(&[one("x", "1"), one("b.x", "3")], None),
        wanted(&[("select", plain(What::Null))], Some(&["y"])),
        wanted(&[one("x", "2")], None),
    ];
    assert_eq!(of_several(query, &found), Ok(expected.to_vec()));
    for (query, number, problem) in [
        ("view=a&x=eq.1", 2, Problem::NoView),
        ("view=a&select=x", 2, Problem::NoView),
        ("view=a&b.x=eq.1", 2, Problem::NoView),
        ("view=a&a=eq.1", 2, Problem::NoView),
        ("view=a&column.x=eq.1", 2, Problem::NoView),
        ("view=a&a.x=1", 2, Problem::Condition),
        ("a.view=b&view=a", 1, Problem::Condition),
        ("view=a&a.limit=3", 2, Problem::NotSupported),
        ("view=a&a.select=x&a.select=y", 3, Problem::SelectTwice),
        ("view=a&a.x=eq.%ff", 2, Problem::Encoding),
    ] {
        let expected = Err(Misread { number, problem });
        let names = names(query).expect("names");
        assert_eq!(of_several(query, &names), expected, "{query}");
    }
}

#[test]
fn query_names_views_in_their_order() {
    let found = names("view=b&x=1&view=a%20%22c%22&last-event-id=7").unwrap();
    assert_eq!(found, ["b", "a \"c\""]);
    for query in ["", "x=1", "views=a", "%ff=a"] {
        assert_eq!(names(query), Err(NoNames::None), "{query}");
    }
    assert_eq!(names("view=%ff"), Err(NoNames::Encoding));
    let many = |count| vec!["view=a"; count].join("&");
    assert_eq!(
        names(&many(JOINT_VIEWS_MAX)).unwrap().len(),
        JOINT_VIEWS_MAX
    );
    assert_eq!(names(&many(JOINT_VIEWS_MAX + 1)), Err(NoNames::Many));
}

/// Whatever is sent, it is read or refused, and what is read comes back.
#[test]
fn fuzz_query_of_any_text_is_read_or_refused() {
    let pieces = [
        "c", "=", "&", "eq.", "not.", "in.(", ")", ",", "\"", "\\", "is.null", "%", "%2", "%25",
        "%ff", "%c3%a4", "+", ".", "column.", "select", "view", "a", "☃", "\0", "(", "1",
    ];
    let mut rng = fastrand::Rng::with_seed(13);
    for _ in 0..20_000 {
        let query: String = (0..rng.usize(..24))
            .map(|_| pieces[rng.usize(..pieces.len())])
            .collect();
        let read = of_one(&query);
        let _ = names(&query).map(|names| of_several(&query, &names));
        // Who encodes everything is understood alike.
        if let Ok(wanted) = read {
            let again: Vec<String> = parameters(&query)
                .map(|parameter| {
                    let encode = |text: Result<Cow<'_, str>, Misread>, raw: &str| {
                        let text = text.unwrap_or_else(|_| Cow::Owned(raw.to_owned()));
                        percent_encoding::utf8_percent_encode(
                            &text,
                            percent_encoding::NON_ALPHANUMERIC,
                        )
                        .to_string()
                    };
                    let name = encode(parameter.name(), parameter.name);
                    format!("{name}={}", encode(parameter.value(), parameter.value))
                })
                .collect();
            assert_eq!(of_one(&again.join("&")), Ok(wanted), "{query:?}");
        }
    }
}
