//! A client of one window, or of windows of several views: what it has, and what it
//! must have at each id.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use flate2::write::GzDecoder;
use serde_json::value::RawValue;
use viewcast::model::position::Position;
use viewcast::relay::deliver::outlet::Served;
use viewcast::relay::deliver::socket::{Broken, Socket, Tried};
use viewcast::relay::subscribe::joint::Joint;
use viewcast::relay::subscribe::subscriber::Subscriber;

use super::truth::{KINDS, Truth};

/// What happened in all histories together, so that a test knows that it saw it.
#[derive(Debug, Default)]
pub struct Seen {
    pub compared: usize,
    pub bases: usize,
    pub deltas: usize,
    pub beats: usize,
    pub resumed: usize,
    pub abandoned: usize,
    pub gone: usize,
    pub cut: usize,
    pub consistent: usize,
}

impl Seen {
    pub fn add(&mut self, other: &Seen) {
        self.compared += other.compared;
        self.bases += other.bases;
        self.deltas += other.deltas;
        self.beats += other.beats;
        self.resumed += other.resumed;
        self.abandoned += other.abandoned;
        self.gone += other.gone;
        self.cut += other.cut;
        self.consistent += other.consistent;
    }
}

/// Set when it is woken.
#[derive(Default)]
pub struct Flag(AtomicBool);

impl Flag {
    pub fn set(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub fn take(&self) -> bool {
        self.0.swap(false, Ordering::AcqRel)
    }

    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.set();
    }
}

/// A socket with as much room as the client gives it.
#[derive(Clone, Default)]
pub struct Pipe(Rc<PipeState>);

#[derive(Default)]
struct PipeState {
    bytes: RefCell<Vec<u8>>,
    room: Cell<usize>,
    waker: RefCell<Option<Waker>>,
}

impl Socket for Pipe {
    fn try_write(&self, bytes: &[u8]) -> Tried {
        let length = bytes.len().min(self.0.room.get());
        if length == 0 {
            return Tried::Later;
        }
        self.0.room.set(self.0.room.get() - length);
        self.0
            .bytes
            .borrow_mut()
            .extend_from_slice(&bytes[..length]);
        Tried::Done(length)
    }

    fn try_read(&self, _: &mut [u8]) -> Tried {
        Tried::Later
    }

    fn poll_write_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        if self.0.room.get() > 0 {
            return Poll::Ready(Ok(()));
        }
        *self.0.waker.borrow_mut() = Some(context.waker().clone());
        Poll::Pending
    }

    fn poll_read_ready(&self, _: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        Poll::Pending
    }
}

pub enum Stream {
    Body(Box<Subscriber>),
    Outlet(Served<Pipe>, Pipe),
    Joint(Box<Joint>),
}

/// A view of which a client has a window.
pub struct Shown {
    /// Which of the views, and which of its windows.
    pub view: usize,
    pub kind: usize,
    /// What the client has; `None` until it has a base, or since the view is gone.
    rows: Option<BTreeMap<String, i64>>,
    live: bool,
    has_base: bool,
    /// What it had at the last id: to what it goes back when it comes back.
    kept: Option<BTreeMap<String, i64>>,
}

pub struct Client {
    pub shown: Vec<Shown>,
    pub stream: Option<Stream>,
    pub woken: Arc<Flag>,
    /// Bytes that it reads before it stops for a while.
    pub room: usize,
    pub last_id: Option<String>,
    unpacked: Option<GzDecoder<Vec<u8>>>,
    /// A chunk that is not whole yet, and an event.
    chunk: Vec<u8>,
    text: Vec<u8>,
    /// The positions of the last id: where the next one must be beyond.
    at: Vec<Option<Position>>,
    /// Whether anything with an id has come on this connection.
    is_told: bool,
    /// The events, for who looks into a failure.
    told: Vec<String>,
}

impl Client {
    pub fn new(shown: Vec<(usize, usize)>) -> Client {
        let shown = shown.into_iter().map(|(view, kind)| Shown {
            view,
            kind,
            rows: None,
            live: true,
            has_base: false,
            kept: None,
        });
        Client {
            shown: shown.collect(),
            stream: None,
            woken: Arc::default(),
            room: 0,
            last_id: None,
            unpacked: None,
            chunk: Vec::new(),
            text: Vec::new(),
            at: Vec::new(),
            is_told: false,
            told: Vec::new(),
        }
    }

    fn is_joint(&self) -> bool {
        self.shown.len() > 1
    }

    /// The client shows another window from now on.
    pub fn turn_to(&mut self, kind: usize) {
        self.shown[0].kind = kind;
    }

    pub fn connect(&mut self, stream: Stream, is_packed: bool) {
        self.told
            .push(format!("\n--- connects from {:?}\n", self.last_id));
        self.stream = Some(stream);
        self.woken.set();
        self.chunk.clear();
        self.text.clear();
        self.unpacked = is_packed.then(|| GzDecoder::new(Vec::new()));
        self.at = self.last_id.as_deref().map(positions).unwrap_or_default();
        self.is_told = false;
        for shown in &mut self.shown {
            (shown.has_base, shown.live) = (false, true);
            shown.rows.clone_from(&shown.kept);
        }
    }

    /// Whether its task is to run.
    pub fn is_due(&self, now: Instant, before: Instant) -> bool {
        let wake_at = match &self.stream {
            None => return false,
            Some(Stream::Body(it)) => it.wake_at(before),
            Some(Stream::Outlet(it, _)) => it.wake_at(before),
            Some(Stream::Joint(it)) => it.wake_at(before),
        };
        self.woken.is_set() || wake_at.is_some_and(|at| at <= now)
    }

    /// Its task runs; whether anything came of it.
    pub fn run(&mut self, now: Instant, truths: &[Truth], seen: &mut Seen) -> bool {
        if self.stream.is_none() {
            return false;
        }
        self.woken.take();
        let waker = Waker::from(Arc::clone(&self.woken));
        let mut said = Vec::new();
        let is_over = match self.stream.as_mut().unwrap() {
            Stream::Outlet(served, _) => served
                .poll(now, &mut Context::from_waker(&waker))
                .is_ready(),
            Stream::Body(it) => fill(&mut said, self.room, || it.poll_next(now, &waker)),
            Stream::Joint(it) => fill(&mut said, self.room, || it.poll_next(now, &waker)),
        };
        self.room = self.room.saturating_sub(said.len());
        self.events(&said, truths, seen);
        self.read_pipe(truths, seen);
        if is_over {
            seen.cut += 1;
            self.stream = None;
        }
        true
    }

    /// Takes what stands in its socket.
    pub fn read_pipe(&mut self, truths: &[Truth], seen: &mut Seen) {
        if let Some(Stream::Outlet(_, pipe)) = &self.stream {
            let bytes = std::mem::take(&mut *pipe.0.bytes.borrow_mut());
            self.take_chunks(&bytes, truths, seen);
        }
    }

    /// The client has room for so many bytes more.
    pub fn give_room(&mut self, room: usize) {
        match &self.stream {
            Some(Stream::Outlet(_, pipe)) => {
                pipe.0.room.set(room);
                if let Some(waker) = pipe.0.waker.borrow_mut().take() {
                    waker.wake();
                }
            }
            Some(_) if self.room == 0 => self.woken.set(),
            _ => {}
        }
        self.room = room;
    }

    /// The chunks' bytes without what is around them.
    fn take_chunks(&mut self, bytes: &[u8], truths: &[Truth], seen: &mut Seen) {
        self.chunk.extend_from_slice(bytes);
        let all = std::mem::take(&mut self.chunk);
        let (mut rest, mut body) = (all.as_slice(), Vec::new());
        while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
            let size = std::str::from_utf8(&rest[..end]).unwrap();
            let size = usize::from_str_radix(size, 16).unwrap();
            let Some(chunk) = rest.get(end + 2..end + 2 + size + 2) else {
                break;
            };
            body.extend_from_slice(&chunk[..size]);
            rest = &rest[end + 2 + size + 2..];
        }
        self.chunk = rest.to_vec();
        self.events(&body, truths, seen);
    }

    fn events(&mut self, bytes: &[u8], truths: &[Truth], seen: &mut Seen) {
        self.text.extend_from_slice(&match &mut self.unpacked {
            None => bytes.to_vec(),
            Some(unpacked) => {
                unpacked.write_all(bytes).unwrap();
                unpacked.flush().unwrap();
                std::mem::take(unpacked.get_mut())
            }
        });
        while let Some(end) = self.text.windows(2).position(|two| two == b"\n\n") {
            let block: Vec<u8> = self.text.drain(..end + 2).collect();
            let block = String::from_utf8(block).unwrap();
            self.event(&block, truths, seen);
        }
    }

    fn event(&mut self, block: &str, truths: &[Truth], seen: &mut Seen) {
        let (mut name, mut data, mut id) = ("", "", None);
        self.told.push(block.to_owned());
        for line in block.lines() {
            match line.split_once(": ") {
                Some(("event", value)) => name = value,
                Some(("data", value)) => data = value,
                Some(("id", value)) => id = Some(value),
                _ => {}
            }
        }
        if name == "consistent" {
            seen.consistent += 1;
            if let Some(id) = id {
                self.stand(id, true);
            }
            return self.check_all(truths, seen);
        }
        let (view, kind) = name.rsplit_once('.').unwrap_or(("", name));
        let is_it = |shown: &&mut Shown| view.is_empty() || truths[shown.view].name == view;
        let (was_told, is_joint) = (self.is_told, self.is_joint());
        let Some(shown) = self.shown.iter_mut().find(is_it) else {
            panic!("an event of no view: {block}");
        };
        match kind {
            "base" => {
                assert!(!shown.has_base, "a second base");
                assert!(!was_told || is_joint, "a base behind an id");
                seen.bases += 1;
                let rows: Vec<Box<RawValue>> = serde_json::from_str(data).unwrap();
                let mut counted = BTreeMap::new();
                for row in rows {
                    *counted.entry(row.get().to_owned()).or_default() += 1;
                }
                (shown.rows, shown.has_base) = (Some(counted), true);
                // A base may be older than what was brought, and of another window.
                self.at.clear();
            }
            "delta" => {
                let changes: Vec<BTreeMap<String, Box<RawValue>>> = serde_json::from_str(data)
                    .unwrap_or_else(|error| panic!("{error}: {:?}", self.told));
                let is_beat = changes.is_empty();
                assert!(!is_beat || view.is_empty(), "an empty delta beside others");
                assert!(
                    is_beat || id.is_some() || !view.is_empty(),
                    "changes without an id"
                );
                seen.beats += usize::from(is_beat && id.is_some());
                seen.deltas += usize::from(!is_beat);
                shown.apply(&changes);
                if !is_beat && !shown.has_base {
                    seen.resumed += 1;
                }
            }
            "upstream" => shown.live = data == "\"live\"",
            "gone" => {
                seen.gone += 1;
                (shown.rows, shown.has_base) = (None, false);
                // What is there in its place is fresh, unless it is said that it is not.
                shown.live = true;
                self.last_id = None;
                self.at.clear();
            }
            "abandoned" => seen.abandoned += 1,
            "" => assert!(data.is_empty()),
            other => panic!("an event called {other}"),
        }
        if let Some(id) = id {
            self.stand(id, kind != "base");
            if kind != "delta" || data != "[]" {
                self.check_all(truths, seen);
            }
        }
    }

    /// The client stands here now.
    fn stand(&mut self, id: &str, is_later: bool) {
        let at = positions(id);
        if is_later && at.len() == self.at.len() {
            let pairs = self.at.iter().zip(&at);
            let is_known = |(before, now): &(&Option<Position>, &Option<Position>)| {
                let same = before.zip(**now);
                same.is_none_or(|(before, now)| before.incarnation != now.incarnation)
                    || before.map(|it| it.timestamp) <= now.map(|it| it.timestamp)
            };
            let told = self.told.len().saturating_sub(8);
            let told = self.told.get(told..).unwrap_or_default();
            assert!(
                pairs.clone().all(|pair| is_known(&pair)),
                "back to {id}: {told:?}"
            );
            assert_ne!(self.at, at, "{id} again");
        }
        (self.at, self.last_id, self.is_told) = (at, Some(id.to_owned()), true);
        for shown in &mut self.shown {
            shown.kept.clone_from(&shown.rows);
        }
    }

    /// What the client has is what its windows were at the position.
    fn check_all(&mut self, truths: &[Truth], seen: &mut Seen) {
        // Positions stand in the order of the views' names, which is that of views.
        let mut order: Vec<usize> = (0..self.shown.len()).collect();
        order.sort_by_key(|at| truths[self.shown[*at].view].name);
        for (position, at) in self.at.iter().zip(order) {
            let shown = &self.shown[at];
            let (Some(position), Some(rows)) = (position, &shown.rows) else {
                assert!(
                    shown.rows.is_none() || position.is_some(),
                    "rows of no time"
                );
                continue;
            };
            let (truth, kind) = (&truths[shown.view], &KINDS[shown.kind]);
            let lives = 0..truth.lives.len();
            let is_of =
                |life: &usize| kind.incarnation(truth.incarnation(*life)) == position.incarnation;
            let life = lives
                .rev()
                .find(is_of)
                .expect("an incarnation of the window");
            let expected = truth.at(life, position.timestamp.get());
            let expected = kind.rows(expected.expect("a time of this life"));
            if *rows != expected {
                self.print();
            }
            assert_eq!(
                *rows, expected,
                "{} kind {} at {position}",
                truth.name, shown.kind
            );
            seen.compared += 1;
        }
    }

    /// The last events, for who looks into a failure.
    fn print(&self) {
        let from = self.told.len().saturating_sub(12);
        println!("{}", self.told[from..].concat());
    }

    /// Everything was told: whether the client has it.
    pub fn check_now(&self, truths: &[Truth], seen: &mut Seen) {
        for shown in &self.shown {
            let truth = &truths[shown.view];
            let expected = KINDS[shown.kind].rows(truth.now());
            let rows = shown.rows.as_ref().expect("a base");
            if *rows != expected {
                self.print();
            }
            assert_eq!(*rows, expected, "{} kind {} now", truth.name, shown.kind);
            assert!(shown.live, "{} is live", truth.name);
            seen.compared += 1;
        }
    }

    /// The time of the last id.
    pub fn time(&self) -> Option<u64> {
        let first = self.at.first()?.as_ref();
        first.map(|position| position.timestamp.get())
    }
}

impl Shown {
    fn apply(&mut self, changes: &[BTreeMap<String, Box<RawValue>>]) {
        let mut touched: BTreeMap<&str, &str> = BTreeMap::new();
        let mut has_inserted = false;
        for change in changes {
            let (word, row) = change.first_key_value().unwrap();
            let rows = self.rows.as_mut().expect("rows to change");
            let copies = rows.entry(row.get().to_owned()).or_default();
            match word.as_str() {
                "insert" => *copies += 1,
                "delete" => *copies -= 1,
                other => panic!("{other}"),
            }
            assert!(*copies >= 0, "less than none of {row}: {changes:?}");
            if *copies == 0 {
                rows.remove(row.get());
            }
            assert!(word == "insert" || !has_inserted, "deletes come first");
            has_inserted |= word == "insert";
            let before = touched.insert(row.get(), word);
            assert!(before.is_none_or(|before| before == word), "consolidated");
        }
    }
}

/// The positions in an id.
fn positions(id: &str) -> Vec<Option<Position>> {
    id.split('.').map(|text| text.parse().ok()).collect()
}

/// Asks for bytes as long as there is room; whether that was the end.
fn fill(
    said: &mut Vec<u8>,
    room: usize,
    mut next: impl FnMut() -> Poll<Option<bytes::Bytes>>,
) -> bool {
    while said.len() < room {
        match next() {
            Poll::Ready(Some(bytes)) => said.extend_from_slice(&bytes),
            Poll::Ready(None) => return true,
            Poll::Pending => return false,
        }
    }
    false
}
