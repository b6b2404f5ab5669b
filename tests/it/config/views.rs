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
