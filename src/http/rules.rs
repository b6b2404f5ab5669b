//! What the operator says of a view's rows: by which columns clients may ask
//! for them, and whose they are.

use std::sync::atomic::{AtomicBool, Ordering};

use log::{error, warn};

use crate::access::rows::RowRule;
use crate::model::window::{Layout, WindowError};

/// What the operator says of a view's rows.
#[derive(Debug, Default)]
pub struct Rules {
    /// The columns that clients may ask for rows by, as they were given.
    filter: Vec<String>,
    /// The columns whose values must be those of a token.
    pub rows: Vec<RowRule>,
    /// Whether it was logged that these cannot be enforced, until they can.
    is_told: AtomicBool,
    /// Whether it was logged that rows cannot be asked for by some column.
    is_warned: AtomicBool,
}

impl Rules {
    /// These.
    pub fn new(filter: Vec<String>, rows: Vec<RowRule>) -> Self {
        Rules {
            filter,
            rows,
            is_told: AtomicBool::new(false),
            is_warned: AtomicBool::new(false),
        }
    }

    /// Those columns of a view that clients may ask for rows by: what the view
    /// lacks, or what cannot be compared, is none, and the operator is told once.
    pub fn filterable(&self, view: &str, layout: &Layout) -> Vec<String> {
        let is_good = |name: &String| {
            let column = layout.find(name);
            column.is_some_and(|column| layout.is_comparable(column))
        };
        let (good, bad): (Vec<_>, Vec<_>) = self.filter.iter().cloned().partition(is_good);
        if !bad.is_empty() && !self.is_warned.swap(true, Ordering::Relaxed) {
            warn!(
                "{view}: rows cannot be asked for by {}: there is no such column, or its type \
                 cannot be compared",
                bad.join(", ")
            );
        }
        good
    }

    /// Rules that cannot be enforced close the view: its operator is told, once
    /// until it is mended.
    pub fn are_broken(&self, view: &str, error: &WindowError) {
        if !self.is_told.swap(true, Ordering::Relaxed) {
            error!(
                "{view}: shown to nobody, since its rows cannot be told apart: {error}; change \
                 its rows in the configuration, or the view"
            );
        }
    }

    /// They can be enforced.
    pub fn are_whole(&self) {
        if self.is_told.load(Ordering::Relaxed) {
            self.is_told.store(false, Ordering::Relaxed);
        }
    }
}
