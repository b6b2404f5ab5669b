//! A history's script: what operators, networks and clients do, and when, all
//! decided by a seed. A script can be cut down and still be played.

use crate::dice::Dice;
use crate::upstream::Generation;

mod op;

use op::KINDS;
pub use op::Op;

/// Clients of a crowd: more than the bases that may be held.
const CROWD: usize = 90;

/// What distinguishes the dice of bursts from those of everything else.
const BURSTS: u64 = 0xb0_57;

/// What the dice of windows begin with.
pub const WINDOWS: u64 = 0x3117_d035;

/// What is done at a moment, by dice of its own: it is the same whether or not
/// others are left out.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    pub at_us: u64,
    pub op: Op,
    pub seed: u64,
}

/// What sort of history it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// The views are named by a pattern.
    pub is_pattern: bool,
    /// Streams are limited in number.
    pub is_limited: bool,
    /// Rows are long, so that bases and deltas are sent in slices.
    pub is_wide: bool,
    /// Clients ask for windows of the views.
    pub is_windowed: bool,
    /// Very many clients, each of which comes for another base and hardly reads.
    pub is_crowd: bool,
}

/// Everything that a seed decides before the first step.
#[derive(Clone, Debug)]
pub struct Script {
    pub seed: u64,
    /// What decides how long everything takes.
    pub chance: u64,
    pub generation: Generation,
    pub shape: Shape,
    pub gateways: usize,
    /// Of each view, what `Flow` it has, by chance.
    pub views: usize,
    pub clients: usize,
    pub joint: usize,
    pub steps: Vec<Step>,
}

impl Script {
    pub fn new(seed: u64) -> Script {
        let mut dice = Dice::new(seed);
        if dice.below(80) == 0 {
            return Script::crowd(seed, dice);
        }
        let shape = Shape {
            is_pattern: dice.percent(20),
            is_limited: dice.percent(15),
            is_wide: dice.percent(8),
            // By dice of its own, like all that has to do with windows.
            is_windowed: Dice::new(seed ^ WINDOWS).percent(35),
            is_crowd: false,
        };
        let generation = match dice.below(10) {
            0..2 => Generation::Silent,
            2..4 => Generation::Steady,
            _ => Generation::Modern,
        };
        // Each history knows few kinds of trouble: so that what is rare in all
        // of them is frequent in some.
        let mut kinds: Vec<usize> = (0..KINDS).filter(|_| dice.percent(20)).collect();
        if dice.percent(30) {
            kinds.push(KINDS - 1);
        }
        let quiet = dice.between(5, 60);
        let count = dice.below(120) + 30;
        let mut steps = Vec::new();
        let mut at_us = 2_000_000;
        for _ in 0..count {
            at_us += match dice.below(10) {
                0..6 => dice.between(1_000, 400_000),
                6..9 => dice.between(100_000, 2_000_000),
                _ => dice.between(1_000_000, 8_000_000),
            };
            let op = match kinds.is_empty() || dice.percent(100 - quiet) {
                true => Op::Commit {
                    view: dice.below(8),
                },
                false => Op::throw(*dice.pick(&kinds), &mut dice),
            };
            let seed = dice.next();
            steps.push(Step { at_us, op, seed });
            if let Op::Rest { ms } = op {
                at_us += rest_us(ms);
            }
        }
        let bursts = bursts(seed, at_us).into_iter();
        let bursts: Vec<Step> = bursts.filter(|step| !is_at_rest(&steps, step)).collect();
        steps.extend(bursts);
        steps.sort_by_key(|step| step.at_us);
        Script {
            seed,
            chance: seed ^ 0x5eed,
            generation,
            shape,
            gateways: dice.below(2) + 1,
            views: dice.below(3) + 1,
            clients: dice.below(10) + 2,
            joint: dice.below(if generation.is_old() { 3 } else { 4 }),
            steps,
        }
    }

    /// A large view that is rewritten, or one that is replaced, again and again
    /// while one after the other begins to read it.
    fn crowd(seed: u64, mut dice: Dice) -> Script {
        let mut at_us = 2_000_000;
        let is_renamed = dice.percent(50);
        let steps = (0..CROWD).map(|_| {
            at_us += dice.between(200_000, 400_000);
            let op = match is_renamed {
                true => Op::MoveName { view: 0 },
                false => Op::Rewrite { view: 0 },
            };
            let seed = dice.next();
            Step { at_us, op, seed }
        });
        Script {
            seed,
            chance: seed ^ 0x5eed,
            generation: Generation::Modern,
            shape: Shape {
                is_wide: true,
                is_crowd: true,
                ..Shape::default()
            },
            gateways: 1,
            views: 1,
            clients: CROWD,
            joint: 0,
            steps: steps.collect(),
        }
    }

    /// The same with only these of its steps.
    pub fn with(&self, steps: Vec<Step>) -> Script {
        Script {
            steps,
            ..self.clone()
        }
    }
}

/// Many commits in little time, so that slow clients have long backlogs; by dice
/// of their own.
fn bursts(seed: u64, until_us: u64) -> Vec<Step> {
    let mut dice = Dice::new(seed ^ BURSTS);
    let count = if dice.percent(40) { dice.below(4) } else { 0 };
    let mut steps = Vec::new();
    for _ in 0..count {
        let mut at_us = dice.between(2_000_000, until_us);
        let (view, pause) = (dice.below(8), dice.between(1_000, 50_000));
        for _ in 0..dice.between(40, 250) {
            at_us += dice.between(500, pause);
            let seed = dice.next();
            let op = Op::Commit { view };
            steps.push(Step { at_us, op, seed });
        }
    }
    steps
}

/// How long nothing else is done for a rest.
pub fn rest_us(ms: u64) -> u64 {
    ms * 1_000 + 45_000_000
}

/// Whether this would disturb a rest.
fn is_at_rest(steps: &[Step], step: &Step) -> bool {
    steps.iter().any(|it| match it.op {
        Op::Rest { ms } => (it.at_us..=it.at_us + rest_us(ms)).contains(&step.at_us),
        _ => false,
    })
}
