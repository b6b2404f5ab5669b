//! What operators, networks and clients do.

use crate::dice::Dice;
use crate::upstream::Break;

/// The longest that a trouble lasts.
const LONGEST_MS: u64 = 200_000;

/// The longest that a client stays away: until time has come again as far as
/// before it went back.
const AWAY_MS: u64 = 500_000;

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
    /// All rows of a wide view are replaced by others.
    Rewrite {
        view: usize,
    },
    /// Its cluster has no replica: its streams pause, and all that reads it is
    /// refused.
    NoReplica {
        view: usize,
        ms: u64,
    },
    /// What reads it waits, as for a source without data, or breaks its
    /// connection; its streams go on.
    HangView {
        view: usize,
        ms: u64,
    },
    Restart,
    /// It is restored from a backup of so long ago, and perhaps restarted again
    /// after a moment.
    TimeBack {
        ms: u64,
        again_ms: Option<u64>,
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
    /// The catalog does not answer what this name means.
    HangName {
        view: usize,
        ms: u64,
    },
    /// The catalog refuses to say what objects there are.
    RefuseCatalog {
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
    /// It leaves, and comes back only after so long.
    ClientAway {
        client: usize,
        ms: u64,
    },
    ClientStalls {
        client: usize,
        ms: u64,
    },
    ClientHalfCloses {
        client: usize,
    },
    /// The gateways' system gives no threads.
    NoThreads {
        ms: u64,
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
    /// Whether a name may mean another object afterwards.
    pub fn moves_names(self) -> bool {
        matches!(
            self,
            Op::DropCreate { .. }
                | Op::MoveName { .. }
                | Op::Swap { .. }
                | Op::Shadow { .. }
                | Op::Rename { .. }
        )
    }

    pub fn throw(kind: usize, dice: &mut Dice) -> Op {
        let view = dice.below(8);
        let gateway = dice.below(8);
        let client = dice.below(64);
        let ms = match dice.below(20) {
            0..5 => dice.between(20, 500),
            5..15 => dice.between(500, 5_000),
            15..19 => dice.between(5_000, 30_000),
            // Longer than everybody needs to come to rest in it.
            _ => dice.between(30_000, LONGEST_MS),
        };
        // What concerns one view may last long, and the others go on.
        let long = match dice.below(4) {
            0 => dice.between(60_000, LONGEST_MS),
            _ => ms,
        };
        match kind {
            0 => Op::DropCreate { view, ms: long },
            1 => Op::MoveName { view },
            2 => Op::Swap {
                view,
                other: view + 1 + dice.below(2),
            },
            3 => Op::Shadow { view, ms: long },
            4 => Op::Rename { view, ms: long },
            5 => Op::Deny { view, ms: long },
            6 => Op::Fail { view, ms: long },
            7 => Op::Grow { view, ms: long },
            8 => Op::EndSource { view },
            9 => Op::Restart,
            10 => Op::TimeBack {
                ms: dice.between(170_000, 400_000),
                again_ms: dice.percent(40).then(|| dice.between(20, 2_000)),
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
            35 => Op::Rewrite { view },
            36 => Op::NoReplica { view, ms: long },
            37 => Op::HangView { view, ms: long },
            38 => Op::HangName { view, ms: long },
            39 => Op::RefuseCatalog { ms },
            40 => Op::NoThreads { ms },
            41 => Op::ClientAway {
                client,
                ms: dice.between(1_000, AWAY_MS),
            },
            _ => Op::Rest {
                ms: dice.between(90_000, 120_000),
            },
        }
    }
}

/// How many kinds `throw` knows; the last is a rest.
pub const KINDS: usize = 43;
