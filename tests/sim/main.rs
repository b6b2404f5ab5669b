//! The gateway in a bottle: its real core, with upstreams, networks, clients and
//! operators that are simulated, in one thread and in virtual time. One seed is
//! one history.
//!
//!     SIM_SEED=17 cargo test --release --test sim -- one_seed --nocapture
//!     SIM_SECONDS=60 cargo test --release --test sim -- soak --nocapture

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::print_stdout,
    reason = "a test fails by panicking; clippy.toml spares test functions, not their helpers"
)]

use std::panic::{self, AssertUnwindSafe};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

mod acts;
mod audit;
mod client;
#[path = "../it/support/dice.rs"]
mod dice;
mod follow;
mod gateway;
mod minimise;
mod places;
mod queue;
mod rest;
mod script;
mod serve;
mod socket;
mod table;
mod talk;
mod trace;
mod truth;
mod upstream;
#[path = "../it/windows_oracle/wanted.rs"]
mod wanted;
mod windows;
mod wire;
mod world;

use script::Script;
use world::World;

/// Lines of a trace that are printed.
const SHOWN: usize = 400;

/// What a history came to.
struct Played {
    comparisons: u64,
    rests: u64,
    virtual_us: u64,
    wrong: Option<String>,
}

fn play(script: &Script) -> Played {
    let mut world = World::new(script.clone());
    let ended = panic::catch_unwind(AssertUnwindSafe(|| world.come_to_rest()));
    Played {
        comparisons: world.comparisons,
        rests: world.rests,
        virtual_us: world.now_us,
        wrong: match ended {
            Ok(()) => world.wrong.take(),
            Err(_) => Some("PANIC".to_owned()),
        },
    }
}

fn whole_trace(script: &Script) -> Vec<u8> {
    let mut world = World::new(script.clone());
    world.trace.whole = Some(Vec::new());
    world.come_to_rest();
    world.trace.whole.unwrap_or_default()
}

/// Plays a seed; what is wrong is told with the smallest script that shows it.
fn play_seed(seed: u64) -> Played {
    let script = Script::new(seed);
    let played = play(&script);
    if let Some(wrong) = &played.wrong {
        println!("seed {seed}: {wrong}");
        if setting("SIM_BRIEF").is_some() {
            return played;
        }
        let (script, played) = minimise::minimise(&script, Duration::from_secs(20));
        let trace = whole_trace(&script);
        let text = String::from_utf8_lossy(&trace);
        let lines: Vec<&str> = text.lines().collect();
        println!("{}", lines[lines.len().saturating_sub(SHOWN)..].join("\n"));
        let path = std::env::temp_dir().join(format!("sim-{seed}-min.trace"));
        println!("seed {seed}: the whole of it is in {}", path.display());
        drop(std::fs::write(path, trace));
        println!("seed {seed}: {}", played.wrong.clone().unwrap_or_default());
        println!(
            "seed {seed}: {} steps are enough, {:?}:",
            script.steps.len(),
            script.generation
        );
        for step in &script.steps {
            println!("  {:>12} us {:?}", step.at_us, step.op);
        }
    }
    played
}

/// How often a long run says how far it is.
const PROGRESS: Duration = Duration::from_secs(60);

/// How many wrong histories a run looks for before it ends.
#[derive(Clone, Copy)]
enum Looks {
    /// One: a developer wants it at once.
    ForOne,
    /// As many as there are in its time.
    ForAll,
}

/// Plays seeds on both cores until they are over; panics if one is wrong.
fn play_all(name: &str, looks: Looks, mut seeds: impl Iterator<Item = u64> + Send) {
    let began = Instant::now();
    let next = Mutex::new(move || seeds.next());
    let (comparisons, histories) = (AtomicU64::new(0), AtomicU64::new(0));
    let (virtual_us, rests) = (AtomicU64::new(0), AtomicU64::new(0));
    let wrong = Mutex::new(Vec::new());
    let told = Mutex::new(began);
    let tell = || {
        let mut told = told.lock().unwrap();
        if told.elapsed() >= PROGRESS {
            *told = Instant::now();
            let [histories, comparisons] =
                [&histories, &comparisons].map(|it| it.load(Ordering::Relaxed));
            let took = began.elapsed().as_secs();
            println!("{name}: {histories} histories, {comparisons} comparisons after {took} s");
        }
    };
    let work = || {
        loop {
            tell();
            let seed = (next.lock().unwrap())();
            let is_over = matches!(looks, Looks::ForOne) && !wrong.lock().unwrap().is_empty();
            let Some(seed) = seed.filter(|_| !is_over) else {
                return;
            };
            let played = play_seed(seed);
            comparisons.fetch_add(played.comparisons, Ordering::Relaxed);
            virtual_us.fetch_add(played.virtual_us, Ordering::Relaxed);
            rests.fetch_add(played.rests, Ordering::Relaxed);
            histories.fetch_add(1, Ordering::Relaxed);
            if let Some(text) = played.wrong {
                wrong.lock().unwrap().push(format!("seed {seed}: {text}"));
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(work);
        }
    });
    let took = began.elapsed().as_secs_f64();
    let [comparisons, histories, virtual_us, rests] =
        [comparisons, histories, virtual_us, rests].map(|it| it.load(Ordering::Relaxed));
    #[allow(clippy::cast_precision_loss, reason = "for people")]
    let faster = virtual_us as f64 / 1e6 / took / 2.0;
    println!(
        "{name}: {histories} histories, {comparisons} comparisons with the truth, {rests} times \
         at rest, {} virtual seconds in {took:.1} s on two threads: {faster:.0} times as fast",
        virtual_us / 1_000_000
    );
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[allow(
    clippy::disallowed_methods,
    reason = "what a developer asks of one run; the gateway has no part in it"
)]
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// A minute of histories that are always the same.
#[test]
fn sim_fixed_seeds_are_exact_and_come_to_rest() {
    let first = setting("SIM_FROM").unwrap_or(1);
    play_all(
        "fixed seeds",
        Looks::ForOne,
        first..=setting("SIM_SEEDS").unwrap_or(800),
    );
}

/// Those that once showed a fault.
#[test]
fn sim_kept_seeds_are_exact_and_come_to_rest() {
    let kept = include_str!("../data/sim-seeds.txt").lines();
    let seeds = kept.filter_map(|line| line.split_whitespace().next()?.parse().ok());
    let seeds: Vec<u64> = seeds.collect();
    play_all("kept seeds", Looks::ForOne, seeds.into_iter());
}

/// The same seed is the same history, to the byte of its trace.
#[test]
fn sim_same_seed_is_the_same_history() {
    let seeds = Mutex::new(10_000_u64..10_200);
    let work = || {
        loop {
            let Some(seed) = seeds.lock().unwrap().next() else {
                return;
            };
            let traces = [(); 2].map(|()| whole_trace(&Script::new(seed)));
            let [one, two] = &traces;
            let same = one
                .iter()
                .zip(two)
                .take_while(|(one, two)| one == two)
                .count();
            let from = one[..same]
                .iter()
                .rposition(|byte| *byte == b'\n')
                .unwrap_or(0);
            let text = |trace: &[u8]| {
                let end = trace.len().min(from + 400);
                String::from_utf8_lossy(&trace[from..end]).into_owned()
            };
            assert!(
                one == two,
                "seed {seed}:\n{}\n---\n{}",
                text(one),
                text(two)
            );
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(work);
        }
    });
}

/// New seeds for as long as asked, also after one that is wrong.
#[test]
fn sim_soak() {
    let Some(seconds) = setting("SIM_SECONDS") else {
        return;
    };
    let end = Instant::now() + Duration::from_secs(seconds);
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let from = since.map_or(0, |it| it.as_secs()) * 1_000_000;
    play_all(
        "new seeds",
        Looks::ForAll,
        (from..).take_while(move |_| Instant::now() < end),
    );
}

/// Seeds from the first on, for as long as asked: how soon a fault is found.
///
///     SIM_BRIEF=1 SIM_HUNT=300 cargo test --release --test sim -- sim_hunt --nocapture
#[test]
fn sim_hunt() {
    let Some(seconds) = setting("SIM_HUNT") else {
        return;
    };
    let end = Instant::now() + Duration::from_secs(seconds);
    play_all(
        "first seeds",
        Looks::ForOne,
        (1..).take_while(move |_| Instant::now() < end),
    );
}

/// One history, for whoever looks for its fault.
#[test]
fn sim_one_seed() {
    let Some(seed) = setting("SIM_SEED") else {
        return;
    };
    let mut world = World::new(Script::new(seed));
    world.trace.whole = Some(Vec::new());
    world.trace.echoes = setting("SIM_ECHO").is_some();
    world.come_to_rest();
    let path = std::env::temp_dir().join(format!("sim-{seed}.trace"));
    std::fs::write(&path, world.trace.whole.unwrap_or_default()).unwrap();
    println!("{}: {:?}", path.display(), world.wrong);
    let played = play_seed(seed);
    assert_eq!(played.wrong, None);
}
