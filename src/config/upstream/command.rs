//! A command that prints the upstream's password: a token that lasts an hour is
//! of use only if it is fetched anew for each connection.

use std::fmt;
use std::io::{self, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, bounded};

use super::files::{self, FileProblem};
use crate::limits::{
    PASSWORD_COMMAND_FRESH, PASSWORD_COMMAND_LOOK_EVERY, PASSWORD_COMMAND_MAX,
    PASSWORD_COMMAND_WORDS_MAX, SECRET_FILE_BYTES_MAX,
};

/// A command for the shell.
pub struct PasswordCommand {
    line: String,
    /// How long it may take.
    limit: Duration,
    /// What came of it last.
    last: Mutex<Option<(Instant, Result<String, String>)>>,
}

impl fmt::Debug for PasswordCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordCommand")
    }
}

/// The same command; what came of it is no part of that.
impl PartialEq for PasswordCommand {
    fn eq(&self, other: &Self) -> bool {
        self.line == other.line
    }
}

impl Eq for PasswordCommand {}

/// Why it gives no password. Nothing of what it printed for one is in here.
#[derive(Debug, thiserror::Error)]
enum CommandProblem {
    #[error("could not be started: {0}")]
    Start(io::Error),
    #[error("did not end within {} s{}", .limit.as_secs_f64(), said(.words))]
    Late { limit: Duration, words: String },
    #[error("failed, {status}{}", said(.words))]
    Failed { status: ExitStatus, words: String },
    #[error("prints no password: what it prints {problem}{}", said(.words))]
    Output { problem: FileProblem, words: String },
}

/// What it said about its failure.
fn said(words: &str) -> String {
    match words {
        "" => String::new(),
        words => format!(": {words}"),
    }
}

impl PasswordCommand {
    /// A command that was not run yet.
    pub fn new(line: &str) -> Self {
        PasswordCommand {
            line: line.to_owned(),
            limit: PASSWORD_COMMAND_MAX,
            last: Mutex::default(),
        }
    }

    /// Runs it; what it prints, or why that is no password. Many connections
    /// that are made at once share one run.
    pub fn password(&self) -> Result<String, String> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, outcome)) = last.as_ref()
            && at.elapsed() < PASSWORD_COMMAND_FRESH
        {
            return outcome.clone();
        }
        let outcome = self.run().map_err(|problem| problem.to_string());
        *last = Some((Instant::now(), outcome.clone()));
        outcome
    }

    fn run(&self) -> Result<String, CommandProblem> {
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(&self.line).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut running = Running(command.spawn().map_err(CommandProblem::Start)?);
        let end = Instant::now() + self.limit;
        let printed = read(running.0.stdout.take());
        let words = read(running.0.stderr.take());
        // Until it ends, and whoever it has left behind lets go of its output.
        let printed = printed.recv_deadline(end);
        let status = running.wait_until(end).map_err(CommandProblem::Start)?;
        let is_late = status.is_none() || printed.is_err();
        if is_late {
            running.end();
        }
        let words = words.recv_timeout(PASSWORD_COMMAND_FRESH);
        let words = one_line(&words.unwrap_or_default());
        let (Some(status), Ok(printed)) = (status, printed) else {
            let limit = self.limit;
            return Err(CommandProblem::Late { limit, words });
        };
        if !status.success() {
            return Err(CommandProblem::Failed { status, words });
        }
        files::password_of(printed).map_err(|problem| CommandProblem::Output { problem, words })
    }
}

/// A command that runs; it does not outlive this.
struct Running(Child);

impl Running {
    /// Its status, if it ends until then.
    fn wait_until(&mut self, end: Instant) -> io::Result<Option<ExitStatus>> {
        loop {
            let status = self.0.try_wait()?;
            if status.is_some() || Instant::now() >= end {
                return Ok(status);
            }
            thread::sleep(PASSWORD_COMMAND_LOOK_EVERY);
        }
    }

    /// Ends it, and all that it has started.
    fn end(&mut self) {
        #[cfg(unix)]
        {
            let group = rustix::process::Pid::from_child(&self.0);
            // It may have ended by itself.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let _ = self.0.kill();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !matches!(self.0.try_wait(), Ok(Some(_))) {
            self.end();
        }
        let _ = self.0.wait();
    }
}

/// All that comes out of a pipe, from a thread of its own, so that it is not
/// waited for for ever.
fn read(pipe: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (tell, told) = bounded(1);
    if let Some(pipe) = pipe {
        let work = move || {
            let mut bytes = Vec::new();
            let read = pipe.take(SECRET_FILE_BYTES_MAX).read_to_end(&mut bytes);
            // Nobody may wait for it any more.
            let _ = read.map(|_| tell.send(bytes));
        };
        // Without a thread there is no answer, which is told as late.
        let _ = thread::Builder::new().name("password".into()).spawn(work);
    }
    told
}

/// The end of what a command said, on one line.
fn one_line(words: &[u8]) -> String {
    let text = String::from_utf8_lossy(words);
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    let line: String = line.chars().filter(|c| !c.is_control()).collect();
    let more = line
        .chars()
        .count()
        .saturating_sub(PASSWORD_COMMAND_WORDS_MAX);
    line.chars().skip(more).collect()
}

#[cfg(test)]
mod tests;
