//! One TAIL or SUBSCRIBE: a cursor over a relation's history, written as COPY text.

use std::fmt::Debug;
use std::sync::Arc;

use bytes::Bytes;
use futures::sink::{Sink, SinkExt as _};
use pgwire::error::{PgWireError, PgWireResult};
use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::copy::{CopyData, CopyDone, CopyOutResponse};
use tokio::sync::watch;

use super::dialect::DemoDialect;
use super::relation::Relation;
use super::sql_error::SqlError;
use super::store::{Dropped, History};
use super::table::Table;
use super::value::{Row, Value, write_copy_line};

/// A subscription that was checked and can start.
pub(super) struct Subscription {
    /// Tells of each new frontier.
    pub(super) watch: watch::Receiver<u64>,
    /// The relation's history.
    pub(super) history: Arc<History>,
    /// Habits of progress rows differ.
    pub(super) dialect: DemoDialect,
    /// The relation.
    pub(super) relation: Arc<Relation>,
    /// Whether the contents at `as_of` are sent.
    pub(super) snapshot: bool,
    /// Whether progress rows are sent.
    pub(super) progress: bool,
    /// Updates after this timestamp are sent.
    pub(super) as_of: u64,
    /// Updates below this timestamp are sent, then the COPY ends.
    pub(super) up_to: Option<u64>,
}

impl Subscription {
    /// Sends rows until the client is gone, the server stops, `up_to` is
    /// reached or the reader has fallen behind; returns the number of lines.
    ///
    /// Back-pressure comes from the socket: while it is full nothing is taken
    /// from the history.
    pub(super) async fn run<C>(self, client: &mut C) -> PgWireResult<usize>
    where
        C: Sink<PgWireBackendMessage> + Unpin + Send,
        C::Error: Debug,
        PgWireError: From<C::Error>,
    {
        let mut writer = CopyWriter::start(client, self.line_columns()).await?;
        let modern = self.dialect == DemoDialect::Subscribe;
        if self.progress && modern {
            writer.line(&self.progress_line(self.as_of)).await?;
            writer.flush().await?;
        }
        let mut watch = self.watch.clone();
        let is_known = |frontier: &u64| self.history.frontier(*frontier) > self.as_of;
        let first = watch.wait_for(is_known).await;
        let mut frontier = *first.map_err(|_| SqlError::shutdown())?;
        let start = self.history.contents(self.as_of).map_err(|compacted| {
            SqlError::compacted(self.dialect, &self.relation, self.as_of, compacted.since)
        })?;
        // An old server is silent until something was there.
        let mut changed = !start.is_empty();
        if self.snapshot && self.up_to.is_none_or(|up_to| up_to > self.as_of) {
            for (row, count) in &start {
                writer
                    .line(&self.update_line(row, self.as_of, *count))
                    .await?;
            }
        }
        drop(start);
        let (mut cursor, mut told) = (self.as_of, self.as_of);
        loop {
            let dropped = self.history.dropped();
            // Of a relation that is gone no refresh will come.
            let known = match dropped {
                Some(_) => frontier,
                None => self.history.frontier(frontier),
            };
            let end = self.up_to.map_or(known, |up_to| up_to.min(known));
            changed |= self.send_updates(&mut writer, &mut cursor, end).await?;
            match dropped {
                Some(_) if modern => return Err(SqlError::dropped(&self.relation).into()),
                // As if it were complete.
                Some(Dropped::Cascade) => return writer.finish().await,
                // An old server says nothing.
                Some(Dropped::Itself) | None => {}
            }
            // Of a view with refreshes nothing new is known at most ticks.
            if self.progress && (modern && end > told || changed) {
                writer.line(&self.progress_line(end)).await?;
                told = end;
            }
            writer.flush().await?;
            changed = false;
            if self.up_to == Some(end) {
                return writer.finish().await;
            }
            watch.changed().await.map_err(|_| SqlError::shutdown())?;
            frontier = *watch.borrow_and_update();
        }
    }

    /// Sends what changed after the cursor and below `end`; says whether
    /// anything did.
    async fn send_updates<C>(
        &self,
        writer: &mut CopyWriter<'_, C>,
        cursor: &mut u64,
        end: u64,
    ) -> PgWireResult<bool>
    where
        C: Sink<PgWireBackendMessage> + Unpin + Send,
        C::Error: Debug,
        PgWireError: From<C::Error>,
    {
        let mut changed = false;
        loop {
            let batches = self.history.updates(*cursor, end).map_err(|compacted| {
                SqlError::fell_behind(&self.relation, *cursor, compacted.since)
            })?;
            if batches.is_empty() {
                // Nothing more below the end, which is closed.
                *cursor = (*cursor).max(end.saturating_sub(1));
                return Ok(changed);
            }
            changed = true;
            for batch in batches {
                for (row, diff) in &batch.updates {
                    writer
                        .line(&self.update_line(row, batch.timestamp, *diff))
                        .await?;
                }
                *cursor = batch.timestamp;
            }
        }
    }

    fn line_columns(&self) -> usize {
        self.relation.columns.len() + 2 + usize::from(self.progress)
    }

    /// `timestamp [progressed] diff columns...`
    fn update_line(&self, row: &Row, timestamp: u64, diff: i64) -> Vec<Value> {
        let mut line = vec![Value::Unsigned(timestamp)];
        if self.progress {
            line.push(Value::Bool(false));
        }
        line.push(Value::BigInt(diff));
        line.extend(row.iter().cloned());
        // A column may have come since this began.
        line.resize(self.line_columns(), Value::Null);
        line
    }

    /// `timestamp t NULL...`
    fn progress_line(&self, timestamp: u64) -> Vec<Value> {
        let mut line = vec![Value::Unsigned(timestamp), Value::Bool(true)];
        line.resize(self.line_columns(), Value::Null);
        line
    }
}

/// Sends a table through COPY; returns the number of lines.
pub(super) async fn copy_table<C>(client: &mut C, table: &Table) -> PgWireResult<usize>
where
    C: Sink<PgWireBackendMessage> + Unpin + Send,
    C::Error: Debug,
    PgWireError: From<C::Error>,
{
    let mut writer = CopyWriter::start(client, table.columns.len()).await?;
    for row in &table.rows {
        writer.line(row).await?;
    }
    writer.finish().await
}

/// Sends COPY messages. They gather in the connection's buffer of a few KiB and
/// leave when it is full or flushed, so that a tick costs few socket writes.
struct CopyWriter<'c, C> {
    client: &'c mut C,
    lines: usize,
    buffer: Vec<u8>,
}

impl<'c, C> CopyWriter<'c, C>
where
    C: Sink<PgWireBackendMessage> + Unpin + Send,
    C::Error: Debug,
    PgWireError: From<C::Error>,
{
    async fn start(client: &'c mut C, columns: usize) -> PgWireResult<Self> {
        // No relation has as many columns as an i16 counts.
        let count = i16::try_from(columns).unwrap_or(i16::MAX);
        let response = CopyOutResponse::new(0, count, vec![0; columns]);
        client
            .feed(PgWireBackendMessage::CopyOutResponse(response))
            .await?;
        Ok(Self {
            client,
            lines: 0,
            buffer: Vec::new(),
        })
    }

    async fn line(&mut self, values: &[Value]) -> PgWireResult<()> {
        self.buffer.clear();
        write_copy_line(values.iter(), &mut self.buffer);
        let data = CopyData::new(Bytes::copy_from_slice(&self.buffer));
        self.client
            .feed(PgWireBackendMessage::CopyData(data))
            .await?;
        self.lines += 1;
        Ok(())
    }

    async fn flush(&mut self) -> PgWireResult<()> {
        Ok(self.client.flush().await?)
    }

    async fn finish(self) -> PgWireResult<usize> {
        self.client
            .feed(PgWireBackendMessage::CopyDone(CopyDone::new()))
            .await?;
        Ok(self.lines)
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt as _;
    use futures::channel::mpsc;

    use super::super::catalog::{Catalog, number};
    use super::super::store::{Publisher, Store};
    use super::*;

    fn subscription() -> (Subscription, Publisher) {
        let catalog = Catalog::new(DemoDialect::Subscribe);
        let (store, publisher) = Store::new(catalog.relations.len(), 1_000, 50);
        let subscription = Subscription {
            watch: store.watch(),
            history: store.history(number::COUNTER).unwrap(),
            dialect: DemoDialect::Subscribe,
            relation: Arc::clone(&catalog.relations[&number::COUNTER]),
            snapshot: true,
            progress: true,
            as_of: 1_000,
            up_to: None,
        };
        (subscription, publisher)
    }

    fn publish(publisher: &Publisher, timestamp: u64) {
        let count = i64::try_from(timestamp).unwrap();
        let row: Row = Arc::from([Value::BigInt(count), Value::Null, Value::BigInt(0)]);
        let updates = vec![(row, timestamp, 1)];
        publisher.append([(number::COUNTER, updates)].into(), timestamp);
        publisher.close(timestamp + 1);
    }

    fn block_on(future: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(future);
    }

    #[test]
    fn reader_behind_the_history_is_ended_and_held_nothing() {
        block_on(reader_behind());
    }

    async fn reader_behind() {
        let (subscription, publisher) = subscription();
        publish(&publisher, 1_000);
        // A sink that holds two messages and one of the sender, as a full socket.
        let (sink, mut messages) = mpsc::channel::<PgWireBackendMessage>(2);
        let mut sink = sink.sink_map_err(std::io::Error::other);
        let mut run = Box::pin(async move { subscription.run(&mut sink).await });
        // It sends until the sink is full; then time passes without a reader.
        for timestamp in 1_001..1_200 {
            assert!(futures::poll!(&mut run).is_pending());
            publish(&publisher, timestamp);
        }
        let (ended, seen) = futures::join!(run, async {
            let mut seen = 0;
            while messages.next().await.is_some() {
                seen += 1;
            }
            seen
        });
        let error = ended.expect_err("the history has moved on");
        assert_eq!(error.code(), "53000", "{error}");
        assert!(
            seen < 10,
            "{seen} messages were held for a reader that stood still"
        );
    }

    #[test]
    fn end_of_the_dataflow_ends_the_stream() {
        block_on(end_of_the_dataflow());
    }

    async fn end_of_the_dataflow() {
        let (subscription, publisher) = subscription();
        publish(&publisher, 1_000);
        let (sink, _messages) = mpsc::channel::<PgWireBackendMessage>(100);
        let mut sink = sink.sink_map_err(std::io::Error::other);
        drop(publisher);
        let error = subscription
            .run(&mut sink)
            .await
            .expect_err("nothing more can come");
        assert_eq!(error.code(), "57P01", "{error}");
    }
}
