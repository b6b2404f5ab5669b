//! The relations one by one, at the places that `catalog::number` gives.

use super::column::Column;
use super::dialect::DemoDialect;
use super::kind::Kind;
use super::relation::Relation;
use super::value::ColumnType::{self, *};

/// Names and types; a name that ends in `?` can hold NULL.
type Columns = &'static [(&'static str, ColumnType)];

const COUNTER: &str = "SELECT count(*) AS edits, sum(bytes) AS bytes, count(DISTINCT user_name) AS editors\n    \
    FROM edits";
const COUNTER_COLUMNS: Columns = &[("edits", BigInt), ("bytes?", Numeric), ("editors", BigInt)];

const TOP10: &str = "SELECT \"user\", count\n    \
    FROM user_edits\n    \
    ORDER BY count DESC, \"user\"\n    \
    LIMIT 10";
const USER_COLUMNS: Columns = &[("user", Text), ("count", BigInt)];

const BY_LANGUAGE: &str = "SELECT language, family, count(*) AS edits, sum(bytes) AS bytes\n    \
    FROM edits\n    \
    JOIN wikis ON edits.wiki = wikis.code\n    \
    GROUP BY language, family";
const LANGUAGE_COLUMNS: Columns = &[
    ("language", Text),
    ("family", Text),
    ("edits", BigInt),
    ("bytes", Numeric),
];

const PER_MINUTE: &str = "SELECT date_trunc('minute', edited_at) AS minute, count(*) AS edits\n    \
    FROM edits\n    \
    WHERE mz_now() < minute_until\n    \
    GROUP BY 1";
const MINUTE_COLUMNS: Columns = &[("minute", Timestamp), ("edits", BigInt)];

const HOT_PAGES: &str = "SELECT page, wiki, count(DISTINCT user_name) AS editors, count(*) AS edits\n    \
    FROM edits\n    \
    WHERE mz_now() < hot_until\n    \
    GROUP BY page, wiki\n    \
    HAVING count(DISTINCT user_name) > 1";
const HOT_COLUMNS: Columns = &[
    ("page", Text),
    ("wiki", Text),
    ("editors", BigInt),
    ("edits", BigInt),
];

const USER_EDITS: &str = "SELECT user_name AS \"user\", count(*) AS count\n    \
    FROM edits\n    \
    WHERE user_name IS NOT NULL\n    \
    GROUP BY user_name";

const PAGE_EDITS: &str = "SELECT user_name AS \"user\", wiki, page, count(*) AS edits, sum(bytes) AS bytes\n    \
    FROM edits\n    \
    GROUP BY user_name, wiki, page";
const PAGE_COLUMNS: Columns = &[
    ("user?", Text),
    ("wiki", Text),
    ("page", Text),
    ("edits", BigInt),
    ("bytes", Numeric),
];

const WIKIS_COLUMNS: Columns = &[("code", Text), ("language", Text), ("family", Text)];

const MZ_VIEWS_COLUMNS: Columns = &[
    ("id", Text),
    ("oid", Oid),
    ("schema_id", Text),
    ("name", Text),
    ("definition", Text),
];
const MZ_FRONTIERS_COLUMNS: Columns = &[
    ("object_id", Text),
    ("read_frontier?", MzTimestamp),
    ("write_frontier?", MzTimestamp),
];
const MZ_OBJECTS_COLUMNS: Columns = &[
    ("id", Text),
    ("oid", Oid),
    ("schema_id", Text),
    ("name", Text),
    ("type", Text),
];
const MZ_COLUMNS_COLUMNS: Columns = &[
    ("id", Text),
    ("name", Text),
    ("position", UInt8),
    ("nullable", Bool),
    ("type", Text),
    ("type_oid", Oid),
];
const MZ_SCHEMAS_COLUMNS: Columns = &[("id", Text), ("database_id?", Text), ("name", Text)];
const MZ_GLOBAL_IDS_COLUMNS: Columns = &[("id", Text), ("global_id", Text)];
const MZ_DATABASES_COLUMNS: Columns = &[("id", Text), ("name", Text)];

/// A user's relation `u1` has the next OID.
pub(super) const USER_OID_START: u32 = 20_000;

/// All relations of one generation of servers.
pub(super) fn relations(dialect: DemoDialect) -> Vec<Relation> {
    // The old servers know neither mz_timestamp nor uint8.
    let kind_in = |kind: ColumnType| match (dialect, kind) {
        (DemoDialect::Tail, MzTimestamp) => Numeric,
        (DemoDialect::Tail, UInt8) => BigInt,
        (_, kind) => kind,
    };
    let column = |(name, kind): &(&'static str, ColumnType)| Column {
        name: name.trim_end_matches('?').to_owned(),
        kind: kind_in(*kind),
        nullable: name.ends_with('?'),
    };
    let view = |id: u32, name: &str, definition: &str, columns: Columns| Relation {
        id: format!("u{id}"),
        oid: USER_OID_START + id,
        kind: Kind::MaterializedView,
        columns: columns.iter().map(column).collect(),
        definition: definition.to_owned(),
        ..Relation::new("public".to_owned(), name.to_owned())
    };
    let system = |id: u32, schema: &str, name, columns| Relation {
        id: format!("s{id}"),
        oid: 17_000 + id,
        schema: schema.to_owned(),
        kind: Kind::Table,
        ..view(id, name, "", columns)
    };
    let wikis = view(1, "wikis", "", WIKIS_COLUMNS);
    vec![
        view(2, "counter", COUNTER, COUNTER_COLUMNS),
        view(3, "top10", TOP10, USER_COLUMNS),
        view(4, "edits_by_language", BY_LANGUAGE, LANGUAGE_COLUMNS),
        view(5, "edits_per_minute", PER_MINUTE, MINUTE_COLUMNS),
        view(6, "hot_pages", HOT_PAGES, HOT_COLUMNS),
        view(7, "user_edits", USER_EDITS, USER_COLUMNS),
        view(8, "page_edits", PAGE_EDITS, PAGE_COLUMNS),
        Relation {
            kind: Kind::Table,
            ..wikis
        },
        system(1, "mz_catalog", "mz_views", MZ_VIEWS_COLUMNS),
        system(2, "mz_internal", "mz_frontiers", MZ_FRONTIERS_COLUMNS),
        system(3, "mz_catalog", "mz_objects", MZ_OBJECTS_COLUMNS),
        system(4, "mz_catalog", "mz_columns", MZ_COLUMNS_COLUMNS),
        system(5, "mz_catalog", "mz_schemas", MZ_SCHEMAS_COLUMNS),
        system(6, "mz_catalog", "mz_databases", MZ_DATABASES_COLUMNS),
        system(
            7,
            "mz_internal",
            "mz_object_global_ids",
            MZ_GLOBAL_IDS_COLUMNS,
        ),
    ]
}
