//! The real binary on a free port, killed when the test is over.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// How long anything may take before a test gives up. Generous: the machine
/// may be busy, and a test that passes never waits for it.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Looks again and again until it is so.
#[track_caller]
pub fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// A process of the real binary, with its log.
pub struct Process {
    child: Child,
    log: Arc<Log>,
}

#[derive(Default)]
struct Log {
    state: Mutex<LogState>,
    news: Condvar,
}

#[derive(Default)]
struct LogState {
    lines: Vec<String>,
    ended: bool,
}

impl Process {
    /// Starts `viewcast` with these arguments and nothing of our environment
    /// that it reads.
    pub fn start(arguments: &[&str]) -> Self {
        Process::launch(of_binary(), arguments, &[], true)
    }

    /// The same with these environment variables.
    pub fn start_with(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        Process::launch(of_binary(), arguments, variables, true)
    }

    /// The same; `is_echoed` is whether its log is part of the test's output.
    pub fn start_heard(arguments: &[&str], is_echoed: bool) -> Self {
        Process::launch(of_binary(), arguments, &[], is_echoed)
    }

    fn launch(
        mut command: Command,
        arguments: &[&str],
        variables: &[(&str, &str)],
        is_echoed: bool,
    ) -> Self {
        command.args(arguments).env_remove("RUST_LOG");
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("VIEWCAST_") || text.starts_with("PG") {
                command.env_remove(name);
            }
        }
        command.envs(variables.iter().copied());
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let stderr = child.stderr.take().expect("stderr is piped");
        let log = Arc::new(Log::default());
        let writer = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if is_echoed {
                    eprintln!("[viewcast] {line}");
                }
                writer.state.lock().unwrap().lines.push(line);
                writer.news.notify_all();
            }
            writer.state.lock().unwrap().ended = true;
            writer.news.notify_all();
        });
        Process { child, log }
    }

    /// Waits for a line of the log with this text; the line.
    pub fn await_log(&self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.log.state.lock().unwrap();
        loop {
            if let Some(line) = state.lines.iter().find(|line| line.contains(text)) {
                return line.clone();
            }
            assert!(!state.ended, "ended without {text:?}: {:#?}", state.lines);
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "no {text:?} in {:#?}", state.lines);
            state = self.log.news.wait_timeout(state, left).unwrap().0;
        }
    }

    /// All lines so far.
    pub fn log(&self) -> Vec<String> {
        self.log.state.lock().unwrap().lines.clone()
    }

    /// Whether the log tells of a panic.
    pub fn has_panicked(&self) -> bool {
        self.log().iter().any(|line| line.contains("panic"))
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its name, e.g. `TERM`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args(["-s", name, &self.child.id().to_string()])
            .status();
        assert!(sent.expect("kill runs").success());
    }

    /// Waits for the process to end by itself.
    pub fn await_exit(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("it can be waited for") {
                return status;
            }
            assert!(Instant::now() < deadline, "still running");
            std::thread::yield_now();
            std::thread::park_timeout(Duration::from_millis(2));
        }
    }
}

fn of_binary() -> Command {
    Command::new(env!("CARGO_BIN_EXE_viewcast"))
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A gateway that serves HTTP.
pub struct Gateway {
    /// The process.
    pub process: Process,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Gateway {
    /// Starts a gateway on a port of the system's choice.
    pub fn start(arguments: &[&str]) -> Self {
        Gateway::start_heard(arguments, true)
    }

    /// The same; `is_echoed` is whether its log is part of the test's output.
    pub fn start_heard(arguments: &[&str], is_echoed: bool) -> Self {
        let mut all = vec![];
        all.extend_from_slice(arguments);
        all.extend_from_slice(&["--listen", "127.0.0.1:0"]);
        Gateway::of(Process::start_heard(&all, is_echoed))
    }

    /// Starts one within a limit of the shell's, e.g. `ulimit -n 300`.
    pub fn start_within(limit: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{limit} && exec \"$@\""), "sh"]);
        command.arg(env!("CARGO_BIN_EXE_viewcast"));
        let all = [arguments, &["--listen", "127.0.0.1:0"]].concat();
        Gateway::of(Process::launch(command, &all, &[], true))
    }

    /// The gateway that a process runs, once it listens.
    pub fn of(process: Process) -> Self {
        let line = process.await_log("listening on http://");
        let (_, address) = line.split_once("http://").unwrap();
        let address = address.trim().parse().expect("an address");
        Gateway { process, address }
    }

    /// Waits until every view has a base.
    pub fn await_ready(&self) {
        let deadline = Instant::now() + PATIENCE;
        while super::http::get(self.address, "/readyz").status != 200 {
            assert!(Instant::now() < deadline, "not ready in time");
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }

    /// The demo at a pace fit for tests.
    pub fn demo(arguments: &[&str]) -> Self {
        let mut all = vec!["demo", "--tick", "50ms", "--rate", "400"];
        all.extend_from_slice(arguments);
        Gateway::start(&all)
    }
}
