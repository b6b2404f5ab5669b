//! Runs a scenario: a scripted upstream, a proxy and a gateway process twice,
//! and clients; then everything heals, and all must reach the end.

use std::thread;
use std::time::{Duration, Instant};

use super::arena::Arena;
use super::client::Client;
use super::history::Model;
use super::joint::JointClient;
use super::rows::first_columns;
use super::script::{Fault, REFRESH_EVERY_MS, Scenario, Step, What};
use super::tally::{PANIC, PLACES, STUCK, Tally};
use super::visitors::Visitor;
use crate::support::dice::Dice;
use crate::support::gateway::{Gateway, PATIENCE};
use crate::support::http::get;
use crate::support::materialize::{Materialize, encode_row};
use crate::support::proxy::Proxy;

/// How much of the gateways' logs a failure shows.
const LOG_LINES: usize = 40;

/// What ends an outage, and when.
enum Heal {
    Proxy(usize),
    Reap(usize),
    Server,
    Hanging,
    Continue(usize),
}

pub struct Driver<'a> {
    scenario: &'a Scenario,
    arena: &'a Arena<'a>,
    server: Materialize,
    proxies: [Proxy; 2],
    gateways: [Gateway; 2],
    models: Vec<Model>,
    heals: Vec<(Instant, Heal)>,
    rewinds: u32,
}

/// Runs a scenario; what went wrong.
pub fn run(scenario: &Scenario, tally: &Tally) -> Result<(), Vec<String>> {
    let arena = Arena::new(
        tally,
        scenario.views,
        scenario.clients.len(),
        scenario.keeps_all,
    );
    let mut driver = Driver::start(scenario, &arena);
    thread::scope(|scope| {
        let clients: Vec<_> = scenario
            .clients
            .iter()
            .enumerate()
            .map(|(place, script)| {
                let client = Client::new(&arena, place, *script);
                scope.spawn(move || client.run())
            })
            .collect();
        let joint = scenario.joint.iter().enumerate();
        let joint: Vec<_> = joint
            .map(|(place, seed)| {
                let client = JointClient::new(&arena, place, *seed);
                scope.spawn(move || client.run())
            })
            .collect();
        for seed in &scenario.visitors {
            let visitor = Visitor::new(&arena, *seed);
            scope.spawn(move || visitor.run());
        }
        for step in &scenario.steps {
            if arena.is_over() {
                break;
            }
            driver.step(step);
        }
        let all = clients.iter().chain(&joint);
        driver.finish(|| all.clone().all(thread::ScopedJoinHandle::is_finished));
        arena.stop();
    });
    let histories = u64::try_from(arena.histories.read().unwrap().len()).unwrap();
    let order = std::sync::atomic::Ordering::Relaxed;
    tally.histories.fetch_add(histories, order);
    tally.scenarios.fetch_add(1, order);
    let mut failures = std::mem::take(&mut *arena.failures.lock().unwrap());
    if failures.is_empty() {
        return Ok(());
    }
    for (at, gateway) in driver.gateways.iter().enumerate() {
        let log = gateway.process.log();
        let last = log[log.len().saturating_sub(LOG_LINES)..].join("\n  ");
        failures.push(format!("gateway {at} said last\n  {last}"));
    }
    Err(failures)
}

fn start_gateway(scenario: &Scenario, proxy: &Proxy) -> Gateway {
    let url = format!("postgres://materialize@{}/materialize", proxy.address);
    let mut arguments = vec!["--upstream".to_owned(), url];
    for view in 0..scenario.views {
        arguments.extend(["--view".to_owned(), format!("v{view}")]);
        for column in first_columns() {
            let column = column.replace('"', "\"\"");
            let filter = format!("v{view}:\"{column}\"");
            arguments.extend(["--filter".to_owned(), filter]);
        }
    }
    arguments.extend(scenario.arguments.iter().cloned());
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    Gateway::start_heard(&arguments, false)
}

impl<'a> Driver<'a> {
    fn start(scenario: &'a Scenario, arena: &'a Arena<'a>) -> Self {
        let server = Materialize::start(scenario.generation);
        server.pace(scenario.pace);
        server.tick_after(1_000_000_000);
        let mut dice = Dice::new(scenario.seed ^ 1);
        let mut models = Vec::new();
        for view in 0..scenario.views {
            let mut histories = arena.histories.write().unwrap();
            let model = Model::new(view, server.now(), &mut histories, &mut dice);
            create(&server, &model, scenario);
            models.push(model);
        }
        let proxies = [(); 2].map(|()| Proxy::start(server.address()));
        let gateways = [0, 1].map(|at| start_gateway(scenario, &proxies[at]));
        for (slot, gateway) in arena.slots.iter().zip(&gateways) {
            *slot.address.lock().unwrap() = gateway.address;
        }
        let mut driver = Driver {
            scenario,
            arena,
            server,
            proxies,
            gateways,
            models,
            heals: Vec::new(),
            rewinds: 0,
        };
        for view in 0..scenario.views {
            driver.commit(view, &mut dice);
        }
        driver
    }

    fn commit(&mut self, view: usize, dice: &mut Dice) {
        // Room for impossible data between two commits.
        let ms = self.wait_for(view, dice.between(5, 1_500));
        let at = self.server.now() + ms;
        let model = &mut self.models[view];
        let made = model.change(at, &mut self.arena.histories.write().unwrap(), dice);
        self.server.commit_after(ms, &model.name, made.told);
    }

    /// Milliseconds until the view may change, these at the least.
    fn wait_for(&self, view: usize, ms: u64) -> u64 {
        let now = self.server.now();
        match self.scenario.refreshed == Some(view) {
            true => (now + ms).next_multiple_of(REFRESH_EVERY_MS) - now,
            false => ms,
        }
    }

    /// The same for all views at once.
    fn wait_for_all(&self, ms: u64) -> u64 {
        self.wait_for(self.scenario.refreshed.unwrap_or_default(), ms)
    }

    fn step(&mut self, step: &Step) {
        thread::sleep(Duration::from_millis(step.pause_ms));
        self.heal(Instant::now());
        let mut dice = Dice::new(step.seed);
        match step.what {
            What::Commit { view } => self.commit(view, &mut dice),
            What::Tick => drop(self.server.tick_after(dice.between(5, 1_500))),
            What::Fault(fault) => {
                if self.fault(fault, &mut dice) {
                    self.arena.tally.fault(fault.kind());
                }
            }
        }
    }

    fn heal(&mut self, until: Instant) {
        let (due, rest) = std::mem::take(&mut self.heals)
            .into_iter()
            .partition(|(at, _)| *at <= until);
        self.heals = rest;
        let due: Vec<(Instant, Heal)> = due;
        for (_, heal) in due {
            match heal {
                Heal::Proxy(at) => self.proxies[at].heal(),
                Heal::Reap(at) => self.proxies[at].reap(),
                Heal::Server => {
                    self.server.silence(false);
                    self.server.silence_streams(false);
                }
                Heal::Hanging => self.server.let_hang(false),
                Heal::Continue(at) => self.gateways[at].process.signal("CONT"),
            }
        }
    }

    fn later(&mut self, ms: u64, heal: Heal) {
        let at = Instant::now() + Duration::from_millis(ms);
        self.heals.push((at, heal));
    }

    /// Does what goes wrong; whether it could be done.
    fn fault(&mut self, fault: Fault, dice: &mut Dice) -> bool {
        match fault {
            Fault::Cut { gateway, bytes } => {
                return self.proxies[gateway].cut_after(dice.next(), bytes);
            }
            Fault::CutAll { gateway } => self.proxies[gateway].cut_all(),
            Fault::HalfOpen { gateway } => {
                self.later(dice.between(1_500, 4_000), Heal::Reap(gateway));
                return self.proxies[gateway].swallow(dice.next());
            }
            Fault::Stall { gateway, ms } => {
                self.proxies[gateway].stall(true);
                self.later(ms, Heal::Proxy(gateway));
            }
            Fault::Refuse { gateway, ms } => {
                self.proxies[gateway].refuse(true);
                self.proxies[gateway].cut_all();
                self.later(ms, Heal::Proxy(gateway));
            }
            Fault::Throttle { gateway, ms } => {
                self.proxies[gateway].throttle(dice.between(1, 200), dice.between(1, 5));
                self.later(ms, Heal::Proxy(gateway));
            }
            Fault::Silence { ms } => {
                self.server.silence(true);
                self.later(ms, Heal::Server);
            }
            Fault::SilentStreams { ms } => {
                self.server.silence_streams(true);
                self.later(ms, Heal::Server);
            }
            Fault::StopGateway { gateway, ms } => {
                self.gateways[gateway].process.signal("STOP");
                self.later(ms, Heal::Continue(gateway));
            }
            Fault::KillGateway { gateway } => self.kill(gateway),
            other => return self.upstream_fault(other, dice),
        }
        true
    }

    fn upstream_fault(&mut self, fault: Fault, dice: &mut Dice) -> bool {
        let name = |view: usize| format!("v{view}");
        match fault {
            Fault::ErrorInCopy { view } => {
                self.server.fail_streams(
                    &name(view),
                    "XX000",
                    "Evaluation error: division by zero",
                );
            }
            Fault::ErrorInSnapshot { messages } => {
                self.server.break_next_copy(messages);
                self.proxies[dice.below(2)].cut_after(dice.next(), 0);
            }
            Fault::DoneInSnapshot { messages } => {
                self.server.end_next_copy(messages);
                self.proxies[dice.below(2)].cut_after(dice.next(), 0);
            }
            Fault::CopyRefused => {
                self.server
                    .fail_next_copy("XX000", "internal error: try again");
                self.proxies[dice.below(2)].cut_after(dice.next(), 0);
            }
            Fault::Done { view } => self.server.end_streams(&name(view)),
            Fault::BadData { view } => self.bad_data(view, dice),
            Fault::RestartWithHistory => self.server.cut_all(),
            Fault::RestartWithoutHistory => {
                self.server.restart_with(dice.between(5, 900), &[]);
            }
            Fault::RestartOtherData => {
                let ms = self.wait_for_all(dice.between(5, 900));
                let at = self.server.now() + ms;
                let changes = self.replaced(at, dice, Model::replace);
                self.server.restart_with(ms, &changes);
            }
            Fault::TimeBack => {
                // Every earlier time is far above every later one.
                self.rewinds += 1;
                let to = 1_000_000_000 - u64::from(self.rewinds) * 100_000_000;
                if self.rewinds > 8 {
                    return false;
                }
                let contents = self.replaced(to, dice, Model::rewind);
                self.server.rewind(to, &contents);
            }
            Fault::Lag { ms } => {
                self.server.lag(ms);
                self.server.cut_all();
            }
            Fault::SnapshotHangs { messages, ms } => {
                self.server.let_hang(true);
                self.server.hang_next_copy(messages);
                self.proxies[dice.below(2)].cut_after(dice.next(), 0);
                self.later(ms, Heal::Hanging);
            }
            Fault::DropCreate { view, ms } => {
                return self.create_anew(view, dice, |server, name| {
                    server.drop_view(name);
                    thread::sleep(Duration::from_millis(ms / 4));
                });
            }
            Fault::NameMoves { view } => {
                return self.create_anew(view, dice, Materialize::move_name);
            }
            _ => return false,
        }
        true
    }

    fn replaced(
        &mut self,
        at: u64,
        dice: &mut Dice,
        replace: impl Fn(
            &mut Model,
            u64,
            &mut super::history::Histories,
            &mut Dice,
        ) -> super::history::Made,
    ) -> Vec<(String, Vec<(crate::support::materialize::Values, i64)>)> {
        let mut histories = self.arena.histories.write().unwrap();
        let models = self.models.iter_mut();
        models
            .map(|model| {
                (
                    model.name.clone(),
                    replace(model, at, &mut histories, dice).told,
                )
            })
            .collect()
    }

    fn bad_data(&mut self, view: usize, dice: &mut Dice) {
        let now = self.server.now();
        let model = &self.models[view];
        let nulls = "\t\\N".repeat(model.columns.len() + 1);
        let (next, after) = (now + 1, now + 2);
        let bad = match dice.below(7) {
            0 => "x\tf\t1\tz\n".to_owned(),
            1 => format!("{next}\tf\n"),
            2 => format!("{next}\tf\tone{}\n", "\t1".repeat(model.columns.len())),
            3 => {
                let bad = format!("5\tt{nulls}\n");
                return self.server.contradict(&model.name, bad.as_bytes());
            }
            4 => format!("{next}\tf\t0{}\n", "\t1".repeat(model.columns.len())),
            5 => "\0\u{1}\n\n\n".to_owned(),
            _ => match model.absent() {
                Some(row) => format!("{next}\tf\t-5\t{}\n{after}\tt{nulls}\n", encode_row(row)),
                None => "\\\n".to_owned(),
            },
        };
        self.server.inject(&model.name, bad.as_bytes());
    }

    /// Another object has the view's name. A gateway asks for its views once
    /// before it may outlive their absence.
    fn create_anew(
        &mut self,
        view: usize,
        dice: &mut Dice,
        remove: impl Fn(&Materialize, &str),
    ) -> bool {
        let stopped = self
            .heals
            .iter()
            .any(|(_, heal)| matches!(heal, Heal::Continue(_)));
        if stopped
            || self
                .gateways
                .iter()
                .any(|it| get(it.address, "/readyz").status != 200)
        {
            return false;
        }
        remove(&self.server, &self.models[view].name);
        let at = self.server.now() + 1;
        {
            let mut histories = self.arena.histories.write().unwrap();
            self.models[view] = Model::new(view, at, &mut histories, dice);
        }
        self.server.tick_after(1);
        create(&self.server, &self.models[view], self.scenario);
        self.commit(view, dice);
        true
    }

    fn kill(&mut self, gateway: usize) {
        let slot = &self.arena.slots[gateway];
        slot.address.lock().unwrap().set_port(9);
        slot.life.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        self.look_for_panics(gateway);
        self.gateways[gateway].process.signal("KILL");
        self.gateways[gateway] = start_gateway(self.scenario, &self.proxies[gateway]);
        *slot.address.lock().unwrap() = self.gateways[gateway].address;
    }

    fn look_for_panics(&self, gateway: usize) {
        let log = self.gateways[gateway].process.log();
        for line in log.iter().filter(|line| line.contains("panicked")) {
            self.arena.fail(PANIC, line.clone());
        }
    }

    /// Everything heals; then one more change of every view, which all must see.
    fn finish(&mut self, all_are_there: impl Fn() -> bool) {
        let far = Instant::now() + Duration::from_secs(3600);
        self.heal(far);
        for proxy in &self.proxies {
            proxy.heal();
        }
        self.server.lag(0);
        self.server.let_hang(false);
        let mut finals = Vec::new();
        for view in 0..self.models.len() {
            let ms = self.wait_for(view, 10);
            let at = self.server.now() + ms;
            let model = &mut self.models[view];
            let made = model.finale(at, &mut self.arena.histories.write().unwrap());
            self.server.commit_after(ms, &model.name, made.told);
            finals.push(at);
        }
        *self.arena.finals.lock().unwrap() = Some(finals.clone());
        let deadline = Instant::now() + PATIENCE;
        while !all_are_there() && !self.arena.is_over() {
            thread::sleep(Duration::from_millis(20));
            self.server.tick_after(1);
            if Instant::now() > deadline {
                let views = self
                    .gateways
                    .each_ref()
                    .map(|it| get(it.address, "/views").text());
                let waiting = self.arena.waiting.lock().unwrap().clone();
                let text = format!("ends {finals:?}, waiting {waiting:#?}, gateways {views:?}");
                self.arena.fail(STUCK, text);
            }
        }
        self.look_for_places(deadline + PATIENCE);
        for gateway in 0..2 {
            self.look_for_panics(gateway);
        }
    }

    /// Everybody has left: no place is taken any more.
    fn look_for_places(&self, deadline: Instant) {
        for gateway in &self.gateways {
            while !self.arena.is_over() {
                let views = get(gateway.address, "/views").text();
                let views: serde_json::Value = serde_json::from_str(&views).expect("views");
                let mut all = views["views"].as_array().into_iter().flatten();
                if all.all(|view| view["subscribers"] == 0) {
                    break;
                }
                if Instant::now() > deadline {
                    let text = format!("{views}");
                    self.arena.fail(PLACES, text);
                }
                thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

fn create(server: &Materialize, model: &Model, scenario: &Scenario) {
    let columns: Vec<(&str, &str)> = model
        .columns
        .iter()
        .map(|(name, kind)| (name.as_str(), *kind))
        .collect();
    server.create_view(&model.name, &columns);
    if scenario.refreshed == Some(model.view) {
        server.set_refresh(&model.name, REFRESH_EVERY_MS);
    }
}
