//! A scripted Materialize: enough of the PostgreSQL protocol to answer what
//! the gateway asks and to stream what a test says, with every fault a test
//! wants.
//!
//! Time is the test's: it moves only with `commit` and `tick`. Every change is
//! kept, so that `contents_at` is an oracle for any timestamp. It is written
//! independently of `src/`, its COPY encoder too: two implementations of one
//! format test each other.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use super::pgwire::{self, Frontend};

/// A row as text values; `None` is NULL.
pub type Values = Vec<Option<String>>;

/// Which generation of server it plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generation {
    /// As 0.7: TAIL, silent when idle.
    Old,
    /// As 26.17: SUBSCRIBE, progress first.
    Modern,
}

/// Builds a row: `row(["1", "x"])`.
pub fn row<const N: usize>(values: [&str; N]) -> Values {
    values.iter().map(|value| Some(value.to_string())).collect()
}

/// One thing that a stream is told, at its place in the order of events.
#[derive(Clone, Debug)]
enum Step {
    /// Changes at a timestamp.
    Commit(u64, Vec<(Values, i64)>),
    /// Time moves on without changes.
    Tick(u64),
    /// Bytes as CopyData, to the streams that are open now.
    Raw(Vec<u8>),
    /// An error, to the streams that are open now.
    Error(String, String),
    /// CopyDone, to the streams that are open now.
    Done,
}

#[derive(Clone, Debug)]
struct View {
    id: String,
    columns: Vec<(String, String)>,
    steps: Vec<Step>,
    /// Whether the catalog still has it; an old server streams on if not.
    exists: bool,
    constant: bool,
}

impl View {
    fn contents_at(&self, timestamp: u64) -> BTreeMap<Values, i64> {
        let mut rows = BTreeMap::new();
        for step in &self.steps {
            if let Step::Commit(at, changes) = step
                && *at <= timestamp
            {
                for (row, diff) in changes {
                    *rows.entry(row.clone()).or_insert(0) += diff;
                }
            }
        }
        rows.retain(|_, copies| *copies != 0);
        rows
    }
}

struct State {
    generation: Generation,
    environment: String,
    views: Vec<(String, View)>,
    next_id: u64,
    now: u64,
    /// Nothing is readable before.
    since: u64,
    /// Connections are closed as soon as they come.
    refuses: bool,
    /// Nothing is answered or streamed.
    is_silent: bool,
    /// Nothing is streamed.
    streams_silent: bool,
    /// The next COPYs fail: how many, code and message.
    copy_errors: Vec<(String, String)>,
    /// Each connection that is open, by process id.
    connections: BTreeMap<i32, Connection>,
    next_process: i32,
    statements: Vec<String>,
    cancels: usize,
    is_over: bool,
}

struct Connection {
    socket: TcpStream,
    streams: Option<String>,
    is_cancelled: bool,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Changes the state and wakes whoever waits for a change.
    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.lock());
        self.changed.notify_all();
        result
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let timeout = Duration::from_millis(200);
        let waited = self.changed.wait_timeout(state, timeout);
        waited.unwrap_or_else(|e| e.into_inner()).0
    }
}

/// The handle; the server ends when it is dropped.
pub struct Materialize {
    shared: Arc<Shared>,
    address: SocketAddr,
}

impl Materialize {
    /// A server on a free port of loopback.
    pub fn start(generation: Generation) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        let state = State {
            generation,
            environment: "env-1".to_string(),
            views: Vec::new(),
            next_id: 1,
            now: 1_000_000,
            since: 0,
            refuses: false,
            is_silent: false,
            streams_silent: false,
            copy_errors: Vec::new(),
            connections: BTreeMap::new(),
            next_process: 1,
            statements: Vec::new(),
            cancels: 0,
            is_over: false,
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            changed: Condvar::new(),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || accept(&listener, &accepting));
        Materialize { shared, address }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How to connect to it.
    pub fn url(&self) -> String {
        format!("postgres://materialize@{}/materialize", self.address)
    }

    /// Creates a view, in place of one of that name.
    pub fn create_view(&self, name: &str, columns: &[(&str, &str)]) {
        self.shared.with(|state| {
            let id = format!("u{}", state.next_id);
            state.next_id += 1;
            let owned = |(name, kind): &(&str, &str)| (name.to_string(), kind.to_string());
            let view = View {
                id,
                columns: columns.iter().map(owned).collect(),
                steps: Vec::new(),
                exists: true,
                constant: false,
            };
            // An old one stays for the streams that still read it.
            state.views.insert(0, (name.to_string(), view));
        });
    }

    /// Makes the view constant: its COPY ends by itself.
    pub fn set_constant(&self, name: &str) {
        self.shared.with(|state| state.view(name).constant = true);
    }

    /// Commits changes to a view at a new timestamp, which it returns.
    pub fn commit(&self, name: &str, changes: Vec<(Values, i64)>) -> u64 {
        self.shared.with(|state| {
            state.now += 1000;
            let now = state.now;
            for (view_name, view) in &mut state.views {
                if view_name == name {
                    view.steps.push(Step::Commit(now, changes.clone()));
                } else {
                    view.steps.push(Step::Tick(now));
                }
            }
            now
        })
    }

    /// Moves time without changes; the new time.
    pub fn tick(&self) -> u64 {
        self.shared.with(|state| {
            state.now += 1000;
            let now = state.now;
            for (_, view) in &mut state.views {
                view.steps.push(Step::Tick(now));
            }
            now
        })
    }

    /// Ticks by itself every so often until dropped.
    pub fn tick_every(&self, period: Duration) {
        let shared = Arc::clone(&self.shared);
        thread::spawn(move || {
            loop {
                thread::sleep(period);
                let over = shared.with(|state| {
                    state.now += 1;
                    let now = state.now;
                    for (_, view) in &mut state.views {
                        view.steps.push(Step::Tick(now));
                    }
                    state.is_over
                });
                if over {
                    return;
                }
            }
        });
    }

    /// The view's rows at a timestamp: the oracle.
    pub fn contents_at(&self, name: &str, timestamp: u64) -> BTreeMap<Values, i64> {
        self.shared.lock().view(name).contents_at(timestamp)
    }

    /// The current time.
    pub fn now(&self) -> u64 {
        self.shared.lock().now
    }

    /// Nothing before this time is readable any more.
    pub fn compact(&self, since: u64) {
        self.shared.with(|state| state.since = since);
    }

    /// Closes every connection.
    pub fn cut_all(&self) {
        self.shared.with(|state| state.cut_all());
    }

    /// Whether new connections are closed at once.
    pub fn refuse(&self, refuses: bool) {
        self.shared.with(|state| state.refuses = refuses);
    }

    /// Whether everything hangs: no answer, no stream, no close.
    pub fn silence(&self, is_silent: bool) {
        self.shared.with(|state| state.is_silent = is_silent);
    }

    /// Whether the streams hang while other connections are answered.
    pub fn silence_streams(&self, is_silent: bool) {
        self.shared.with(|state| state.streams_silent = is_silent);
    }

    /// Closes every connection and makes the past unreadable.
    pub fn restart(&self) {
        self.shared.with(|state| {
            state.now += 1000;
            state.since = state.now;
            state.cut_all();
        });
    }

    /// As 0.7 does at a restart: the rows are gone, the view is not, and the
    /// past is readable as if it had always been empty.
    pub fn restart_without_rows(&self) {
        self.shared.with(|state| {
            state.now += 1000;
            for (_, view) in &mut state.views {
                view.steps.clear();
            }
            state.cut_all();
        });
    }

    /// Drops the view: a modern server ends its streams with an error, an old
    /// one says nothing and streams on.
    pub fn drop_view(&self, name: &str) {
        self.shared.with(|state| {
            let modern = state.generation == Generation::Modern;
            let view = state.view(name);
            view.exists = false;
            if modern {
                let message = format!(
                    "subscribe has been terminated because underlying relation \"materialize.public.{name}\" was dropped"
                );
                view.steps.push(Step::Error("XX000".to_string(), message));
            }
        });
    }

    /// Drops the view with what it reads: an old server ends its streams as if
    /// they were finished.
    pub fn drop_cascade(&self, name: &str) {
        self.drop_view(name);
        self.end_streams(name);
    }

    /// Ends the view's streams with CopyDone.
    pub fn end_streams(&self, name: &str) {
        self.shared.with(|state| {
            state.view(name).steps.push(Step::Done);
        });
    }

    /// Ends the view's streams with an error.
    pub fn fail_streams(&self, name: &str, code: &str, message: &str) {
        self.shared.with(|state| {
            let step = Step::Error(code.to_string(), message.to_string());
            state.view(name).steps.push(step);
        });
    }

    /// Lets the next COPY fail; call again for more.
    pub fn fail_next_copy(&self, code: &str, message: &str) {
        self.shared.with(|state| {
            let error = (code.to_string(), message.to_string());
            state.copy_errors.push(error);
        });
    }

    /// Sends bytes as one CopyData message to the view's open streams.
    pub fn inject(&self, name: &str, bytes: &[u8]) {
        self.shared.with(|state| {
            state.view(name).steps.push(Step::Raw(bytes.to_vec()));
        });
    }

    /// Every statement so far, in order.
    pub fn statements(&self) -> Vec<String> {
        self.shared.lock().statements.clone()
    }

    /// The COPY statements so far.
    pub fn copies(&self) -> Vec<String> {
        let statements = self.statements().into_iter();
        statements.filter(|sql| sql.starts_with("COPY")).collect()
    }

    /// How many cancel requests came.
    pub fn cancels(&self) -> usize {
        self.shared.lock().cancels
    }

    /// How many streams of the view are open.
    pub fn streams(&self, name: &str) -> usize {
        let state = self.shared.lock();
        let open = state.connections.values();
        open.filter(|one| one.streams.as_deref() == Some(name))
            .count()
    }

    /// Waits until the condition holds; panics after ten seconds.
    pub fn wait_until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let end = Instant::now() + Duration::from_secs(10);
        while !condition(self) {
            assert!(Instant::now() < end, "waited in vain: {what}");
            drop(self.shared.wait(self.shared.lock()));
        }
    }
}

impl Drop for Materialize {
    fn drop(&mut self) {
        self.shared.with(|state| {
            state.is_over = true;
            state.is_silent = false;
            state.cut_all();
        });
        // Wakes the accepting thread.
        let _ = TcpStream::connect(self.address);
    }
}

impl State {
    fn view(&mut self, name: &str) -> &mut View {
        let found = self.views.iter_mut().find(|(other, _)| other == name);
        &mut found.expect("the test has created the view").1
    }

    fn existing(&self, name: &str) -> Option<&View> {
        let mut views = self.views.iter();
        let found = views.find(|(other, view)| other == name && view.exists);
        found.map(|(_, view)| view)
    }

    fn by_id(&self, id: &str) -> Option<&View> {
        let mut views = self.views.iter();
        views.find(|(_, view)| view.id == id).map(|(_, view)| view)
    }

    fn cut_all(&mut self) {
        for connection in self.connections.values() {
            let _ = connection.socket.shutdown(Shutdown::Both);
        }
        self.connections.clear();
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for socket in listener.incoming() {
        let Ok(socket) = socket else { return };
        let (over, refuses) = {
            let state = shared.lock();
            (state.is_over, state.refuses)
        };
        if over {
            return;
        }
        if refuses {
            continue;
        }
        let shared = Arc::clone(shared);
        thread::spawn(move || {
            // An error is the end of the connection, whatever it is.
            let _ = serve(socket, &shared);
        });
    }
}

type Io<T> = std::io::Result<T>;

fn serve(mut socket: TcpStream, shared: &Arc<Shared>) -> Io<()> {
    socket.set_nodelay(true)?;
    let process = match pgwire::startup(&mut socket)? {
        pgwire::Startup::Cancel(process) => {
            shared.with(|state| {
                state.cancels += 1;
                if let Some(connection) = state.connections.get_mut(&process) {
                    connection.is_cancelled = true;
                }
            });
            return Ok(());
        }
        pgwire::Startup::Session => {
            let clone = socket.try_clone()?;
            shared.with(|state| {
                let process = state.next_process;
                state.next_process += 1;
                let connection = Connection {
                    socket: clone,
                    streams: None,
                    is_cancelled: false,
                };
                state.connections.insert(process, connection);
                process
            })
        }
    };
    let served = session(&mut socket, shared, process);
    shared.with(|state| state.connections.remove(&process));
    let _ = socket.shutdown(Shutdown::Both);
    served
}

fn hang_while_silent(shared: &Shared) {
    let mut state = shared.lock();
    while state.is_silent && !state.is_over {
        state = shared.wait(state);
    }
}

fn session(socket: &mut TcpStream, shared: &Arc<Shared>, process: i32) -> Io<()> {
    hang_while_silent(shared);
    socket.write_all(&pgwire::welcome(process))?;
    let mut prepared = String::new();
    loop {
        let message = pgwire::read(socket)?;
        hang_while_silent(shared);
        match message {
            Frontend::Query(sql) => {
                shared.with(|state| state.statements.push(sql.clone()));
                let mut answer = answer(&mut shared.lock(), &sql);
                answer.extend(pgwire::ready());
                socket.write_all(&answer)?;
            }
            Frontend::Parse(sql) => {
                prepared = sql;
                socket.write_all(&pgwire::message(b'1', &[]))?;
            }
            Frontend::Describe => {
                // No parameters, no columns.
                socket.write_all(&pgwire::message(b't', &[0, 0]))?;
                socket.write_all(&pgwire::message(b'n', &[]))?;
            }
            Frontend::Bind => socket.write_all(&pgwire::message(b'2', &[]))?,
            Frontend::Execute => {
                shared.with(|state| state.statements.push(prepared.clone()));
                copy(socket, shared, process, &prepared)?;
                shared.with(|state| {
                    if let Some(connection) = state.connections.get_mut(&process) {
                        connection.streams = None;
                        connection.is_cancelled = false;
                    }
                });
            }
            Frontend::Sync => socket.write_all(&pgwire::ready())?,
            Frontend::Close => socket.write_all(&pgwire::message(b'3', &[]))?,
            Frontend::Flush => {}
            Frontend::Terminate => return Ok(()),
        }
    }
}

/// The last part of an identifier path, without its quotes.
fn view_name(path: &str) -> String {
    let last = path.rsplit('.').next().unwrap_or(path).trim();
    last.trim_matches('"').replace("\"\"", "\"")
}

/// What stands after `start` and up to `end`.
fn between<'a>(sql: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let rest = sql.strip_prefix(start)?;
    match end {
        "" => Some(rest),
        end => rest.split(end).next(),
    }
}

fn unknown(name: &str) -> Vec<u8> {
    pgwire::error("XX000", &format!("unknown catalog item '{name}'"))
}

fn answer(state: &mut State, sql: &str) -> Vec<u8> {
    let old = state.generation == Generation::Old;
    let text =
        |column: &str, value: &str| pgwire::rows(&[column], &[vec![Some(value.to_string())]]);
    match sql {
        "SELECT mz_version()" if old => return text("mz_version", "v0.7.0 (953d2279d)"),
        "SELECT mz_version()" => return text("mz_version", "v26.17.0-dev.0 (892cf626b)"),
        "SELECT mz_environment_id()" if !old => {
            return text("mz_environment_id", &state.environment);
        }
        "SELECT mz_cluster_id()" if old => return text("mz_cluster_id", &state.environment),
        "SHOW OBJECTS" => {
            let existing = state.views.iter().filter(|(_, view)| view.exists);
            let names = existing.map(|(name, _)| vec![Some(name.clone())]);
            return pgwire::rows(&["name"], &names.collect::<Vec<_>>());
        }
        _ => {}
    }
    let objects = "SELECT id, schema_id, type FROM mz_catalog.mz_objects WHERE name = '";
    if let Some(name) = between(sql, objects, "'") {
        let found = state.existing(name).map(|view| {
            vec![
                Some(view.id.clone()),
                Some("u3".into()),
                Some("view".into()),
            ]
        });
        let found: Vec<_> = found.into_iter().collect();
        return pgwire::rows(&["id", "schema_id", "type"], &found);
    }
    if let Some(path) = between(sql, "SELECT * FROM ", " LIMIT 0") {
        let name = view_name(path);
        let Some(view) = state.existing(&name) else {
            return unknown(&name);
        };
        let names: Vec<&str> = view.columns.iter().map(|(name, _)| name.as_str()).collect();
        return pgwire::rows(&names, &[]);
    }
    if let Some(path) = between(sql, "SHOW COLUMNS FROM ", "") {
        let name = view_name(path);
        let Some(view) = state.existing(&name) else {
            return unknown(&name);
        };
        let listed = view.columns.iter();
        let mut rows: Vec<Values> = listed
            .map(|(name, kind)| vec![Some(name.clone()), Some("t".into()), Some(kind.clone())])
            .collect();
        if old {
            rows.sort();
        }
        return pgwire::rows(&["name", "nullable", "type"], &rows);
    }
    count(state, sql).unwrap_or_else(|| pgwire::error("42601", "the script has no answer to this"))
}

fn count(state: &mut State, sql: &str) -> Option<Vec<u8>> {
    let now = state.now;
    let nested = "SELECT n, mz_logical_timestamp() FROM (SELECT count(*) AS n FROM ";
    let (name, at) = match between(sql, nested, ")") {
        Some(path) => (view_name(path), None),
        None => {
            let (path, at) = between(sql, "SELECT count(*) FROM ", "")?.split_once(" AS OF ")?;
            (view_name(path), Some(at.parse().ok()?))
        }
    };
    let Some(view) = state.existing(&name) else {
        return Some(unknown(&name));
    };
    let rows: i64 = view.contents_at(at.unwrap_or(now)).values().sum();
    let time = if view.constant { u64::MAX } else { now };
    Some(match at {
        Some(_) => pgwire::rows(&["count"], &[vec![Some(rows.to_string())]]),
        None => pgwire::rows(
            &["n", "mz_logical_timestamp"],
            &[vec![Some(rows.to_string()), Some(time.to_string())]],
        ),
    })
}

/// A parsed `COPY (TAIL v WITH (...) [AS OF t]) TO STDOUT`.
struct Copy {
    name: String,
    snapshot: bool,
    as_of: Option<u64>,
}

fn parse_copy(generation: Generation, sql: &str) -> Option<Copy> {
    let verb = match generation {
        Generation::Old => "COPY (TAIL ",
        Generation::Modern => "COPY (SUBSCRIBE ",
    };
    let (path, rest) = sql
        .strip_prefix(verb)?
        .strip_suffix(") TO STDOUT")?
        .split_once(" WITH (")?;
    let (options, as_of) = rest.split_once(')')?;
    assert!(options.contains("PROGRESS"), "without progress: {sql}");
    Some(Copy {
        name: view_name(path),
        snapshot: !options.contains("SNAPSHOT = false"),
        as_of: match as_of.strip_prefix(" AS OF ") {
            Some(text) => Some(text.parse().ok()?),
            None => None,
        },
    })
}

/// Streams until the stream ends or the socket does.
fn copy(socket: &mut TcpStream, shared: &Arc<Shared>, process: i32, sql: &str) -> Io<()> {
    let mut state = shared.lock();
    let generation = state.generation;
    if let Some((code, message)) = state.copy_errors.pop() {
        return socket.write_all(&pgwire::error(&code, &message));
    }
    let Some(copy) = parse_copy(generation, sql) else {
        return socket.write_all(&pgwire::error("42601", "not in the script"));
    };
    let Some(view) = state.existing(&copy.name).cloned() else {
        return socket.write_all(&unknown(&copy.name));
    };
    let as_of = copy.as_of.unwrap_or(state.now);
    if as_of < state.since {
        let message = "could not find a valid timestamp for the query";
        return socket.write_all(&pgwire::error("22000", message));
    }
    if let Some(connection) = state.connections.get_mut(&process) {
        connection.streams = Some(copy.name.clone());
        connection.is_cancelled = false;
    }
    drop(state);
    shared.changed.notify_all();
    let width = view.columns.len();
    socket.write_all(&pgwire::copy_out(width + 3))?;
    let mut stream = Stream {
        socket,
        generation,
        width,
    };
    stream.begin(&view, &copy, as_of)?;
    if view.constant {
        return stream.done();
    }
    stream.follow(shared, process, &view, as_of)
}

struct Stream<'a> {
    socket: &'a mut TcpStream,
    generation: Generation,
    width: usize,
}

impl Stream<'_> {
    fn begin(&mut self, view: &View, copy: &Copy, as_of: u64) -> Io<()> {
        let modern = self.generation == Generation::Modern;
        if modern {
            self.progress(as_of)?;
        }
        let rows = match copy.snapshot {
            true => view.contents_at(as_of),
            false => BTreeMap::new(),
        };
        let time = match view.constant && !modern {
            true => u64::MAX,
            false => as_of,
        };
        for (row, diff) in &rows {
            self.update(time, *diff, row)?;
        }
        if !view.constant && (modern || !rows.is_empty()) {
            self.progress(as_of + 1)?;
        }
        Ok(())
    }

    fn follow(&mut self, shared: &Shared, process: i32, view: &View, as_of: u64) -> Io<()> {
        // Steps that were there when the stream began are history: only
        // commits after the start count, and none that was injected.
        let began = view.steps.len();
        let mut next = 0;
        loop {
            let step = {
                let mut state = shared.lock();
                loop {
                    let Some(connection) = state.connections.get(&process) else {
                        return Err(std::io::ErrorKind::ConnectionAborted.into());
                    };
                    let silent = state.is_silent || state.streams_silent;
                    if connection.is_cancelled && !state.is_silent {
                        drop(state);
                        return self.cancelled();
                    }
                    let steps = state.by_id(&view.id).map(|view| &view.steps);
                    let step = steps.and_then(|steps| steps.get(next)).cloned();
                    if let Some(step) = step.filter(|_| !silent) {
                        break step;
                    }
                    state = shared.wait(state);
                }
            };
            let live = next >= began;
            next += 1;
            match step {
                Step::Commit(at, changes) if at > as_of => {
                    for (row, diff) in &changes {
                        self.update(at, *diff, row)?;
                    }
                    if !changes.is_empty() || self.generation == Generation::Modern {
                        self.progress(at + 1)?;
                    }
                }
                Step::Tick(at) if at > as_of && self.generation == Generation::Modern => {
                    self.progress(at + 1)?;
                }
                Step::Raw(bytes) if live => self.data(&bytes)?,
                Step::Error(code, message) if live => {
                    return self.socket.write_all(&pgwire::error(&code, &message));
                }
                Step::Done if live => return self.done(),
                _ => {}
            }
        }
    }

    fn cancelled(&mut self) -> Io<()> {
        match self.generation {
            Generation::Old => self.done(),
            Generation::Modern => self.socket.write_all(&pgwire::error(
                "57014",
                "canceling statement due to user request",
            )),
        }
    }

    fn done(&mut self) -> Io<()> {
        self.socket.write_all(&pgwire::message(b'c', &[]))?;
        self.socket.write_all(&pgwire::complete("COPY 0"))
    }

    fn update(&mut self, at: u64, diff: i64, row: &Values) -> Io<()> {
        let mut line = format!("{at}\tf\t{diff}");
        for value in row {
            line.push('\t');
            line.push_str(&encode(value.as_deref()));
        }
        line.push('\n');
        self.data(line.as_bytes())
    }

    fn progress(&mut self, at: u64) -> Io<()> {
        let nulls = "\t\\N".repeat(self.width + 1);
        self.data(format!("{at}\tt{nulls}\n").as_bytes())
    }

    fn data(&mut self, bytes: &[u8]) -> Io<()> {
        self.socket.write_all(&pgwire::message(b'd', bytes))
    }
}

/// A value as COPY text.
pub fn encode(value: Option<&str>) -> String {
    let Some(value) = value else {
        return "\\N".to_string();
    };
    let mut text = String::new();
    for character in value.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            other => text.push(other),
        }
    }
    text
}
