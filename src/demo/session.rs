//! What each statement answers: tables, made from the catalog and the store.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::ast::{AsOf, Change, Definition, Items, Reference, Select, Statement, Subscribe};
use super::catalog::{Catalog, SharedCatalog, Unknown};
use super::column::Column;
use super::define::Request;
use super::dialect::DemoDialect;
use super::plan::SelectPlan;
use super::relation::Relation;
use super::sql_error::SqlError;
use super::store::{History, Store};
use super::subscription::Subscription;
use super::table::Table;
use super::value::{Row, Value, fitted};

/// What a statement answers.
pub(super) enum Reply {
    /// Rows of a query.
    Rows(Table),
    /// Rows of a COPY.
    CopyRows(Table),
    /// The endless COPY.
    CopySubscription(Box<Subscription>),
    /// A command without rows, by its tag.
    Command(&'static str),
    /// INSERT, of so many rows.
    Inserted(usize),
    /// BEGIN.
    Begin,
    /// COMMIT or ROLLBACK.
    End(&'static str),
}

/// What all connections share.
pub(super) struct Database {
    /// The relations.
    pub(super) catalog: Arc<SharedCatalog>,
    /// Their histories.
    pub(super) store: Arc<Store>,
    /// To the thread that creates and drops views.
    pub(super) requests: mpsc::Sender<Request>,
    /// Stable for one run, new with each start.
    pub(super) environment_id: String,
}

impl Database {
    /// Which generation of servers this is.
    pub(super) fn dialect(&self) -> DemoDialect {
        self.catalog.current().dialect
    }

    /// `SELECT mz_version()`.
    pub(super) fn version(&self) -> String {
        match self.dialect() {
            DemoDialect::Subscribe => {
                format!(
                    "v26.17.0-viewcast-demo.{} (stand-in)",
                    env!("CARGO_PKG_VERSION_MINOR")
                )
            }
            DemoDialect::Tail => "v0.7.0 (viewcast-demo)".to_owned(),
        }
    }

    /// The columns that a statement will answer; none if it answers no rows.
    pub(super) fn columns(&self, statement: &Statement) -> Result<Vec<Column>, SqlError> {
        match statement {
            Statement::Select(select) => {
                Ok(SelectPlan::new(&self.catalog.current(), select)?.columns)
            }
            Statement::Constants(items) => Ok(self.constants(items)?.columns),
            Statement::Show(show) => Ok(self.show(show)?.columns),
            _ => Ok(Vec::new()),
        }
    }

    /// Carries a statement out. Waits if it asks for a timestamp still to come.
    pub(super) async fn answer(
        &self,
        statement: &Statement,
        parameters: &[Option<String>],
        role: &str,
    ) -> Result<Reply, SqlError> {
        Ok(match statement {
            Statement::Select(select) => Reply::Rows(self.select(select, parameters, role).await?),
            Statement::CopySelect(select) => {
                Reply::CopyRows(self.select(select, parameters, role).await?)
            }
            Statement::Constants(items) => Reply::Rows(self.constants(items)?),
            Statement::Show(show) => Reply::Rows(self.show(show)?),
            Statement::CopySubscribe(subscribe) => {
                Reply::CopySubscription(Box::new(self.subscription(subscribe, role)?))
            }
            Statement::Subscribe(subscribe) => {
                self.subscription(subscribe, role)?;
                return Err(SqlError::unsupported(
                    "the demo's stand-in streams through COPY (...) TO STDOUT only".to_owned(),
                ));
            }
            Statement::Define(definition) => self.define(definition).await?,
            Statement::Set(name) => {
                self.parameter(name)?;
                Reply::Command("SET")
            }
            Statement::Discard => Reply::Command("DISCARD ALL"),
            Statement::Begin => Reply::Begin,
            Statement::Commit => Reply::End("COMMIT"),
            Statement::Rollback => Reply::End("ROLLBACK"),
        })
    }

    /// The relation that a statement names in a catalog.
    pub(super) fn resolve<'c>(
        &self,
        catalog: &'c Catalog,
        named: &Reference,
    ) -> Result<(usize, &'c Arc<Relation>), SqlError> {
        catalog.find(named).map_err(SqlError::unknown_relation)
    }

    fn history(&self, number: usize, relation: &Relation) -> Result<Arc<History>, SqlError> {
        // It may have been dropped since the catalog was looked at.
        let unknown = || SqlError::unknown_relation(Unknown::Item(relation.name.clone()));
        self.store.history(number).ok_or_else(unknown)
    }

    /// The timestamp to read at: the last closed one unless asked otherwise.
    fn read_timestamp(
        &self,
        history: &History,
        relation: &Relation,
        as_of: Option<AsOf>,
    ) -> Result<u64, SqlError> {
        let since = history.since();
        let Some(as_of) = as_of else {
            // What was just created begins a moment later.
            return Ok(self.store.frontier().saturating_sub(1).max(since));
        };
        if as_of.timestamp >= since {
            return Ok(as_of.timestamp);
        }
        if as_of.at_least {
            return Ok(since);
        }
        Err(SqlError::compacted(
            self.dialect(),
            relation,
            as_of.timestamp,
            since,
        ))
    }

    /// Has the catalog changed at the next tick, and waits for that.
    async fn define(&self, definition: &Definition) -> Result<Reply, SqlError> {
        let (reply, answer) = oneshot::channel();
        let request = Request {
            definition: definition.clone(),
            reply,
        };
        let sent = self.requests.send(request).await;
        sent.map_err(|_| SqlError::shutdown())?;
        answer.await.map_err(|_| SqlError::shutdown())??;
        if let Definition::Change(Change::Insert { rows, .. }) = definition {
            return Ok(Reply::Inserted(rows.len()));
        }
        Ok(Reply::Command(definition.tag(self.dialect())))
    }

    fn subscription(&self, subscribe: &Subscribe, role: &str) -> Result<Subscription, SqlError> {
        match (self.dialect(), subscribe.tail) {
            (DemoDialect::Subscribe, true) => {
                let message = "TAIL has been renamed to SUBSCRIBE".to_owned();
                return Err(SqlError::syntax(message, 1));
            }
            (DemoDialect::Tail, false) => {
                let message =
                    "Expected a keyword at the beginning of a statement, found identifier";
                return Err(SqlError::syntax(message.to_owned(), 1));
            }
            _ => {}
        }
        let catalog = self.catalog.current();
        let (number, relation) = self.resolve(&catalog, &subscribe.relation)?;
        readable(relation, role)?;
        let history = self.history(number, relation)?;
        let as_of = self.read_timestamp(&history, relation, subscribe.as_of)?;
        if let Some(up_to) = subscribe.up_to.filter(|up_to| *up_to < as_of) {
            return Err(SqlError::empty_range(as_of, up_to));
        }
        Ok(Subscription {
            watch: self.store.watch(),
            history,
            dialect: self.dialect(),
            relation: Arc::clone(relation),
            snapshot: subscribe.snapshot,
            progress: subscribe.progress,
            as_of,
            up_to: subscribe.up_to,
        })
    }

    async fn select(
        &self,
        select: &Select,
        parameters: &[Option<String>],
        role: &str,
    ) -> Result<Table, SqlError> {
        let catalog = self.catalog.current();
        let plan = SelectPlan::new(&catalog, select)?;
        let (_, relation) = self.resolve(&catalog, &select.relation)?;
        readable(relation, role)?;
        let history = self.history(plan.source, relation)?;
        let at = self.read_timestamp(&history, relation, select.as_of)?;
        let mut frontier = self.store.watch();
        if frontier.wait_for(|frontier| *frontier > at).await.is_err() {
            return Err(SqlError::shutdown());
        }
        let contents = history.contents(at).map_err(|compacted| {
            SqlError::compacted(self.dialect(), relation, at, compacted.since)
        })?;
        let mut rows: Vec<Row> = Vec::new();
        for (row, count) in contents {
            let row = fitted(&row, relation.columns.len());
            if plan.passes(&row, parameters) {
                // A view's multiplicities are positive.
                rows.extend(std::iter::repeat_n(
                    row,
                    usize::try_from(count).unwrap_or(0),
                ));
            }
        }
        if plan.counts {
            let count = Value::BigInt(i64::try_from(rows.len()).unwrap_or(i64::MAX));
            return Ok(Table {
                columns: plan.columns,
                rows: vec![Arc::from([count])],
            });
        }
        if plan.sorts() {
            rows.sort_by(|a, b| plan.compare(a, b));
        }
        rows.truncate(plan.limit.unwrap_or(usize::MAX));
        if select.items != Items::All {
            rows = rows.iter().map(|row| plan.project(row)).collect();
        }
        Ok(Table {
            columns: plan.columns,
            rows,
        })
    }
}

/// Whether a role may read a relation.
fn readable(relation: &Relation, role: &str) -> Result<(), SqlError> {
    match relation.denied.iter().any(|it| it == role) {
        true => Err(SqlError::denied(relation, role)),
        false => Ok(()),
    }
}
