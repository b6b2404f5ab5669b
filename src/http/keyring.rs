//! The keys as all workers share them, replaced whole when the set is read anew.

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Instant;

use actix_web::rt::time::timeout;
use tokio::sync::{Notify, watch};

use crate::access::key::KeySet;
use crate::limits::{JWKS_UNKNOWN_PAUSE, JWKS_WAIT};

/// The current keys, and a signal (`bell`) to the task that reads the set.
#[derive(Debug)]
pub struct Keyring {
    /// Whether there is a set to be read.
    has_source: bool,
    keys: RwLock<Keys>,
    /// Counts the readings that have ended.
    readings: watch::Sender<u64>,
    bell: Notify,
    asked: Mutex<Asked>,
}

/// What there is of keys.
#[derive(Debug)]
struct Keys {
    /// The key of `--jwt-key-file`.
    own: KeySet,
    /// The set that was read last.
    set: Option<KeySet>,
    /// Both; `None` until there is something to verify with.
    all: Option<Arc<KeySet>>,
}

impl Keys {
    /// Puts both together. While a set is still to be read, the own key alone
    /// counts; without one there is nothing to verify with yet.
    fn join(&mut self, has_source: bool) {
        self.all = match &self.set {
            Some(set) => Some(Arc::new(self.own.and(set))),
            None => (!has_source || !self.own.is_empty()).then(|| Arc::new(self.own.clone())),
        };
    }
}

/// What unknown keys have caused.
#[derive(Debug, Default)]
struct Asked {
    /// When the set was last asked for.
    at: Option<Instant>,
    /// Whether that reading has yet to end.
    pending: bool,
}

impl Keyring {
    /// A keyring with these keys for now, and whether a set is to be read, too.
    pub fn new(own: KeySet, has_source: bool) -> Self {
        let (set, all) = (None, None);
        let mut keys = Keys { own, set, all };
        keys.join(has_source);
        Keyring {
            has_source,
            keys: RwLock::new(keys),
            readings: watch::Sender::new(0),
            bell: Notify::new(),
            asked: Mutex::default(),
        }
    }

    /// The keys; `None` while the first set is read.
    pub fn current(&self) -> Option<Arc<KeySet>> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.all.clone()
    }

    /// Puts a set that was read in place of the last one.
    pub fn replace(&self, set: &KeySet) {
        self.change(|keys| keys.set = Some(set.clone()));
    }

    /// Puts a key of a file in place of the one before.
    pub fn replace_own(&self, own: KeySet) {
        self.change(|keys| keys.own = own);
    }

    fn change(&self, change: impl FnOnce(&mut Keys)) {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        change(&mut keys);
        keys.join(self.has_source);
    }

    /// Has the set read again now, and waits for that within a bound. `false` where
    /// there is none.
    pub async fn read_anew(&self) -> bool {
        if !self.has_source {
            return false;
        }
        let mut readings = self.readings.subscribe();
        self.bell.notify_one();
        timeout(JWKS_WAIT, readings.changed()).await.is_ok()
    }

    /// Tells who waits that a reading has ended, well or not.
    pub fn reading_ended(&self) {
        self.asked().pending = false;
        self.readings
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Waits until somebody asks for the set.
    pub async fn wanted(&self) {
        self.bell.notified().await;
    }

    /// Has the set read again for a key that is not in it, and waits for that
    /// within a bound. `false` at once if that was done a moment ago.
    pub async fn reread(&self) -> bool {
        // Nobody listens to the bell where there is nothing to read.
        if !self.has_source {
            return false;
        }
        let mut readings = self.readings.subscribe();
        {
            let mut asked = self.asked();
            if !asked.pending {
                let soon = |at: Instant| at.elapsed() < JWKS_UNKNOWN_PAUSE;
                if asked.at.is_some_and(soon) {
                    return false;
                }
                asked.at = Some(Instant::now());
                asked.pending = true;
                self.bell.notify_one();
            }
        }
        timeout(JWKS_WAIT, readings.changed()).await.is_ok()
    }

    fn asked(&self) -> std::sync::MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
