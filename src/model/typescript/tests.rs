//! Names, types and comments of a file of declarations. That the file is
//! TypeScript, and that values fit it, tests/it/types.rs asks the compiler.

use super::*;

fn of(view: &str, columns: &[Column]) -> String {
    let text = declarations([TypedView {
        name: view,
        description: None,
        columns,
    }]);
    let (_, views) = text.split_once("export interface Views {\n").unwrap();
    views.strip_suffix("}\n").unwrap().to_owned()
}

fn type_named(sql_type: &str) -> String {
    type_of(&Column::new("c", sql_type))
}

#[test]
fn typescript_of_each_kind_of_column() {
    for (sql_type, expected) in [
        ("boolean", "boolean | null"),
        ("integer", "number | null"),
        ("bigint", "number | string | null"),
        ("numeric(39,0)", "number | string | null"),
        ("double precision", "Float | null"),
        ("text", "string | null"),
        ("timestamp with time zone", "string | null"),
        ("a type of tomorrow", "string | null"),
        ("jsonb", "Json"),
        ("bigint[]", "SqlArray<number | string> | null"),
        ("list", "TextList | null"),
        ("bigint list", "(number | string | null)[] | null"),
        ("integer list list", "((number | null)[] | null)[] | null"),
        ("map", "TextMap | null"),
        ("map[text=>jsonb]", "{ [key: string]: Json | null } | null"),
        ("record", "(string | null)[] | null"),
        (
            "record(a: integer, b: text?)",
            "[number | null, string | null] | null",
        ),
    ] {
        assert_eq!(type_named(sql_type), expected, "{sql_type}");
    }
    let never_null = Column {
        is_nullable: false,
        ..Column::new("n", "bigint")
    };
    assert_eq!(type_of(&never_null), "number | string");
}

#[test]
fn typescript_names_are_quoted_where_they_are_no_identifiers() {
    let columns = ["id", "größe", "a b", "1st", "\"*/\u{2028}\n\\"].map(|it| Column::new(it, "t"));
    let text = of("public.\"my view\"", &columns);
    assert_eq!(
        text.lines()
            .filter(|line| !line.contains("/**"))
            .collect::<Vec<_>>(),
        [
            r#"  "public.\"my view\"": {"#,
            "    id: string | null;",
            r#"    "größe": string | null;"#,
            r#"    "a b": string | null;"#,
            r#"    "1st": string | null;"#,
            r#"    "\"*/\u2028\n\\": string | null;"#,
            "  };"
        ]
    );
    // A name that stood before is the one that the rows have.
    let text = of(
        "v",
        &[Column::new("n", "text"), Column::new("n", "integer")],
    );
    assert!(text.contains("n_2: number | null;"), "{text}");
}

#[test]
fn typescript_comments_end_where_they_should() {
    let text = declarations([TypedView {
        name: "v",
        description: Some("orders\n*/ evil(); /*"),
        columns: &[],
    }]);
    assert!(text.contains("  /** orders *\\/ evil(); /* */\n"), "{text}");
    assert!(text.contains("  v: Record<string, unknown>;\n"), "{text}");
}

#[test]
fn columns_are_the_same_whatever_is_known_of_nulls() {
    let column = Column::new("n", "bigint");
    let never_null = Column {
        is_nullable: false,
        ..column.clone()
    };
    assert_eq!(column, never_null);
    assert_ne!(column, Column::new("n", "integer"));
}
