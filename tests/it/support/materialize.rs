//! A scripted Materialize: enough of the PostgreSQL protocol to answer what
//! the gateway asks and to stream what a test says, with every fault a test
//! wants.
//!
//! Time is the test's: it moves only with `commit` and `tick`. Every change is
//! kept, so that `contents_at` is an oracle for any timestamp. It is written
//! independently of `src/`, its COPY encoder too: two implementations of one
//! format test each other.

use std::collections::{BTreeMap, VecDeque};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

mod answers;
mod auth;
mod chaos;
mod faults;
mod named;
mod pace;
mod play;
mod sessions;
mod stream;

pub use auth::Auth;
pub use pace::Pace;
pub use play::Play;
pub use stream::encode_row;

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
    /// The same, to those that have said something before.
    Contradiction(Vec<u8>),
    /// An error, to the streams that are open now.
    Error(String, String),
    /// CopyDone, to the streams that are open now.
    Done,
}

#[derive(Clone, Debug)]
struct View {
    id: String,
    /// The ids that it had before its definition was replaced.
    former: Vec<String>,
    /// Its name in the catalog, which may not be the one that the test has.
    name: String,
    schema: String,
    columns: Vec<(String, String)>,
    /// The answers to the questions for its names and its types, if not ours.
    described: Option<[Vec<u8>; 2]>,
    /// Shared with the streams, which keep what they began with.
    steps: Vec<Arc<Step>>,
    /// Not readable before.
    born: u64,
    /// Whether the role may not read it.
    is_denied: bool,
    /// Whether the catalog still has it; an old server streams on if not.
    exists: bool,
    constant: bool,
    /// It changes only at whole multiples of this, as one with `REFRESH EVERY`:
    /// what is said of its progress is when it may change next.
    refresh: Option<u64>,
    /// So many milliseconds of its past can be read, and it is materialized;
    /// if `None`, it is a plain view.
    history: Option<u64>,
    /// Before this time, who asks for the past is shown these rows: those that
    /// a definition that was put in place then makes of it.
    past: Option<(u64, Vec<(Values, i64)>)>,
}

impl View {
    /// What the catalog says it is.
    fn kind(&self) -> &'static str {
        match self.history {
            Some(_) => "materialized-view",
            None => "view",
        }
    }

    /// The time below which nothing more comes, once a server is at this one.
    fn frontier(&self, at: u64) -> u64 {
        match self.refresh {
            Some(every) => (at / every + 1) * every,
            None => at + 1,
        }
    }

    fn push(&mut self, step: Step) {
        self.steps.push(Arc::new(step));
    }

    fn contents_at(&self, timestamp: u64) -> BTreeMap<Values, i64> {
        let mut rows = BTreeMap::new();
        for step in &self.steps {
            if let Step::Commit(at, changes) = step.as_ref()
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
    /// Each under the name that the test has for it.
    views: Vec<(String, View)>,
    /// What is created anew behind the next answer to a question.
    replacements: Vec<named::Replacement>,
    /// Whether objects are taken by their ids, as newer servers do.
    takes_ids: bool,
    /// Where a bare name is looked for.
    path: Vec<String>,
    next_id: u64,
    now: u64,
    /// Nothing is readable before.
    since: u64,
    /// Connections are closed as soon as they come.
    refuses: bool,
    /// New connections are answered with this error.
    refusal: Option<(String, String)>,
    /// How many were.
    refusals: usize,
    /// Nothing is answered or streamed.
    is_silent: bool,
    /// Nothing is streamed.
    streams_silent: bool,
    /// The streams of these views hang.
    held: Vec<String>,
    /// COPYs that are to hang do.
    lets_hang: bool,
    /// No progress is sent.
    withholds_progress: bool,
    /// How often the next streams tell progress.
    pace: Pace,
    /// New streams begin so much before the present.
    lag: u64,
    /// The next COPYs break after so many messages: with an error, or as if
    /// they were finished.
    copy_breaks: Vec<(usize, Break)>,
    /// What the next COPYs of a view send, in place of what it holds.
    scripts: BTreeMap<String, VecDeque<Vec<Play>>>,
    /// How many gates of the scripts are open.
    gates: usize,
    /// The next COPYs fail: how many, code and message.
    copy_errors: Vec<(String, String)>,
    /// How the next asking of these questions fails.
    query_failures: Vec<(String, Failure)>,
    /// What these questions are answered, and how often.
    answers: Vec<(String, Vec<u8>, usize)>,
    /// Each connection that is open, by process id.
    connections: BTreeMap<i32, Connection>,
    next_process: i32,
    /// What is asked for at the start of a session, and how.
    password: Option<(Auth, String)>,
    /// What each session is told of its settings.
    settings: Vec<Vec<u8>>,
    /// The parameters of each session so far.
    startups: Vec<Vec<(String, String)>>,
    statements: Vec<String>,
    cancels: usize,
    is_over: bool,
}

struct Connection {
    socket: TcpStream,
    streams: Option<String>,
    is_cancelled: bool,
}

/// How a question fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The connection is cut instead of an answer.
    Cut,
    /// There is no answer.
    Silence,
    /// An error with this code.
    Code(&'static str),
}

/// How a COPY breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Break {
    Error,
    Done,
    /// It hangs, until `let_hang(false)`; then it breaks with an error.
    Hang,
}

type Io<T> = std::io::Result<T>;

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
            replacements: Vec::new(),
            takes_ids: generation == Generation::Modern,
            path: vec!["public".to_string()],
            next_id: 1,
            now: 1_000_000,
            since: 0,
            refuses: false,
            refusal: None,
            refusals: 0,
            is_silent: false,
            streams_silent: false,
            held: Vec::new(),
            lets_hang: true,
            withholds_progress: false,
            pace: Pace::Each,
            lag: 0,
            copy_breaks: Vec::new(),
            scripts: BTreeMap::new(),
            gates: 0,
            copy_errors: Vec::new(),
            query_failures: Vec::new(),
            answers: Vec::new(),
            connections: BTreeMap::new(),
            next_process: 1,
            password: None,
            settings: super::pgwire::settings(),
            startups: Vec::new(),
            statements: Vec::new(),
            cancels: 0,
            is_over: false,
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            changed: Condvar::new(),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || sessions::accept(&listener, &accepting));
        Materialize { shared, address }
    }

    /// How to connect to it.
    pub fn url(&self) -> String {
        format!("postgres://materialize@{}/materialize", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Creates a view, in place of one of that name.
    pub fn create_view(&self, name: &str, columns: &[(&str, &str)]) {
        self.shared.with(|state| state.create_view(name, columns));
    }

    /// Makes the view constant: its COPY ends by itself.
    pub fn set_constant(&self, name: &str) {
        self.shared.with(|state| state.view(name).constant = true);
    }

    /// Has the view change only at whole multiples of this.
    pub fn set_refresh(&self, name: &str, every: u64) {
        self.shared
            .with(|state| state.view(name).refresh = Some(every));
    }

    /// Commits changes to a view at a new timestamp, which it returns.
    pub fn commit(&self, name: &str, changes: Vec<(Values, i64)>) -> u64 {
        self.commit_after(1000, name, changes)
    }

    /// Moves time without changes; the new time.
    pub fn tick(&self) -> u64 {
        self.tick_after(1000)
    }

    /// The view's rows at a timestamp: the oracle.
    pub fn contents_at(&self, name: &str, timestamp: u64) -> BTreeMap<Values, i64> {
        self.shared.lock().view(name).contents_at(timestamp)
    }

    /// The current time.
    pub fn now(&self) -> u64 {
        self.shared.lock().now
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

    fn by_id(&self, id: &str) -> Option<&View> {
        let mut views = self.views.iter();
        let is_it = |view: &View| view.id == id || view.former.iter().any(|one| one == id);
        views.find(|(_, view)| is_it(view)).map(|(_, view)| view)
    }

    fn cut_all(&mut self) {
        for connection in self.connections.values() {
            let _ = connection.socket.shutdown(Shutdown::Both);
        }
        self.connections.clear();
    }
}
