//! The keys as all workers share them, replaced whole when the set is read anew.

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Instant;

use actix_web::rt::time::timeout;
use tokio::sync::{Notify, watch};

use crate::access::key::KeySet;
use crate::limits::{JWKS_UNKNOWN_PAUSE, JWKS_WAIT};

/// The current keys, and a bell for whoever reads the set.
#[derive(Debug)]
pub struct Keyring {
    /// Those that never change.
    fixed: KeySet,
    /// Whether there is a set to be read.
    has_source: bool,
    /// Those and the ones last read; `None` until a set was read.
    current: RwLock<Option<Arc<KeySet>>>,
    /// Counts the readings that have ended.
    readings: watch::Sender<u64>,
    bell: Notify,
    asked: Mutex<Asked>,
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
    /// A keyring with these keys for now. With a set to be read, whatever is
    /// fixed counts until then; with nothing fixed, there are none yet.
    pub fn new(fixed: KeySet, has_source: bool) -> Self {
        let now = (!has_source || !fixed.is_empty()).then(|| Arc::new(fixed.clone()));
        Keyring {
            fixed,
            has_source,
            current: RwLock::new(now),
            readings: watch::Sender::new(0),
            bell: Notify::new(),
            asked: Mutex::default(),
        }
    }

    /// The keys; `None` while the first set is read.
    pub fn current(&self) -> Option<Arc<KeySet>> {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Puts a set that was read in place of the last one.
    pub fn replace(&self, set: &KeySet) {
        let keys = Arc::new(self.fixed.and(set));
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(keys);
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
