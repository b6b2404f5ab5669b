//! A gateway: the real core, with the shells of threads, actors and sockets
//! left out.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use viewcast::gateway::drain::Drain;
use viewcast::model::event::TailEvent;
use viewcast::model::now::Now;
use viewcast::model::retention::RetentionLimits;
use viewcast::relay::log::jobs::{Job, Jobs};
use viewcast::relay::publish::publisher::{Publisher, Settings};
use viewcast::relay::shared_view::SharedView;
use viewcast::relay::thread::thread_view::ThreadView;
use viewcast::tail::catalog::{CatalogRules, CatalogWatch};
use viewcast::tail::inquiry::Inquiry;
use viewcast::tail::settings::{TailSettings, TailView};
use viewcast::tail::view_tail::ViewTail;

use crate::dice::Dice;

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
}

/// A view of a gateway.
pub struct Slot {
    pub name: String,
    pub tail: ViewTail,
    pub channel: VecDeque<TailEvent>,
    pub publisher: Publisher,
    pub shared: Arc<SharedView>,
    pub threads: Vec<Rc<RefCell<ThreadView>>>,
    /// It is looked after.
    pub is_watched: bool,
    /// When the publisher's timer goes off.
    pub deadline_us: Option<u64>,
}

/// One process.
pub struct Gateway {
    pub life: Life,
    pub slots: Vec<Slot>,
    pub catalog: CatalogWatch,
    pub inquiries: Vec<Inquiry>,
    /// No stream begins any more.
    pub drain: Option<Drain>,
    pub jobs: Arc<Waiting>,
}

/// The gateway's choice of a view by its bare name.
pub fn view_of(name: &str) -> TailView {
    TailView {
        name: name.to_owned(),
        sql: format!("\"{name}\""),
        parts: vec![name.to_owned()],
        ..TailView::default()
    }
}

impl Gateway {
    pub fn new(
        life: Life,
        names: &[String],
        setup: Setup,
        bell: &Bell,
        now: Now,
        dice: &mut Dice,
    ) -> Self {
        let jobs = Arc::new(Waiting::default());
        let slot = |(place, name): (usize, &String)| {
            let rng = fastrand::Rng::with_seed(dice.next());
            Slot::new(life, place, name, setup, bell, &jobs, now, rng)
        };
        let slots = names.iter().enumerate().map(slot).collect();
        let rules = CatalogRules {
            patterns: Vec::new(),
            interval: setup.catalog_interval,
            upstream_timeout: setup.upstream_timeout,
            dialect: None,
        };
        Gateway {
            life,
            slots,
            catalog: CatalogWatch::new(rules, now.instant),
            inquiries: Vec::new(),
            drain: None,
            jobs,
        }
    }
}

impl Slot {
    #[allow(clippy::too_many_arguments, reason = "it wires a whole view")]
    fn new(
        life: Life,
        place: usize,
        name: &str,
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
        let publisher = Publisher::new(Arc::clone(&shared), settings, now);
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
            ..TailSettings::new(view_of(name))
        };
        let key = u64::try_from(place).unwrap();
        Slot {
            name: name.to_owned(),
            tail: ViewTail::new(key, settings, rng, now.instant),
            channel: VecDeque::new(),
            publisher,
            threads,
            shared,
            is_watched: true,
            deadline_us: None,
        }
    }
}
