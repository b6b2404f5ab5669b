//! The whole of a history: upstream, network, gateways and clients, run by one
//! thread in virtual time. Everything that takes time is a task in one queue;
//! what falls on one moment is ordered by chance.

use std::collections::{BTreeMap, BinaryHeap};
use std::fmt;
use std::time::{Duration, Instant};

use viewcast::http::limit::Limits;
use viewcast::limits::WATCH_TICK;
use viewcast::model::now::Now;
use viewcast::model::retention::RetentionLimits;
use viewcast::tail::past::Past;

use crate::acts::healing::Heal;
use crate::client::Client;
use crate::dice::Dice;
use crate::gateway::{Bell, Gateway, Life, Setup, Woken};
use crate::places::NO_LIMITS;
use crate::queue::Queued;
use crate::script::{Script, WINDOWS};
use crate::serve::Stream;
use crate::talk::{Talk, Told};
use crate::trace::Trace;
use crate::truth::Flow;
use crate::upstream::Upstream;

/// What is to be done at a moment.
pub enum Task {
    /// A step of the script.
    Step(usize),
    /// The end of a trouble.
    Heal(Heal),
    /// The upstream tells its time.
    Tick,
    /// A gateway's watch looks.
    Watch(Life),
    /// A request of a conversation arrives at the server.
    Serve { talk: u64, turn: u64 },
    /// The second look of a question arrives.
    Answer { talk: u64, turn: u64 },
    /// A conversation is told something.
    Tell { talk: u64, turn: u64, told: Told },
    /// A connection is found to be gone.
    Notice { talk: u64, session: Option<u64> },
    /// A connection that was left is hung up.
    HangUp { talk: u64 },
    /// The query of a session is cancelled.
    Cancel { session: u64 },
    /// Somebody who was woken runs.
    Run(Woken),
    /// The next part of a round through the outlets.
    Write {
        life: Life,
        slot: usize,
        worker: usize,
    },
    /// The timer of windows' heartbeats on a thread.
    Beat {
        life: Life,
        slot: usize,
        worker: usize,
    },
    /// A publisher's deadline.
    Deadline { life: Life, slot: usize },
    /// A client does what comes next.
    Client { client: usize, epoch: u64 },
    /// A process runs a job.
    Job(Life),
    /// A drain goes on.
    Drain(Life),
    /// What follows the catalog looks.
    Follow(Life),
}

/// More than this cannot be to do in a second.
const TASKS_MAX: u64 = 500_000;

pub struct World {
    pub script: Script,
    pub setup: Setup,
    base: Instant,
    pub now_us: u64,
    queue: BinaryHeap<Queued>,
    serial: u64,
    pub dice: Dice,
    pub upstream: Upstream,
    pub names: Vec<String>,
    /// One place each; `None` while it is down.
    pub gateways: Vec<Option<Gateway>>,
    pub lives: u64,
    pub talks: BTreeMap<u64, Box<Talk>>,
    pub next: u64,
    pub clients: Vec<Client>,
    /// What the gateways serve, by client and connection.
    pub streams: BTreeMap<(usize, u64), Box<Stream>>,
    pub bell: Bell,
    pub trace: Trace,
    /// What was compared with the truth.
    pub comparisons: u64,
    /// Jobs are run no sooner than this.
    pub jobs_held_until: u64,
    /// The gateways' system gives no threads.
    pub has_no_threads: bool,
    /// Since when names hang, and until when they rest that have hung.
    pub names_hang_since: u64,
    pub names_rest_until: u64,
    /// When the server's time has come as far again as before it went back.
    pub caught_up_us: u64,
    /// When a name was given to another object last.
    pub moved_us: Option<u64>,
    /// Since when, and until when, troubles keep views from being read.
    pub unread_since: u64,
    pub unread_until: u64,
    /// Troubles that have not ended.
    pub troubles: usize,
    /// When somebody did something last that is no commit.
    pub quiet_since_us: u64,
    /// Streams that had broken by then.
    pub broken: u64,
    /// What each view means, and how often that has changed.
    pub meanings: Vec<(Option<usize>, usize)>,
    /// When streams were ended last as if they were finished.
    pub done_us: Option<u64>,
    /// What was done in this second.
    busy: (u64, u64),
    /// How often everybody was found at rest.
    pub rests: u64,
    pub rest_looks: usize,
    /// The first thing that was wrong.
    pub wrong: Option<String>,
}

impl World {
    pub fn new(script: Script) -> World {
        let mut dice = Dice::new(script.chance);
        let seconds = |dice: &mut Dice, low, high| Duration::from_secs(dice.between(low, high));
        let shape = script.shape;
        let limits = |dice: &mut Dice| Limits {
            connections: dice.below(10) + 2,
            per_address: dice.percent(50).then(|| dice.below(4) + 1),
            per_view: dice.percent(50).then(|| dice.below(6) + 1),
            ..NO_LIMITS
        };
        let setup = Setup {
            upstream_timeout: seconds(&mut dice, 2, 6),
            reconnect_max: seconds(&mut dice, 1, 4),
            heartbeat: seconds(&mut dice, 2, 10),
            min_interval: match dice.below(4) {
                0 => Duration::from_millis(dice.between(50, 1_500)),
                _ => Duration::ZERO,
            },
            retention: RetentionLimits {
                bytes_max: dice.between(2_000, 200_000),
                age_ms_max: dice.between(5_000, 300_000),
            },
            view_bytes_max: if shape.is_wide { 1_000_000 } else { 20_000 },
            catalog_interval: Duration::from_secs(2),
            is_pattern: shape.is_pattern,
            is_packing: dice.percent(25),
            limits: match shape.is_limited {
                true => limits(&mut dice),
                false => NO_LIMITS,
            },
        };
        let mut upstream = Upstream::new(script.generation, Dice::new(dice.next()));
        upstream.truth.text_bytes = match shape.is_wide {
            true => usize::try_from(dice.between(500, 4_000)).unwrap_or(500),
            false => 0,
        };
        upstream.truth.has_nulls = shape.is_windowed;
        let names: Vec<String> = (0..script.views).map(|view| format!("v{view}")).collect();
        for name in &names {
            let flow = match dice.below(12) {
                _ if shape.is_crowd => Flow::Steady,
                0 => Flow::Constant,
                1 | 2 if !script.generation.is_old() => {
                    let seconds = [(3, 60), (3, 60), (60, 600)];
                    let (least, most) = *dice.pick(&seconds);
                    Flow::Refreshed(dice.between(least, most) * 1_000)
                }
                _ => Flow::Steady,
            };
            let has_text = dice.percent(50) || shape.is_crowd;
            let object = upstream.create(("public", name), has_text, flow, 0);
            let changes = crate::truth::changes(&upstream.truth.objects[object], &mut dice);
            upstream.change(object, changes, 0);
        }
        upstream.age();
        let clients = (0..script.clients + script.joint).map(|place| {
            let is_joint = place >= script.clients;
            let seed = script.seed ^ WINDOWS ^ u64::try_from(place + 1).unwrap_or(0) << 40;
            let windows = shape.is_windowed.then(|| Dice::new(seed));
            Client::new(
                place,
                is_joint,
                names.len(),
                windows,
                Dice::new(dice.next()),
            )
        });
        let clients = clients.collect();
        let gateways = (0..script.gateways).map(|_| None).collect();
        let mut world = World {
            script,
            setup,
            base: Instant::now(),
            now_us: 0,
            queue: BinaryHeap::new(),
            serial: 0,
            dice,
            upstream,
            names,
            gateways,
            lives: 0,
            talks: BTreeMap::new(),
            next: 0,
            clients,
            streams: BTreeMap::new(),
            bell: Bell::default(),
            trace: Trace::default(),
            comparisons: 0,
            jobs_held_until: 0,
            has_no_threads: false,
            names_hang_since: 0,
            names_rest_until: 0,
            caught_up_us: 0,
            moved_us: None,
            unread_since: 0,
            unread_until: 0,
            quiet_since_us: 0,
            broken: 0,
            meanings: Vec::new(),
            troubles: 0,
            done_us: None,
            busy: (0, 0),
            rests: 0,
            rest_looks: 0,
            wrong: None,
        };
        world.begin();
        world
    }

    fn begin(&mut self) {
        self.meanings = vec![(None, 0); self.names.len()];
        self.note_meanings();
        self.at(1_000, Task::Tick);
        for gateway in 0..self.gateways.len() {
            self.start(gateway);
        }
        for place in 0..self.script.steps.len() {
            let at = self.script.steps[place].at_us;
            self.at(at, Task::Step(place));
        }
        for client in 0..self.clients.len() {
            let soon = match self.script.shape.is_crowd {
                // One after the other.
                true => u64::try_from(client).unwrap_or(0) * 300_000 + 1_000,
                false => self.dice.between(1_000, 5_000_000),
            };
            self.after(soon, Task::Client { client, epoch: 0 });
        }
    }

    /// A process of this gateway starts.
    pub fn start(&mut self, gateway: usize) {
        self.lives += 1;
        let life = Life {
            gateway,
            life: self.lives,
        };
        let it = Gateway::new(life, self.setup, self.upstream.truth.backs, self.now());
        self.gateways[gateway] = Some(it);
        self.note(format_args!("{life} starts"));
        self.begin_catalog(life);
        if !self.setup.is_pattern {
            for name in self.names.clone() {
                self.add_view(life, &name, Past::default());
            }
        }
        self.after(micros(WATCH_TICK), Task::Watch(life));
    }

    /// The gateway of this life, if it still runs.
    pub fn gateway(&mut self, life: Life) -> Option<&mut Gateway> {
        let it = self.gateways.get_mut(life.gateway)?.as_mut();
        it.filter(|it| it.life == life)
    }

    pub fn now(&self) -> Now {
        Now {
            instant: self.base + Duration::from_micros(self.now_us),
            wall_ms: 1_700_000_000_000 + self.now_us / 1_000,
        }
    }

    /// An instant as a moment of the simulation, not before it.
    pub fn moment(&self, instant: Instant) -> u64 {
        let since = instant.saturating_duration_since(self.base);
        micros(since + Duration::from_nanos(999))
    }

    pub fn note(&mut self, line: fmt::Arguments<'_>) {
        self.trace.note(self.now_us, line);
    }

    /// Something is not as it has to be.
    pub fn fail(&mut self, text: String) {
        self.note(format_args!("WRONG {text}"));
        self.wrong.get_or_insert(text);
    }

    pub fn at(&mut self, at_us: u64, task: Task) {
        self.serial += 1;
        let tie = self.dice.next() >> 32;
        let at = (at_us.max(self.now_us), tie, self.serial);
        self.queue.push(Queued::new(at, task));
    }

    /// The same before all else of that moment, which no die decides.
    pub fn at_first(&mut self, at_us: u64, task: Task) {
        self.serial += 1;
        self.queue.push(Queued::new((at_us, 0, self.serial), task));
    }

    pub fn after(&mut self, delay_us: u64, task: Task) {
        self.at(self.now_us + delay_us, task);
    }

    /// Runs until this moment, or until something is wrong.
    pub fn run(&mut self, until_us: u64) {
        while self.wrong.is_none()
            && let Some(first) = self.queue.peek()
            && first.at.0 <= until_us
            && let Some(Queued { at, task }) = self.queue.pop()
        {
            self.count_task(at.0);
            self.now_us = at.0;
            self.perform(*task);
            self.pump();
            for woken in self.bell.take() {
                let soon = match self.dice.below(4) {
                    0 => self.dice.between(0, 20_000),
                    _ => self.dice.between(0, 300),
                };
                self.after(soon, Task::Run(woken));
            }
        }
        if self.wrong.is_none() {
            self.now_us = until_us;
        }
    }

    /// Whoever is never at rest, though time does not go on, is busy for ever.
    fn count_task(&mut self, at: u64) {
        let second = at / 1_000_000;
        if self.busy.0 != second {
            self.busy = (second, 0);
        }
        self.busy.1 += 1;
        if self.busy.1 > TASKS_MAX {
            self.fail(format!("NOT AT REST: busy for ever at {second} s"));
        }
    }

    fn perform(&mut self, task: Task) {
        match task {
            Task::Step(place) => self.step(place),
            Task::Heal(heal) => self.heal(heal),
            Task::Tick => {
                if !self.upstream.hangs {
                    self.upstream.tick(self.now_us);
                }
                self.audit();
                let next = 1_000_000 + self.dice.between(0, 30_000);
                self.after(next, Task::Tick);
            }
            Task::Watch(life) => self.watch(life),
            Task::Serve { talk, turn } => self.serve(talk, turn),
            Task::Answer { talk, turn } => self.answer(talk, turn),
            Task::Tell { talk, turn, told } => self.tell(talk, turn, told),
            Task::Notice { talk, session } => self.notice(talk, session),
            Task::HangUp { talk } => self.hung_up(talk),
            Task::Cancel { session } => self.cancel(session),
            Task::Run(Woken::Publisher { life, slot }) => self.publish(life, slot),
            Task::Run(Woken::Relay { life, slot, worker }) => self.relay(life, slot, worker),
            Task::Run(Woken::Stream { client, epoch }) => self.poll_stream(client, epoch),
            Task::Run(Woken::Bytes { client, epoch }) => self.bytes(client, epoch),
            Task::Write { life, slot, worker } => self.write(life, slot, worker),
            Task::Beat { life, slot, worker } => self.beat(life, slot, worker),
            Task::Deadline { life, slot } => self.publish(life, slot),
            Task::Client { client, epoch } => self.client(client, epoch),
            Task::Job(life) => self.job(life),
            Task::Drain(life) => self.go_on_draining(life),
            Task::Follow(life) => self.follow(life),
        }
    }
}

pub fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX / 4)
}
