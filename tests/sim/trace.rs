//! What happened, in order: the last lines, or all of them.

use std::collections::VecDeque;
use std::fmt;

/// Lines kept for whoever reads a failure.
const KEPT: usize = 400;

/// A record of a history. Two runs of one seed have equal ones.
#[derive(Debug, Default)]
pub struct Trace {
    last: VecDeque<String>,
    /// Each line is printed at once.
    pub echoes: bool,
    /// Everything, where it is asked for.
    pub whole: Option<Vec<u8>>,
}

impl Trace {
    /// Adds a line.
    pub fn note(&mut self, now_us: u64, line: fmt::Arguments<'_>) {
        let line = format!("{now_us:>12} {line}\n");
        if self.echoes {
            print!("{line}");
        }
        if let Some(whole) = &mut self.whole {
            whole.extend_from_slice(line.as_bytes());
        }
        if self.last.len() >= KEPT {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }

    /// The last lines.
    pub fn last(&self) -> String {
        self.last.iter().map(String::as_str).collect()
    }
}
