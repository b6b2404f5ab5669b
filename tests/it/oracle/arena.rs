//! What the driver and the clients of a scenario share.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, RwLock};

use super::client::Held;
use super::history::Histories;
use super::rows::Seen;
use super::tally::Tally;

/// A place where a gateway is; it may be another process from time to time.
pub struct Slot {
    pub address: Mutex<SocketAddr>,
    /// Which process it is.
    pub life: AtomicU64,
}

pub struct Arena<'a> {
    pub tally: &'a Tally,
    pub histories: RwLock<Histories>,
    pub seen: Vec<Mutex<Seen>>,
    pub slots: [Slot; 2],
    /// Nothing is forgotten by the gateways.
    pub keeps_all: bool,
    /// Where each view ends; clients stop there.
    pub finals: Mutex<Option<Vec<u64>>>,
    /// What each client holds, for others to bring along.
    pub published: Vec<Mutex<Option<(usize, Held)>>>,
    /// The lives of a view that an incarnation may be.
    incarnations: Mutex<HashMap<String, Vec<usize>>>,
    pub failures: Mutex<Vec<String>>,
    /// Where each client stands that is not at the end, once that is known.
    pub waiting: Mutex<BTreeMap<usize, String>>,
    is_over: AtomicBool,
}

impl<'a> Arena<'a> {
    pub fn new(tally: &'a Tally, views: usize, clients: usize, keeps_all: bool) -> Self {
        let slot = || Slot {
            address: Mutex::new(SocketAddr::from(([127, 0, 0, 1], 9))),
            life: AtomicU64::new(0),
        };
        Arena {
            tally,
            histories: RwLock::default(),
            seen: (0..views).map(|_| Mutex::default()).collect(),
            slots: [slot(), slot()],
            keeps_all,
            finals: Mutex::default(),
            published: (0..clients).map(|_| Mutex::default()).collect(),
            incarnations: Mutex::default(),
            failures: Mutex::default(),
            waiting: Mutex::default(),
            is_over: AtomicBool::new(false),
        }
    }

    /// Something is wrong: everything stops.
    pub fn fail(&self, kind: &'static str, text: String) {
        self.tally.wrong(kind);
        self.failures
            .lock()
            .unwrap()
            .push(format!("{kind}: {text}"));
        self.stop();
    }

    pub fn stop(&self) {
        self.is_over.store(true, Ordering::SeqCst);
    }

    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    /// Where a view ends, once that is known.
    pub fn end_of(&self, view: usize) -> Option<u64> {
        self.finals.lock().unwrap().as_ref().map(|all| all[view])
    }

    /// Which process is at a slot now, and where.
    pub fn slot(&self, gateway: usize) -> (SocketAddr, u64) {
        let slot = &self.slots[gateway];
        // In this order, the reverse of that in which a driver changes them: a
        // position is never taken for one of a later process.
        let life = slot.life.load(Ordering::SeqCst);
        (*slot.address.lock().unwrap(), life)
    }

    /// Whether time has not gone back in the life of the view.
    pub fn is_first_of_life(&self, candidates: &[usize]) -> bool {
        let histories = self.histories.read().unwrap();
        candidates.iter().all(|one| histories.life(*one) == *one)
    }

    /// An incarnation was seen over one of these histories: whether it can be
    /// the same life of the view wherever it was seen [P5].
    pub fn is_one_life(&self, incarnation: &str, candidates: &[usize]) -> bool {
        let histories = self.histories.read().unwrap();
        let lives: Vec<usize> = candidates.iter().map(|one| histories.life(*one)).collect();
        let mut known = self.incarnations.lock().unwrap();
        let held = known
            .entry(incarnation.to_owned())
            .or_insert_with(|| lives.clone());
        held.retain(|life| lives.contains(life));
        !held.is_empty()
    }
}
