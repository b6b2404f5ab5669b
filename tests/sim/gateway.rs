//! A gateway: the real core, with the shells of threads, actors and sockets
//! left out.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use viewcast::gateway::drain::Drain;
use viewcast::http::limit::Limits;
use viewcast::model::event::TailEvent;
use viewcast::model::name::ViewName;
use viewcast::model::now::Now;
use viewcast::model::pattern::ViewPattern;
use viewcast::model::retention::RetentionLimits;
use viewcast::relay::log::jobs::{Job, Jobs};
use viewcast::relay::publish::publisher::{Publisher, Settings};
use viewcast::relay::shared_view::SharedView;
use viewcast::relay::thread::thread_view::ThreadView;
use viewcast::tail::catalog::{CatalogRules, CatalogWatch, Listed, PatternViews};
use viewcast::tail::inquiry::Inquiry;
use viewcast::tail::past::Past;
use viewcast::tail::settings::{TailSettings, TailView};
use viewcast::tail::view_tail::ViewTail;

use crate::audit::Kept;
use crate::places::Places;

/// Events that wait for the publisher; few, so that readers often wait.
pub const CHANNEL: usize = 6;
/// Threads of the HTTP server.
pub const WORKERS: usize = 2;

/// Which gateway it is, and which process of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Life {
    pub gateway: usize,
    pub life: u64,
}

impl fmt::Display for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gateway {}.{}", self.gateway, self.life)
    }
}

/// Somebody who is to be run soon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    Publisher {
        life: Life,
        slot: usize,
    },
    Relay {
        life: Life,
        slot: usize,
        worker: usize,
    },
    /// A stream of this client.
    Stream {
        client: usize,
        epoch: u64,
    },
    /// Its socket has bytes.
    Bytes {
        client: usize,
        epoch: u64,
    },
}

/// Who was woken, in order. What wakes may only note it.
#[derive(Clone, Debug, Default)]
pub struct Bell(Arc<Mutex<Vec<Woken>>>);

impl Bell {
    pub fn ring(&self, woken: Woken) {
        let mut all = self.0.lock().unwrap();
        if !all.contains(&woken) {
            all.push(woken);
        }
    }

    pub fn take(&self) -> Vec<Woken> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// The jobs of a process: run when the history likes, or refused.
#[derive(Debug, Default)]
pub struct Waiting {
    jobs: Mutex<VecDeque<Job>>,
    pub refuses: std::sync::atomic::AtomicBool,
}

impl Jobs for Waiting {
    fn submit(&self, job: Job) -> bool {
        if self.refuses.load(std::sync::atomic::Ordering::Relaxed) {
            return false;
        }
        self.jobs.lock().unwrap().push_back(job);
        true
    }
}

impl Waiting {
    pub fn len(&self) -> usize {
        self.jobs.lock().unwrap().len()
    }

    pub fn run_one(&self) -> bool {
        let job = self.jobs.lock().unwrap().pop_front();
        let is_there = job.is_some();
        if let Some(job) = job {
            job.run();
        }
        is_there
    }
}

/// What gateways of one history are set to.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    pub upstream_timeout: Duration,
    pub reconnect_max: Duration,
    pub heartbeat: Duration,
    pub min_interval: Duration,
    pub retention: RetentionLimits,
    pub view_bytes_max: u64,
    pub catalog_interval: Duration,
    /// The views are named by the pattern `PATTERN`.
    pub is_pattern: bool,
    /// What clients may have compressed.
    pub is_packing: bool,
    pub limits: Limits,
}

impl Setup {
    /// What the gateways call a view that has this name in the first schema.
    pub fn name_of(&self, name: &str) -> String {
        match self.is_pattern {
            true => format!("public.{name}"),
            false => name.to_owned(),
        }
    }

    /// The same, part by part.
    pub fn parts_of(&self, name: &str) -> Vec<String> {
        match self.is_pattern {
            true => vec!["public".to_owned(), name.to_owned()],
            false => vec![name.to_owned()],
        }
    }
}

/// The pattern of gateways that have one.
pub const PATTERN: &str = "public.*";

/// Whether a view is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Served,
    /// Nobody finds it any more; its streams are yet to be told.
    Leaving,
    /// Nothing of it runs any more.
    Over,
}

/// A view of a gateway. It keeps its place, also when it is served no more.
pub struct Slot {
    pub name: String,
    pub parts: Vec<String>,
    pub stage: Stage,
    /// Its tail has ended for good, before the view was ever seen.
    pub has_given_up: bool,
    /// What is held against it when it says something.
    pub kept: Kept,
    pub tail: ViewTail,
    pub channel: VecDeque<TailEvent>,
    pub publisher: Publisher,
    pub shared: Arc<SharedView>,
    pub threads: Vec<Rc<RefCell<ThreadView>>>,
    /// It is looked after.
    pub is_watched: bool,
    /// When the publisher's timer goes off.
    pub deadline_us: Option<u64>,
    /// When each thread's timer for windows' heartbeats does.
    pub beats: [Option<u64>; WORKERS],
}

/// One process.
pub struct Gateway {
    pub life: Life,
    pub slots: Vec<Slot>,
    pub catalog: CatalogWatch,
    pub inquiries: Vec<Inquiry>,
    pub patterns: PatternViews,
    /// What the pattern names, unless it was looked at.
    pub listed: Option<Listed>,
    pub places: Places,
    /// The names of what is served, as streams see it.
    pub names: Rc<RefCell<Vec<String>>>,
    /// How often time had gone back when it started.
    pub begun_backs: usize,
    /// What each view was, and how often time had gone back by then.
    pub seen: BTreeMap<(String, String), usize>,
    /// No stream begins any more.
    pub drain: Option<Drain>,
    pub jobs: Arc<Waiting>,
}

/// The gateway's choice of a view by its name.
fn view_of(life: Life, name: &str) -> TailView {
    let name = ViewName::parse(name).unwrap();
    TailView {
        name: name.text().to_owned(),
        sql: name.to_sql(),
        parts: name.parts().to_vec(),
        unnamed: format!("{life:?} {}", name.text()),
        ..TailView::default()
    }
}

impl Gateway {
    pub fn new(life: Life, setup: Setup, backs: usize, now: Now) -> Self {
        let pattern = ViewPattern::parse(PATTERN).filter(|_| setup.is_pattern);
        let rules = CatalogRules {
            patterns: pattern.into_iter().map(Result::unwrap).collect(),
            interval: setup.catalog_interval,
            upstream_timeout: setup.upstream_timeout,
            asks_for_privileges: true,
            ..CatalogRules::default()
        };
        Gateway {
            life,
            slots: Vec::new(),
            catalog: CatalogWatch::new(rules, now.instant),
            inquiries: Vec::new(),
            patterns: PatternViews::default(),
            listed: None,
            places: Places::new(setup.limits),
            names: Rc::default(),
            begun_backs: backs,
            seen: BTreeMap::new(),
            drain: None,
            jobs: Arc::default(),
        }
    }

    /// One view more; its place.
    pub fn add(
        &mut self,
        name: &str,
        past: Past,
        setup: Setup,
        bell: &Bell,
        now: Now,
        rng: fastrand::Rng,
    ) -> usize {
        let place = self.slots.len();
        let (life, jobs) = (self.life, &self.jobs);
        let slot = Slot::new(life, place, name, past, setup, bell, jobs, now, rng);
        self.slots.push(slot);
        self.names.borrow_mut().push(name.to_owned());
        place
    }

    /// A view is not found any more.
    pub fn forget(&mut self, place: usize) {
        let slot = &mut self.slots[place];
        slot.stage = Stage::Leaving;
        slot.tail.stop();
        let (name, past) = (slot.name.clone(), slot.tail.past());
        self.patterns.remember(name.clone(), past);
        self.names.borrow_mut().retain(|it| *it != name);
    }

    /// The place of the view that is found by this name.
    pub fn find(&self, name: &str) -> Option<usize> {
        let is_it = |it: &Slot| it.stage == Stage::Served && it.name == name;
        self.slots.iter().position(is_it)
    }

    /// The views that are served.
    pub fn served(&self) -> impl Iterator<Item = (usize, &Slot)> {
        let all = self.slots.iter().enumerate();
        all.filter(|(_, slot)| slot.stage == Stage::Served)
    }
}

impl Slot {
    #[allow(clippy::too_many_arguments, reason = "it wires a whole view")]
    fn new(
        life: Life,
        place: usize,
        name: &str,
        past: Past,
        setup: Setup,
        bell: &Bell,
        jobs: &Arc<Waiting>,
        now: Now,
        rng: fastrand::Rng,
    ) -> Self {
        let jobs: Arc<dyn Jobs> = Arc::clone(jobs) as Arc<dyn Jobs>;
        let shared = Arc::new(SharedView::new(name.to_owned(), jobs, now));
        let settings = Settings {
            heartbeat: setup.heartbeat,
            min_interval: setup.min_interval,
            retention: setup.retention,
            view_bytes_max: setup.view_bytes_max,
            upstream_timeout: setup.upstream_timeout,
        };
        let publisher = Publisher::new(Arc::clone(&shared), settings, rng.clone(), now);
        let thread = |worker: usize| {
            let wake = bell.clone();
            let wake_publisher = move || wake.ring(Woken::Publisher { life, slot: place });
            let view = ThreadView::new(Arc::clone(&shared), Box::new(wake_publisher));
            let wake = bell.clone();
            shared.attach(Box::new(move || {
                wake.ring(Woken::Relay {
                    life,
                    slot: place,
                    worker,
                });
                true
            }));
            Rc::new(RefCell::new(view))
        };
        let threads = (0..WORKERS).map(thread).collect();
        let settings = TailSettings {
            upstream_timeout: setup.upstream_timeout,
            reconnect_max: setup.reconnect_max,
            unclosed_bytes_max: setup.view_bytes_max,
            history: Duration::from_millis(setup.retention.age_ms_max),
            past,
            ..TailSettings::new(view_of(life, name))
        };
        let key = u64::try_from(place).unwrap();
        Slot {
            name: name.to_owned(),
            parts: settings.view.parts.clone(),
            stage: Stage::Served,
            has_given_up: false,
            kept: Kept::default(),
            tail: ViewTail::new(key, settings, rng, now.instant),
            channel: VecDeque::new(),
            publisher,
            threads,
            shared,
            is_watched: true,
            deadline_us: None,
            beats: [None; WORKERS],
        }
    }
}
