//! The tables of single views in the file.

use viewcast::config::views::What;

use super::Given;

fn given(file: &str) -> Given {
    Given::default()
        .flag("upstream", &["postgres://localhost"])
        .file(file)
}

#[test]
fn config_tables_of_views_are_the_views_in_their_order() {
    let file = "[view.zebra]\n\n[view.orders]\nrelation = 'sales.\"Orders\"'\n\
        description = \"two\\nlines \\u0001\"\ncolumns = ['id', 'a \"b\"']\n\
        [view.\"big spenders\"]\nquery = \"SELECT 1;\\n\"\n\
        [view.'public.x']\nas = 'x'\n";
    let config = given(file).load().expect("config");
    let names: Vec<_> = config.views.iter().map(|view| view.text()).collect();
    assert_eq!(names, ["zebra", "orders", "big spenders", "x"]);
    let [_, orders, query, x] = &config.views[..] else {
        panic!("four views")
    };
    assert_eq!(
        orders.columns.as_deref(),
        Some(&["id".to_owned(), "a \"b\"".to_owned()][..])
    );
    assert_eq!(query.what, What::Query("SELECT 1".into()));
    let What::Relation(relation) = &x.what else {
        panic!("a relation")
    };
    assert_eq!(relation.to_sql(), "\"public\".\"x\"");

    // What check-config shows is a configuration that comes to the same.
    let (toml, source) = given(file).line("view");
    assert!(source.starts_with("file "), "{source}");
    let again = given(&toml).load().expect(&toml);
    assert_eq!(again.views, config.views);
}

#[test]
fn config_flags_choose_among_the_tables_by_name() {
    let file = "[view.orders]\nrelation = 'sales.orders'\n[view.q]\nquery = 'SELECT 1'";
    let config = given(file).flag("view", &["q", "plain"]).load();
    let config = config.expect("config");
    let names: Vec<_> = config.views.iter().map(|view| view.text()).collect();
    assert_eq!(names, ["q", "plain"]);
    assert_eq!(config.views[0].what, What::Query("SELECT 1".into()));
}

#[test]
fn config_bad_table_of_a_view_is_refused() {
    for (file, expected) in [
        (
            "[view.v]\nrelation = 'a'\nquery = 'SELECT 1'",
            "error: \"view.v\" in viewcast.toml, line 1 has both a relation and a query\n\
             hint: Give one; without either, NAME is the relation.",
        ),
        (
            "[view.v]\nquery = ' ; '",
            "error: \"view.v\" in viewcast.toml, line 1 has an empty query\nhint: Give a SELECT.",
        ),
        (
            "[view.v]\nas = '..'",
            "error: \"view.v\" in viewcast.toml, line 1 has no name that can stand in a URL\n\
             hint: Give one by as = \"...\", without control characters.",
        ),
        (
            "[view.v]\ncolumns = []",
            "error: a list given for \"view.v.columns\" in viewcast.toml, line 2\n\
             hint: Give a list of column names, each once, at least one, e.g. [\"id\", \"total\"].",
        ),
        (
            "[view.v]\nquery = 7",
            "error: an integer given for \"view.v.query\" in viewcast.toml, line 2\n\
             hint: Give a text in quotes.",
        ),
        (
            "[view.v]\ncolums = ['a']",
            "error: unknown key \"view.v.colums\" in viewcast.toml, line 2\n\
             hint: Did you mean \"columns\"?",
        ),
        (
            "[view]\nv = 'x'",
            "error: a text given for \"view.v\" in viewcast.toml, line 2\n\
             hint: Give a table, e.g. [view.orders].",
        ),
        (
            "[view.'a b']\n",
            "error: view name \"a b\" holds ' ' outside double quotes in \"view.a b\" in \
             viewcast.toml, line 1\n\
             hint: Put that part in double quotes, as in SQL, e.g. public.\"my view\".",
        ),
        (
            "[view.a]\n[view.b]\nas = 'a'",
            "error: view \"a\" given twice in \"view\" in viewcast.toml, line 1\n\
             hint: Name each view once; without double quotes, upper and lower case are the same.",
        ),
    ] {
        given(file).refused(expected);
    }
}

#[test]
fn config_pattern_is_a_schema_with_a_star() {
    let config = given("").flag("view", &["public.*", "top10"]).load();
    let config = config.expect("config");
    let names: Vec<_> = config.views.iter().map(|view| view.text()).collect();
    assert_eq!(names, ["public.*", "top10"]);
    assert!(matches!(config.views[0].what, What::Pattern(_)));
    let given = given("[view.'public.*']\n[view.top10]\n");
    assert_eq!(given.load().expect("config").views, config.views);
    assert_eq!(given.line("view").0, "view = [\"public.*\", \"top10\"]");
    let everything = Given::least().flag("view", &["*"]);
    everything.refused(
        "error: view name \"*\" means every schema in --view\nhint: Name the schema, e.g. public.*.",
    );
}

#[test]
fn config_filter_names_columns_of_views() {
    let filters = |given: &Given| {
        let config = given
            .load()
            .unwrap_or_else(|errors| panic!("{}", errors.report()));
        let filters = config.views.iter().map(|view| view.filter.join(" "));
        filters.collect::<Vec<_>>()
    };
    let tables = "[view.a]\nfilter = ['x', 'Y']\n[view.b]\n[view.'p.*']\nfilter = ['z']\n";
    let given_tables = || given(tables);
    assert_eq!(filters(&given_tables()), ["x Y", "", "z"]);
    // Of a view that a flag or a variable names, it counts alone.
    let by_flag = given_tables().flag("filter", &["a:q", "b:r,s", "p.*:t"]);
    assert_eq!(filters(&by_flag), ["q", "r s", "t"]);
    let by_variable = given_tables().variable("VIEWCAST_FILTER", "b:r,\"s,t\"");
    assert_eq!(filters(&by_variable), ["x Y", "r s,t", "z"]);
    assert_eq!(
        by_variable.line("filter").0,
        "filter = [\"b:r\", 'b:\"s,t\"']"
    );
    let (view, _) = by_variable.line("view");
    assert_eq!(
        view,
        "view = { \"a\" = { filter = [\"x\", \"Y\"] }, \"b\" = {}, \"p.*\" = { filter = [\"z\"] } }"
    );
    let listed = given("filter = ['a:x', 'a:y']\nview = ['a']");
    assert_eq!(filters(&listed), ["x y"]);
    // A view that is not chosen needs none of it.
    let chosen = given_tables().flag("view", &["b"]);
    assert_eq!(filters(&chosen), [""]);
    for (given, expected) in [
        (
            given_tables().flag("filter", &["c:x"]),
            "error: invalid value \"c:x\" for --filter\n\
             hint: Give a view that is streamed and one of its columns, e.g. orders:customer_id.",
        ),
        (
            given_tables().flag("filter", &["a:x", "y"]),
            "error: invalid value \"y\" for --filter\n\
             hint: Give a view that is streamed and one of its columns, e.g. orders:customer_id.",
        ),
        (
            given_tables().flag("filter", &["a:x,x"]),
            "error: invalid value \"x\" for --filter\n\
             hint: Give each column of a view once, 8 at the most.",
        ),
        (
            given_tables().flag("filter", &["a:\"x"]),
            "error: a double quote in --filter is never closed\n\
             hint: Close it; inside a quoted name, write a double quote twice.",
        ),
        (
            given("filter = ['a:x']\n[view.a]\nfilter = ['y']"),
            "error: \"view.a\" in viewcast.toml, line 2 has a filter, and the list \"filter\" of \
             the file names the view, too\nhint: Name the columns in one place.",
        ),
        (
            given("[view.a]\nfilter = []"),
            "error: a list given for \"view.a.filter\" in viewcast.toml, line 2\n\
             hint: Give a list of 1 to 8 column names, each once, e.g. [\"customer_id\"].",
        ),
        (
            given("[view.a]\ncolumns = ['x']\nfilter = ['y']"),
            "error: \"view.a\" in viewcast.toml, line 1 chooses rows by a column that is not \
             shown\nhint: Add the column to its columns, or choose by another one.",
        ),
    ] {
        given.refused(expected);
    }
}

#[test]
fn config_rows_by_claims_take_tokens() {
    let jwt = "auth = 'jwt'\njwt_issuer = 'i'\njwt_audience = 'a'\njwt_jwks = 'https://i/k'\n";
    let table = "[view.orders]\nrows = { b = 'claim:https://e.x/t.id', 'a \"c\"' = 'claim:sub' }\n";
    let good = given(&format!("{jwt}{table}"));
    let config = good.load().expect("config");
    let rows: Vec<_> = config.views[0].rows.iter().collect();
    let rows: Vec<_> = rows
        .iter()
        .map(|it| (&*it.column, it.claim.text()))
        .collect();
    let expected = [
        ("b", "claim:https://e.x/t.id".to_owned()),
        ("a \"c\"", "claim:sub".to_owned()),
    ];
    assert_eq!(rows, expected);
    assert_eq!(
        good.line("view").0,
        "view = { \"orders\" = { rows = { \"b\" = \"claim:https://e.x/t.id\", \
         \"a \\\"c\\\"\" = \"claim:sub\" } } }"
    );
    let sub = "[view.orders.rows]\nid = 'claim:sub'";
    assert_eq!(
        given(&format!("{jwt}{sub}")).load().expect("config").views[0]
            .rows
            .len(),
        1
    );
    // Whole for some, under another name.
    let both = format!("{jwt}{table}[view.all]\nrelation = 'orders'\n");
    assert_eq!(given(&both).load().expect("config").views.len(), 2);
    let no_rows = "hint: Give a table of 1 to 8 columns, each with the claim that has its value, \
                   e.g. { customer_id = \"claim:sub\" }.";
    for (file, expected) in [
        (
            table.to_owned(),
            "error: \"view.orders\" in viewcast.toml, line 1 shows rows by claims, but no token \
             is asked for\nhint: Add --auth jwt, or leave its rows out."
                .to_owned(),
        ),
        (
            format!("auth = 'none'\n{table}"),
            "error: \"view.orders\" in viewcast.toml, line 2 shows rows by claims, but no token \
             is asked for\nhint: Add --auth jwt, or leave its rows out."
                .to_owned(),
        ),
        (
            format!("{jwt}[view.orders]\ncolumns = ['id']\nrows = {{ x = 'claim:sub' }}"),
            "error: \"view.orders\" in viewcast.toml, line 5 chooses rows by a column that is not \
             shown\nhint: Add the column to its columns, or choose by another one."
                .to_owned(),
        ),
        (
            format!("{jwt}[view.orders]\nrows = {{}}"),
            format!(
                "error: a table given for \"view.orders.rows\" in viewcast.toml, line 6\n{no_rows}"
            ),
        ),
        (
            format!("{jwt}[view.orders]\nrows = {{ id = 'sub' }}"),
            format!(
                "error: a table given for \"view.orders.rows\" in viewcast.toml, line 6\n{no_rows}"
            ),
        ),
        (
            format!("{jwt}[view.orders]\nrows = {{ id = 7 }}"),
            format!(
                "error: a table given for \"view.orders.rows\" in viewcast.toml, line 6\n{no_rows}"
            ),
        ),
        (
            format!("{jwt}[view.orders]\nrows = ['id']"),
            format!(
                "error: a list given for \"view.orders.rows\" in viewcast.toml, line 6\n{no_rows}"
            ),
        ),
    ] {
        given(&file).refused(&expected);
    }
    // One mistake is one error.
    let wrong = format!("auth = 'jwtt'\n{table}");
    assert_eq!(given(&wrong).load().expect_err("refused").0.len(), 1);
}
