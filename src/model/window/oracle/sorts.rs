//! Columns of every kind, and values of which it is known which are one.

/// One value: how servers print it, and how people write it.
pub type Value = (&'static [&'static str], &'static [&'static str]);

/// A column, and values that it may have.
pub struct Sort {
    pub name: &'static str,
    pub sql_type: &'static str,
    pub values: &'static [Value],
}

const fn sort(name: &'static str, sql_type: &'static str, values: &'static [Value]) -> Sort {
    Sort {
        name,
        sql_type,
        values,
    }
}

/// The columns that cannot be filtered by have values without spelling. That of
/// `flag` that is true comes first.
pub const SORTS: [Sort; 11] = [
    sort(
        "data",
        "jsonb",
        &[
            (
                &["{\"id\":1,\"name\":\"}\",\"x\":[\"]\",{\"y\":\"\\\\\\\"\"}]}"],
                &[],
            ),
            (&["\"\\\"},\\\"id\\\":2,{\\\"\""], &[]),
            (&["[]", "[{},[[]]]", "7", "true"], &[]),
        ],
    ),
    sort(
        "id",
        "bigint",
        &[
            (&["1"], &["1", "+1", "01"]),
            (&["-1"], &["-1"]),
            (&["0"], &["0", "-0"]),
            (&["9007199254740993"], &["9007199254740993"]),
            (&["-9223372036854775808"], &["-9223372036854775808"]),
        ],
    ),
    sort(
        "amount",
        "numeric",
        &[
            (&["1", "1.0", "1.00"], &["1", "1.0", "1e0", "10e-1"]),
            (&["10", "10.0"], &["10", "1e1", "010"]),
            (&["0.10", "0.1"], &[".1", "1e-1", "0.100"]),
            (&["0", "-0", "0.00"], &["0", "-0.0"]),
            (&["NaN"], &["NaN", "nan"]),
            (&["9223372036854775808"], &["9223372036854775808.0"]),
        ],
    ),
    sort(
        "name",
        "text",
        &[
            (&[""], &[""]),
            (&["null"], &["null"]),
            (&["NULL"], &["NULL"]),
            (&["a\"b\\c"], &["a\"b\\c"]),
            (&["\u{1}\n\u{1f}"], &["\u{1}\n\u{1f}"]),
            (&["\\u0041"], &["\\u0041"]),
            (&["},{\"id\":1"], &["},{\"id\":1"]),
            (&["𝄞é"], &["𝄞é"]),
            (&["\\"], &["\\"]),
        ],
    ),
    sort(
        "flag",
        "boolean",
        &[(&["t"], &["true", "t", "1"]), (&["f"], &["f", "no", "off"])],
    ),
    // Stands as `name_2` in the rows.
    sort("name", "text", &[(&["a"], &["a"]), (&["A"], &["A"])]),
    sort("list", "text[]", &[(&["{}", "{a,\"b}\",NULL}"], &[])]),
    sort(
        "code",
        "character(5)",
        &[(&["ab   ", "ab"], &["ab", "ab "]), (&[" ab  "], &[" ab"])],
    ),
    sort(
        "at",
        "timestamp with time zone",
        &[
            (
                &["2020-01-02 03:04:05.5+00", "2020-01-02 03:04:05.500+00"],
                &["2020-01-02 03:04:05.50+00", "2020-01-02T03:04:05.5Z"],
            ),
            (
                &["2020-01-02 00:00:00+00"],
                &["2020-01-02", "2020-01-02T00:00Z"],
            ),
        ],
    ),
    sort(
        "weight",
        "double precision",
        &[
            (&["1.5"], &["1.5", "15e-1"]),
            (&["0", "-0"], &["0", "-0"]),
            (&["NaN"], &["NaN"]),
            (&["inf", "Infinity"], &["Infinity", "inf"]),
        ],
    ),
    sort(
        "key",
        "uuid",
        &[(
            &["6f4b6612-5a5e-4a3e-9e5e-0123456789ab"],
            &["6F4B66125A5E4A3E9E5E0123456789AB"],
        )],
    ),
];
