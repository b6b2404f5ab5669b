//! What random histories need: steps of any length, restarts with other data,
//! time that goes back.

use std::sync::Arc;

use super::{Break, Materialize, Step, Values};

/// Changes of a view by its name.
pub type Changes = Vec<(Values, i64)>;

impl Materialize {
    /// Commits changes to a view so many milliseconds later; the time.
    pub fn commit_after(&self, ms: u64, name: &str, changes: Changes) -> u64 {
        let commit = Arc::new(changes);
        self.shared.with(|state| {
            state.now += ms;
            let now = state.now;
            for (view_name, view) in &mut state.views {
                view.push(match view_name == name {
                    true => Step::Commit(now, Vec::clone(&commit)),
                    false => Step::Tick(now),
                });
            }
            now
        })
    }

    /// Moves time so many milliseconds without changes; the new time.
    pub fn tick_after(&self, ms: u64) -> u64 {
        self.shared.with(|state| {
            state.now += ms;
            let now = state.now;
            for (_, view) in &mut state.views {
                view.push(Step::Tick(now));
            }
            now
        })
    }

    /// New streams with a snapshot begin so many milliseconds in the past, as
    /// far as it is readable.
    pub fn lag(&self, ms: u64) {
        self.shared.with(|state| state.lag = ms);
    }

    /// Lets the next COPY break with an error after so many messages.
    pub fn break_next_copy(&self, messages: usize) {
        let broken = (messages, Break::Error);
        self.shared.with(|state| state.copy_breaks.push(broken));
    }

    /// Lets the next COPY end after so many messages as if it was finished.
    pub fn end_next_copy(&self, messages: usize) {
        let broken = (messages, Break::Done);
        self.shared.with(|state| state.copy_breaks.push(broken));
    }

    /// Lets the next COPY hang after so many messages, while all else goes on.
    pub fn hang_next_copy(&self, messages: usize) {
        let broken = (messages, Break::Hang);
        self.shared.with(|state| state.copy_breaks.push(broken));
    }

    /// Whether COPYs that are to hang do; those that hung break with an error.
    pub fn let_hang(&self, lets_hang: bool) {
        self.shared.with(|state| {
            state.lets_hang = lets_hang;
            if !lets_hang {
                state.copy_breaks.retain(|(_, how)| *how != Break::Hang);
            }
        });
    }

    /// Gives the view's name away, as a rename or a swap of its schema does: its
    /// streams go on, and another view may be created under the name.
    pub fn move_name(&self, name: &str) {
        self.shared.with(|state| {
            let mut views = state.views.iter_mut();
            let found = views.find(|(known, view)| known == name && view.exists);
            let (known, view) = found.expect("the test has created the view");
            *known = format!("{name}, once {}", view.id);
            view.name.clone_from(known);
        });
    }

    /// Restarts the server so many milliseconds later with these changes to its
    /// data and nothing readable from before.
    pub fn restart_with(&self, ms: u64, changes: &[(String, Changes)]) -> u64 {
        self.shared.with(|state| {
            state.now += ms;
            let now = state.now;
            state.since = now;
            for (name, view) in &mut state.views {
                let found = changes.iter().find(|(changed, _)| changed == name);
                view.push(match found {
                    Some((_, changes)) => Step::Commit(now, changes.clone()),
                    None => Step::Tick(now),
                });
            }
            state.cut_all();
            now
        })
    }

    /// Restarts the server from a backup: at this earlier time, with these
    /// contents instead of its own.
    pub fn rewind(&self, to: u64, contents: &[(String, Changes)]) {
        self.shared.with(|state| {
            assert!(to < state.now, "time goes back");
            state.now = to;
            state.since = to;
            for (name, view) in &mut state.views {
                view.steps.clear();
                view.born = to;
                if let Some((_, rows)) = contents.iter().find(|(known, _)| known == name) {
                    view.push(Step::Commit(to, rows.clone()));
                }
            }
            state.cut_all();
        });
    }
}
