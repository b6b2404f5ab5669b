//! What a transcript's SQL implies: the columns of its relations, and their rows
//! after each statement, by a few lines that know the recorded views.

use std::collections::BTreeMap;

use super::decode::{self, Columns};
use super::literals::tuples;
use super::{Described, Exchange, Message};
use crate::support::table::Rows;

pub(super) type Row = Vec<Option<String>>;
type Bag = BTreeMap<Row, i64>;

/// The columns of relations that no transcript describes.
const KNOWN: &[(&str, &[(&str, &str)])] = &[
    ("d", &[("a", "integer"), ("b", "text")]),
    ("vd", &[("a", "integer"), ("b", "text")]),
    ("vj", &[("a", "integer"), ("b", "text")]),
    ("ve2", &[("a", "integer"), ("b", "text")]),
    ("vnot", &[("a", "integer"), ("b", "text")]),
    ("z", &[("a", "integer"), ("b", "text")]),
    ("mz_ok", &[("a", "integer"), ("b", "text")]),
    ("k", &[("a", "integer"), ("b", "text")]),
    ("nonmat", &[("a", "integer")]),
    ("mvc", &[("a", "integer")]),
    ("vneg", &[("a", "integer")]),
    ("sdv", &[("a", "integer")]),
    ("ve", &[("a", "integer")]),
    ("divz", &[("q", "integer")]),
    ("ivv", &[("a", "integer"), ("n", "bigint")]),
    ("pagg", &[("a", "integer"), ("n", "bigint")]),
    (
        "SELECT b, count(*) FROM d GROUP BY b",
        &[("b", "text"), ("count", "bigint")],
    ),
    ("vft", &[("text", "text"), ("mz_line_no", "bigint")]),
    ("vfn", &[("text", "text"), ("mz_line_no", "bigint")]),
    (
        "pv",
        &[
            ("a", "integer"),
            ("b", "text"),
            ("n", "numeric"),
            ("j", "jsonb"),
        ],
    ),
    (
        "mv",
        &[
            ("a", "integer"),
            ("b", "text"),
            ("c", "numeric"),
            ("d", "numeric"),
            ("e", "timestamp with time zone"),
            ("f", "jsonb"),
        ],
    ),
];

/// Names and types of columns.
type Known = &'static [(&'static str, &'static str)];

/// The columns of relations of the newer recordings that none describes, by the
/// file.
const KNOWN_IN: &[(&str, &str, Known)] = &[
    ("changing", "chv", &[("a", "integer"), ("b", "text")]),
    ("counts", "cov", &[("b", "text"), ("n", "bigint")]),
    ("drop_while_tailed", "dwv", &[("a", "integer")]),
    ("err_div_by_zero", "dzv", &[("q", "integer")]),
    ("errors", "nv", &[("name", "character varying")]),
    ("idle", "idv", &[("a", "integer")]),
    (
        "query_and_options",
        "SELECT a + 1 AS c FROM ch",
        &[("c", "integer")],
    ),
    (
        "query_and_options",
        "SELECT 1 AS one",
        &[("one", "integer")],
    ),
    ("query_and_options", "k", &[("seven", "integer")]),
    ("query_and_options", "k0", &[("seven", "integer")]),
    ("as_of_too_old", "aov", &[("a", "integer")]),
    ("cancel_backend", "ddv", &[("a", "integer")]),
    ("cluster_swap", "csv", &[("b", "integer")]),
    ("constant_query", "SELECT 1 AS one", &[("one", "integer")]),
    (
        "constant_query",
        "SELECT 1 AS one WHERE false",
        &[("one", "integer")],
    ),
    ("constant_query", "SELECT 1/0 AS one", &[("one", "integer")]),
    ("drop_while_subscribed", "ddv", &[("a", "integer")]),
    ("isolation", "isov", &[("a", "integer")]),
    ("load_generator", "lgr.lga", &[]),
    (
        "load_generator",
        "lgr.auctions",
        &[
            ("id", "bigint"),
            ("seller", "bigint"),
            ("item", "text"),
            ("end_time", "timestamp with time zone"),
        ],
    ),
    ("load_generator", "lgr.lga_progress", &[("offset", "uint8")]),
    ("rename_view", "rp", &[("a", "integer")]),
    ("replacement_columns", "rc", &[("a", "integer")]),
    ("replacement_columns", "rc2", &[("a", "integer")]),
    ("replication_factor_0", "rfp", &[("b", "integer")]),
    ("revoked_select", "rvs.v", &[("a", "integer")]),
    ("schema_swap", "blue.v", &[("a", "integer")]),
    ("statement_timeout", "stv", &[("a", "integer")]),
    (
        "system_relations",
        "mz_introspection.mz_active_peeks",
        &[
            ("id", "uuid"),
            ("object_id", "text"),
            ("type", "text"),
            ("time", "mz_timestamp"),
        ],
    ),
    (
        "system_relations",
        "SELECT cluster_id, name FROM mz_catalog.mz_cluster_replicas WHERE name = 'r1'",
        &[("cluster_id", "text"), ("name", "text")],
    ),
    ("temporal_filter", "tfv", &[("a", "integer")]),
    (
        "upsert_envelope",
        "uev",
        &[("k", "integer"), ("v", "text"), ("w", "integer")],
    ),
];

/// The columns of `vc`, of which the newer recording has one more.
const COUNTED: [(&str, &str); 5] = [
    ("b", "text"),
    ("n", "bigint"),
    ("s", "bigint"),
    ("m", "integer"),
    ("av", "numeric"),
];

/// The relation that a stream is of, or the query.
pub fn relation(sql: &str) -> String {
    let (_, rest) = ["TAIL ", "SUBSCRIBE "]
        .iter()
        .find_map(|verb| sql.split_once(verb))
        .expect("a stream");
    let rest = rest.strip_prefix("TO ").unwrap_or(rest);
    let Some(query) = rest.strip_prefix('(') else {
        return rest.split([' ', ')']).next().unwrap().to_owned();
    };
    let end = query.find(") WITH").expect("the query's end");
    query[..end].to_owned()
}

/// What the file says when asked for the relation's columns: the exchange of
/// names, and that of types.
pub fn descriptions<'a>(file: &'a [Exchange], relation: &str) -> Option<[&'a Exchange; 2]> {
    let find = |sql: String| file.iter().find(|it| it.sql == sql);
    let names = find(format!("SELECT * FROM {relation} LIMIT 0"))?;
    let types = find(format!("SHOW COLUMNS FROM {relation}"))?;
    Some([names, types])
}

/// The columns of what a stream is of.
pub fn columns(stream: &Exchange, file: &[Exchange]) -> Vec<(String, String)> {
    let relation = relation(&stream.sql);
    let owned = |(name, sql_type): &(&str, &str)| ((*name).to_owned(), (*sql_type).to_owned());
    if relation == "vc" {
        let count = if stream.generation == "0.7" { 4 } else { 5 };
        return COUNTED[..count].iter().map(owned).collect();
    }
    let in_file = KNOWN_IN.iter();
    let mut in_file = in_file.filter(|(file, ..)| *file == stream.file);
    if let Some((.., columns)) = in_file.find(|(_, name, _)| *name == relation) {
        return columns.iter().map(owned).collect();
    }
    if let Some((_, columns)) = KNOWN.iter().find(|(name, _)| *name == relation) {
        return columns.iter().map(owned).collect();
    }
    let [names, types] = descriptions(file, &relation)
        .unwrap_or_else(|| panic!("no columns of {relation} in {}", stream.file));
    let types: BTreeMap<String, String> = (types.rows().into_iter())
        .map(|row| (text(&row[0]).unwrap(), text(&row[2]).unwrap()))
        .collect();
    let typed = |column: &Described| {
        let sql_type = types.get(&column.name).cloned();
        (
            column.name.clone(),
            sql_type.unwrap_or_else(|| column.sql_type()),
        )
    };
    names
        .columns()
        .expect("columns")
        .iter()
        .map(typed)
        .collect()
}

fn text(value: &Option<Vec<u8>>) -> Option<String> {
    let text = |bytes: &Vec<u8>| String::from_utf8(bytes.clone()).expect("UTF-8");
    value.as_ref().map(text)
}

/// The rows of what a relation's name meant at a place of the file, before the
/// first statement and after each that changes anything, with the statement's
/// place; empty if its SQL does not say.
pub fn history(
    file: &[Exchange],
    relation: &str,
    at: usize,
    columns: &Columns,
) -> Vec<(usize, Rows)> {
    let shown = |row: &Row| decode::row(columns, row);
    // The view is what the server answers when asked for it.
    let selects = [
        format!("SELECT * FROM {relation}"),
        format!("SELECT * FROM {relation} ORDER BY i"),
    ];
    if relation.starts_with("v_ty_") || relation.starts_with("vx_") {
        let select = file
            .iter()
            .find(|it| selects.contains(&it.sql))
            .expect("asked");
        let rows = select.rows().into_iter();
        let rows = rows.map(|row| (shown(&row.iter().map(text).collect()), 1));
        return vec![(0, rows.collect())];
    }
    // What a name means may change; a stream goes on with what it began with.
    let mut names = Names::default();
    file.iter()
        .take_while(|it| it.line < at)
        .for_each(|it| names.execute(it));
    let object = names.object(relation);
    let (mut names, mut tables) = (Names::default(), Tables::default());
    let mut states: Vec<(usize, Rows)> = Vec::new();
    let mut is_in_transaction = false;
    for exchange in file {
        names.execute(exchange);
        tables.execute(exchange, &names);
        match exchange.sql.as_str() {
            "BEGIN" => is_in_transaction = true,
            "COMMIT" => is_in_transaction = false,
            _ => {}
        }
        let Some(bag) = tables.view(&object).filter(|_| !is_in_transaction) else {
            continue;
        };
        let mut rows = Rows::new();
        for (row, copies) in bag {
            let copies = u64::try_from(copies).expect("a view's rows");
            *rows
                .entry(decode::row(columns, &row[..columns.len()]))
                .or_default() += copies;
        }
        if states.last().is_none_or(|(_, last)| *last != rows) {
            states.push((exchange.line, rows));
        }
    }
    states
}

/// The tables that the SQL fills, and the queries of its views, by the names
/// that they had first.
#[derive(Default)]
struct Tables {
    is_old: bool,
    of: BTreeMap<String, Bag>,
    views: BTreeMap<String, String>,
}

impl Tables {
    fn execute(&mut self, exchange: &Exchange, names: &Names) {
        self.is_old = exchange.generation == "0.7";
        if exchange.error().is_some() {
            return;
        }
        for sql in exchange.sql.split("; ") {
            self.execute_one(sql, names);
        }
    }

    fn execute_one(&mut self, sql: &str, names: &Names) {
        let lower = sql.to_ascii_lowercase();
        let mut words: Vec<String> = sql.split(' ').map(str::to_owned).collect();
        let is_update = lower.starts_with("update ");
        if let Some(table) = words.get_mut(if is_update { 1 } else { 2 }) {
            *table = names.object(table);
        }
        if let Some((name, query)) = view_of(sql) {
            self.views.insert(name.to_owned(), query.to_owned());
        }
        if lower.starts_with("create table ") {
            self.of.insert(words[2].clone(), Bag::new());
        } else if lower.starts_with("insert into ") {
            for row in tuples(sql) {
                let row = self.printed(&words[2], row);
                if let Some(bag) = self.of.get_mut(&words[2]) {
                    *bag.entry(row).or_default() += 1;
                }
            }
        } else if lower.starts_with("delete from ") {
            // A whole table is emptied in a file of errors only.
            let Some(at) = lower.find(" where ") else {
                return;
            };
            let (_, value) = sql[at..].split_once(" = ").expect("a condition");
            let value = Some(value.trim_matches('\'').to_owned());
            self.of
                .get_mut(&words[2])
                .unwrap()
                .retain(|row, _| row[0] != value);
        } else if is_update && lower.contains(" where ") {
            let new = words[5].trim_matches('\'').to_owned();
            let value = words.last().cloned();
            let bag = self.of.get_mut(&words[1]).unwrap();
            let changed = |mut row: Row| {
                if row[0] == value {
                    row[1] = Some(new.clone());
                }
                row
            };
            *bag = sum(std::mem::take(bag)
                .into_iter()
                .map(|(row, n)| (changed(row), n)));
        }
    }

    /// The values as the server prints them.
    fn printed(&self, table: &str, mut row: Row) -> Row {
        if table != "p" {
            return row;
        }
        if let (Some(number), true) = (&mut row[2], self.is_old) {
            *number = format!("{:.2}", number.parse::<f64>().unwrap());
        }
        if let Some(json) = &mut row[3] {
            let one = if self.is_old { "1.0" } else { "1" };
            *json = json.replace(": ", ":").replace("[1,", &format!("[{one},"));
        }
        row
    }

    /// The rows of a relation, if its tables are there.
    fn view(&self, relation: &str) -> Option<Bag> {
        let table = |name: &str| self.of.get(name);
        let first = |bag: &Bag| sum(bag.iter().map(|(row, n)| (vec![row[0].clone()], *n)));
        Some(match relation {
            "d" | "vd" => table("d")?.clone(),
            "z" | "mz_ok" => table("z")?.clone(),
            "sdv" => table("sd")?.clone(),
            "ve" => table("e0")?.clone(),
            "pv" => table("p")?.clone(),
            "nonmat" | "mvc" => first(table("z")?),
            "mv" => table("mt")?.clone(),
            "k" if !self.views.get("k")?.ends_with(" AS seven") => [(values(["1", "x"]), 1)].into(),
            "zc" => [(values(["1", "2", "x", "4", "5"]), 1)].into(),
            "divz" => divided(table("z")?),
            "vneg" => without(&first(table("d")?), &[(values(["1"]), 1)].into()),
            "ve2" => without(table("d2")?, table("rm")?),
            "vnot" => {
                let removed = first(table("rm")?);
                let mut bag = table("d2")?.clone();
                bag.retain(|row, _| row[0].is_none() || !removed.contains_key(&row[..1]));
                bag
            }
            "vj" => joined(table("d")?),
            "vc" => counted(table("d")?),
            "SELECT b, count(*) FROM d GROUP BY b" => sum(counted(table("d")?)
                .into_iter()
                .map(|(row, n)| (row[..2].to_vec(), n))),
            "ivv" => numbered(table("iv")?),
            "pagg" => numbered(&first(table("p")?)),
            _ => selected(self.views.get(relation).map_or(relation, |it| it), table)?,
        })
    }
}

/// What names mean: tables and views by the name that each had first.
#[derive(Default)]
struct Names(BTreeMap<String, String>);

impl Names {
    fn object(&self, name: &str) -> String {
        self.0.get(name).cloned().unwrap_or_else(|| name.to_owned())
    }

    fn execute(&mut self, exchange: &Exchange) {
        let words: Vec<&str> = exchange.sql.split(' ').collect();
        match words[..] {
            ["ALTER", "VIEW" | "TABLE", old, "RENAME", "TO", new] => {
                let object = self.object(old);
                self.0.insert(new.to_owned(), object);
            }
            ["ALTER", "SCHEMA", one, "SWAP", "WITH", other] => {
                for name in ["t", "v"] {
                    let [one, other] = [one, other].map(|schema| format!("{schema}.{name}"));
                    let objects = [self.object(&one), self.object(&other)];
                    let [of_one, of_other] = objects;
                    self.0.insert(one, of_other);
                    self.0.insert(other, of_one);
                }
            }
            _ => {}
        }
    }
}

/// The name and the query of a view that is created.
fn view_of(sql: &str) -> Option<(&str, &str)> {
    let (head, query) = sql.split_once(" AS ")?;
    let (_, name) = head.split_once("VIEW ")?;
    let is_created = head.starts_with("CREATE ");
    is_created.then_some((name.split(' ').next()?, query))
}

/// The rows of the few queries that the newer recordings have.
fn selected<'a>(query: &str, table: impl Fn(&str) -> Option<&'a Bag>) -> Option<Bag> {
    let query = query.strip_prefix("SELECT ")?;
    if let Some((number, rest)) = query.split_once(" AS ")
        && number.parse::<i64>().is_ok()
    {
        let row = (!rest.ends_with(" WHERE false")).then(|| (values([number]), 1));
        return Some(sum(row.into_iter()));
    }
    let (items, from) = query.split_once(" FROM ")?;
    let bag = table(from.trim_end_matches(" GROUP BY b"))?;
    let number = |row: &Row| row[0].as_ref().map(|it| it.parse::<i64>().unwrap());
    let computed = |compute: fn(i64) -> Option<i64>| {
        let row = |(row, n): (&Row, &i64)| {
            let value = compute(number(row)?)?;
            Some((vec![Some(value.to_string())], *n))
        };
        sum(bag.iter().filter_map(row))
    };
    match items {
        "a" | "a, b" => Some(bag.clone()),
        "a + 1 AS a" | "a + 1 AS b" => Some(computed(|a| Some(a + 1))),
        "10/a AS q" => Some(computed(|a| 10_i64.checked_div(a))),
        "b, count(*) AS n" => Some(numbered(bag)),
        _ => None,
    }
}

fn values<const N: usize>(values: [&str; N]) -> Row {
    values.map(|value| Some(value.to_owned())).to_vec()
}

fn sum(rows: impl Iterator<Item = (Row, i64)>) -> Bag {
    let mut bag = Bag::new();
    for (row, copies) in rows {
        *bag.entry(row).or_default() += copies;
    }
    bag
}

/// EXCEPT ALL.
fn without(bag: &Bag, removed: &Bag) -> Bag {
    let left = bag
        .iter()
        .map(|(row, n)| (row.clone(), n - removed.get(row).unwrap_or(&0)));
    left.filter(|(_, n)| *n > 0).collect()
}

/// `1/a`; a row that cannot be is left out, as the old server does.
fn divided(bag: &Bag) -> Bag {
    let rows = bag.iter().filter_map(|(row, n)| {
        let by: i64 = row[0].as_ref()?.parse().unwrap();
        Some((vec![Some(1_i64.checked_div(by)?.to_string())], *n))
    });
    sum(rows)
}

fn joined(bag: &Bag) -> Bag {
    let pairs = bag
        .iter()
        .flat_map(|left| bag.iter().map(move |right| (left, right)));
    let equal = pairs.filter(|((left, _), (right, _))| left[0].is_some() && left[0] == right[0]);
    sum(equal.map(|((left, m), (right, n))| (vec![left[0].clone(), right[1].clone()], m * n)))
}

/// First column, number of rows.
fn numbered(bag: &Bag) -> Bag {
    let row = |(row, n): (&Row, &i64)| (vec![row[0].clone(), Some(n.to_string())], 1);
    bag.iter().map(row).collect()
}

/// `b`, count, sum, maximum and mean of `a`.
fn counted(bag: &Bag) -> Bag {
    let mut groups: BTreeMap<Option<String>, (i64, Vec<i64>)> = BTreeMap::new();
    for (row, n) in bag {
        let (count, numbers) = groups.entry(row[1].clone()).or_default();
        *count += n;
        let number = row[0].as_ref().map(|it| it.parse::<i64>().unwrap());
        numbers.extend(
            number
                .into_iter()
                .flat_map(|it| vec![it; usize::try_from(*n).unwrap()]),
        );
    }
    let row = |(b, (count, numbers)): (Option<String>, (i64, Vec<i64>))| {
        let max = numbers.iter().max().copied();
        let sum = max.map(|_| numbers.iter().sum::<i64>());
        // Whole in all that was recorded.
        let mean = sum.map(|sum| sum / count);
        let numbers = [Some(count), sum, max, mean].map(|it| it.map(|it| it.to_string()));
        ([vec![b], numbers.to_vec()].concat(), 1)
    };
    groups.into_iter().map(row).collect()
}

/// The place of the last message of a stream with a row's change.
pub fn last_change(stream: &Exchange) -> usize {
    let is_change = |message: &Message| match message {
        Message::Data(bytes) => !String::from_utf8_lossy(bytes).contains("\tt\t\\N"),
        Message::Row(row) => row[1].as_deref() != Some(b"t"),
        _ => false,
    };
    let changes = stream
        .messages
        .iter()
        .filter(|(_, message)| is_change(message));
    changes.map(|(line, _)| *line).max().unwrap_or(0)
}

/// The rows of an answer, or of a COPY of one.
pub fn answered(exchange: &Exchange) -> Vec<Vec<Option<String>>> {
    let row = |message: &Message| match message {
        Message::Row(row) => Some(row.iter().map(text).collect()),
        Message::Data(bytes) => {
            let line = std::str::from_utf8(bytes).unwrap().trim_end_matches('\n');
            Some(line.split('\t').map(|it| Some(it.to_owned())).collect())
        }
        _ => None,
    };
    exchange.says().filter_map(row).collect()
}
