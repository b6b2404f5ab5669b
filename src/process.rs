//! What the system says of this process: files, memory, the time. Linux tells
//! of files and memory in `/proc`; elsewhere nothing is known of them.

use std::fs;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::model::now::Now;

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

/// Files that the process may have open, if the system says so.
pub fn open_files_max() -> Option<usize> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    parse_open_files_max(&limits)
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

fn parse_resident_bytes(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes = line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?;
    kibibytes.checked_mul(1024)
}

fn parse_open_files_max(limits: &str) -> Option<usize> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
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
    fn open_files_max_is_the_soft_limit() {
        let text = "Limit                     Soft Limit           Hard Limit           Units     \n\
                    Max processes             127440               127440               processes \n\
                    Max open files            1024                 524288               files     \n";
        assert_eq!(parse_open_files_max(text), Some(1024));
        assert_eq!(
            parse_open_files_max("Max open files            unlimited  unlimited files"),
            None
        );
        assert_eq!(parse_open_files_max(""), None);
    }
}
