//! A delta's changes by their keys, for the windows that read it so: made by the
//! first who asks, once for each set of columns, and kept with the delta.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::limits::PARTS_MAX;
use crate::model::parted::Parted;
use crate::model::window::Shape;

/// What was made so far.
#[derive(Debug, Default)]
pub struct Parts(Mutex<Vec<(Shape, Arc<Parted>)>>);

impl Parts {
    /// Whether the changes are known by these columns.
    pub fn has(&self, shape: &Shape) -> bool {
        self.lock().iter().any(|(known, _)| known == shape)
    }

    /// The changes by these columns; others who ask for the same meanwhile wait.
    pub fn get_or_make(&self, shape: &Shape, make: impl FnOnce() -> Parted) -> Arc<Parted> {
        let mut parts = self.lock();
        if let Some((_, parted)) = parts.iter().find(|(known, _)| known == shape) {
            return Arc::clone(parted);
        }
        let parted = Arc::new(make());
        if parts.len() < PARTS_MAX {
            parts.reserve_exact(1);
            parts.push((shape.clone(), Arc::clone(&parted)));
        }
        parted
    }

    /// Bytes of all of them.
    pub fn bytes(&self) -> usize {
        self.lock().iter().map(|(_, parted)| parted.bytes()).sum()
    }

    /// Nothing is left half done by a thread that panics.
    fn lock(&self) -> MutexGuard<'_, Vec<(Shape, Arc<Parted>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
