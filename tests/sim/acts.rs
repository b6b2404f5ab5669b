//! What operators, networks and clients do.

use viewcast::tail::failure::Failure;

use crate::dice::Dice;
use crate::gateway::Woken;
use crate::script::Op;
use crate::truth::{Flow, LARGE_FROM, Row};
use crate::upstream::Break;
use crate::world::{Heal, Task, World};

impl World {
    /// The object that a view's name means now.
    fn object(&self, view: usize) -> Option<usize> {
        self.upstream.meaning(&self.names[view % self.names.len()])
    }

    pub fn step(&mut self, place: usize) {
        let step = self.script.steps[place];
        let mut dice = Dice::new(step.seed);
        self.note(format_args!("STEP {place} {:?}", step.op));
        let gateways = self.gateways.len();
        match step.op {
            Op::Commit { view } => self.commit(view, &mut dice),
            Op::DropCreate { .. }
            | Op::MoveName { .. }
            | Op::Swap { .. }
            | Op::Shadow { .. }
            | Op::Rename { .. } => self.rename(step.op, &mut dice),
            Op::Deny { view, ms } => {
                if let Some(object) = self.object(view) {
                    self.upstream.truth.objects[object].is_denied = true;
                    // A privilege is looked at when a stream begins.
                    self.heal_after(ms, Heal::Grant { object });
                }
            }
            Op::Fail { view, ms } => {
                if let Some(object) = self.object(view) {
                    let error = "Evaluation error: division by zero".to_owned();
                    self.upstream.set_error(object, Some(error));
                    self.heal_after(ms, Heal::Mend { object });
                }
            }
            Op::Grow { view, ms } => self.grow(view, ms),
            Op::EndSource { view } => {
                if let Some(object) = self.object(view) {
                    self.upstream.end_source(object, self.now_us);
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
            Op::Contradict { view } => self.contradict(view, &mut dice),
            Op::Cut { gateway } => self.cut(gateway % gateways, false, false),
            Op::CutAll { gateway } => self.cut(gateway % gateways, true, false),
            Op::HalfOpen { gateway } => self.cut(gateway % gateways, false, true),
            Op::Kill { gateway, ms } => self.stop(gateway % gateways, ms * 1_000),
            Op::Drain { gateway, ms } => self.drain(gateway % gateways, ms * 1_000),
            Op::ClientLeaves { .. }
            | Op::ClientCut { .. }
            | Op::ClientStalls { .. }
            | Op::ClientHalfCloses { .. } => self.move_client(step.op, &mut dice),
            _ => self.trouble(step.op),
        }
    }

    fn was_done_of_late(&mut self) -> bool {
        let before = self.done_us.replace(self.now_us);
        before.is_some_and(|at| self.now_us < at + 120_000_000)
    }

    fn heal_after(&mut self, ms: u64, heal: Heal) {
        self.troubles += 1;
        self.after(ms * 1_000, Task::Heal(heal));
    }

    /// A trouble of the server as a whole.
    fn trouble(&mut self, op: Op) {
        let upstream = &mut self.upstream;
        match op {
            Op::Restart => upstream.restart(self.now_us),
            Op::TimeBack { ms } if !upstream.generation.is_old() => {
                upstream.go_back(ms, self.now_us);
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
            Op::HoldJobs { ms } => self.jobs_held_until = self.now_us + ms * 1_000,
            Op::RefuseJobs { ms } => {
                self.set_refuse_jobs(true);
                self.heal_after(ms, Heal::Jobs);
            }
            Op::Rest { ms } => self.heal_after(ms, Heal::Rested),
            _ => {}
        }
    }

    fn set_refuse_jobs(&self, refuses: bool) {
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

    fn grow(&mut self, view: usize, ms: u64) {
        let Some(object) = self.object(view) else {
            return;
        };
        let it = &self.upstream.truth.objects[object];
        let s = it.has_text().then(|| "long ".repeat(60));
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

    fn rename(&mut self, op: Op, dice: &mut Dice) {
        let flow = match dice.below(8) {
            0 => Flow::Constant,
            _ => Flow::Steady,
        };
        let now_us = self.now_us;
        let count = self.names.len();
        match op {
            Op::DropCreate { view, ms } => {
                if let Some(object) = self.object(view) {
                    self.upstream.drop_view(object);
                    let seed = dice.next();
                    match ms < 300 {
                        true => self.create(view, seed, flow),
                        false => self.heal_after(ms, Heal::Create { view, seed }),
                    }
                }
            }
            Op::MoveName { view } => {
                if let Some(object) = self.object(view) {
                    let place = &mut self.upstream.truth.objects[object].place;
                    *place = Some(("public", format!("elsewhere{object}")));
                    self.create(view, dice.next(), flow);
                }
            }
            Op::Swap { view, other } => {
                let (one, two) = (self.object(view), self.object(other));
                if let (Some(one), Some(two)) = (one, two)
                    && one != two
                {
                    let objects = &mut self.upstream.truth.objects;
                    let place = objects[one].place.take();
                    objects[one].place = objects[two].place.take();
                    objects[two].place = place;
                }
            }
            Op::Shadow { view, ms } => {
                let name = self.names[view % count].clone();
                let has_text = dice.percent(50);
                if self.object(view).is_some_and(|it| {
                    let place = &self.upstream.truth.objects[it].place;
                    place.as_ref().is_some_and(|it| it.0 == "public")
                }) {
                    let place = ("early", name.as_str());
                    let object = self.upstream.create(place, has_text, flow, now_us);
                    let changes = crate::truth::changes(&self.upstream.truth.objects[object], dice);
                    self.upstream.change(object, changes, now_us);
                    self.heal_after(ms, Heal::Unshadow { object });
                }
            }
            Op::Rename { view, ms } => {
                if let Some(object) = self.object(view) {
                    let place = &mut self.upstream.truth.objects[object].place;
                    *place = Some(("public", format!("away{object}")));
                    self.heal_after(
                        ms,
                        Heal::Name {
                            object,
                            view: view % count,
                        },
                    );
                }
            }
            _ => {}
        }
    }

    fn is_taken(&self, schema: &str, name: &str) -> bool {
        let mut places = self.upstream.truth.objects.iter().flat_map(|it| &it.place);
        places.any(|place| place.0 == schema && place.1 == name)
    }

    fn create(&mut self, view: usize, seed: u64, flow: Flow) {
        let mut dice = Dice::new(seed);
        let name = self.names[view % self.names.len()].clone();
        let has_text = dice.percent(50);
        if self.is_taken("public", &name) {
            return;
        }
        let object = self
            .upstream
            .create(("public", &name), has_text, flow, self.now_us);
        let changes = crate::truth::changes(&self.upstream.truth.objects[object], &mut dice);
        self.upstream.change(object, changes, self.now_us);
    }

    fn move_client(&mut self, op: Op, dice: &mut Dice) {
        let count = self.clients.len();
        match op {
            Op::ClientLeaves { client } | Op::ClientCut { client } => {
                let client = client % count;
                if let Some(link) = &self.clients[client].link {
                    let (pipe, epoch) = (std::rc::Rc::clone(&link.pipe), link.epoch);
                    if matches!(op, Op::ClientCut { .. }) {
                        // What was on its way comes no further than here.
                        pipe.take(dice.below(pipe.len() + 1));
                    }
                    pipe.reset();
                    self.bell.ring(Woken::Stream { client, epoch });
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

    /// The end of a trouble.
    pub fn heal(&mut self, heal: Heal) {
        self.note(format_args!("HEAL {heal:?}"));
        self.troubles = self.troubles.saturating_sub(1);
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
            Heal::Mend { object } => upstream.set_error(object, None),
            Heal::Shrink { object } => {
                let it = &upstream.truth.objects[object];
                let large = it.rows.iter().filter(|(row, _)| row.n >= LARGE_FROM);
                let changes = large.map(|(row, copies)| (row.clone(), -copies)).collect();
                upstream.change(object, changes, self.now_us);
            }
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
