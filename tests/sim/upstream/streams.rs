//! What a COPY sends.

use viewcast::tail::conversation::Subscription;
use viewcast::tail::dialect::From;
use viewcast::tail::failure::Failure;

use super::{PATH, Said, Upstream, line};
use crate::truth::{Flow, Row};

/// What a server says of a view that fails.
pub const EVALUATION: &str = "Evaluation error: division by zero";

/// `RETAIN HISTORY`, in milliseconds.
const RETAINED_MS: u64 = 300_000;

/// How long a stream hangs.
const HUNG_TICKS: usize = 60;

/// How a COPY breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    Error,
    Done,
    Hang,
}

/// A COPY that is running.
#[derive(Clone, Debug)]
pub struct Stream {
    pub object: usize,
    history: usize,
    /// Up to here changes were sent.
    sent_to: u64,
    /// The last progress.
    progress: u64,
    /// Changes were sent that no progress has closed.
    is_unclosed: bool,
    has_text: bool,
    left: Option<(usize, Break)>,
    hangs: bool,
    /// For how many ticks it has hung.
    hung: usize,
}

impl Upstream {
    /// Begins a COPY, or refuses it.
    pub fn copy(&mut self, session: u64, copy: &Subscription, now_us: u64) -> Result<(), Failure> {
        if let Some(failure) = self.copy_errors.pop() {
            self.broken += 1;
            return Err(failure);
        }
        let object = self.relation(&copy.relation)?;
        if self.is_mistaken(session, object) {
            return Err(Failure::answer("XX000", "unknown catalog item"));
        }
        self.refresh_all(now_us);
        self.may_read(object)?;
        let unnamed = self
            .sessions
            .get(&session)
            .and_then(|it| it.unnamed.clone());
        if let Some(incarnation) = unnamed {
            self.truth.may_be(incarnation, object);
        }
        let it = &self.truth.objects[object];
        let (history, flow, has_text) = (it.history, it.flow, it.has_text());
        let present = self.time(now_us).max(it.last);
        let begin = self.truth.histories[history].from;
        let readable = self.since.max(begin);
        let is_final = flow == Flow::Constant || it.ended.is_some();
        let at = match copy.from {
            From::Snapshot | From::AtLeast(_) if is_final => present.max(readable),
            From::AtLeast(time) => {
                let kept = present.saturating_sub(self.kept_ms(object));
                let kept = kept.max(time.get()).max(readable);
                // Who begins now cannot know of a time that went back: a gap that
                // docs/ARCHITECTURE.md names.
                kept.max(self.lost_until).min(present)
            }
            From::Snapshot => present
                .saturating_sub(self.lag_ms)
                .max(readable)
                .min(present),
            From::After(time) => time.get(),
        };
        if at < self.since && flow != Flow::Constant {
            return Err(Failure::answer(
                "22000",
                "could not find a valid timestamp for the query",
            ));
        }
        // What is shown at this time stands.
        self.told = self.told.max(at.min(present));
        let mut stream = Stream {
            object,
            history,
            sent_to: at,
            progress: 0,
            is_unclosed: false,
            has_text,
            left: self.breaks.pop(),
            hangs: false,
            hung: 0,
        };
        // Resumed before a fault, a stream shows it, though it is mended since.
        let was_wrong = match copy.from {
            From::After(time) => it.errors.iter().any(|(_, until)| *until > time.get()),
            From::AtLeast(_) => it.errors.iter().any(|(_, until)| *until > at),
            From::Snapshot => false,
        };
        let error = it.error.as_ref().map(|(text, _)| text.clone());
        let error = error.or_else(|| was_wrong.then(|| EVALUATION.to_owned()));
        let is_modern = !self.generation.is_old();
        // An old server's rows that are final stand at the end of time; so do
        // those of constants on a new one.
        let rows_at = match is_final && (flow == Flow::Constant || !is_modern) {
            true => u64::MAX,
            false => at,
        };
        let mut out = Vec::new();
        if is_modern {
            out.push(progress(rows_at, has_text));
            stream.progress = rows_at;
        }
        if !matches!(copy.from, From::After(_)) {
            let rows = self.truth.histories[history].rows_at(at);
            let mut rows: Vec<(Row, i64)> = rows.into_iter().collect();
            self.shuffle(&mut rows);
            stream.is_unclosed = !rows.is_empty();
            out.extend(
                rows.iter()
                    .map(|(row, copies)| line(rows_at, *copies, row, has_text)),
            );
        }
        self.send(session, &mut stream, out);
        if let Some(text) = error.filter(|_| is_modern) {
            self.say(session, Said::End(Err(Failure::answer("XX000", &text))));
            return Ok(());
        }
        if !is_final {
            self.catch_up(session, &mut stream);
        } else if !stream.hangs {
            self.say(session, Said::End(Ok(())));
            return Ok(());
        }
        if let Some(session) = self.sessions.get_mut(&session) {
            session.stream = Some(stream);
        }
        Ok(())
    }

    /// How much of an object's past can be read: some retain history.
    fn kept_ms(&self, object: usize) -> u64 {
        match object.is_multiple_of(2) {
            true => RETAINED_MS,
            false => 1_000,
        }
    }

    /// Whether a COPY by name would be of what has the name for a moment only,
    /// and not of what was described: once the name is given back, nobody can
    /// tell. A gap that docs/ARCHITECTURE.md names.
    fn is_mistaken(&self, session: u64, object: usize) -> bool {
        let place = self.truth.objects[object].place.as_ref();
        let is_for_a_moment = place.is_some_and(|(schema, _)| *schema == PATH[0]);
        let meant = self.sessions.get(&session).and_then(|it| it.meant);
        !self.generation.takes_ids() && is_for_a_moment && meant != Some(object)
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.dice.below(at + 1));
        }
    }

    /// Sends what has changed since.
    fn catch_up(&mut self, session: u64, stream: &mut Stream) {
        let log = &self.truth.histories[stream.history].log;
        let from = log.partition_point(|(at, _)| *at <= stream.sent_to);
        let news: Vec<_> = log[from..].to_vec();
        for (at, changes) in news {
            let mut net: Vec<(Row, i64)> = Vec::new();
            for (row, diff) in changes {
                match net.iter_mut().find(|(known, _)| *known == row) {
                    Some((_, sum)) => *sum += diff,
                    None => net.push((row, diff)),
                }
            }
            net.retain(|(_, diff)| *diff != 0);
            self.shuffle(&mut net);
            let lines = net
                .iter()
                .map(|(row, diff)| line(at, *diff, row, stream.has_text));
            let lines: Vec<_> = lines.collect();
            stream.is_unclosed |= !lines.is_empty();
            stream.sent_to = at;
            if let Some((left, Break::Hang)) = &mut stream.left
                && self.generation.is_old()
                && (1..net.len()).contains(left)
            {
                // Of an old server what came is counted: as many rows, though others,
                // are taken for all. A gap that docs/ARCHITECTURE.md names.
                let diffs = |count: usize| net.iter().take(count).map(|(_, diff)| diff).sum();
                let (came, all): (i64, i64) = (diffs(*left), diffs(net.len()));
                if came == all {
                    *left = net.len();
                }
            }
            self.send(session, stream, lines);
        }
    }

    /// Tells every stream of the object what has changed.
    pub(super) fn tell(&mut self, object: usize) {
        self.each(object, |upstream, session, stream| {
            upstream.catch_up(session, stream);
        });
    }

    /// Tells every stream of the object how far it is known.
    pub(super) fn progress(&mut self, object: usize, now: u64) {
        let frontier = self.truth.objects[object].frontier(now);
        let is_silent = self.generation == super::Generation::Silent;
        self.each(object, |upstream, session, stream| {
            let is_due = frontier > stream.progress && (!is_silent || stream.is_unclosed);
            if is_due {
                stream.progress = frontier;
                stream.is_unclosed = false;
                let line = progress(frontier, stream.has_text);
                upstream.send(session, stream, vec![line]);
            }
        });
    }

    fn each(&mut self, object: usize, act: impl Fn(&mut Self, u64, &mut Stream)) {
        if self.hangs || self.streams_hang {
            return;
        }
        let all: Vec<u64> = self.sessions.keys().copied().collect();
        for id in all {
            let stream = self.sessions.get_mut(&id).and_then(|it| it.stream.take());
            let Some(mut stream) = stream else { continue };
            let is_paused = self.truth.objects[object].has_no_replica;
            if stream.object == object && !stream.hangs && !is_paused {
                act(self, id, &mut stream);
            }
            if let Some(session) = self.sessions.get_mut(&id)
                && !matches!(session.sent.back(), Some(Said::End(_)))
            {
                session.stream = Some(stream);
            }
        }
    }

    /// A stream that hangs on a server that is well is waited for: it may be a
    /// large snapshot. So it breaks some time.
    pub(super) fn end_what_hangs(&mut self) {
        for session in self.sessions.values_mut() {
            let Some(stream) = session.stream.as_mut().filter(|it| it.hangs) else {
                continue;
            };
            stream.hung += 1;
            if stream.hung > HUNG_TICKS {
                session.stream = None;
                self.broken += 1;
                let failure = Failure::answer("XX000", "internal error");
                session.sent.push_back(Said::End(Err(failure)));
            }
        }
    }

    /// Ends every stream of the object.
    pub fn end_streams(&mut self, object: usize, how: Result<(), Failure>) {
        for session in self.sessions.values_mut() {
            if session
                .stream
                .as_ref()
                .is_some_and(|it| it.object == object)
            {
                session.stream = None;
                session.sent.push_back(Said::End(how.clone()));
            }
        }
    }

    /// Sends what cannot be to every stream of the object.
    pub fn contradict(&mut self, object: usize, how: usize) {
        let told = self.told;
        for session in self.sessions.values_mut() {
            let Some(stream) = session.stream.as_ref() else {
                continue;
            };
            // What cannot be is found out only where something is known to be
            // whole: within a snapshot of an old server nothing is.
            let is_whole = stream.progress > 0 && !stream.is_unclosed && !stream.hangs;
            if stream.object != object || !is_whole {
                continue;
            }
            let (row, nothing) = match stream.has_text {
                true => ("\tx", "\t\\N"),
                false => ("", ""),
            };
            let before = stream.progress.min(told).saturating_sub(2);
            let line = match how {
                0 => "garbage\n".to_owned(),
                1 => format!("{before}\tf\t1\t7{row}\n"),
                2 => format!("{}\tf\t-1\t999999{row}\n", told + 1),
                _ => format!("{}\tt\t\\N\t\\N{nothing}\n", before / 2),
            };
            session.sent.push_back(Said::Chunk(line.into_bytes()));
        }
    }

    fn send(&mut self, session: u64, stream: &mut Stream, lines: Vec<Vec<u8>>) {
        for line in lines {
            match &mut stream.left {
                Some((0, how)) => {
                    let how = *how;
                    stream.left = None;
                    stream.hangs = true;
                    self.broken += 1;
                    match how {
                        Break::Hang => {}
                        Break::Done => self.say(session, Said::End(Ok(()))),
                        Break::Error => {
                            let failure = Failure::answer("XX000", "internal error");
                            self.say(session, Said::End(Err(failure)));
                        }
                    }
                    return;
                }
                Some((left, _)) => *left -= 1,
                None => {}
            }
            if stream.hangs {
                return;
            }
            // Lines come one by one, several at once, or cut anywhere.
            match self.dice.below(12) {
                0 if line.len() > 3 => {
                    let at = self.dice.below(line.len() - 1) + 1;
                    self.say(session, Said::Chunk(line[..at].to_vec()));
                    self.say(session, Said::Chunk(line[at..].to_vec()));
                }
                1..4 => self.append(session, line),
                _ => self.say(session, Said::Chunk(line)),
            }
        }
    }

    fn append(&mut self, session: u64, line: Vec<u8>) {
        let sent = self.sessions.get_mut(&session).map(|it| &mut it.sent);
        match sent.and_then(|sent| sent.back_mut()) {
            Some(Said::Chunk(bytes)) => bytes.extend(line),
            _ => self.say(session, Said::Chunk(line)),
        }
    }

    fn say(&mut self, session: u64, said: Said) {
        if let Some(session) = self.sessions.get_mut(&session) {
            session.sent.push_back(said);
        }
    }
}

fn progress(time: u64, has_text: bool) -> Vec<u8> {
    let rest = if has_text { "\t\\N" } else { "" };
    format!("{time}\tt\t\\N\t\\N{rest}\n").into_bytes()
}
