//! How often a newer server's streams tell how far they are: one is free to
//! close many timestamps with one progress row, and another one does not close
//! the same.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::super::dice::Dice;
use super::{Materialize, Step};

/// After which steps of time progress is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// After each.
    Each,
    /// After each so many.
    Every(u64),
    /// At random, and each stream has odds of its own.
    Random(u64),
}

impl Materialize {
    /// The pace of the streams that begin from now on; old servers do not care.
    pub fn pace(&self, pace: Pace) {
        self.shared.with(|state| state.pace = pace);
    }

    /// Ticks by itself every so often until dropped.
    pub fn tick_every(&self, period: Duration) {
        let shared = Arc::clone(&self.shared);
        thread::spawn(move || {
            loop {
                thread::sleep(period);
                let over = shared.with(|state| {
                    state.now += 1;
                    let now = state.now;
                    for (_, view) in &mut state.views {
                        view.push(Step::Tick(now));
                    }
                    state.is_over
                });
                if over {
                    return;
                }
            }
        });
    }
}

/// The pace of one stream.
pub(super) struct Paced {
    pace: Pace,
    steps: u64,
    dice: Dice,
    odds: u64,
}

impl Paced {
    pub(super) fn new(pace: Pace, process: i32) -> Self {
        let seed = match pace {
            Pace::Random(seed) => seed,
            Pace::Each | Pace::Every(_) => 0,
        };
        let mut dice = Dice::new(seed ^ u64::from(process.unsigned_abs()));
        let odds = [100, 50, 20][dice.below(3)];
        Paced {
            pace,
            steps: 0,
            dice,
            odds,
        }
    }

    /// Whether progress is told after this step of time.
    pub(super) fn is_due(&mut self) -> bool {
        self.steps += 1;
        match self.pace {
            Pace::Each => true,
            Pace::Every(steps) => self.steps.is_multiple_of(steps),
            Pace::Random(_) => self.dice.percent(self.odds),
        }
    }
}
