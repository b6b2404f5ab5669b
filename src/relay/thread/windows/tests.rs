use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use fastrand::Rng;

use super::*;
use crate::limits::{CATCH_UP_FRAMES_MAX, WINDOW_FRAMES_BYTES_MAX, WINDOW_MISSED_ENTRIES_MAX};
use crate::model::event::{Description, Kept, TailEvent};
use crate::model::now::Now;
use crate::model::position::Position;
use crate::model::retention::RetentionLimits;
use crate::model::row::{Column, Row};
use crate::model::view::ViewBuilder;
use crate::model::window::{Test, Wanted, What};
use crate::relay::deliver::outlet::Served;
use crate::relay::deliver::socket::{Broken, Socket, Tried};
use crate::relay::log::jobs::AtOnce;
use crate::relay::publish::publisher::{Publisher, Settings};
use crate::relay::shared_view::SharedView;
use crate::relay::subscribe::source::Source;
use crate::relay::subscribe::subscriber::Subscriber;
use crate::relay::subscribe::window_rows::{Found, WindowRows};
use crate::relay::thread::round::Step;
use crate::relay::thread::seat::Choose;
use crate::relay::thread::thread_view::ThreadView;

pub(super) const HEARTBEAT: Duration = Duration::from_secs(15);

/// A view, its publisher and one thread, without any actor, socket or clock.
pub(super) struct Bottle {
    pub(super) publisher: Publisher,
    pub(super) shared: Arc<SharedView>,
    pub(super) thread: Rc<RefCell<ThreadView>>,
    pub(super) rung: Rc<Cell<usize>>,
    pub(super) now: Now,
    pub(super) time: u64,
}

pub(super) fn row(customer: &str, note: &str) -> String {
    format!("{{\"customer\":\"{customer}\",\"note\":\"{note}\"}}")
}

impl Bottle {
    /// Its rows are three notes of each of these customers.
    pub(super) fn new(customers: &[&str]) -> Self {
        let now = Now {
            instant: Instant::now(),
            wall_ms: 1_000_000,
        };
        let shared = SharedView::new("v".to_owned(), Arc::new(AtOnce), now);
        let shared = Arc::new(shared);
        let settings = Settings {
            heartbeat: HEARTBEAT,
            min_interval: Duration::ZERO,
            retention: RetentionLimits {
                bytes_max: 1 << 30,
                age_ms_max: 600_000,
            },
            view_bytes_max: 1 << 30,
            upstream_timeout: Duration::from_secs(30),
        };
        let (rung, chance) = (Rc::new(Cell::new(0)), fastrand::Rng::with_seed(1));
        let rings = Rc::clone(&rung);
        let wake = Box::new(move || rings.set(rings.get() + 1));
        let thread = ThreadView::new(Arc::clone(&shared), wake);
        let mut bottle = Bottle {
            publisher: Publisher::new(Arc::clone(&shared), settings, chance, now),
            thread: Rc::new(RefCell::new(thread)),
            shared,
            rung,
            now,
            time: 7,
        };
        let columns = ["customer", "note"].map(|name| Column::new(name, "text"));
        bottle.tell(TailEvent::Described(Description {
            columns: columns.to_vec(),
            kept: Kept::all(2),
            incarnation: Incarnation::of(["v"]),
            is_steady: true,
            sql: None,
        }));
        let mut builder = ViewBuilder::new();
        for customer in customers {
            (0..3).for_each(|at| builder.add(&row(customer, &at.to_string()), 1));
        }
        bottle.tell(TailEvent::Snapshot(
            builder.finish(Timestamp::new(7)).unwrap(),
        ));
        bottle
    }

    pub(super) fn tell(&mut self, event: TailEvent) {
        assert_eq!(self.publisher.handle(event, self.now), None);
        self.look();
    }

    /// The publisher looks, and so does the thread.
    pub(super) fn look(&mut self) {
        self.publisher.look(self.now);
        let step = self.thread.borrow_mut().news(self.now.instant);
        self.write(step);
    }

    pub(super) fn write(&mut self, mut step: Step) {
        let now = self.now.instant;
        while step != Step::Done {
            self.thread.borrow_mut().write(now);
            step = self.thread.borrow_mut().written(now);
        }
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.now.instant += time;
    }

    /// One note more of a customer.
    pub(super) fn note(&mut self, customer: &str, note: &str) {
        self.time += 1;
        let row = Row::from(row(customer, note).as_str());
        let changes = vec![Change { row, diff: 1 }];
        let delta = Delta::new(Timestamp::new(self.time), changes);
        self.tell(TailEvent::Delta(delta));
    }

    pub(super) fn subscriber(&self, customer: &str, resume: Option<Position>) -> Subscriber {
        let (resume, rng) = (resume.into_iter().collect(), Rng::with_seed(7));
        Subscriber::of_window(&self.thread, choose(customer), resume, rng, ())
    }

    /// One that has its base, with the bytes of it.
    pub(super) fn joined(&mut self, customer: &str) -> (Subscriber, String) {
        let mut subscriber = self.subscriber(customer, None);
        let mut said = self.read(&mut subscriber).0;
        self.look();
        said.push_str(&self.read(&mut subscriber).0);
        assert!(said.contains("event: base\n"), "{said}");
        (subscriber, said)
    }

    /// What a stream has to say for now, and whether that was its end.
    pub(super) fn read(&self, subscriber: &mut Subscriber) -> (String, bool) {
        self.read_for(subscriber, Waker::noop())
    }

    pub(super) fn read_for(&self, subscriber: &mut Subscriber, waker: &Waker) -> (String, bool) {
        let mut said = Vec::new();
        loop {
            match subscriber.poll_next(self.now.instant, waker) {
                Poll::Ready(Some(bytes)) => said.extend_from_slice(&bytes),
                Poll::Ready(None) => return (String::from_utf8(said).unwrap(), true),
                Poll::Pending => break,
            }
        }
        (String::from_utf8(said).unwrap(), false)
    }

    /// Frames that the thread holds for its windows' readers.
    pub(super) fn held(&self) -> usize {
        let log = self.thread.borrow().log.clone().unwrap();
        let log = log.borrow();
        let open = log.windows.open.iter();
        open.map(|open| open.held()).sum()
    }

    pub(super) fn rows(&self, customer: &str, known: Vec<Position>) -> WindowRows {
        WindowRows::new(&self.thread, choose(customer), known)
    }

    pub(super) fn found(&mut self, rows: &mut WindowRows) -> Found {
        if let Poll::Ready(found) = rows.poll(self.now.instant, Waker::noop()) {
            return found;
        }
        self.look();
        match rows.poll(self.now.instant, Waker::noop()) {
            Poll::Ready(found) => found,
            Poll::Pending => panic!("nothing was found"),
        }
    }
}

/// The window of a customer, or of all that are not called `!..`.
pub(super) fn choose(customer: &str) -> Choose {
    let mut wanted = Wanted::default();
    let not = customer.starts_with('!');
    let what = What::In(vec![customer.trim_start_matches('!').to_owned()]);
    wanted.and("customer", Test { not, what });
    Rc::new(move |layout| {
        let window = wanted.resolve(layout, &["customer".to_owned()]);
        window.map_err(|error| error.to_string())
    })
}

/// The id of the last event that has one.
fn last_id(said: &str) -> Position {
    let lines = said.lines().filter_map(|line| line.strip_prefix("id: "));
    let last = lines.fold(None, |_, id| Some(id));
    last.expect("an id").parse().expect("a position")
}

#[derive(Default)]
pub(super) struct Flag(pub(super) AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

#[test]
fn window_reader_is_woken_by_its_own_keys_alone() {
    let mut bottle = Bottle::new(&["a", "b"]);
    let (mut subscriber, _) = bottle.joined("a");
    let flag: Arc<Flag> = Arc::default();
    let waker = Waker::from(Arc::clone(&flag));
    assert_eq!(bottle.read_for(&mut subscriber, &waker).0, "");
    bottle.note("b", "x");
    assert!(!flag.0.load(Ordering::Acquire));
    bottle.note("a", "x");
    assert!(flag.0.load(Ordering::Acquire));
    let (said, _) = bottle.read(&mut subscriber);
    let row = row("a", "x");
    let delta = format!("event: delta\ndata: [{{\"insert\":{row}}}]\nid: 9-");
    assert!(said.starts_with(&delta), "{said}");
}

#[test]
fn window_that_many_read_is_encoded_once_and_held_until_all_have_it() {
    let mut bottle = Bottle::new(&["a"]);
    let mut readers: Vec<Subscriber> = (0..3).map(|_| bottle.joined("a").0).collect();
    bottle.note("a", "x");
    assert_eq!(bottle.held(), 1);
    let mut pieces = Vec::new();
    for reader in &mut readers {
        match reader.poll_next(bottle.now.instant, Waker::noop()) {
            Poll::Ready(Some(bytes)) => pieces.push(bytes.as_ptr()),
            other => panic!("{other:?}"),
        }
    }
    assert!(pieces.iter().all(|piece| Some(piece) == pieces.first()));
    for reader in &mut readers {
        assert_eq!(bottle.read(reader).0, "");
    }
    assert_eq!(bottle.held(), 0);
    // Who leaves without it is not waited for.
    bottle.note("a", "y");
    let (said, _) = bottle.read(readers.first_mut().unwrap());
    assert!(said.contains("\"y\""), "{said}");
    assert_eq!(bottle.held(), 1);
    readers.truncate(1);
    assert_eq!(bottle.held(), 0);
    assert_eq!(bottle.shared.windows_open(), 1);
    readers.clear();
    assert_eq!(bottle.shared.windows_open(), 0);
}

#[test]
fn window_heartbeat_has_a_time_of_its_own_and_the_position_of_the_view() {
    let mut bottle = Bottle::new(&["a", "b"]);
    let (mut quiet, said) = bottle.joined("a");
    let begun = bottle.now.instant;
    let base = last_id(&said);
    for _ in 0..10 {
        bottle.pass(Duration::from_millis(1_400));
        bottle.note("b", "x");
        assert_eq!(bottle.read(&mut quiet).0, "", "others' rows say nothing");
    }
    let due = bottle.thread.borrow().wake_at().expect("a heartbeat");
    assert_eq!(due, begun + HEARTBEAT);
    bottle.now.instant = due;
    let step = bottle.thread.borrow_mut().beat(due);
    bottle.write(step);
    let (said, _) = bottle.read(&mut quiet);
    let id = base.incarnation;
    assert_eq!(said, format!("event: delta\ndata: []\nid: 17-{id}\n\n"));
    // Nothing has changed at all since.
    let due = bottle.thread.borrow().wake_at().expect("the next one");
    assert_eq!(due, begun + HEARTBEAT * 2);
    bottle.now.instant = due;
    let step = bottle.thread.borrow_mut().beat(due);
    bottle.write(step);
    assert_eq!(
        bottle.read(&mut quiet).0,
        "event: delta\ndata: []\n\n",
        "ids do not repeat"
    );
}

#[test]
fn window_reader_that_is_far_behind_is_sent_one_delta() {
    // What takes the thread too long to say is merged elsewhere.
    for rounds in [CATCH_UP_FRAMES_MAX * 2, WINDOW_MISSED_ENTRIES_MAX] {
        let mut bottle = Bottle::new(&["a", "b"]);
        let (mut subscriber, _) = bottle.joined("a");
        for at in 0..rounds {
            bottle.note("a", &format!("x{at}"));
            bottle.note("b", "x");
        }
        assert_eq!(bottle.held(), CATCH_UP_FRAMES_MAX);
        let (said, _) = bottle.read(&mut subscriber);
        let counts = ["event: delta\n", "\"insert\""].map(|it| said.matches(it).count());
        assert_eq!((counts, bottle.held()), ([1, rounds], 0));
        assert_eq!(last_id(&said).timestamp.get(), bottle.time - 1);
    }
}

#[test]
fn window_goes_on_from_a_position_of_it_and_begins_at_one_of_another() {
    let mut bottle = Bottle::new(&["a", "b"]);
    let (subscriber, said) = bottle.joined("a");
    let (position, whole) = (last_id(&said), Incarnation::of(["v"]));
    assert_ne!(position.incarnation, whole);
    drop(subscriber);
    bottle.note("b", "x");
    let mut back = bottle.subscriber("a", Some(position));
    let (said, _) = bottle.read(&mut back);
    assert!(
        said.starts_with("retry: ") && !said.contains("event"),
        "{said}"
    );
    bottle.note("a", "x");
    assert!(bottle.read(&mut back).0.contains("event: delta\n"));
    let mut late = bottle.subscriber("a", Some(position));
    let (said, _) = bottle.read(&mut late);
    assert!(said.contains("event: delta\n") && !said.contains("base"));
    for (customer, timestamp, incarnation) in [
        ("b", position.timestamp, position.incarnation),
        ("a", position.timestamp, whole),
        ("a", Timestamp::new(3), position.incarnation),
    ] {
        let position = Position {
            timestamp,
            incarnation,
        };
        let mut other = bottle.subscriber(customer, Some(position));
        let mut said = bottle.read(&mut other).0;
        bottle.look();
        said.push_str(&bottle.read(&mut other).0);
        assert!(said.contains("event: base\n"), "{customer}: {said}");
    }
}

#[test]
fn window_frames_that_a_slow_reader_lacks_are_bounded_and_nothing_is_lost() {
    let mut bottle = Bottle::new(&["a", "b"]);
    let (mut slow, _) = bottle.joined("a");
    let (mut other, _) = bottle.joined("b");
    bottle.note("a", "x");
    let large = "y".repeat(WINDOW_FRAMES_BYTES_MAX / 8);
    for at in 0..9 {
        bottle.note("b", &format!("{at}{large}"));
        bottle.read(&mut other);
    }
    assert_eq!(bottle.held(), 0, "what was held for it made room");
    let (said, _) = bottle.read(&mut slow);
    assert!(said.contains(&row("a", "x")), "{said}");
}

/// A socket that takes everything.
#[derive(Default)]
pub(super) struct Taking(pub(super) RefCell<Vec<u8>>);

impl Socket for Taking {
    fn try_write(&self, bytes: &[u8]) -> Tried {
        self.0.borrow_mut().extend_from_slice(bytes);
        Tried::Done(bytes.len())
    }

    fn try_read(&self, _: &mut [u8]) -> Tried {
        Tried::Later
    }

    fn poll_write_ready(&self, _: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        Poll::Ready(Ok(()))
    }

    fn poll_read_ready(&self, _: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        Poll::Pending
    }
}

#[test]
fn window_outlet_is_written_to_at_news_without_its_task() {
    let mut bottle = Bottle::new(&["a", "b"]);
    let source = Source::One(Box::new(bottle.subscriber("a", None)));
    let served = Served::new(Taking::default(), Vec::new(), source);
    let mut context = Context::from_waker(Waker::noop());
    assert!(served.poll(bottle.now.instant, &mut context).is_pending());
    bottle.look();
    assert!(served.poll(bottle.now.instant, &mut context).is_pending());
    let taken = |served: &Served<Taking>| served.socket().0.borrow().len();
    let base = taken(&served);
    bottle.note("b", "x");
    assert_eq!(taken(&served), base);
    bottle.note("a", "x");
    assert!(taken(&served) > base);
    assert_eq!(bottle.held(), 0);
}
