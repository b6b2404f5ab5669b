//! Histories of windows: gateways whose core runs in this thread, with clients that
//! read, stall, leave and come back, to other windows, threads and gateways. What a
//! client has is compared at every id with what its windows were at that time.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fastrand::Rng;
use viewcast::model::event::TailEvent;
use viewcast::model::now::Now;
use viewcast::model::position::{Position, Timestamp};
use viewcast::model::reason::{Cause, Why};
use viewcast::model::retention::RetentionLimits;
use viewcast::relay::deliver::outlet::Served;
use viewcast::relay::event::packing::Packing;
use viewcast::relay::log::jobs::{Job, Jobs};
use viewcast::relay::publish::publisher::{Publisher, Settings};
use viewcast::relay::shared_view::SharedView;
use viewcast::relay::subscribe::joint::Joint;
use viewcast::relay::subscribe::joint::chosen::Chosen;
use viewcast::relay::subscribe::source::Source;
use viewcast::relay::subscribe::subscriber::Subscriber;
use viewcast::relay::thread::round::Step;
use viewcast::relay::thread::thread_view::ThreadView;

mod client;
mod truth;
mod wanted;

use client::{Client, Flag, Pipe, Seen, Stream};
use truth::{KINDS, PAD, Truth};

const HEARTBEAT: Duration = Duration::from_secs(2);
const THREADS: usize = 2;
const VIEWS: usize = 2;
const CLIENTS: usize = 24;

/// Jobs that are run when the world likes.
#[derive(Debug, Default)]
struct Later(Mutex<VecDeque<Job>>);

impl Jobs for Later {
    fn submit(&self, job: Job) -> bool {
        self.0.lock().unwrap().push_back(job);
        true
    }
}

struct Thread {
    view: Rc<RefCell<ThreadView>>,
    woken: Arc<Flag>,
    step: Step,
    rests_until: Instant,
}

/// A view at one gateway.
struct Side {
    shared: Arc<SharedView>,
    publisher: Publisher,
    rung: Arc<Flag>,
    events: VecDeque<TailEvent>,
    threads: Vec<Thread>,
}

struct World {
    rng: Rng,
    now: Now,
    /// When the world was looked at last: what was due since is due.
    before: Instant,
    truths: Vec<Truth>,
    jobs: Arc<Later>,
    /// By gateway and view.
    sides: Vec<Vec<Side>>,
    clients: Vec<Client>,
    seen: Seen,
}

impl World {
    fn new(seed: u64) -> World {
        let mut rng = Rng::with_seed(seed);
        PAD.set([0, 0, 20, 2_000][rng.usize(..4)]);
        let now = Now {
            instant: Instant::now(),
            wall_ms: 1_000_000,
        };
        let truths = vec![
            Truth::new("orders", &mut rng),
            Truth::new("trips", &mut rng),
        ];
        let jobs = Arc::new(Later::default());
        let sides = [0, 700].map(|min_interval| {
            let side = |truth: &Truth| side(truth, min_interval, &jobs, &mut rng, now);
            truths.iter().map(side).collect()
        });
        let mut world = World {
            before: now.instant,
            truths,
            jobs,
            sides: sides.into(),
            clients: Vec::new(),
            seen: Seen::default(),
            rng,
            now,
        };
        for at in 0..CLIENTS {
            let kind = world.rng.usize(..KINDS.len());
            let other = world.rng.usize(..KINDS.len());
            let shown = match at % 4 {
                0 => vec![(1, other), (0, kind)],
                _ => vec![(world.rng.usize(..VIEWS), kind)],
            };
            world.clients.push(Client::new(shown));
        }
        world
    }

    fn pass(&mut self, time: Duration) {
        self.now.instant += time;
        self.now.wall_ms += u64::try_from(time.as_millis()).unwrap();
    }

    /// An event of a view, which all gateways hear of sooner or later.
    fn tell(&mut self, view: usize, events: &[TailEvent]) {
        for gateway in &mut self.sides {
            gateway[view].events.extend(events.iter().cloned());
        }
    }

    /// Something happens to a view.
    fn change(&mut self) {
        let view = self.rng.usize(..VIEWS);
        let truth = &mut self.truths[view];
        match self.rng.u32(..60) {
            0 => {
                truth.begin(&mut self.rng);
                let events = [
                    TailEvent::Gone(Why::Recreated),
                    TailEvent::Described(truth.description()),
                    TailEvent::Snapshot(truth.snapshot()),
                ];
                self.tell(view, &events);
            }
            1 => self.tell(view, &[TailEvent::Failed(Cause::Broken.into())]),
            2 => {
                // What was missed in an outage comes as a snapshot.
                self.tell(view, &[TailEvent::Failed(Cause::Broken.into())]);
                self.truths[view].change(20, &mut self.rng);
                let snapshot = TailEvent::Snapshot(self.truths[view].snapshot());
                self.tell(view, &[snapshot]);
            }
            3..20 => {
                truth.time += self.rng.u64(1..5);
                let time = Timestamp::new(truth.time);
                self.tell(view, &[TailEvent::Progress(time)]);
            }
            much => {
                let count = match much {
                    20 | 21 => 60,
                    _ => self.rng.usize(1..4),
                };
                let delta = truth.change(count, &mut self.rng);
                self.tell(view, &[TailEvent::Delta(delta)]);
            }
        }
    }

    /// A publisher takes some of what its tail has told.
    fn publish(&mut self, gateway: usize, view: usize, most: usize) -> bool {
        let now = self.now;
        let side = &mut self.sides[gateway][view];
        let is_due = side.publisher.wake_at().is_some_and(|at| at <= now.instant);
        if side.events.is_empty() && !side.rung.take() && !is_due {
            return false;
        }
        for _ in 0..most {
            let Some(event) = side.events.pop_front() else {
                break;
            };
            assert_eq!(side.publisher.handle(event, now), None);
        }
        side.publisher.look(now);
        if side.publisher.is_behind() {
            side.rung.set();
        }
        true
    }

    /// A thread looks at news, sends heartbeats, or goes on writing.
    fn serve(&mut self, gateway: usize, view: usize, thread: usize) -> bool {
        let now = self.now.instant;
        let thread = &mut self.sides[gateway][view].threads[thread];
        let mut is_work = false;
        let mut local = thread.view.borrow_mut();
        let beats = local.wake_at().is_some_and(|at| at <= now);
        if thread.woken.take() || beats {
            let step = match beats && self.rng.bool() {
                true => {
                    thread.woken.set();
                    local.beat(now)
                }
                false => local.news(now),
            };
            if step != Step::Done {
                (thread.step, thread.rests_until) = (step, rested(step, now));
            }
            is_work = true;
        }
        if thread.step != Step::Done && thread.rests_until <= now {
            local.write(now);
            let step = local.written(now);
            (thread.step, thread.rests_until) = (step, rested(step, now));
            is_work = true;
        }
        is_work
    }

    fn connect(&mut self, at: usize) {
        let (gateway, thread) = (self.rng.usize(..2), self.rng.usize(..THREADS));
        let rng = self.rng.fork();
        let client = &mut self.clients[at];
        if client.shown.len() == 1 && self.rng.u32(..4) == 0 {
            // The position of one window, brought to another.
            client.turn_to(self.rng.usize(..KINDS.len()));
        }
        if self.rng.u32(..8) == 0 {
            client.last_id = None;
        }
        let sides = &self.sides[gateway];
        if client.shown.len() > 1 {
            let chosen = client.shown.iter().map(|shown| Chosen {
                local: Rc::clone(&sides[shown.view].threads[thread].view),
                name: self.truths[shown.view].name.to_owned(),
                window: Some(KINDS[shown.kind].choose()),
            });
            let ids: Vec<String> = client.last_id.iter().cloned().collect();
            let now = self.now.instant;
            let joint = Joint::new(&chosen.collect::<Vec<_>>(), &ids, HEARTBEAT, now, rng, ());
            return client.connect(Stream::Joint(Box::new(joint)), false);
        }
        let shown = &client.shown[0];
        let local = &sides[shown.view].threads[thread].view;
        let ids = client.last_id.iter();
        let resume: Vec<Position> = ids.filter_map(|id| id.parse().ok()).collect();
        let choose = KINDS[shown.kind].choose();
        let mut subscriber = Subscriber::of_window(local, choose, resume, rng, ());
        let is_packed = self.rng.u32(..4) == 0;
        if is_packed {
            subscriber.pack(Packing::Gzip);
        }
        let stream = match self.rng.bool() {
            true => {
                let pipe = Pipe::default();
                let source = Source::One(Box::new(subscriber));
                let served = Served::new(pipe.clone(), Vec::new(), source);
                Stream::Outlet(served, pipe)
            }
            false => Stream::Body(Box::new(subscriber)),
        };
        client.connect(stream, is_packed);
    }

    /// A client does something.
    fn act(&mut self) {
        let at = self.rng.usize(..self.clients.len());
        if self.clients[at].stream.is_none() {
            return self.connect(at);
        }
        match self.rng.u32(..12) {
            0 => self.clients[at].stream = None,
            1 => self.clients[at].give_room(0),
            2..6 => self.clients[at].give_room(self.rng.usize(1..20_000)),
            _ => self.clients[at].give_room(1 << 20),
        }
    }

    fn run_client(&mut self, at: usize) -> bool {
        let client = &mut self.clients[at];
        client.read_pipe(&self.truths, &mut self.seen);
        client.is_due(self.now.instant, self.before)
            && client.run(self.now.instant, &self.truths, &mut self.seen)
    }

    /// One thing of those that may happen next.
    fn step(&mut self) {
        let (gateway, view) = (self.rng.usize(..2), self.rng.usize(..VIEWS));
        let thread = self.rng.usize(..THREADS);
        match self.rng.u32(..20) {
            0 | 1 => self.change(),
            2..6 => {
                let most = self.rng.usize(1..40);
                self.publish(gateway, view, most);
            }
            6..11 => {
                self.serve(gateway, view, thread);
            }
            11 => {
                let job = self.jobs.0.lock().unwrap().pop_front();
                job.into_iter().for_each(Job::run);
            }
            12..14 => self.act(),
            14 => {
                let time = Duration::from_millis(self.rng.u64(1..200));
                self.pass(time);
            }
            _ => {
                let at = self.rng.usize(..self.clients.len());
                self.run_client(at);
            }
        }
    }

    /// Everything that is due is done, until nothing is.
    fn rest(&mut self) {
        loop {
            let mut is_work = false;
            for gateway in 0..2 {
                for view in 0..VIEWS {
                    is_work |= self.publish(gateway, view, 64);
                    for thread in 0..THREADS {
                        is_work |= self.serve(gateway, view, thread);
                    }
                }
            }
            while let Some(job) = self.jobs.0.lock().unwrap().pop_front() {
                job.run();
                is_work = true;
            }
            for at in 0..self.clients.len() {
                self.clients[at].read_pipe(&self.truths, &mut self.seen);
                is_work |= self.run_client(at);
            }
            let now = self.now.instant;
            let threads = self.sides.iter().flatten().flat_map(|side| &side.threads);
            let resting = threads.filter(|it| it.step != Step::Done && it.rests_until > now);
            if let Some(until) = resting.map(|it| it.rests_until).min() {
                self.pass(until - now);
                is_work = true;
            }
            if !is_work {
                return;
            }
        }
    }

    /// Time passes in small steps, with all that is due.
    fn idle(&mut self, time: Duration) {
        let until = self.now.instant + time;
        while self.now.instant < until {
            self.before = self.now.instant;
            self.pass(Duration::from_millis(50));
            self.rest();
        }
        self.before = self.now.instant;
    }

    /// All is well in the end, and every client has everything.
    fn settle(&mut self) {
        for view in 0..VIEWS {
            let delta = self.truths[view].change(3, &mut self.rng);
            self.tell(view, &[TailEvent::Delta(delta)]);
        }
        // All views are known up to one time, or they would have none in common.
        let time = self.truths.iter().map(|truth| truth.time).max().unwrap() + 1;
        for view in 0..VIEWS {
            self.truths[view].time = time;
            let progress = TailEvent::Progress(Timestamp::new(time));
            self.tell(view, &[progress]);
        }
        for at in 0..self.clients.len() {
            self.clients[at].give_room(1 << 24);
            if self.clients[at].stream.is_none() {
                self.connect(at);
                self.clients[at].give_room(1 << 24);
            }
        }
        // Longer than any wait: who is cut comes back, once or twice.
        for _ in 0..3 {
            self.idle(Duration::from_secs(6));
            for at in 0..self.clients.len() {
                if self.clients[at].stream.is_none() {
                    self.connect(at);
                    self.clients[at].give_room(1 << 24);
                }
            }
        }
        self.idle(Duration::from_secs(1));
        for client in &self.clients {
            client.check_now(&self.truths, &mut self.seen);
        }
        // Nothing changes, and the ids move on all the same.
        for view in 0..VIEWS {
            self.truths[view].time += 3;
            let time = Timestamp::new(self.truths[view].time);
            self.tell(view, &[TailEvent::Progress(time)]);
        }
        self.idle(HEARTBEAT * 2);
        for client in self.clients.iter().filter(|it| it.shown.len() == 1) {
            let time = self.truths[client.shown[0].view].time;
            assert_eq!(client.time(), Some(time), "kind {}", client.shown[0].kind);
        }
        let open: Vec<usize> = self
            .sides
            .iter()
            .flatten()
            .map(|it| it.shared.windows_open())
            .collect();
        assert!(open.iter().sum::<usize>() > 0);
        self.clients.clear();
        for side in self.sides.iter().flatten() {
            assert_eq!(side.shared.windows_open(), 0);
            assert_eq!(side.shared.subscriber_count(), 0);
        }
    }
}

fn rested(step: Step, now: Instant) -> Instant {
    match step {
        Step::Rest(time) => now + time,
        _ => now,
    }
}

fn side(truth: &Truth, min_interval: u64, jobs: &Arc<Later>, rng: &mut Rng, now: Now) -> Side {
    let jobs: Arc<dyn Jobs> = Arc::<Later>::clone(jobs);
    let shared = Arc::new(SharedView::new(truth.name.to_owned(), jobs, now));
    let settings = Settings {
        heartbeat: HEARTBEAT,
        min_interval: Duration::from_millis(min_interval),
        retention: RetentionLimits {
            bytes_max: [3_000, 20_000, 1 << 20][rng.usize(..3)],
            age_ms_max: 60_000,
        },
        view_bytes_max: 1 << 24,
        upstream_timeout: Duration::from_secs(30),
    };
    let publisher = Publisher::new(
        Arc::clone(&shared),
        settings,
        fastrand::Rng::with_seed(1),
        now,
    );
    let rung: Arc<Flag> = Arc::default();
    let threads = (0..THREADS).map(|_| {
        let rung = Arc::clone(&rung);
        let view = ThreadView::new(Arc::clone(&shared), Box::new(move || rung.set()));
        let woken: Arc<Flag> = Arc::default();
        let wake = Arc::clone(&woken);
        shared.attach(Box::new(move || {
            wake.set();
            true
        }));
        Thread {
            view: Rc::new(RefCell::new(view)),
            woken,
            step: Step::Done,
            rests_until: now.instant,
        }
    });
    let threads = threads.collect();
    let events = VecDeque::from([
        TailEvent::Described(truth.description()),
        TailEvent::Snapshot(truth.snapshot()),
    ]);
    Side {
        shared,
        publisher,
        rung,
        events,
        threads,
    }
}

/// Seeds that failed before: an event of a stream of several views was given up
/// before any of its data was said, and was left without (1221); `consistent` was
/// said of a time within changes that the log had forgotten, since they came to
/// nothing for the window (1531, 10487); who was behind was sent a heartbeat of
/// before what it had read of the log (11086).
const KNOWN_SEEDS: [u64; 4] = [1221, 1531, 10487, 11086];

/// Plays histories; what was seen in them.
fn play(seeds: std::ops::Range<u64>) -> Seen {
    let mut all = Seen::default();
    for seed in seeds {
        let played = std::panic::catch_unwind(|| {
            let mut world = World::new(seed);
            for _ in 0..6_000 {
                world.step();
            }
            world.settle();
            world.seen
        });
        let Ok(seen) = played else {
            panic!("seed {seed}");
        };
        all.add(&seen);
    }
    all
}

#[test]
fn oracle_windows_are_exact_at_every_id_through_every_failure() {
    // More of them: VIEWCAST_WINDOW_SEEDS=1000, from VIEWCAST_WINDOW_FROM=40 on.
    let setting = |name, default| match std::env::var_os(name) {
        Some(value) => value.to_string_lossy().parse().expect("a number"),
        None => default,
    };
    let first = setting("VIEWCAST_WINDOW_FROM", 0);
    let mut seen = play(first..first + setting("VIEWCAST_WINDOW_SEEDS", 40));
    for seed in KNOWN_SEEDS {
        seen.add(&play(seed..seed + 1));
    }
    println!("{seen:?}");
    let all = [
        seen.compared,
        seen.bases,
        seen.deltas,
        seen.beats,
        seen.resumed,
        seen.abandoned,
        seen.gone,
        seen.cut,
        seen.consistent,
    ];
    assert!(all.iter().all(|count| *count > 5), "{seen:?}");
}
