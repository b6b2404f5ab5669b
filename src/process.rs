//! What this process is, and what the system says of it: files, memory, threads,
//! the time. Linux tells how many there are of each in `/proc`; elsewhere that is
//! not known.

use std::fs;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use rustix::process::{Resource, Rlimit, setrlimit};

use crate::model::now::Now;

/// The version of the program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The version of the wire contract, docs/PROTOCOL.md. It grows when a client that
/// keeps to the one before may be wrong, and not when something is added.
pub const PROTOCOL: u32 = 1;

/// The commit that it was built from, if whoever built it said so.
pub const COMMIT: &str = match option_env!("VIEWCAST_COMMIT") {
    Some(commit) => commit,
    None => "unknown",
};

/// The present, by the clocks of this machine.
pub fn now() -> Now {
    Now {
        instant: Instant::now(),
        wall_ms: wall_ms(),
    }
}

/// The wall clock, in milliseconds since 1970, as Materialize's timestamps are.
pub fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

/// Has the process open as many files as it may allow itself: each view and each
/// stream takes some, and most systems begin with a soft limit that is low for
/// the sake of programs that count their files with `select`.
pub fn raise_open_files_max() {
    let Some((soft, hard)) = open_files_limits() else {
        return;
    };
    if soft != hard {
        let raised = Rlimit {
            current: hard,
            maximum: hard,
        };
        // Where that is refused, what there was has to do.
        let _ = setrlimit(Resource::Nofile, raised);
    }
}

/// Files that the process may have open, if the system says so; `None` for no
/// limit, too.
pub fn open_files_max() -> Option<usize> {
    let (soft, _) = open_files_limits()?;
    usize::try_from(soft?).ok()
}

/// The soft and the hard limit. Read from a file: a service may be refused the
/// system's call for it, as it might change limits by it.
fn open_files_limits() -> Option<(Option<u64>, Option<u64>)> {
    parse_open_files(&fs::read_to_string("/proc/self/limits").ok()?)
}

/// Files that the process has open, if the system says so.
pub fn open_files() -> Option<u64> {
    // Since Linux 6.2 the folder's size is the number of open files; on older
    // ones its entries are counted.
    let said = fs::metadata("/proc/self/fd").ok()?.len();
    if said > 0 {
        return Some(said);
    }
    // One of them is the folder that is being read.
    let counted = fs::read_dir("/proc/self/fd")
        .ok()?
        .count()
        .saturating_sub(1);
    u64::try_from(counted).ok()
}

/// Bytes of memory of the process that are in RAM, if the system says so.
pub fn resident_bytes() -> Option<u64> {
    parse_resident_bytes(&fs::read_to_string("/proc/self/status").ok()?)
}

/// What the system counts of the process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usage {
    /// Time of processors that it took, in seconds.
    pub cpu_seconds: f64,
    /// Its threads.
    pub threads: u64,
    /// When it was started, in seconds since 1970.
    pub start_seconds: f64,
}

/// What the process has used, if the system says so.
pub fn usage() -> Option<Usage> {
    let ticks_per_second = u32::try_from(rustix::param::clock_ticks_per_second()).ok()?;
    let of_process = fs::read_to_string("/proc/self/stat").ok()?;
    let of_machine = fs::read_to_string("/proc/stat").ok()?;
    parse_usage(&of_process, &of_machine, ticks_per_second)
}

fn parse_usage(of_process: &str, of_machine: &str, ticks_per_second: u32) -> Option<Usage> {
    // The name before it may hold spaces and parentheses.
    let (_, fields) = of_process.rsplit_once(") ")?;
    let fields: Vec<&str> = fields.split(' ').collect();
    let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
    let seconds = |at| Some(ticks(at)? / f64::from(ticks_per_second));
    let booted = of_machine
        .lines()
        .find_map(|line| line.strip_prefix("btime "))?;
    Some(Usage {
        cpu_seconds: seconds(11)? + seconds(12)?,
        threads: fields.get(17)?.parse().ok()?,
        start_seconds: booted.trim().parse::<f64>().ok()? + seconds(19)?,
    })
}

fn parse_resident_bytes(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes = line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?;
    kibibytes.checked_mul(1024)
}

/// `None` in place of a number for no limit.
fn parse_open_files(limits: &str) -> Option<(Option<u64>, Option<u64>)> {
    let mut lines = limits.lines();
    let line = lines.find_map(|line| line.strip_prefix("Max open files"))?;
    let mut words = line.split_whitespace();
    let mut limit = || match words.next()? {
        "unlimited" => Some(None),
        number => number.parse().ok().map(Some),
    };
    Some((limit()?, limit()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_bytes_are_read_with_their_unit() {
        let text = "Name:\tviewcast\nVmHWM:\t   60000 kB\nVmRSS:\t   52608 kB\n";
        assert_eq!(parse_resident_bytes(text), Some(52_608 * 1024));
        assert_eq!(parse_resident_bytes("VmRSS:\t 5 MB\n"), None);
    }

    #[test]
    fn usage_is_read_behind_any_name() {
        let text = "7 (a) b) S 1 7 7 0 -1 4194560 9 0 0 0 250 50 0 0 20 0 12 0 4500 1 2 3";
        let usage = Usage {
            cpu_seconds: 3.0,
            threads: 12,
            start_seconds: 1_045.0,
        };
        assert_eq!(parse_usage(text, "cpu 1\nbtime 1000\n", 100), Some(usage));
        assert_eq!(parse_usage(text, "", 100), None);
        assert!(super::usage().is_some_and(|usage| usage.threads > 0));
    }

    #[test]
    fn open_files_limits_are_the_soft_and_the_hard_one() {
        let text = "Limit                     Soft Limit           Hard Limit           Units     \n\
                    Max processes             127440               127440               processes \n\
                    Max open files            1024                 524288               files     \n";
        assert_eq!(parse_open_files(text), Some((Some(1024), Some(524_288))));
        assert_eq!(
            parse_open_files("Max open files            1024  unlimited  files"),
            Some((Some(1024), None))
        );
        assert_eq!(parse_open_files("Max open files            many"), None);
        assert_eq!(parse_open_files(""), None);
    }
}
