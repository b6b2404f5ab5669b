//! A history's script: what operators, networks and clients do, and when, all
//! decided by a seed. A script can be cut down and still be played.

use crate::dice::Dice;
use crate::upstream::{Break, Generation};

/// What is done. Views, gateways and clients are taken by their place, modulo
/// how many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Commit {
        view: usize,
    },
    /// The view is dropped, and created anew after so long.
    DropCreate {
        view: usize,
        ms: u64,
    },
    /// Its name is given to a new object; the old one lives on elsewhere.
    MoveName {
        view: usize,
    },
    /// Two views swap their names.
    Swap {
        view: usize,
        other: usize,
    },
    /// A view of the same name is created where it is found first, and dropped
    /// after so long.
    Shadow {
        view: usize,
        ms: u64,
    },
    /// It is renamed away, and back after so long.
    Rename {
        view: usize,
        ms: u64,
    },
    Deny {
        view: usize,
        ms: u64,
    },
    Fail {
        view: usize,
        ms: u64,
    },
    /// It becomes larger than it may be, and smaller after so long.
    Grow {
        view: usize,
        ms: u64,
    },
    EndSource {
        view: usize,
    },
    Restart,
    TimeBack {
        ms: u64,
    },
    Compact,
    Lag {
        ms: u64,
    },
    Refuse {
        ms: u64,
    },
    RefuseLogin {
        ms: u64,
    },
    NoRoom {
        ms: u64,
    },
    Hang {
        ms: u64,
    },
    HangStreams {
        ms: u64,
    },
    HangNames {
        ms: u64,
    },
    CopyRefused,
    CopyBreaks {
        lines: usize,
        how: Break,
    },
    StreamsError {
        view: usize,
    },
    StreamsDone {
        view: usize,
    },
    Contradict {
        view: usize,
    },
    Cut {
        gateway: usize,
    },
    CutAll {
        gateway: usize,
    },
    HalfOpen {
        gateway: usize,
    },
    Kill {
        gateway: usize,
        ms: u64,
    },
    Drain {
        gateway: usize,
        ms: u64,
    },
    ClientLeaves {
        client: usize,
    },
    ClientCut {
        client: usize,
    },
    ClientStalls {
        client: usize,
        ms: u64,
    },
    ClientHalfCloses {
        client: usize,
    },
    HoldJobs {
        ms: u64,
    },
    RefuseJobs {
        ms: u64,
    },
    /// Nothing for so long; then everybody must be in the right state.
    Rest {
        ms: u64,
    },
}

impl Op {
    fn throw(kind: usize, dice: &mut Dice) -> Op {
        let view = dice.below(8);
        let gateway = dice.below(8);
        let client = dice.below(64);
        let ms = match dice.below(4) {
            0 => dice.between(20, 500),
            1..3 => dice.between(500, 5_000),
            _ => dice.between(5_000, 30_000),
        };
        match kind {
            0 => Op::DropCreate { view, ms },
            1 => Op::MoveName { view },
            2 => Op::Swap {
                view,
                other: view + 1 + dice.below(2),
            },
            3 => Op::Shadow { view, ms },
            4 => Op::Rename { view, ms },
            5 => Op::Deny { view, ms },
            6 => Op::Fail { view, ms },
            7 => Op::Grow { view, ms },
            8 => Op::EndSource { view },
            9 => Op::Restart,
            10 => Op::TimeBack {
                ms: dice.between(170_000, 400_000),
            },
            11 => Op::Compact,
            12 => Op::Lag {
                ms: dice.between(1, 9_000),
            },
            13 => Op::Refuse { ms },
            14 => Op::RefuseLogin { ms },
            15 => Op::NoRoom { ms },
            16 => Op::Hang { ms },
            17 => Op::HangStreams { ms },
            18 => Op::HangNames { ms },
            19 => Op::CopyRefused,
            20 => Op::CopyBreaks {
                lines: dice.below(8),
                how: *dice.pick(&[Break::Error, Break::Done, Break::Hang]),
            },
            21 => Op::StreamsError { view },
            22 => Op::StreamsDone { view },
            23 => Op::Contradict { view },
            24 => Op::Cut { gateway },
            25 => Op::CutAll { gateway },
            26 => Op::HalfOpen { gateway },
            27 => Op::Kill { gateway, ms },
            28 => Op::Drain { gateway, ms },
            29 => Op::ClientLeaves { client },
            30 => Op::ClientCut { client },
            31 => Op::ClientStalls { client, ms },
            32 => Op::ClientHalfCloses { client },
            33 => Op::HoldJobs { ms },
            34 => Op::RefuseJobs { ms },
            _ => Op::Rest {
                ms: dice.between(90_000, 120_000),
            },
        }
    }
}

/// How many kinds `throw` knows; the last is a rest.
const KINDS: usize = 36;

/// What is done at a moment, by dice of its own: it is the same whether or not
/// others are left out.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    pub at_us: u64,
    pub op: Op,
    pub seed: u64,
}

/// Everything that a seed decides before the first step.
#[derive(Clone, Debug)]
pub struct Script {
    pub seed: u64,
    /// What decides how long everything takes.
    pub chance: u64,
    pub generation: Generation,
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
        let generation = match dice.below(10) {
            0..2 => Generation::Silent,
            2..4 => Generation::Steady,
            _ => Generation::Modern,
        };
        // Each history knows few kinds of trouble: so that what is rare in all
        // of them is frequent in some.
        let kinds: Vec<usize> = (0..KINDS).filter(|_| dice.percent(22)).collect();
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
                at_us += ms * 1_000 + 45_000_000;
            }
        }
        Script {
            seed,
            chance: seed ^ 0x5eed,
            generation,
            gateways: dice.below(2) + 1,
            views: dice.below(3) + 1,
            clients: dice.below(10) + 2,
            // An old server does not say how far an idle view is, and a view of
            // several may be told of a time that it has yet to reach.
            joint: if generation.is_old() {
                0
            } else {
                dice.below(4)
            },
            steps,
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
