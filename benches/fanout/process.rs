//! The processes of a measurement: starting them, talking to them, and what
//! the kernel says of them.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Duration;

/// Longest time until a process says what is waited for.
const PATIENCE: Duration = Duration::from_secs(120);

/// A child that is killed when it is dropped.
pub struct Process {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Process {
    /// Starts this very program in another role.
    pub fn role(arguments: &[String]) -> Self {
        let own = std::env::current_exe().unwrap();
        let mut command = Command::new(own);
        command.args(arguments).stdout(Stdio::piped());
        Self::start(&arguments[0], command)
    }

    /// Starts the gateway, as it is shipped.
    pub fn gateway(arguments: &[String]) -> Self {
        let binary = std::env::var_os("BENCH_BINARY");
        let mut command =
            Command::new(binary.unwrap_or_else(|| env!("CARGO_BIN_EXE_viewcast").into()));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("VIEWCAST_") {
                command.env_remove(name);
            }
        }
        command.args(arguments).env_remove("RUST_LOG");
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        Self::start("viewcast", command)
    }

    fn start(name: &str, mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        let stdin = child.stdin.take();
        let (sender, lines) = sync_channel(100_000);
        let output: Box<dyn std::io::Read + Send> = match (child.stdout.take(), child.stderr.take())
        {
            (Some(stdout), _) => Box::new(stdout),
            (None, stderr) => Box::new(stderr.unwrap()),
        };
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Process {
            name: name.to_owned(),
            child,
            stdin,
            lines,
        }
    }

    /// The next line.
    pub fn line(&self) -> String {
        let line = self.lines.recv_timeout(PATIENCE);
        line.unwrap_or_else(|_| panic!("{} says nothing more", self.name))
    }

    /// Waits for a line with this text; what follows it.
    pub fn await_text(&self, text: &str) -> String {
        loop {
            let line = self.line();
            if let Some((_, rest)) = line.split_once(text) {
                return rest.trim().to_owned();
            }
        }
    }

    /// Says a line to it.
    pub fn tell(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().unwrap();
        writeln!(stdin, "{line}").unwrap();
    }

    /// Nanoseconds its threads have run, in the kernel or not.
    pub fn cpu_ns(&self) -> u64 {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let run = |task: fs::DirEntry| -> Option<u64> {
            let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
            text.split(' ').next()?.parse().ok()
        };
        tasks.map_while(Result::ok).filter_map(run).sum()
    }

    /// KiB of memory it has in RAM.
    pub fn resident_kib(&self) -> f64 {
        let path = format!("/proc/{}/smaps_rollup", self.child.id());
        let text = fs::read_to_string(path).unwrap();
        let line = text.lines().find(|line| line.starts_with("Rss:")).unwrap();
        let number = line.split_whitespace().nth(1).unwrap();
        number.parse().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
