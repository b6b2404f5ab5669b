//! What happened, in order, where somebody wants to read it. A history can be
//! played again, so the trace of a failure need not be kept before it is known.

use std::fmt;

/// A record of a history. Two runs of one seed have equal ones.
#[derive(Debug, Default)]
pub struct Trace {
    /// Each line is printed at once.
    pub echoes: bool,
    /// Everything, where it is asked for.
    pub whole: Option<Vec<u8>>,
}

impl Trace {
    /// Adds a line.
    pub fn note(&mut self, now_us: u64, line: fmt::Arguments<'_>) {
        let Some(whole) = &mut self.whole else {
            return;
        };
        let line = format!("{now_us:>12} {line}\n");
        if self.echoes {
            print!("{line}");
        }
        whole.extend_from_slice(line.as_bytes());
    }
}
