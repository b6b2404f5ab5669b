//! What operators, networks and clients do.

use viewcast::tail::failure::Failure;

use crate::dice::Dice;
use crate::script::Op;
use crate::truth::{Flow, LARGE_FROM, Row};
use crate::upstream::Generation;
use crate::upstream::{Break, EVALUATION};
use crate::world::{Task, World};

pub mod healing;
mod names;

use healing::Heal;

/// How long views cannot be read at the most while time is back.
const UNREAD_MS: u64 = 5_000;

/// So long after it can be read again each view has been heard of.
const HEARD_US: u64 = 100_000_000;

/// Time that goes back does so by more than this, from where it was heard last.
const BACK_US: u64 = 160_000_000;

/// So long before time has come as far again they can be read.
const NOTICED_US: u64 = 60_000_000;

/// How long a name rests at the most, beside the time for which it has hung.
const RESTS_US: u64 = 30_000_000;

impl World {
    /// The object that a view's name means now.
    pub(super) fn object(&self, view: usize) -> Option<usize> {
        let name = &self.names[view % self.names.len()];
        self.upstream.named(&self.setup.parts_of(name))
    }

    pub fn step(&mut self, place: usize) {
        let step = self.script.steps[place];
        self.note(format_args!("STEP {place} {:?}", step.op));
        if !matches!(step.op, Op::Commit { .. } | Op::Rest { .. }) {
            self.quiet_since_us = self.now_us;
        }
        self.act(step.op, &mut Dice::new(step.seed));
        self.note_meanings();
    }

    fn act(&mut self, op: Op, dice: &mut Dice) {
        let gateways = self.gateways.len();
        match op {
            Op::Commit { view } => self.commit(view, dice),
            Op::Rewrite { view } => self.rewrite(view, dice),
            Op::DropCreate { .. }
            | Op::MoveName { .. }
            | Op::Swap { .. }
            | Op::Shadow { .. }
            | Op::Rename { .. } => self.rename(op, dice),
            Op::Deny { view, ms } => {
                if let Some(object) = self.object(view) {
                    let it = &mut self.upstream.truth.objects[object];
                    (it.is_denied, it.denied_us) = (true, self.now_us);
                    // A privilege is looked at when a stream begins.
                    self.heal_after(ms, Heal::Grant { object });
                }
            }
            Op::Fail { view, ms } => {
                if let Some(object) = self.object(view) {
                    let error = EVALUATION.to_owned();
                    self.upstream.set_error(object, Some(error), self.now_us);
                    self.heal_after(ms, Heal::Mend { object });
                }
            }
            Op::NoReplica { view, ms } if !self.upstream.generation.is_old() => {
                if let Some(object) = self.object(view) {
                    self.upstream.truth.objects[object].has_no_replica = true;
                    self.heal_after(ms, Heal::Replica { object });
                }
            }
            Op::HangView { view, ms } => {
                if let Some(object) = self.object(view) {
                    let it = &mut self.upstream.truth.objects[object];
                    let until_us = self.now_us + ms * 1_000;
                    it.unanswered_until_us = it.unanswered_until_us.max(until_us);
                    match dice.percent(50) {
                        true => it.hangs = true,
                        false => it.breaks = true,
                    }
                    self.heal_after(ms, Heal::View { object });
                }
            }
            Op::Grow { view, ms } => self.grow(view, ms),
            Op::EndSource { view } => {
                if !self.was_done_of_late()
                    && let Some(object) = self.object(view)
                {
                    self.upstream.end_source(object, self.now_us);
                    if self.upstream.generation.is_old() {
                        // Since when an old server's view is final is not told.
                        self.lose_who_waits();
                    }
                }
            }
            Op::CopyRefused => self
                .upstream
                .copy_errors
                .push(Failure::answer("XX000", "no")),
            // A stream that ends twice within its snapshot is one of constants.
            Op::CopyBreaks {
                how: Break::Done, ..
            }
            | Op::StreamsDone { .. }
                if self.was_done_of_late() => {}
            Op::CopyBreaks { lines, how } => self.upstream.breaks.push((lines, how)),
            Op::StreamsError { view } => {
                let failure = Failure::answer("XX000", "internal error");
                self.end_streams(view, Err(failure));
            }
            Op::StreamsDone { view } => self.end_streams(view, Ok(())),
            Op::Contradict { view } => self.contradict(view, dice),
            Op::Cut { gateway } => self.cut(gateway % gateways, false, false),
            Op::CutAll { gateway } => self.cut(gateway % gateways, true, false),
            Op::HalfOpen { gateway } => self.cut(gateway % gateways, false, true),
            Op::Kill { gateway, ms } => self.stop(gateway % gateways, ms * 1_000),
            Op::Drain { gateway, ms } => self.drain(gateway % gateways, ms * 1_000),
            Op::ClientLeaves { .. }
            | Op::ClientAway { .. }
            | Op::ClientCut { .. }
            | Op::ClientStalls { .. }
            | Op::ClientHalfCloses { .. } => self.move_client(op, dice),
            _ => self.trouble(op),
        }
    }

    fn was_done_of_late(&mut self) -> bool {
        let before = self.done_us.replace(self.now_us);
        before.is_some_and(|at| self.now_us < at + 120_000_000)
    }

    pub(super) fn heal_after(&mut self, ms: u64, heal: Heal) {
        self.troubles += usize::from(heal != Heal::Rested);
        let mut ms = ms;
        if heal.is_unread() {
            // Where time has come as far again before a view is read, nothing
            // tells that it went back: a gap that docs/ARCHITECTURE.md names.
            if self.now_us < self.caught_up_us {
                ms = ms.min(UNREAD_MS);
            }
            if self.now_us > self.unread_until + HEARD_US {
                self.unread_since = self.now_us;
            }
            self.unread_until = self.unread_until.max(self.now_us + ms * 1_000);
        }
        if matches!(heal, Heal::Names | Heal::HungName { .. }) {
            if self.now_us > self.names_rest_until {
                self.names_hang_since = self.now_us;
            }
            // Who has hung for long rests as long, before it is asked again.
            let end_us = self.now_us + ms * 1_000;
            let hung_us = end_us - self.names_hang_since;
            self.names_rest_until = self.names_rest_until.max(end_us + hung_us + RESTS_US);
        }
        self.after(ms * 1_000, Task::Heal(heal));
    }

    /// A trouble of the server as a whole.
    fn trouble(&mut self, op: Op) {
        let unheard_us = match self.unread_until + HEARD_US > self.now_us {
            true => self.now_us - self.unread_since.min(self.now_us),
            false => 0,
        };
        let upstream = &mut self.upstream;
        match op {
            Op::Restart => upstream.restart(self.now_us),
            Op::TimeBack { ms, again_ms }
                if !upstream.generation.is_old()
                    && self.unread_until < self.now_us + NOTICED_US
                    // Less than a minute before what was heard last is not noticed.
                    && ms * 1_000 > unheard_us + BACK_US =>
            {
                upstream.go_back(ms, self.now_us);
                self.caught_up_us = self.caught_up_us.max(self.now_us + ms * 1_000);
                if let Some(again_ms) = again_ms {
                    self.heal_after(again_ms, Heal::Restarted);
                }
                self.lose_who_waits();
                // What was too large then is so again.
                for object in 0..self.upstream.truth.objects.len() {
                    self.heal_after(5_000, Heal::Shrink { object });
                }
            }
            Op::Compact => upstream.compact(),
            Op::Lag { ms } => {
                upstream.lag_ms = ms;
                self.heal_after(20_000, Heal::Lag);
            }
            Op::Refuse { ms } => {
                upstream.refuses = true;
                self.heal_after(ms, Heal::Refuse);
            }
            Op::RefuseLogin { ms } => {
                upstream.refuses_login = true;
                self.heal_after(ms, Heal::Login);
            }
            // Where names are moved, who has no room to ask what one means would be
            // told wrong rows: a gap that docs/ARCHITECTURE.md names.
            Op::NoRoom { .. }
                if upstream.generation == Generation::Silent
                    && self.script.steps.iter().any(|step| step.op.moves_names()) => {}
            Op::NoRoom { ms } => {
                upstream.room = upstream.sessions.len();
                self.heal_after(ms, Heal::Room);
            }
            Op::Hang { ms } => {
                upstream.hangs = true;
                self.heal_after(ms, Heal::Hang);
            }
            Op::HangStreams { ms } => {
                upstream.streams_hang = true;
                self.heal_after(ms, Heal::Streams);
            }
            Op::HangNames { ms } => {
                upstream.names_hang = true;
                self.heal_after(ms, Heal::Names);
            }
            Op::HangName { view, ms } => {
                let name = self.names[view % self.names.len()].clone();
                upstream.hung_names.push(name);
                self.heal_after(ms, Heal::HungName { view });
            }
            Op::RefuseCatalog { ms } => {
                upstream.refuses_catalog = true;
                self.heal_after(ms, Heal::Catalog);
            }
            Op::NoThreads { ms } => {
                self.has_no_threads = true;
                self.heal_after(ms, Heal::Threads);
            }
            Op::HoldJobs { ms } => self.jobs_held_until = self.now_us + ms * 1_000,
            Op::RefuseJobs { ms } => {
                self.set_refuse_jobs(true);
                self.heal_after(ms, Heal::Jobs);
            }
            Op::Rest { ms } => {
                // What was still to break would break in the middle of it.
                upstream.copy_errors.clear();
                upstream.breaks.clear();
                self.heal_after(ms, Heal::Rested);
            }
            _ => {}
        }
    }

    pub(super) fn set_refuse_jobs(&self, refuses: bool) {
        for gateway in self.gateways.iter().flatten() {
            let flag = &gateway.jobs.refuses;
            flag.store(refuses, std::sync::atomic::Ordering::Relaxed);
        }
    }

    fn commit(&mut self, view: usize, dice: &mut Dice) {
        let Some(object) = self.object(view) else {
            return;
        };
        let changes = crate::truth::changes(&self.upstream.truth.objects[object], dice);
        self.upstream.change(object, changes, self.now_us);
    }

    /// Only where the rows may be long.
    fn rewrite(&mut self, view: usize, dice: &mut Dice) {
        let Some(object) = self.object(view) else {
            return;
        };
        let it = &self.upstream.truth.objects[object];
        if !self.script.shape.is_wide || !it.has_text() || it.flow != Flow::Steady {
            return;
        }
        let changes = crate::truth::rewriting(it, dice);
        self.upstream.change(object, changes, self.now_us);
    }

    fn grow(&mut self, view: usize, ms: u64) {
        let Some(object) = self.object(view) else {
            return;
        };
        let it = &self.upstream.truth.objects[object];
        let length = usize::try_from(self.setup.view_bytes_max).unwrap() / 300;
        let s = it.has_text().then(|| "l".repeat(length));
        let row = |n: i64| Row {
            n: LARGE_FROM + n,
            s: s.clone(),
        };
        if it.flow != Flow::Steady {
            return;
        }
        let changes = (0..400).map(|n| (row(n), 1)).collect();
        self.upstream.change(object, changes, self.now_us);
        self.heal_after(ms, Heal::Shrink { object });
    }

    fn end_streams(&mut self, view: usize, how: Result<(), Failure>) {
        if let Some(object) = self.object(view) {
            self.upstream.end_streams(object, how);
        }
    }

    fn contradict(&mut self, view: usize, dice: &mut Dice) {
        if let Some(object) = self.object(view) {
            self.upstream.contradict(object, dice.below(4));
        }
    }

    fn move_client(&mut self, op: Op, dice: &mut Dice) {
        let count = self.clients.len();
        match op {
            Op::ClientAway { client, ms } => self.keep_away(client % count, ms),
            Op::ClientLeaves { client } | Op::ClientCut { client } => {
                let client = client % count;
                if let Some(link) = &self.clients[client].link {
                    if matches!(op, Op::ClientCut { .. }) {
                        // What was on its way comes no further than here.
                        link.pipe.take(dice.below(link.pipe.len() + 1));
                    }
                    self.lose(client);
                }
            }
            Op::ClientStalls { client, ms } => self.stall(client % count, ms),
            Op::ClientHalfCloses { client } => {
                if let Some(link) = &self.clients[client % count].link {
                    link.pipe.half_close();
                }
                self.half_close(client % count);
            }
            _ => {}
        }
    }
}
