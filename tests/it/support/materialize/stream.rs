//! The scripted server's streams.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::TcpStream;
use std::sync::Arc;

use super::super::pgwire;
use super::answers::{denied, view_name};
use super::pace::Paced;
use super::{Break, Generation, Io, Shared, Step, Values, View};

/// A parsed `COPY (TAIL v WITH (...) [AS OF t]) TO STDOUT`.
struct Copy {
    /// What is streamed, as SQL has it.
    path: String,
    snapshot: bool,
    as_of: Option<AsOf>,
}

#[derive(Clone, Copy)]
enum AsOf {
    Exactly(u64),
    AtLeast(u64),
}

fn parse_copy(generation: Generation, sql: &str) -> Option<Copy> {
    let verb = match generation {
        Generation::Old => "COPY (TAIL ",
        Generation::Modern => "COPY (SUBSCRIBE ",
    };
    let (path, rest) = sql
        .strip_prefix(verb)?
        .strip_suffix(") TO STDOUT")?
        .split_once(" WITH (")?;
    let (options, as_of) = rest.split_once(')')?;
    assert!(options.contains("PROGRESS"), "without progress: {sql}");
    Some(Copy {
        path: path.to_string(),
        snapshot: !options.contains("SNAPSHOT = false"),
        as_of: match (
            as_of.strip_prefix(" AS OF AT LEAST "),
            as_of.strip_prefix(" AS OF "),
        ) {
            (Some(text), _) => Some(AsOf::AtLeast(text.parse().ok()?)),
            (None, Some(text)) => Some(AsOf::Exactly(text.parse().ok()?)),
            (None, None) => None,
        },
    })
}

/// Streams until the stream ends or the socket does.
pub(super) fn copy(
    socket: &mut TcpStream,
    shared: &Arc<Shared>,
    process: i32,
    sql: &str,
) -> Io<()> {
    let mut state = shared.lock();
    let generation = state.generation;
    if let Some((code, message)) = state.copy_errors.pop() {
        return socket.write_all(&pgwire::error(&code, &message));
    }
    let Some(copy) = parse_copy(generation, sql) else {
        return socket.write_all(&pgwire::error("42601", "not in the script"));
    };
    let meant = state.meant(&copy.path);
    let meant = meant.map(|(name, view)| (name.to_string(), view.clone()));
    let name = match &meant {
        Ok((name, _)) => name.clone(),
        Err(_) => view_name(&copy.path),
    };
    let scripts = state.scripts.get_mut(&name);
    if let Some(script) = scripts.and_then(|scripts| scripts.pop_front()) {
        drop(state);
        return super::play::run(socket, shared, process, script);
    }
    let view = match meant {
        Ok((_, view)) => view,
        Err(error) => return socket.write_all(&error),
    };
    if view.is_denied {
        return socket.write_all(&denied(&name));
    }
    let recent = state.now.saturating_sub(state.lag);
    let now = state.now;
    let readable = view.born.max(state.since);
    let as_of = match copy.as_of {
        Some(AsOf::Exactly(as_of)) => as_of,
        Some(AsOf::AtLeast(as_of)) => {
            let kept = now.saturating_sub(view.history.unwrap_or(0));
            as_of.max(kept).max(readable)
        }
        None => recent.max(readable),
    };
    if as_of < state.since {
        let message = "could not find a valid timestamp for the query";
        return socket.write_all(&pgwire::error("22000", message));
    }
    if let Some(connection) = state.connections.get_mut(&process) {
        connection.streams = Some(name.clone());
        connection.is_cancelled = false;
    }
    let withholds_progress = state.withholds_progress;
    let pace = Paced::new(state.pace, process);
    let left = state.copy_breaks.pop();
    drop(state);
    shared.changed.notify_all();
    let width = view.columns.len();
    socket.write_all(&pgwire::copy_out(width + 3))?;
    let mut stream = Stream {
        socket,
        name,
        generation,
        width,
        withholds_progress,
        pace,
        left,
        has_spoken: false,
        promised: 0,
        shared,
        process,
    };
    let mut run = || {
        stream.begin(&view, &copy, as_of, now)?;
        if view.constant {
            return stream.done();
        }
        stream.follow(shared, process, &view, as_of)
    };
    match run() {
        // The error was sent; the connection goes on.
        Err(error) if error.kind() == std::io::ErrorKind::Interrupted => Ok(()),
        result => result,
    }
}

struct Stream<'a> {
    socket: &'a mut TcpStream,
    name: String,
    generation: Generation,
    width: usize,
    withholds_progress: bool,
    pace: Paced,
    /// Messages until the COPY breaks, and how.
    left: Option<(usize, Break)>,
    /// Whether anything was said since the COPY began.
    has_spoken: bool,
    /// The progress that was told last.
    promised: u64,
    shared: &'a Shared,
    process: i32,
}

impl Stream<'_> {
    fn begin(&mut self, view: &View, copy: &Copy, as_of: u64, now: u64) -> Io<()> {
        let modern = self.generation == Generation::Modern;
        if modern {
            self.progress(as_of)?;
        }
        if as_of > now {
            // Whatever comes then; until that time there is silence.
            return Ok(());
        }
        let rows = match copy.snapshot {
            true => view.contents_at(as_of),
            false => BTreeMap::new(),
        };
        let time = match view.constant && !modern {
            true => u64::MAX,
            false => as_of,
        };
        for (row, diff) in &rows {
            self.update(time, *diff, row)?;
        }
        if !view.constant && (modern || !rows.is_empty()) {
            self.progress(view.frontier(as_of))?;
        }
        Ok(())
    }

    fn follow(&mut self, shared: &Shared, process: i32, view: &View, as_of: u64) -> Io<()> {
        // Steps that were there when the stream began are history: only
        // commits after the start count, and none that was injected.
        let began = view.steps.len();
        let is_later = |step: &Arc<Step>| match step.as_ref() {
            Step::Commit(at, _) | Step::Tick(at) => *at > as_of,
            _ => false,
        };
        let mut next = view.steps.iter().position(is_later).unwrap_or(began);
        loop {
            let step = {
                let mut state = shared.lock();
                loop {
                    let Some(connection) = state.connections.get(&process) else {
                        return Err(std::io::ErrorKind::ConnectionAborted.into());
                    };
                    let is_held = state.held.contains(&self.name);
                    let silent = state.is_silent || state.streams_silent || is_held;
                    if connection.is_cancelled && !state.is_silent {
                        drop(state);
                        return self.cancelled();
                    }
                    let steps = state.by_id(&view.id).map(|view| &view.steps);
                    let step = steps.and_then(|steps| steps.get(next)).cloned();
                    if let Some(step) = step.filter(|_| !silent) {
                        break step;
                    }
                    state = shared.wait(state);
                }
            };
            let live = next >= began;
            next += 1;
            match step.as_ref() {
                // By the definition that it has now, nothing was changed then.
                Step::Commit(at, _) if view.past.as_ref().is_some_and(|(till, _)| at <= till) => {}
                Step::Commit(at, changes) if *at > as_of => {
                    for (row, diff) in changes {
                        self.update(*at, *diff, row)?;
                    }
                    let is_told = match self.generation {
                        Generation::Modern => self.pace.is_due(),
                        Generation::Old => !changes.is_empty(),
                    };
                    if is_told {
                        self.progress(view.frontier(*at))?;
                    }
                }
                Step::Tick(at)
                    if *at > as_of
                        && self.generation == Generation::Modern
                        && view.frontier(*at) > self.promised
                        && self.pace.is_due() =>
                {
                    self.progress(view.frontier(*at))?;
                }
                Step::Raw(bytes) if live => self.data(bytes)?,
                Step::Contradiction(bytes) if live && self.has_spoken => self.data(bytes)?,
                Step::Error(code, message) if live => {
                    return self.socket.write_all(&pgwire::error(code, message));
                }
                Step::Done if live => return self.done(),
                _ => {}
            }
        }
    }

    fn cancelled(&mut self) -> Io<()> {
        match self.generation {
            Generation::Old => self.done(),
            Generation::Modern => self.socket.write_all(&pgwire::error(
                "57014",
                "canceling statement due to user request",
            )),
        }
    }

    fn done(&mut self) -> Io<()> {
        self.socket.write_all(&pgwire::message(b'c', &[]))?;
        self.socket.write_all(&pgwire::complete("COPY 0"))
    }

    fn update(&mut self, at: u64, diff: i64, row: &Values) -> Io<()> {
        // A column that was added later is not streamed.
        let row = row.get(..self.width).unwrap_or(row).to_vec();
        let line = format!("{at}\tf\t{diff}\t{}\n", encode_row(&row));
        self.data(line.as_bytes())
    }

    fn progress(&mut self, at: u64) -> Io<()> {
        if self.withholds_progress {
            return Ok(());
        }
        self.promised = at;
        let nulls = "\t\\N".repeat(self.width + 1);
        self.data(format!("{at}\tt{nulls}\n").as_bytes())
    }

    /// Waits until those that hang are let go.
    fn hang(&self) -> Io<()> {
        let mut state = self.shared.lock();
        while state.lets_hang {
            match state.connections.get(&self.process) {
                Some(connection) if !connection.is_cancelled => {}
                _ => return Err(std::io::ErrorKind::ConnectionAborted.into()),
            }
            state = self.shared.wait(state);
        }
        Ok(())
    }

    fn data(&mut self, bytes: &[u8]) -> Io<()> {
        match &mut self.left {
            Some((0, how)) => {
                match how {
                    Break::Done => self.done()?,
                    Break::Error | Break::Hang => {
                        if *how == Break::Hang {
                            self.hang()?;
                        }
                        let message = "internal error: the query ended early";
                        self.socket.write_all(&pgwire::error("XX000", message))?;
                    }
                }
                return Err(std::io::ErrorKind::Interrupted.into());
            }
            Some((left, _)) => *left -= 1,
            None => {}
        }
        self.has_spoken = true;
        self.socket.write_all(&pgwire::message(b'd', bytes))
    }
}

/// A row as COPY text, without its end.
pub fn encode_row(row: &Values) -> String {
    let values = row.iter().map(|value| encode(value.as_deref()));
    values.collect::<Vec<_>>().join("\t")
}

/// A value as COPY text.
fn encode(value: Option<&str>) -> String {
    let Some(value) = value else {
        return "\\N".to_string();
    };
    let mut text = String::new();
    for character in value.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            other => text.push(other),
        }
    }
    text
}
