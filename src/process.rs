//! What the system says of this process: files, memory. Linux tells it in
//! `/proc`; elsewhere nothing is known.

use std::fs;

/// Files that the process may have open, if the system says so.
pub fn open_files_max() -> Option<usize> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    parse_open_files_max(&limits)
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
