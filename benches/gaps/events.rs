//! What operators do, and what is built for it.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use crate::gateway::Gateway;
use crate::proxy::Proxy;
use crate::server::{Server, Sql};
use crate::writer::{TABLE, Writer};

/// How long the privilege is away: longer than it takes to be noticed.
const REVOKED: Duration = Duration::from_secs(35);
/// How long there is no replica.
const UNSERVED: Duration = Duration::from_secs(5);

const SCHEMAS: [&str; 3] = ["viewcast_gaps", "viewcast_gaps_blue", "viewcast_gaps_green"];
const ROLE: &str = "viewcast_gaps_reader";
const CLUSTER: &str = "viewcast_gaps_cluster";

/// One thing that an operator does.
pub struct Event {
    pub name: &'static str,
    /// What is built beside the schemas and the tables.
    build: &'static [&'static str],
    /// The relation that is streamed.
    relation: &'static str,
    role: Option<&'static str>,
    gateways: usize,
    /// The table whose rows the name shows in the end.
    pub table: u64,
    pub action: fn(&Stage) -> Result<(), String>,
}

const VIEW: &str =
    "CREATE MATERIALIZED VIEW viewcast_gaps_blue.v AS SELECT a FROM viewcast_gaps.t0";
const OTHER: &str =
    "CREATE MATERIALIZED VIEW viewcast_gaps_green.v AS SELECT a FROM viewcast_gaps.t1";

/// An event of the usual view.
const fn event(name: &'static str, action: fn(&Stage) -> Result<(), String>) -> Event {
    Event {
        name,
        build: &[VIEW],
        relation: "viewcast_gaps_blue.v",
        role: None,
        gateways: 1,
        table: 0,
        action,
    }
}

pub fn all() -> Vec<Event> {
    vec![
        event("the server is killed and started", restart),
        event("every connection is cut", |stage| {
            stage.proxy.cut_all();
            Ok(())
        }),
        event("`DROP`, then `CREATE`", |stage| {
            stage.run("DROP MATERIALIZED VIEW viewcast_gaps_blue.v")?;
            stage.run(VIEW)
        }),
        Event {
            build: &[VIEW, OTHER],
            table: 1,
            ..event("`ALTER SCHEMA ... SWAP WITH`", |stage| {
                stage.run("ALTER SCHEMA viewcast_gaps_blue SWAP WITH viewcast_gaps_green")
            })
        },
        Event {
            build: &[
                VIEW,
                "CREATE MATERIALIZED VIEW viewcast_gaps_blue.w AS SELECT a FROM viewcast_gaps.t1",
            ],
            table: 1,
            ..event("three renames", |stage| {
                for (old, new) in [("v", "x"), ("w", "v"), ("x", "w")] {
                    stage.run(&format!(
                        "ALTER MATERIALIZED VIEW viewcast_gaps_blue.{old} RENAME TO {new}"
                    ))?;
                }
                Ok(())
            })
        },
        Event {
            table: 1,
            ..event("`APPLY REPLACEMENT`", |stage| {
                stage.run(
                    "CREATE REPLACEMENT MATERIALIZED VIEW viewcast_gaps_blue.r \
                     FOR viewcast_gaps_blue.v AS SELECT a FROM viewcast_gaps.t1",
                )?;
                stage.run(
                    "ALTER MATERIALIZED VIEW viewcast_gaps_blue.v \
                     APPLY REPLACEMENT viewcast_gaps_blue.r",
                )
            })
        },
        Event {
            build: &[],
            relation: "viewcast_gaps.t0",
            ..event("`ADD COLUMN` to the table that is streamed", |stage| {
                stage.run("ALTER TABLE viewcast_gaps.t0 ADD COLUMN b text")
            })
        },
        Event {
            build: &[
                VIEW,
                "GRANT USAGE ON SCHEMA viewcast_gaps_blue TO viewcast_gaps_reader",
                "GRANT SELECT ON viewcast_gaps_blue.v TO viewcast_gaps_reader",
            ],
            role: Some(ROLE),
            ..event("`REVOKE SELECT`, `GRANT` 35 s later", |stage| {
                stage.run("REVOKE SELECT ON viewcast_gaps_blue.v FROM viewcast_gaps_reader")?;
                thread::sleep(REVOKED);
                stage.run("GRANT SELECT ON viewcast_gaps_blue.v TO viewcast_gaps_reader")
            })
        },
        Event {
            build: &[
                "CREATE CLUSTER viewcast_gaps_cluster (SIZE '25cc')",
                "CREATE MATERIALIZED VIEW viewcast_gaps_blue.v IN CLUSTER viewcast_gaps_cluster \
                 AS SELECT a FROM viewcast_gaps.t0",
            ],
            ..event("`REPLICATION FACTOR 0`, back 5 s later", |stage| {
                stage.run("ALTER CLUSTER viewcast_gaps_cluster SET (REPLICATION FACTOR 0)")?;
                thread::sleep(UNSERVED);
                stage.run("ALTER CLUSTER viewcast_gaps_cluster SET (REPLICATION FACTOR 1)")
            })
        },
        Event {
            build: &["CREATE VIEW viewcast_gaps_blue.v AS SELECT a FROM viewcast_gaps.t0"],
            ..event(
                "the gateway is restarted, a view that is not materialized",
                restart_gateways,
            )
        },
        Event {
            build: &[
                "CREATE MATERIALIZED VIEW viewcast_gaps_blue.v WITH (RETAIN HISTORY FOR '5m') \
                 AS SELECT a FROM viewcast_gaps.t0",
            ],
            ..event(
                "the gateway is restarted, `RETAIN HISTORY`",
                restart_gateways,
            )
        },
        Event {
            gateways: 2,
            ..event("two gateways are restarted in turn", restart_gateways)
        },
        Event {
            role: Some(ROLE),
            build: &[
                VIEW,
                "ALTER ROLE viewcast_gaps_reader WITH LOGIN PASSWORD 'one'",
                "GRANT USAGE ON SCHEMA viewcast_gaps_blue TO viewcast_gaps_reader",
                "GRANT SELECT ON viewcast_gaps_blue.v TO viewcast_gaps_reader",
            ],
            ..event(
                "the password is changed, and every connection cut",
                |stage| {
                    stage.run("ALTER ROLE viewcast_gaps_reader WITH LOGIN PASSWORD 'two'")?;
                    stage.set_password("two")?;
                    stage.proxy.cut_all();
                    Ok(())
                },
            )
        },
    ]
}

fn restart(stage: &Stage) -> Result<(), String> {
    // Nobody can insert meanwhile, and a stand-in has to be told all again.
    let rows = stage.writer.rows.lock().unwrap();
    stage.proxy.refuse(true);
    stage.server.down()?;
    stage.proxy.cut_all();
    stage.server.up()?;
    if !stage.server.remembers() {
        let mut sql = Sql::new(stage.server.url.clone());
        build(&mut sql, stage.event)?;
        for table in 0..2 {
            for rows in rows.chunks(500) {
                let row = |row: &u64| format!("({})", row + table * TABLE);
                let rows: Vec<String> = rows.iter().map(row).collect();
                let rows = rows.join(", ");
                sql.run(&format!("INSERT INTO viewcast_gaps.t{table} VALUES {rows}"))?;
            }
        }
    }
    stage.proxy.refuse(false);
    Ok(())
}

fn restart_gateways(stage: &Stage) -> Result<(), String> {
    for gateway in &mut *stage.gateways.lock().unwrap() {
        gateway.restart();
    }
    Ok(())
}

/// Builds what an event needs.
fn build(sql: &mut Sql, event: &Event) -> Result<(), String> {
    for schema in SCHEMAS {
        sql.run(&format!("CREATE SCHEMA {schema}"))?;
    }
    for table in 0..2 {
        sql.run(&format!("CREATE TABLE viewcast_gaps.t{table} (a int)"))?;
    }
    if event.role.is_some() {
        sql.run(&format!("CREATE ROLE {ROLE}"))?;
    }
    event.build.iter().try_for_each(|it| sql.run(it))
}

/// Drops whatever of it is there.
fn clear(sql: &mut Sql) {
    let drops = [
        format!("DROP SCHEMA IF EXISTS {} CASCADE", SCHEMAS[1]),
        format!("DROP SCHEMA IF EXISTS {} CASCADE", SCHEMAS[2]),
        format!("DROP SCHEMA IF EXISTS {} CASCADE", SCHEMAS[0]),
        format!("DROP CLUSTER IF EXISTS {CLUSTER} CASCADE"),
        format!("DROP ROLE IF EXISTS {ROLE}"),
    ];
    for drop in drops {
        // What a server does not know is not there either.
        let _ = sql.run(&drop);
    }
}

/// All that an event happens to.
pub struct Stage<'a> {
    server: &'a Server,
    event: &'a Event,
    sql: Mutex<Sql>,
    proxy: Proxy,
    gateways: Mutex<Vec<Gateway>>,
    pub writer: Writer,
    password: tempfile::NamedTempFile,
}

impl<'a> Stage<'a> {
    /// Builds it; why not, if the server refuses something.
    pub fn build(server: &'a Server, event: &'a Event) -> Result<Self, String> {
        let mut sql = Sql::new(server.url.clone());
        clear(&mut sql);
        if let Err(reason) = build(&mut sql, event) {
            clear(&mut sql);
            return Err(reason);
        }
        let tables = (0..2).map(|table| format!("viewcast_gaps.t{table}"));
        let writer = Writer::start(server.url.clone(), tables.collect());
        let proxy = Proxy::start(server.address);
        let password = tempfile::NamedTempFile::new().map_err(|error| error.to_string())?;
        let url = server.url_through(proxy.address, event.role);
        let mut arguments: Vec<String> = ["--upstream", &url, "--view", event.relation]
            .map(str::to_owned)
            .into();
        if event.name.contains("password") {
            std::fs::write(password.path(), "one\n").map_err(|error| error.to_string())?;
            let path = password.path().display().to_string();
            arguments.extend(["--password-file".to_owned(), path]);
        }
        let gateways = (0..event.gateways).map(|_| Gateway::start(&arguments));
        Ok(Stage {
            server,
            event,
            sql: Mutex::new(sql),
            gateways: Mutex::new(gateways.collect()),
            proxy,
            writer,
            password,
        })
    }

    pub fn addresses(&self) -> Vec<SocketAddr> {
        let gateways = self.gateways.lock().unwrap();
        gateways.iter().map(|gateway| gateway.address).collect()
    }

    pub fn path(&self) -> String {
        format!("/{}/stream", self.event.relation)
    }

    /// What the server answers now.
    pub fn expected(&self) -> BTreeSet<u64> {
        let sql = format!("SELECT a FROM {}", self.event.relation);
        let rows = self.sql.lock().unwrap().ask(&sql).unwrap_or_default();
        rows.iter().filter_map(|row| row.parse().ok()).collect()
    }

    fn run(&self, statement: &str) -> Result<(), String> {
        self.sql.lock().unwrap().run(statement)
    }

    fn set_password(&self, password: &str) -> Result<(), String> {
        let written = std::fs::write(self.password.path(), format!("{password}\n"));
        written.map_err(|error| error.to_string())
    }
}

impl Drop for Stage<'_> {
    fn drop(&mut self) {
        self.writer.stop();
        self.gateways.lock().unwrap().clear();
        clear(&mut self.sql.lock().unwrap());
    }
}
