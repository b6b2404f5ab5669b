//! Windows [W1 to W10]: rows of a view that meet conditions, as who asks for
//! them over HTTP sees them.

use std::net::SocketAddr;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::gateway::Gateway;
use crate::support::http::{Response, request};
use crate::support::materialize::{Generation, Materialize, Values};
use crate::support::sse::Stream;
use crate::support::table::Table;

mod asked;
mod follow;
mod limits;
mod refused;
mod rows;

/// Columns of every kind that rows are asked for by, one that they cannot be,
/// and one that is called like a parameter.
const COLUMNS: [(&str, &str); 9] = [
    ("id", "bigint"),
    ("customer", "integer"),
    ("status", "text"),
    ("total", "numeric"),
    ("open", "boolean"),
    ("ref", "uuid"),
    ("at", "timestamp without time zone"),
    ("select", "text"),
    ("data", "jsonb"),
];

/// Orders by their columns; `-` is NULL.
const ORDERS: [[&str; 9]; 8] = [
    [
        "1",
        "42",
        "open",
        "10.50",
        "t",
        REF,
        "2020-01-02 03:04:05.5",
        "a",
        "{}",
    ],
    [
        "2",
        "42",
        "paid",
        "10.5",
        "f",
        "-",
        "2020-01-02 00:00:00",
        "b",
        "-",
    ],
    ["3", "43", "open", "1", "t", REF, "-", "a", "[1]"],
    ["4", "-", "", "0", "-", "-", "-", "", "\"\""],
    [
        "5",
        "43",
        "it's; DROP TABLE x--",
        "NaN",
        "f",
        "-",
        "-",
        "-",
        "1",
    ],
    ["6", "44", "a,b(c)\"d\\e", "-1.0", "t", "-", "-", "x y", "2"],
    // Twice.
    ["7", "44", "null", "1000", "-", "-", "-", "%25", "3"],
    ["7", "44", "null", "1000", "-", "-", "-", "%25", "3"],
];

const REF: &str = "6f4b6612-5a5e-4a3e-9e5e-0123456789ab";

/// An order as the server has it.
fn order(values: [&str; 9]) -> Values {
    let value = |value: &str| (value != "-").then(|| value.to_owned());
    values.iter().map(|it| value(it)).collect()
}

/// One that differs from others in what matters here.
fn simple(id: u64, customer: u64, status: &str) -> Values {
    let (id, customer) = (id.to_string(), customer.to_string());
    order([&id, &customer, status, "1", "t", "-", "-", "-", "-"])
}

/// A server with orders and items, and a gateway in front of it.
struct Shop {
    server: Materialize,
    gateway: Gateway,
    _directory: TempDir,
}

/// What is said of the views where a test does not care.
const TABLES: &str = "[view.orders]\nfilter = ['customer', 'status', 'total', 'open', 'ref', 'at', \
                      'select', 'id']\n[view.items]\nfilter = ['order_id']\n";

impl Shop {
    fn open(more: &[&str]) -> Self {
        Shop::open_with(TABLES, more)
    }

    /// The same with other tables in the file; `more` are arguments.
    fn open_with(tables: &str, more: &[&str]) -> Self {
        let server = Materialize::start(Generation::Modern);
        server.create_view("orders", &COLUMNS);
        let orders = ORDERS.map(|values| (order(values), 1));
        server.commit("orders", orders.to_vec());
        server.create_view("items", &[("order_id", "bigint"), ("name", "text")]);
        let item = |order: &str, name: &str| (vec![Some(order.into()), Some(name.into())], 1);
        let items = vec![item("1", "pen"), item("1", "ink"), item("3", "pen")];
        server.commit("items", items);
        server.tick();
        Shop::before(server, tables, more)
    }

    /// A gateway before this server.
    fn before(server: Materialize, tables: &str, more: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join("viewcast.toml");
        std::fs::write(&path, tables).expect("write");
        let path = path.display().to_string();
        let url = server.url();
        let mut arguments = vec!["--upstream", &url, "--config", &path];
        if !more.contains(&"--heartbeat") {
            arguments.extend(["--heartbeat", "200ms"]);
        }
        arguments.extend(more);
        let gateway = Gateway::start(&arguments);
        Shop {
            server,
            gateway,
            _directory: directory,
        }
    }

    fn address(&self) -> SocketAddr {
        self.gateway.address
    }

    fn get(&self, path: &str) -> Response {
        request(self.address(), "GET", path, &[])
    }

    /// A stream with its base.
    fn follow(&self, path: &str) -> (Stream, Table) {
        follow_with(self.address(), path, &[])
    }
}

fn follow_with(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> (Stream, Table) {
    let mut stream = Stream::open_with(address, path, headers);
    let table = table_of(&mut stream);
    (stream, table)
}

/// What a stream begins with. On a busy machine its base may take longer than a
/// few heartbeats.
fn table_of(stream: &mut Stream) -> Table {
    let mut table = Table::default();
    for _ in 0..100 {
        table.apply(&stream.next().expect("the stream goes on"));
        if table.bases == 1 {
            return table;
        }
    }
    panic!("no base");
}

/// The ids of rows as JSON, in order.
fn ids<'r>(rows: impl IntoIterator<Item = &'r Value>) -> Vec<u64> {
    let mut ids: Vec<u64> = rows
        .into_iter()
        .map(|row| row["id"].as_u64().expect("an id"))
        .collect();
    ids.sort_unstable();
    ids
}

/// The same of the rows that a client holds.
fn ids_of(table: &Table) -> Vec<u64> {
    let rows = table.rows.iter().flat_map(|(row, copies)| {
        let row: Value = serde_json::from_str(row).expect("JSON");
        (0..*copies).map(move |_| row.clone())
    });
    ids(&rows.collect::<Vec<_>>())
}
