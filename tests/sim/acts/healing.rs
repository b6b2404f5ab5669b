//! The ends of troubles.

use crate::truth::{Flow, LARGE_FROM};
use crate::world::World;

/// A trouble that ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heal {
    Create { view: usize, seed: u64 },
    Unshadow { object: usize },
    Name { object: usize, view: usize },
    Grant { object: usize },
    Mend { object: usize },
    Shrink { object: usize },
    Replica { object: usize },
    View { object: usize },
    HungName { view: usize },
    Catalog,
    Restarted,
    Threads,
    Lag,
    Refuse,
    Login,
    Room,
    Hang,
    Streams,
    Names,
    Jobs,
    Start { gateway: usize },
    Rested,
}

impl Heal {
    /// Whether views cannot be read until it ends.
    pub fn is_unread(self) -> bool {
        matches!(
            self,
            Heal::Grant { .. }
                | Heal::Mend { .. }
                | Heal::Replica { .. }
                | Heal::View { .. }
                | Heal::Name { .. }
                | Heal::Unshadow { .. }
                | Heal::HungName { .. }
                | Heal::Catalog
                | Heal::Threads
                | Heal::Refuse
                | Heal::Login
                | Heal::Room
                | Heal::Hang
                | Heal::Streams
                | Heal::Names
        )
    }
}

impl World {
    /// The end of a trouble.
    pub fn heal(&mut self, heal: Heal) {
        self.note(format_args!("HEAL {heal:?}"));
        if heal != Heal::Rested {
            self.troubles = self.troubles.saturating_sub(1);
            self.quiet_since_us = self.now_us;
        }
        self.end_trouble(heal);
        self.note_meanings();
    }

    fn end_trouble(&mut self, heal: Heal) {
        let upstream = &mut self.upstream;
        match heal {
            Heal::Create { view, seed } => {
                if self.object(view).is_none() {
                    self.create(view, seed, Flow::Steady);
                }
            }
            Heal::Unshadow { object } => upstream.drop_view(object),
            Heal::Name { object, view } => {
                let is_there = upstream.truth.objects[object].place.is_some();
                let name = self.names[view].clone();
                if is_there && !self.is_taken("public", &name) {
                    self.upstream.truth.objects[object].place = Some(("public", name));
                }
            }
            Heal::Grant { object } => upstream.truth.objects[object].is_denied = false,
            Heal::Mend { object } => upstream.set_error(object, None, self.now_us),
            Heal::Shrink { object } => {
                let it = &upstream.truth.objects[object];
                let large = it.rows.iter().filter(|(row, _)| row.n >= LARGE_FROM);
                let changes = large.map(|(row, copies)| (row.clone(), -copies)).collect();
                upstream.change(object, changes, self.now_us);
            }
            Heal::Replica { object } => upstream.truth.objects[object].has_no_replica = false,
            Heal::View { object } => {
                let it = &mut upstream.truth.objects[object];
                (it.hangs, it.breaks) = (false, false);
            }
            Heal::HungName { view } => {
                let name = &self.names[view % self.names.len()];
                let names = &mut self.upstream.hung_names;
                if let Some(at) = names.iter().position(|it| it == name) {
                    names.remove(at);
                }
            }
            Heal::Restarted => upstream.restart(self.now_us),
            Heal::Catalog => upstream.refuses_catalog = false,
            Heal::Threads => self.has_no_threads = false,
            Heal::Lag => upstream.lag_ms = 0,
            Heal::Refuse => upstream.refuses = false,
            Heal::Login => upstream.refuses_login = false,
            Heal::Room => upstream.room = usize::MAX,
            Heal::Hang => upstream.hangs = false,
            Heal::Streams => upstream.streams_hang = false,
            Heal::Names => upstream.names_hang = false,
            Heal::Jobs => self.set_refuse_jobs(false),
            Heal::Start { gateway } => {
                if self.gateways[gateway].is_none() {
                    self.start(gateway);
                }
            }
            Heal::Rested => self.look_at_rest(false),
        }
    }
}
