use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;

use super::*;
use crate::limits::AHEAD_WAIT;
use crate::model::delta::{Change, Delta};
use crate::model::event::{Description, Kept, TailEvent};
use crate::model::now::Now;
use crate::model::position::{Incarnation, Position, Timestamp};
use crate::model::reason::Why;
use crate::model::retention::RetentionLimits;
use crate::model::row::Row;
use crate::model::view::ViewBuilder;
use crate::relay::event::dictionary::Dictionary;
use crate::relay::event::packing::Packing;
use crate::relay::log::jobs::AtOnce;
use crate::relay::publish::publisher::{Publisher, Settings};
use crate::relay::shared_view::SharedView;
use crate::relay::subscribe::expiry::Lease;
use crate::relay::subscribe::joint::Joint;
use crate::relay::subscribe::joint::chosen::Chosen;
use crate::relay::subscribe::subscriber::Subscriber;
use crate::relay::thread::round::Step;
use crate::relay::thread::thread_view::ThreadView;

use scripted::Scripted;

#[path = "tests/scripted/tests.rs"]
mod scripted;

/// A view, its publisher and one thread, without any actor, socket or clock.
struct Bottle {
    publisher: Publisher,
    thread: Rc<RefCell<ThreadView>>,
    now: Now,
    time: u64,
}

impl Bottle {
    fn new() -> Self {
        let now = Now {
            instant: Instant::now(),
            wall_ms: 1_000_000,
        };
        let shared = SharedView::new("v".to_owned(), Arc::new(AtOnce), now);
        let shared = Arc::new(shared);
        let settings = Settings {
            heartbeat: Duration::from_secs(15),
            min_interval: Duration::ZERO,
            retention: RetentionLimits {
                bytes_max: 1 << 20,
                age_ms_max: 60_000,
            },
            view_bytes_max: 1 << 20,
            upstream_timeout: Duration::from_secs(30),
        };
        let publisher = Publisher::new(
            Arc::clone(&shared),
            settings,
            fastrand::Rng::with_seed(1),
            now,
        );
        let thread = ThreadView::new(shared, Box::new(|| ()));
        let mut bottle = Bottle {
            publisher,
            thread: Rc::new(RefCell::new(thread)),
            now,
            time: 7,
        };
        bottle.begin("v");
        bottle
    }

    /// The view is this one from now on.
    fn begin(&mut self, what: &str) {
        self.tell(TailEvent::Described(Description {
            columns: Vec::new(),
            kept: Kept::all(0),
            incarnation: Incarnation::of([what]),
            is_steady: true,
            sql: None,
        }));
        let view = ViewBuilder::new().finish(Timestamp::new(self.time));
        self.tell(TailEvent::Snapshot(view.unwrap()));
    }

    fn tell(&mut self, event: TailEvent) {
        assert_eq!(self.publisher.handle(event, self.now), None);
        self.look();
    }

    fn change(&mut self, length: usize) {
        self.time += 1;
        let row = format!("{{\"{}\":\"{}\"}}", self.time, "x".repeat(length));
        let row = Row::from(row.as_str());
        let changes = vec![Change { row, diff: 1 }];
        let delta = Delta::new(Timestamp::new(self.time), changes);
        self.tell(TailEvent::Delta(delta));
    }

    /// The publisher looks, and so does the thread.
    fn look(&mut self) {
        self.publisher.look(self.now);
        let now = self.now.instant;
        let mut thread = self.thread.borrow_mut();
        let mut step = thread.news(now);
        while step != Step::Done {
            thread.write(now);
            step = thread.written(now);
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now.instant += time;
    }

    fn subscriber(&self, resume: Vec<Position>, seed: u64) -> Subscriber {
        Subscriber::new(&self.thread, resume, Rng::with_seed(seed), ())
    }

    fn joint(&self, seed: u64) -> Source {
        let chosen = Chosen {
            local: Rc::clone(&self.thread),
            name: "v".to_owned(),
            window: None,
        };
        let (hour, rng) = (Duration::from_secs(3_600), Rng::with_seed(seed));
        let joint = Joint::new(&[chosen], &[], hour, self.now.instant, rng, ());
        Source::Several(Box::new(joint))
    }

    /// What a stream has to say for now, and whether that was its end.
    fn read(&mut self, subscriber: &mut Source) -> (String, bool) {
        let (said, is_over) = self.bytes(subscriber);
        (String::from_utf8(said).unwrap(), is_over)
    }

    /// The same of a stream that is compressed with a dictionary.
    fn unpacked(&mut self, subscriber: &mut Source, with: &Dictionary) -> (String, bool) {
        let (mut said, mut is_over) = self.bytes(subscriber);
        if !is_over {
            // It may wait for a base.
            self.look();
            let (more, ends) = self.bytes(subscriber);
            said.extend(more);
            is_over = ends;
        }
        (String::from_utf8(with.unpack(&said)).unwrap(), is_over)
    }

    fn bytes(&mut self, subscriber: &mut Source) -> (Vec<u8>, bool) {
        let mut said = Vec::new();
        loop {
            match subscriber.poll_next(self.now.instant, Waker::noop()) {
                Poll::Ready(Some(bytes)) => said.extend_from_slice(&bytes),
                Poll::Ready(None) => return (said, true),
                Poll::Pending => return (said, false),
            }
        }
    }
}

fn one(subscriber: Subscriber) -> Source {
    Source::One(Box::new(subscriber))
}

fn taken_so_far(served: &Served<Scripted>) -> String {
    String::from_utf8(served.socket().taken.borrow().clone()).unwrap()
}

/// The body of chunks.
fn body(mut chunks: &[u8]) -> String {
    let mut body = Vec::new();
    while let Some(end) = chunks.windows(2).position(|two| two == b"\r\n") {
        let size = std::str::from_utf8(&chunks[..end]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        body.extend_from_slice(&chunks[end + 2..end + 2 + size]);
        chunks = &chunks[end + 2 + size + 2..];
    }
    String::from_utf8(body).unwrap()
}

/// The whole chunks that a socket has taken.
fn body_so_far(served: &Served<Scripted>) -> String {
    let taken = served.socket().taken.borrow();
    let (mut rest, mut whole) = (&taken[..], 0);
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let size = std::str::from_utf8(&rest[..end]).unwrap();
        let length = end + usize::from_str_radix(size, 16).unwrap() + 4;
        let Some(next) = rest.get(length..) else {
            break;
        };
        (rest, whole) = (next, whole + length);
    }
    body(&taken[..whole])
}

/// The rows that were told, and whether their end was.
fn told(said: &str) -> (Vec<u64>, bool) {
    let rows = said.split("{\"insert\":{\"").skip(1);
    let rows = rows.filter_map(|text| text.split('"').next()?.parse().ok());
    let mut rows: Vec<u64> = rows.collect();
    // Those that were merged into one delta are in any order.
    rows.sort_unstable();
    (rows, said.contains("event: v.gone\n"))
}

#[test]
fn outlet_says_the_same_whatever_its_socket_takes() {
    for seed in 0..400 {
        let (mut bottle, mut rng) = (Bottle::new(), Rng::with_seed(seed));
        let (is_joint, is_secure) = (seed % 4 < 2, seed % 2 == 0);
        let source = |bottle: &Bottle| match is_joint {
            true => bottle.joint(seed),
            false => one(bottle.subscriber(Vec::new(), seed)),
        };
        // Who is asked first has the base made, for both.
        let mut plain = source(&bottle);
        let mut said = bottle.read(&mut plain).0;
        bottle.look();
        let socket = Scripted::with_session(rng.fork(), is_secure);
        let served = Served::new(socket, Vec::new(), source(&bottle));
        let mut context = Context::from_waker(Waker::noop());
        said.push_str(&bottle.read(&mut plain).0);
        // Who joins later has a later base.
        while !taken_so_far(&served).contains("base\n") {
            assert!(served.poll(bottle.now.instant, &mut context).is_pending());
        }
        for _ in 0..20 {
            bottle.change(rng.usize(1..30_000));
            for _ in 0..rng.u32(..4) {
                assert!(served.poll(bottle.now.instant, &mut context).is_pending());
            }
            said.push_str(&bottle.read(&mut plain).0);
        }
        bottle.tell(TailEvent::Gone(Why::Recreated));
        let (rest, is_over) = bottle.read(&mut plain);
        said.push_str(&rest);
        assert_eq!(is_over, !is_joint);
        if is_joint {
            // Another view may come, so the stream goes on until none will.
            while !taken_so_far(&served).contains("event: v.gone\n") {
                assert!(served.poll(bottle.now.instant, &mut context).is_pending());
            }
            let shared = Arc::clone(&bottle.thread.borrow().shared);
            shared.give_up(Why::GivenUp, bottle.now);
            let (rest, is_over) = bottle.read(&mut plain);
            assert!(is_over);
            said.push_str(&rest);
        }
        while served.poll(bottle.now.instant, &mut context).is_pending() {}
        let taken = served.socket().taken.borrow();
        let taken = match is_secure {
            true => taken.strip_suffix(b"bye").unwrap(),
            false => &taken[..],
        };
        let taken = body(taken);
        match is_joint {
            // Who is slow is told fewer times at which all views stand.
            true => assert_eq!(told(&taken), told(&said), "seed {seed}"),
            false => assert!(taken == said, "seed {seed}"),
        }
    }
}

#[test]
fn outlets_of_a_large_base_write_slices_together_and_each_once() {
    let mut bottle = Bottle::new();
    for _ in 0..9 {
        bottle.change(30_000);
    }
    let (mut along, mut rng) = (0, Rng::with_seed(7));
    let mut context = Context::from_waker(Waker::noop());
    for seed in 0..100 {
        let mut plain = one(bottle.subscriber(Vec::new(), seed));
        let mut said = bottle.read(&mut plain).0;
        bottle.look();
        let outlets = [(); 3].map(|()| {
            let subscriber = bottle.subscriber(Vec::new(), seed);
            Served::new(Scripted::new(rng.fork()), Vec::new(), one(subscriber))
        });
        said.push_str(&bottle.read(&mut plain).0);
        // Each is let on at its own pace, so some read what others have read.
        let mut turns = 0;
        while outlets.iter().any(|it| body_so_far(it).len() < said.len()) {
            let served = &outlets[rng.usize(..3)];
            assert!(served.poll(bottle.now.instant, &mut context).is_pending());
            turns += 1;
            assert!(turns < 10_000, "seed {seed}");
        }
        for served in &outlets {
            assert!(body_so_far(served) == said, "seed {seed}");
            along += served.socket().along.get();
        }
    }
    assert!(along > 1_000_000, "{along}");
}

#[test]
fn outlet_with_a_broken_socket_ends_at_once_and_is_written_to_no_more() {
    let mut bottle = Bottle::new();
    let socket = Scripted::new(Rng::with_seed(7));
    socket.is_broken.set(true);
    let source = one(bottle.subscriber(Vec::new(), 7));
    let served = Served::new(socket, Vec::new(), source);
    let shared = Arc::clone(&bottle.thread.borrow().shared);
    assert_eq!(shared.subscriber_count(), 1);
    let mut context = Context::from_waker(Waker::noop());
    assert!(served.poll(bottle.now.instant, &mut context).is_ready());
    drop(served);
    assert_eq!(shared.subscriber_count(), 0);
    bottle.change(10);
}

#[test]
fn subscriber_that_is_ahead_is_waited_for_until_it_says() {
    let mut bottle = Bottle::new();
    let position = Position {
        timestamp: Timestamp::new(99),
        incarnation: Incarnation::of(["v"]),
    };
    let mut subscriber = one(bottle.subscriber(vec![position], 7));
    assert!(!bottle.read(&mut subscriber).0.contains("base"));
    let due = bottle.now.instant + AHEAD_WAIT;
    assert_eq!(subscriber.wake_at(bottle.now.instant), Some(due));
    bottle.pass(AHEAD_WAIT);
    assert_eq!(subscriber.wake_at(bottle.now.instant), None);
    // It asks for a base, which the publisher then takes.
    bottle.read(&mut subscriber);
    bottle.look();
    assert!(bottle.read(&mut subscriber).0.contains("event: base\n"));
}

#[test]
fn subscriber_ends_when_its_time_is_over_and_not_before() {
    let (mut bottle, time) = (Bottle::new(), Duration::from_secs(60));
    let mut subscriber = bottle.subscriber(Vec::new(), 7);
    subscriber.end_with(Lease::new(bottle.now.instant, time));
    let mut subscriber = one(subscriber);
    let due = bottle.now.instant + time;
    bottle.pass(time - Duration::from_nanos(1));
    assert!(!bottle.read(&mut subscriber).1);
    assert!(!subscriber.is_due(bottle.now.instant));
    assert_eq!(subscriber.wake_at(bottle.now.instant), Some(due));
    bottle.pass(Duration::from_nanos(1));
    assert!(subscriber.is_due(bottle.now.instant));
    assert!(bottle.read(&mut subscriber).1);
}

#[test]
fn stream_with_the_dictionary_of_a_log_that_is_over_ends_and_comes_back() {
    let mut bottle = Bottle::new();
    let log = bottle.thread.borrow().shared.log().expect("a log");
    let dictionary = log.shelf.get_or_make(|| "one".to_owned()).cloned().unwrap();
    let of = |bottle: &Bottle, dictionary: &Arc<Dictionary>| {
        let mut subscriber = bottle.subscriber(Vec::new(), 1);
        subscriber.pack(Packing::Dictionary(Arc::clone(dictionary)));
        Source::One(Box::new(subscriber))
    };
    // The second one has not begun when the view is gone and there again.
    let [mut early, mut late] = [(); 2].map(|()| of(&bottle, &dictionary));
    let said = bottle.unpacked(&mut early, &dictionary);
    assert!(said.0.contains("event: base\n") && !said.1, "{said:?}");
    bottle.tell(TailEvent::Gone(Why::Dropped));
    bottle.time += 1;
    bottle.begin("another");
    let said = bottle.unpacked(&mut early, &dictionary);
    assert!(said.0.contains("event: gone\n") && said.1, "{said:?}");
    let said = bottle.unpacked(&mut late, &dictionary);
    let (head, rest) = said.0.split_once(": your dictionary").expect("the reason");
    assert!(head.matches("retry: ").count() == 2 && said.1, "{said:?}");
    assert!(!rest.contains("event: "), "{said:?}");
    // Who has the new one is served.
    let log = bottle.thread.borrow().shared.log().expect("a log");
    let dictionary = log
        .shelf
        .get_or_make(|| "another".to_owned())
        .cloned()
        .unwrap();
    let mut stream = of(&bottle, &dictionary);
    let said = bottle.unpacked(&mut stream, &dictionary);
    assert!(said.0.contains("event: base\n") && !said.1, "{said:?}");
}
