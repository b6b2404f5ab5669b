//! A scenario: everything that will be done, decided by a seed. Real time only
//! decides how it interleaves.

use std::fmt;

use crate::support::dice::Dice;
use crate::support::materialize::{Generation, Pace};

/// What goes wrong. Times in milliseconds, places by any number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// One connection is cut once so many bytes more have passed.
    Cut { gateway: usize, bytes: u64 },
    /// All connections of a gateway are cut.
    CutAll { gateway: usize },
    /// One connection goes silent and is not closed.
    HalfOpen { gateway: usize },
    /// Nothing moves between a gateway and the upstream.
    Stall { gateway: usize, ms: u64 },
    /// The upstream's port refuses a gateway.
    Refuse { gateway: usize, ms: u64 },
    /// Bytes come by the handful.
    Throttle { gateway: usize, ms: u64 },
    /// The upstream hangs as a whole.
    Silence { ms: u64 },
    /// Its streams hang.
    SilentStreams { ms: u64 },
    /// The streams of a view end with an error.
    ErrorInCopy { view: usize },
    /// The next streams end with an error within their snapshot.
    ErrorInSnapshot { messages: usize },
    /// The next stream ends within its snapshot as if it was finished.
    DoneInSnapshot { messages: usize },
    /// The next stream is refused.
    CopyRefused,
    /// The streams of a view end as if they were finished.
    Done { view: usize },
    /// The upstream sends what cannot be.
    BadData { view: usize },
    /// The upstream restarts and still has its history.
    RestartWithHistory,
    /// It restarts and has no history.
    RestartWithoutHistory,
    /// It restarts with other data.
    RestartOtherData,
    /// It restarts from a backup: time goes back.
    TimeBack,
    /// It restarts, and shows its contents as of a while ago.
    Lag { ms: u64 },
    /// The next stream hangs within its snapshot.
    SnapshotHangs { messages: usize, ms: u64 },
    /// A view is dropped and created anew, perhaps with other columns.
    DropCreate { view: usize, ms: u64 },
    /// The name is given to another object, and the first one lives on.
    NameMoves { view: usize },
    /// A gateway is killed and started anew.
    KillGateway { gateway: usize },
    /// A gateway is stopped for a while.
    StopGateway { gateway: usize, ms: u64 },
}

impl Fault {
    /// A name for the count.
    pub fn kind(self) -> &'static str {
        match self {
            Fault::Cut { .. } => "connection cut at a random byte",
            Fault::CutAll { .. } => "all connections cut",
            Fault::HalfOpen { .. } => "half-open connection",
            Fault::Stall { .. } => "network stalled",
            Fault::Refuse { .. } => "connections refused",
            Fault::Throttle { .. } => "network throttled",
            Fault::Silence { .. } => "upstream hangs",
            Fault::SilentStreams { .. } => "streams hang",
            Fault::ErrorInCopy { .. } => "error in a stream",
            Fault::ErrorInSnapshot { .. } => "error in a snapshot",
            Fault::DoneInSnapshot { .. } => "CopyDone within a snapshot",
            Fault::CopyRefused => "stream refused",
            Fault::Done { .. } => "CopyDone out of nowhere",
            Fault::BadData { .. } => "malformed or impossible data",
            Fault::RestartWithHistory => "restart with history",
            Fault::RestartWithoutHistory => "restart without history",
            Fault::RestartOtherData => "restart with other data",
            Fault::TimeBack => "time goes back",
            Fault::Lag { .. } => "snapshot of a while ago",
            Fault::SnapshotHangs { .. } => "snapshot that does not end",
            Fault::DropCreate { .. } => "view dropped and created anew",
            Fault::NameMoves { .. } => "name given to another object",
            Fault::KillGateway { .. } => "gateway killed",
            Fault::StopGateway { .. } => "gateway stopped",
        }
    }

    fn throw(dice: &mut Dice, views: usize) -> Fault {
        let gateway = dice.below(2);
        let view = dice.below(views);
        let ms = dice.between(20, 900);
        match dice.below(1_000) {
            0..400 => {
                let bytes = if dice.percent(30) {
                    0
                } else {
                    dice.between(1, 2_500)
                };
                Fault::Cut { gateway, bytes }
            }
            400..450 => Fault::CutAll { gateway },
            450..490 => Fault::HalfOpen { gateway },
            490..530 => Fault::Stall { gateway, ms },
            530..580 => Fault::Refuse { gateway, ms },
            580..610 => Fault::Throttle { gateway, ms },
            610..625 => Fault::Silence { ms },
            625..640 => Fault::SilentStreams { ms },
            640..740 => Fault::ErrorInCopy { view },
            740..765 => Fault::ErrorInSnapshot {
                messages: dice.below(20),
            },
            765..780 => Fault::DoneInSnapshot {
                messages: dice.below(20),
            },
            780..820 => Fault::CopyRefused,
            820..850 => Fault::Done { view },
            850..910 => Fault::BadData { view },
            910..930 => Fault::RestartWithHistory,
            930..945 => Fault::RestartWithoutHistory,
            945..955 => Fault::RestartOtherData,
            955..958 => Fault::TimeBack,
            958..970 => Fault::Lag {
                ms: dice.between(1, 9_000),
            },
            970..985 => Fault::DropCreate { view, ms },
            985..988 => Fault::KillGateway { gateway },
            988..991 => Fault::NameMoves { view },
            991..994 => Fault::SnapshotHangs {
                messages: dice.below(10),
                ms: dice.between(500, 2_500),
            },
            _ => Fault::StopGateway { gateway, ms },
        }
    }
}

/// What the driver does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Commit { view: usize },
    Tick,
    Fault(Fault),
}

/// A step: a pause, then what is done, by its own dice, so that a step is the
/// same whether or not others are left out.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    pub pause_ms: u64,
    pub what: What,
    pub seed: u64,
}

/// A client: a view, and its own dice.
#[derive(Clone, Copy, Debug)]
pub struct ClientScript {
    pub view: usize,
    pub seed: u64,
}

#[derive(Clone, Debug)]
pub struct Scenario {
    pub seed: u64,
    pub generation: Generation,
    pub views: usize,
    /// What both gateways are started with.
    pub arguments: Vec<String>,
    /// Nothing is forgotten within the scenario.
    pub keeps_all: bool,
    /// How often the upstream tells progress.
    pub pace: Pace,
    /// The view that changes only at whole multiples of `REFRESH_EVERY_MS`, and
    /// is silent between them, if there is one.
    pub refreshed: Option<usize>,
    pub steps: Vec<Step>,
    pub clients: Vec<ClientScript>,
    /// Clients of several views, each with dice of its own. On an old server,
    /// which does not say how far an idle view is, those would be told of a
    /// time that some of them have yet to reach.
    pub joint: Vec<u64>,
    /// Those who ask for snapshots or do not read, each with dice of its own.
    pub visitors: Vec<u64>,
}

/// How far apart the changes of a refreshed view are, in the upstream's time:
/// some ten steps of a scenario.
pub const REFRESH_EVERY_MS: u64 = 9_000;

/// How large scenarios are.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub steps: usize,
    pub clients: usize,
    pub views: usize,
    /// Faults in a hundred steps.
    pub faults: u64,
    /// The longest pause before a step.
    pub pause_ms: u64,
}

impl Scenario {
    pub fn of(seed: u64, size: Size) -> Scenario {
        let mut dice = Dice::new(seed);
        let generation = match dice.percent(60) {
            true => Generation::Modern,
            false => Generation::Old,
        };
        let views = dice.below(size.views) + 1;
        let mut arguments = Vec::new();
        let mut add = |flag: &str, value: String| arguments.extend([flag.to_owned(), value]);
        add("--heartbeat", format!("{}ms", dice.between(80, 400)));
        add(
            "--upstream-timeout",
            format!("{}ms", dice.between(300, 700)),
        );
        add("--reconnect-max", format!("{}ms", dice.between(20, 300)));
        add("--workers", dice.between(1, 2).to_string());
        add("--stall-timeout", "4s".to_owned());
        add("--catalog-interval", "200ms".to_owned());
        let retention = dice.below(10);
        match retention {
            0 => add("--retention-bytes", "8KiB".to_owned()),
            1 => add("--retention-age", "1s".to_owned()),
            // Huge rows by the hundred would fill the default within seconds.
            _ => add("--retention-bytes", "32GiB".to_owned()),
        }
        // By dice of their own: older seeds keep their scripts.
        let mut conflation = Dice::new(seed ^ 3);
        if conflation.percent(20) {
            add(
                "--min-interval",
                format!("{}ms", conflation.between(5, 400)),
            );
        }
        let steps = (0..size.steps).map(|_| {
            let what = match dice.below(100) {
                throw if throw < usize::try_from(size.faults).unwrap() => {
                    What::Fault(Fault::throw(&mut dice, views))
                }
                throw if throw < 90 => What::Commit {
                    view: dice.below(views),
                },
                _ => What::Tick,
            };
            Step {
                pause_ms: dice.between(0, size.pause_ms),
                what,
                seed: dice.next(),
            }
        });
        let steps = steps.collect();
        let clients = (0..size.clients).map(|_| ClientScript {
            view: dice.below(views),
            seed: dice.next(),
        });
        let mut joining = Dice::new(seed ^ 4);
        let is_exact = generation == Generation::Modern && views > 1;
        let count = if is_exact { size.clients / 10 + 1 } else { 0 };
        let joint = (0..count).map(|_| joining.next()).collect();
        let mut visiting = Dice::new(seed ^ 5);
        let visitors = (0..size.clients / 8).map(|_| visiting.next()).collect();
        let is_refreshed = generation == Generation::Modern && visiting.percent(30);
        let refreshed = is_refreshed.then(|| visiting.below(views));
        let pace = match Dice::new(seed ^ 2).percent(60) {
            true => Pace::Random(seed),
            false => Pace::Each,
        };
        Scenario {
            seed,
            generation,
            views,
            arguments,
            keeps_all: retention > 1,
            pace,
            steps,
            clients: clients.collect(),
            joint,
            refreshed,
            visitors,
        }
    }

    /// Gateways killed in turn, and nothing else that goes wrong.
    pub fn of_kills(seed: u64, kills: usize, clients: usize) -> Scenario {
        let size = Size {
            steps: kills * 60,
            clients,
            views: 3,
            faults: 0,
            pause_ms: 12,
        };
        let mut scenario = Scenario::of(seed, size);
        for kill in 0..kills {
            let gateway = kill % 2;
            scenario.steps[kill * 60 + 59].what = What::Fault(Fault::KillGateway { gateway });
        }
        scenario
    }

    /// Smaller scenarios that may fail in the same way, the smallest first.
    pub fn smaller(&self) -> Vec<Scenario> {
        let mut all = Vec::new();
        let (steps, clients) = (self.steps.len(), self.clients.len());
        for parts in [2, 4] {
            for part in 0..parts {
                let mut less = self.clone();
                less.clients = without(
                    &self.clients,
                    part * clients / parts,
                    (part + 1) * clients / parts,
                );
                all.push(less);
                let mut less = self.clone();
                let joint = self.joint.len();
                less.joint = without(
                    &self.joint,
                    part * joint / parts,
                    (part + 1) * joint / parts,
                );
                all.push(less);
                let mut less = self.clone();
                let visitors = self.visitors.len();
                less.visitors = without(
                    &self.visitors,
                    part * visitors / parts,
                    (part + 1) * visitors / parts,
                );
                all.push(less);
                let mut less = self.clone();
                less.steps = without(
                    &self.steps,
                    part * steps / parts,
                    (part + 1) * steps / parts,
                );
                all.push(less);
            }
        }
        for kind in self.kinds() {
            let mut less = self.clone();
            less.steps
                .retain(|step| !matches!(step.what, What::Fault(fault) if fault.kind() == kind));
            all.push(less);
        }
        all.retain(|less| less.weight() < self.weight());
        all.sort_by_key(Scenario::weight);
        all
    }

    fn weight(&self) -> usize {
        self.steps.len() + self.clients.len() + self.joint.len() + self.visitors.len()
    }

    fn kinds(&self) -> Vec<&'static str> {
        let mut kinds: Vec<_> = self
            .steps
            .iter()
            .filter_map(|step| match step.what {
                What::Fault(fault) => Some(fault.kind()),
                _ => None,
            })
            .collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }
}

fn without<T: Copy>(all: &[T], from: usize, to: usize) -> Vec<T> {
    let (before, rest) = all.split_at(from);
    let after = rest.split_at(to - from).1;
    [before, after].concat()
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "seed {}: {:?}, {:?}, {} views, refreshed {:?}, gateways with {}, clients {:?}, of several views {:?}, visitors {:?}",
            self.seed,
            self.generation,
            self.pace,
            self.views,
            self.refreshed,
            self.arguments.join(" "),
            self.clients,
            self.joint,
            self.visitors
        )?;
        for step in &self.steps {
            writeln!(
                f,
                "  +{} ms {:?} (dice {})",
                step.pause_ms, step.what, step.seed
            )?;
        }
        Ok(())
    }
}
