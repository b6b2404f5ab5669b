//! What windows mean, by tables.

use std::sync::Arc;

use super::*;
use crate::model::position::Incarnation;
use crate::model::row::Column;
use crate::model::value::Encoder;

fn columns(list: &[(&str, &str)]) -> Vec<Column> {
    let column = |(name, sql_type): &(&str, &str)| Column::new(*name, *sql_type);
    list.iter().map(column).collect()
}

/// The JSON of a row as it is made of what a server prints.
fn row(columns: &[Column], values: &[Option<&str>]) -> String {
    let (encoder, mut out) = (Encoder::new(columns), String::new());
    for (at, value) in values.iter().enumerate() {
        encoder.value(at, *value, &mut out);
    }
    encoder.end(&mut out);
    out
}

fn test(not: bool, what: What) -> Test {
    Test { not, what }
}

fn one_of(values: &[&str]) -> What {
    What::In(values.iter().map(|value| (*value).to_owned()).collect())
}

fn eq(value: &str) -> Test {
    test(false, one_of(&[value]))
}

/// The window of a view of one column `a` that a test asks for.
fn window(sql_type: &str, test: Test) -> Result<Window, WindowError> {
    let mut wanted = Wanted::default();
    wanted.and("a", test);
    let layout = Layout::new(&columns(&[("a", sql_type)]));
    wanted.resolve(&Arc::new(layout), &["a".to_owned()])
}

#[test]
fn window_of_types_that_cannot_be_compared_is_refused() {
    for sql_type in [
        "jsonb",
        "bytea",
        "interval",
        "integer[]",
        "text list",
        "map[text=>text]",
        "record",
        "int4range",
        "mz_aclitem",
        "numeric(10,2)[]",
        "a type of tomorrow",
        "",
    ] {
        let error = window(sql_type, test(false, What::Null)).unwrap_err();
        assert_eq!(error.fault, Fault::NotComparable, "{sql_type}");
    }
}

/// The values of a boolean that meet a test: NULL, false, true.
fn meets(test: Test) -> [bool; 3] {
    let columns = columns(&[("a", "boolean")]);
    let window = window("boolean", test).unwrap();
    [None, Some("f"), Some("t")].map(|value| window.matches(&row(&columns, &[value])))
}

#[test]
fn window_has_the_three_values_of_sql() {
    for (what, is, is_not) in [
        (What::Null, [true, false, false], [false, true, true]),
        (What::True, [false, false, true], [true, true, false]),
        (What::False, [false, true, false], [true, false, true]),
        (one_of(&["t"]), [false, false, true], [false, true, false]),
        (one_of(&["t", "f"]), [false, true, true], [false; 3]),
        (one_of(&[]), [false; 3], [false, true, true]),
    ] {
        assert_eq!(meets(test(false, what.clone())), is, "{what:?}");
        assert_eq!(meets(test(true, what.clone())), is_not, "not {what:?}");
    }
    // However it is said, it is one window.
    let same = |a, b| assert_eq!(window("boolean", a).unwrap(), window("boolean", b).unwrap());
    same(test(false, What::True), eq("1"));
    same(test(true, one_of(&["f"])), eq("t"));
    same(test(true, What::Null), test(false, one_of(&["t", "f"])));
    let text = window("text", test(false, What::True)).unwrap_err();
    assert_eq!(text.fault, Fault::NotBoolean);
}

/// `orders` as the tests below have it, and its layout.
fn orders() -> (Vec<Column>, Arc<Layout>) {
    let columns = columns(&[
        ("data", "jsonb"),
        ("id", "bigint"),
        ("customer", "text"),
        ("status", "text"),
        ("a\"b", "integer[]"),
        ("id", "integer"),
    ]);
    let layout = Arc::new(Layout::new(&columns));
    (columns, layout)
}

const FILTERABLE: [&str; 4] = ["id", "customer", "status", "id_2"];

fn resolve(layout: &Arc<Layout>, wanted: &Wanted) -> Result<Window, WindowError> {
    wanted.resolve(layout, &FILTERABLE.map(str::to_owned))
}

fn wanted(tests: &[(&str, Test)]) -> Wanted {
    let mut wanted = Wanted::default();
    for (column, test) in tests {
        wanted.and(column, test.clone());
    }
    wanted
}

#[test]
fn window_conditions_on_a_column_are_joined() {
    let (columns, layout) = orders();
    let has = |tests: &[(&str, Test)], customer: Option<&str>| {
        let window = resolve(&layout, &wanted(tests)).unwrap();
        window.matches(&row(
            &columns,
            &[None, Some("1"), customer, Some("s"), None, None],
        ))
    };
    let not = |values: &[&str]| test(true, one_of(values));
    let some = |values: &[&str]| test(false, one_of(values));
    for (tests, expected) in [
        (
            vec![some(&["a", "b"]), some(&["b", "c"])],
            [false, true, false, false],
        ),
        (
            vec![some(&["a", "b"]), not(&["b"])],
            [true, false, false, false],
        ),
        (
            vec![not(&["b"]), some(&["a", "b"])],
            [true, false, false, false],
        ),
        (vec![not(&["a"]), not(&["b"])], [false, false, true, false]),
        (vec![some(&["a"]), test(false, What::Null)], [false; 4]),
        (vec![test(true, What::Null)], [true, true, true, false]),
        (vec![test(false, What::Null)], [false, false, false, true]),
    ] {
        let tests: Vec<_> = tests.into_iter().map(|it| ("customer", it)).collect();
        let found = [Some("a"), Some("b"), Some("c"), None].map(|it| has(&tests, it));
        assert_eq!(found, expected, "{tests:?}");
    }
    let twice = [("customer", eq("a")), ("customer", eq("b"))];
    let empty = resolve(&layout, &wanted(&twice)).unwrap();
    assert!(empty.is_empty() && empty.keys().is_empty());
}

#[test]
fn window_is_one_however_it_is_asked_for() {
    let (_, layout) = orders();
    let window = |tests: &[(&str, Test)]| resolve(&layout, &wanted(tests)).unwrap();
    let log = Incarnation::of(["log"]);
    let first = window(&[
        ("customer", test(false, one_of(&["a", "b"]))),
        ("id", eq("1")),
    ]);
    let again = window(&[
        ("id", eq("01")),
        ("customer", test(false, one_of(&["b", "a", "b"]))),
    ]);
    assert_eq!(first, again);
    assert_eq!(first.incarnation(log), again.incarnation(log));
    assert_ne!(
        first.incarnation(log),
        first.incarnation(Incarnation::of(["other"]))
    );
    // None of these is the other.
    let mut all = vec![first];
    for tests in [
        vec![],
        vec![("id", eq("1"))],
        vec![("id", eq("11"))],
        vec![("id_2", eq("1"))],
        vec![("id", test(true, one_of(&["1"])))],
        vec![("customer", eq("a,b"))],
        vec![("customer", test(false, one_of(&["a", "b"])))],
        vec![("customer", eq("null"))],
        vec![("customer", eq(""))],
        vec![("customer", test(false, What::Null))],
        vec![("customer", test(true, What::Null))],
        vec![("customer", test(false, one_of(&[])))],
        vec![("status", eq("a")), ("customer", eq("b"))],
        vec![("status", eq("b")), ("customer", eq("a"))],
    ] {
        all.push(window(&tests));
    }
    let mut shown = wanted(&[("id", eq("1"))]);
    shown.select(vec!["status".to_owned()]);
    all.push(resolve(&layout, &shown).unwrap());
    let unlike: std::collections::BTreeSet<String> = all
        .iter()
        .map(|it| it.incarnation(log).to_string())
        .collect();
    assert_eq!(unlike.len(), all.len());
    for (at, one) in all.iter().enumerate() {
        assert!(all.iter().skip(at + 1).all(|other| other != one), "{one:?}");
    }
    assert!(all[1].is_all());
    assert_eq!(all[1].incarnation(log), log, "the view itself");
}

#[test]
fn window_shows_the_columns_selected_in_the_views_order() {
    let (columns, layout) = orders();
    let row = row(
        &columns,
        &[
            Some("{\"a\":[1]}"),
            Some("1"),
            Some("c\"d"),
            None,
            Some("{1}"),
            Some("2"),
        ],
    );
    for (names, expected) in [
        (
            vec!["status", "data"],
            r#"{"data":{"a":[1]},"status":null}"#,
        ),
        (vec!["id_2"], r#"{"id_2":2}"#),
        (
            vec!["a\"b", "customer"],
            r#"{"customer":"c\"d","a\"b":[1]}"#,
        ),
        (
            vec!["id_2", "a\"b", "status", "customer", "id", "data"],
            &row,
        ),
    ] {
        let mut wanted = Wanted::default();
        wanted.select(names.into_iter().map(str::to_owned).collect());
        let window = resolve(&layout, &wanted).unwrap();
        assert_eq!(window.show(&row), expected);
        assert_eq!(window.is_all(), expected == row);
    }
}

#[test]
fn window_that_cannot_be_had_says_why_and_what_there_is() {
    let (_, layout) = orders();
    let many = one_of(&vec!["1"; VALUES_MAX + 1]);
    let conditions = vec![("id", eq("1")); CONDITIONS_MAX + 1];
    let cases = [
        (wanted(&[("secret'", eq("1"))]), Fault::NoSuchColumn),
        (wanted(&[("data", eq("1"))]), Fault::NotFilterable),
        (wanted(&[("id", eq("secret'"))]), Fault::NotOfType),
        (
            wanted(&[("id", test(false, What::True))]),
            Fault::NotBoolean,
        ),
        (wanted(&[("id", test(false, many))]), Fault::TooManyValues),
        (wanted(&conditions), Fault::TooManyConditions),
    ];
    for (wanted, fault) in cases {
        let error = resolve(&layout, &wanted).unwrap_err();
        assert_eq!((error.fault, error.is_rule), (fault, false));
        assert!(!error.to_string().contains("secret"), "{error}");
        assert_eq!(
            error.hint(),
            "Filterable columns: id, customer, status, id_2."
        );
        let error = wanted.resolve(&layout, &[]).unwrap_err();
        assert_eq!(error.fault, Fault::NoWindows);
        assert_eq!(error.hint(), "The view has no filterable columns.");
    }
    for (names, fault) in [
        (vec![], Fault::ShowsNothing),
        (vec!["id", "status", "id"], Fault::ShowsTwice),
        (vec!["id", "secret"], Fault::ShowsUnknown),
    ] {
        let mut wanted = Wanted::default();
        wanted.select(names.into_iter().map(str::to_owned).collect());
        let error = resolve(&layout, &wanted).unwrap_err();
        assert_eq!(error.fault, fault);
        assert_eq!(
            error.hint(),
            "The view's columns are: data, id, customer, status, a\"b, id_2."
        );
        assert_eq!(
            wanted.resolve(&layout, &[]).unwrap_err().fault,
            Fault::NoWindows
        );
    }
}

#[test]
fn window_of_a_rule_needs_no_filterable_column() {
    let (_, layout) = orders();
    let mut wanted = Wanted::default();
    wanted.require("customer", test(false, one_of(&["42", "43"])));
    let window = wanted.resolve(&layout, &[]).unwrap();
    assert_eq!(window.keys().len(), 2);
    wanted.and("customer", eq("7"));
    assert_eq!(
        wanted.resolve(&layout, &[]).unwrap_err().fault,
        Fault::NoWindows
    );
    assert!(
        resolve(&layout, &wanted).unwrap().is_empty(),
        "no way round a rule"
    );
    // What is wrong with a rule is said first.
    for (column, fault) in [
        ("data", Fault::NotComparable),
        ("gone", Fault::NoSuchColumn),
    ] {
        let mut wanted = wanted.clone();
        wanted.and("nothing", eq("1"));
        wanted.require(column, eq("1"));
        let error = resolve(&layout, &wanted).unwrap_err();
        assert_eq!((error.fault, error.is_rule), (fault, true));
    }
}

#[test]
fn window_has_as_many_keys_as_are_looked_up() {
    let (columns, layout) = orders();
    let values = |count: usize| {
        let values = (0..count).map(|it| it.to_string());
        test(false, What::In(values.collect()))
    };
    let keys = |tests: &[(&str, Test)]| {
        let window = resolve(&layout, &wanted(tests)).unwrap();
        (window.shape().columns(), window.keys().len())
    };
    assert_eq!(keys(&[]), (0, 1));
    assert_eq!(keys(&[("id", test(true, one_of(&["1"])))]), (0, 1));
    assert_eq!(keys(&[("id", eq("1"))]), (1, 1));
    assert_eq!(keys(&[("id", values(1_000))]), (1, 1_000));
    assert_eq!(
        keys(&[("id", values(20)), ("customer", values(50))]),
        (2, 1_000)
    );
    assert_eq!(
        keys(&[("id", values(21)), ("customer", values(50))]),
        (1, 21)
    );
    assert_eq!(
        keys(&[
            ("id", values(1_000)),
            ("customer", values(999)),
            ("status", eq("x"))
        ]),
        (2, 999)
    );
    // Whatever has a value of each is found by its key.
    let window = resolve(
        &layout,
        &wanted(&[("id", values(5)), ("status", test(false, What::Null))]),
    );
    let window = window.unwrap();
    let row = row(&columns, &[None, Some("3"), Some("x"), None, None, None]);
    let key = window.shape().key(&layout, &row, &mut String::new());
    assert!(window.matches(&row) && window.keys().contains(&key));
    let one = resolve(&layout, &wanted(&[("customer", eq("0123456789"))])).unwrap();
    assert!(one.bytes() < 300, "{} bytes", one.bytes());
}
