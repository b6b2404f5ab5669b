use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, Wake, Waker};
use std::time::Duration;

use fastrand::Rng;

use super::*;
use crate::model::event::TailEvent;
use crate::model::position::Timestamp;
use crate::model::reason::{Cause, Why};
use crate::relay::counters::StreamTotals;
use crate::relay::subscribe::joint::chosen::Chosen;
use crate::relay::subscribe::joint::tests::{Bottle, HEARTBEAT, bottles, later_row};
use crate::relay::subscribe::subscriber::News;
use crate::relay::thread::round::{Step, WriteNews};

/// A socket that tells how often it was written to.
#[derive(Default)]
struct Counting(Cell<usize>);

impl WriteNews for Counting {
    fn write_news(&self, _: Instant) {
        self.0.set(self.0.get() + 1);
    }
}

/// A stream with a socket that the thread writes to, and its task.
struct Client {
    joint: Joint,
    socket: Rc<Counting>,
    is_woken: Arc<Flag>,
    alarm: Option<Instant>,
    said: String,
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Client {
    /// A stream of both views under these names.
    fn new(of: &[Bottle; 2], names: [String; 2], seed: u64) -> Self {
        let views = of.iter().zip(names).map(|(view, name)| Chosen {
            local: Rc::clone(&view.thread),
            name,
            window: None,
        });
        let views: Vec<Chosen> = views.collect();
        let (now, rng) = (of[0].now.instant, Rng::with_seed(seed));
        let mut joint = Joint::new(&views, &[], HEARTBEAT, now, rng, ());
        let socket = Rc::new(Counting::default());
        let _ = joint.serve(Rc::<Counting>::clone(&socket));
        Client {
            joint,
            socket,
            is_woken: Arc::new(Flag(AtomicBool::new(true))),
            alarm: None,
            said: String::new(),
        }
    }

    /// Whether somebody has it go on: the thread, news that its task waits for, or time.
    fn is_called(&self, now: Instant) -> bool {
        let is_woken = self.is_woken.0.load(Ordering::Relaxed);
        is_woken || self.socket.0.get() > 0 || self.alarm.is_some_and(|at| at <= now)
    }

    /// It says what there is, as it does where the socket has room: its task is polled only
    /// if something has called that.
    fn go_on(&mut self, now: Instant) {
        let mut is_polled = self.alarm.is_some_and(|at| at <= now);
        for _ in 0..self.socket.0.take() {
            is_polled |= loop {
                match self.joint.news(now) {
                    News::Bytes(bytes) => self.said += event_of(&bytes),
                    News::None => break false,
                    News::Task => break true,
                }
            };
        }
        if self.is_woken.0.swap(false, Ordering::Relaxed) || is_polled {
            self.poll(now);
        }
    }

    fn poll(&mut self, now: Instant) {
        let waker = Waker::from(Arc::clone(&self.is_woken));
        while let Poll::Ready(Some(bytes)) = self.joint.poll_next(now, &waker) {
            self.said += event_of(&bytes);
        }
        self.alarm = self.joint.wake_at(now);
    }
}

/// What is in a chunk.
fn event_of(chunk: &[u8]) -> &str {
    let (_, rest) = std::str::from_utf8(chunk)
        .unwrap()
        .split_once("\r\n")
        .unwrap();
    rest.strip_suffix("\r\n").unwrap()
}

/// The thread goes through the sockets of a view until it has nothing to do.
fn write(view: &Bottle) {
    let mut thread = view.thread.borrow_mut();
    while thread.written(view.now.instant) != Step::Done {
        thread.write(view.now.instant);
    }
}

/// Both go on if the one is called; the other one does in any case behind the last round.
fn go_on([one, alone]: &mut [Client; 2], is_last: bool, now: Instant) {
    if one.is_called(now) || is_last {
        one.go_on(now);
        alone.go_on(now);
        alone.poll(now);
    }
}

fn leave(clients: &[Client]) {
    // What the thread holds of them holds them.
    clients.iter().for_each(|client| client.joint.leave());
}

fn progress(to: u64) -> TailEvent {
    TailEvent::Progress(Timestamp::new(to))
}

#[test]
fn together_streams_are_sent_one_piece_of_memory_in_one_round() {
    let mut views = bottles();
    views[0].begin("v", 100, 200);
    views[1].begin("w", 100, 200);
    let names = || ["v", "w"].map(str::to_owned);
    let mut clients: Vec<Client> = (0..3)
        .map(|seed| Client::new(&views, names(), seed))
        .collect();
    let now = views[0].now.instant;
    for _ in 0..3 {
        clients.iter_mut().for_each(|client| client.go_on(now));
        for view in &mut views {
            view.look();
            view.thread.borrow_mut().write(now);
            write(view);
        }
    }
    clients.iter_mut().for_each(|client| client.go_on(now));
    for at in [300, 400, 500] {
        views[0].tell(later_row(at));
        views[0].thread.borrow_mut().write(now);
        write(&views[0]);
        let written_to: Vec<usize> = clients.iter().map(|it| it.socket.0.get()).collect();
        assert_eq!(written_to, [0; 3], "the other view has not come as far");
        views[1].tell(progress(at));
        let sent = clients
            .iter_mut()
            .map(|client| match client.joint.news(now) {
                News::Bytes(bytes) => bytes,
                _ => panic!("nothing is sent"),
            });
        let sent: Vec<Bytes> = sent.collect();
        let text = std::str::from_utf8(&sent[0]).unwrap();
        assert!(
            text.contains("later") && text.contains(&format!("\"position\":{at}")),
            "{text}"
        );
        assert!(sent.iter().all(|it| it.as_ptr() == sent[0].as_ptr()));
        views[1].thread.borrow_mut().write(now);
        write(&views[1]);
        let written_to: Vec<usize> = clients.iter().map(|it| it.socket.0.take()).collect();
        assert_eq!(written_to, [1; 3]);
    }
    leave(&clients);
}

/// A delta is counted when it was sent, and so once the other view has come as far.
#[test]
fn together_deltas_are_counted_when_they_are_sent() {
    let mut views = bottles();
    let mut clients = two_that_stand(&mut views);
    let delivered = |view: &Bottle| {
        let mut totals = StreamTotals::default();
        totals.add(&view.thread.borrow().counters);
        (
            totals.delivery.buckets.iter().sum::<u64>(),
            totals.delivery.sum_us,
        )
    };
    for (count, at) in [(1, 300), (2, 400), (3, 500)] {
        tell(&mut views[0], later_row(at), &clients);
        assert_eq!(delivered(&views[0]).0, count - 1);
        views
            .iter_mut()
            .for_each(|view| view.now.instant += Duration::from_secs(1));
        tell(&mut views[1], progress(at), &clients);
        assert_eq!(delivered(&views[0]), (count, count * 1_000_000));
        let now = views[0].now.instant;
        clients.iter_mut().for_each(|client| client.go_on(now));
    }
    leave(&clients);
    tell(&mut views[0], later_row(600), &clients);
    tell(&mut views[1], progress(600), &clients);
    assert_eq!(delivered(&views[0]).0, 3, "nobody is there");
}

/// Two streams of both views that have said what there is.
fn two_that_stand(views: &mut [Bottle; 2]) -> [Client; 2] {
    for view in &mut *views {
        view.begin("v", 100, 200);
    }
    let names = || ["v", "w"].map(str::to_owned);
    let mut clients = [1, 2].map(|seed| Client::new(views, names(), seed));
    for _ in 0..3 {
        for view in &mut *views {
            view.look();
            view.thread.borrow_mut().write(view.now.instant);
            write(view);
        }
        clients
            .iter_mut()
            .for_each(|client| client.go_on(views[0].now.instant));
    }
    clients
}

/// Something happens to a view; how often each socket was written to at that.
fn tell(view: &mut Bottle, event: TailEvent, clients: &[Client; 2]) -> [usize; 2] {
    view.tell(event);
    view.thread.borrow_mut().write(view.now.instant);
    write(view);
    clients.each_ref().map(|client| client.socket.0.get())
}

/// An old server tells nothing of a view that is idle: after a second that is taken for
/// unchanged, whoever else shows the same views.
#[test]
fn together_streams_wait_no_longer_for_an_idle_view_of_an_old_server() {
    for is_steady in [[false, false], [true, false]] {
        let mut views = bottles();
        (views[0].is_steady, views[1].is_steady) = (is_steady[0], is_steady[1]);
        let mut clients = two_that_stand(&mut views);
        for at in [300, 400] {
            let now = views[0].now.instant;
            assert_eq!(tell(&mut views[0], later_row(at), &clients), [1; 2]);
            clients.iter_mut().for_each(|client| client.go_on(now));
            let second = Duration::from_secs(1);
            views.iter_mut().for_each(|view| view.now.instant += second);
            for client in &mut clients {
                client.go_on(now + second);
                assert!(
                    client.said.contains(&format!("\"position\":{at}")),
                    "{}",
                    client.said
                );
            }
        }
        leave(&clients);
    }
}

/// What a stream lacks is not kept for ever while another view has stopped.
#[test]
fn together_streams_are_called_once_what_they_lack_is_forgotten() {
    let mut views = bottles();
    let mut clients = two_that_stand(&mut views);
    let mut called = Vec::new();
    for step in 1..10 {
        views
            .iter_mut()
            .for_each(|view| view.now.instant += Duration::from_secs(10));
        views[0].now.wall_ms += 10_000;
        let now = views[0].now.instant;
        called.push(tell(&mut views[0], later_row(200 + step), &clients));
        clients.iter_mut().for_each(|client| client.go_on(now));
    }
    assert_eq!(called.first(), Some(&[0; 2]));
    assert_eq!(called.last(), Some(&[1; 2]));
    assert!(clients.iter().all(|client| client.joint.is_over));
    leave(&clients);
}

/// Streams that are sent what others are say what each would say by itself, and are
/// called when they have something to say. Beside each there is one of the same views
/// under other names, so that it shares nothing, and goes on whether or not it is called.
#[test]
fn differential_streams_together_say_what_each_says_alone() {
    for seed in 0..60 {
        let mut rng = Rng::with_seed(seed);
        let mut views = bottles();
        views[0].is_steady = seed % 3 > 0;
        let mut pairs: Vec<[Client; 2]> = Vec::new();
        let (mut time, mut lost) = (100, [false; 2]);
        for step in 0..150 {
            if pairs.len() < 5 && rng.u8(0..10) == 0 {
                let names = [
                    ["vv".to_owned(), "ww".to_owned()],
                    ["a", "b"].map(|it| format!("{it}{}", pairs.len())),
                ];
                let seed = rng.u64(..);
                pairs.push(names.map(|names| Client::new(&views, names, seed)));
            }
            time += rng.u64(1..20);
            happens(&mut views, &mut lost, time, step, &mut rng);
            let longest = [50, 1_000, 16_000][rng.usize(0..3)];
            let passes = Duration::from_millis(rng.u64(0..longest));
            for at in 0..views.len() {
                if at == 0 {
                    views.iter_mut().for_each(|view| view.now.instant += passes);
                }
                let now = views[at].now.instant;
                views[at].look();
                // Some go on in the middle of the round, some behind it, some later.
                views[at].thread.borrow_mut().write(now);
                for pair in pairs.iter_mut().filter(|_| rng.u8(0..4) == 0) {
                    go_on(pair, false, now);
                }
                write(&views[at]);
                let is_last = at == 1;
                for (place, pair) in pairs.iter_mut().enumerate() {
                    if rng.u8(0..4) == 0 {
                        continue;
                    }
                    go_on(pair, is_last, now);
                    let [one, alone] = pair;
                    let alone = alone
                        .said
                        .replace(&format!("event: a{place}."), "event: vv.");
                    let alone = alone.replace(&format!("event: b{place}."), "event: ww.");
                    assert_eq!(one.said, alone, "seed {seed}, step {step}, client {place}");
                }
            }
        }
        let said: usize = pairs
            .iter()
            .map(|[one, _]| one.said.matches("consistent").count())
            .sum();
        assert!(said > 50, "seed {seed}: {said}");
        let shared: u64 = pairs.iter().map(|[one, _]| one.joint.frames).sum();
        let is_told = views.iter().all(|view| view.is_steady);
        assert_eq!(
            shared > 20,
            is_told,
            "seed {seed}: {shared} events of others"
        );
        let alone: u64 = pairs.iter().map(|[_, alone]| alone.joint.frames).sum();
        assert_eq!(alone, 0);
        pairs.iter().for_each(|pair| leave(pair));
    }
}

/// Something happens to one of the views, or to both.
fn happens(views: &mut [Bottle; 2], lost: &mut [bool; 2], time: u64, step: usize, rng: &mut Rng) {
    let at = rng.usize(0..2);
    let what = rng.u8(0..50);
    if step > 0 && what >= 40 {
        return;
    }
    for (place, view) in views.iter_mut().enumerate() {
        let is_both = step == 0 || what > 24;
        if !is_both && place != at {
            continue;
        }
        if std::mem::take(&mut lost[place]) || step == 0 {
            view.begin("v", time, time);
            continue;
        }
        match what {
            0 => {
                view.tell(TailEvent::Failed(Cause::Broken.into()));
                lost[place] = true;
            }
            1 => {
                view.tell(TailEvent::Gone(Why::Dropped));
                // Perhaps at an earlier time: somebody may still read the log before.
                let from = time.saturating_sub(rng.u64(0..100));
                view.begin(&format!("{place} of {step}"), from, from);
            }
            2..12 => view.tell(later_row(time)),
            12..25 => view.tell(progress(time)),
            _ if place == at => view.tell(later_row(time)),
            _ => view.tell(progress(time)),
        }
    }
}
