//! Whoever changes something: a row every 100 ms.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::server::Sql;

const EVERY: Duration = Duration::from_millis(100);

/// Longest time until a row can be inserted again.
const PATIENCE: Duration = Duration::from_secs(60);

/// How far the rows of one table are from those of the one before.
pub const TABLE: u64 = 1_000_000;

pub struct Writer {
    /// The number of the row that was inserted last.
    last: Arc<AtomicU64>,
    /// All of them, for a server that forgets.
    pub rows: Arc<Mutex<Vec<u64>>>,
    is_over: Arc<AtomicBool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Inserts a row into each of the tables, again and again.
    pub fn start(url: String, tables: Vec<String>) -> Self {
        let writer = Writer {
            last: Arc::default(),
            rows: Arc::default(),
            is_over: Arc::default(),
            thread: Mutex::default(),
        };
        let (last, rows) = (Arc::clone(&writer.last), Arc::clone(&writer.rows));
        let is_over = Arc::clone(&writer.is_over);
        let thread = thread::spawn(move || {
            let mut sql = Sql::new(url);
            let mut next = 1;
            while !is_over.load(Ordering::Relaxed) {
                let due = Instant::now() + EVERY;
                // Held, so that a server that forgets is told all of them again.
                let mut rows = rows.lock().unwrap();
                let done = tables.iter().zip(0..).try_for_each(|(table, place)| {
                    let row = next + place * TABLE;
                    sql.run(&format!("INSERT INTO {table} VALUES ({row})"))
                });
                if done.is_ok() {
                    rows.push(next);
                    last.store(next, Ordering::Relaxed);
                }
                drop(rows);
                next += 1;
                thread::sleep(due.saturating_duration_since(Instant::now()));
            }
        });
        *writer.thread.lock().unwrap() = Some(thread);
        writer
    }

    /// A row that is inserted so much later, or was last if none is any more.
    pub fn row_after(&self, time: Duration) -> u64 {
        thread::sleep(time);
        let last = self.last.load(Ordering::Relaxed);
        let end = Instant::now() + PATIENCE;
        while self.last.load(Ordering::Relaxed) <= last && Instant::now() < end {
            thread::sleep(Duration::from_millis(5));
        }
        self.last.load(Ordering::Relaxed)
    }

    pub fn stop(&self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.lock().unwrap().take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop();
    }
}
