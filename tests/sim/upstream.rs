//! A simulated Materialize: its objects, names and sessions. It is asked by
//! typed questions and streams lines of COPY text; the network between it and a
//! gateway is elsewhere.
//!
//! How each generation behaves was recorded from real servers; see
//! docs/ARCHITECTURE.md.

use std::collections::{BTreeMap, VecDeque};

use viewcast::limits::SNAPSHOT_BEHIND_MS_MAX;
use viewcast::tail::error::TailError;
use viewcast::tail::failure::{ConnectFailure, Failure};

use crate::dice::Dice;
use crate::truth::{Changes, Flow, LARGE_FROM, Row, Truth};

mod answers;
mod streams;

pub use streams::{Break, EVALUATION, Stream};

/// Generations of servers that differ in what a gateway has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generation {
    /// 0.7: TAIL by name, silent when idle, rows lost at a restart.
    Silent,
    /// 0.26: TAIL, also by id, progress each second, rows lost at a restart.
    Steady,
    /// 26: SUBSCRIBE, also by id, progress each second, history.
    Modern,
}

impl Generation {
    pub fn is_old(self) -> bool {
        self != Generation::Modern
    }

    pub fn takes_ids(self) -> bool {
        self != Generation::Silent
    }
}

/// How long before the beginning the first views were created.
const AGE_MS: u64 = 500_000;

/// Schemas in which a bare name is looked for, in order.
pub const PATH: [&str; 2] = ["early", "public"];

/// What a session is told, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// Bytes of the COPY.
    Chunk(Vec<u8>),
    /// The COPY has ended.
    End(Result<(), Failure>),
}

/// One connection, as the server sees it.
#[derive(Debug, Default)]
pub struct Session {
    pub stream: Option<Stream>,
    /// What it was sent and has not taken.
    pub sent: VecDeque<Said>,
    /// Half of a question for a view that was answered: what the name meant.
    meant: Option<usize>,
    /// The incarnation of a view that was described without its object's id: what
    /// streams by the name then is of that incarnation, whatever it is.
    unnamed: Option<String>,
}

#[derive(Debug)]
pub struct Upstream {
    pub generation: Generation,
    pub truth: Truth,
    /// Its time, in milliseconds, at the simulation's beginning.
    begin_ms: u64,
    /// So much has it gone back.
    back_ms: u64,
    /// All before is not readable any more.
    pub since: u64,
    /// Up to here times may be of before time went back.
    lost_until: u64,
    /// Up to this time everything was told as closed.
    pub told: u64,
    /// Connections are refused.
    pub refuses: bool,
    /// Log-ins are refused.
    pub refuses_login: bool,
    /// So many sessions at the most.
    pub room: usize,
    /// Nothing is answered or sent.
    pub hangs: bool,
    /// Nothing is sent on streams.
    pub streams_hang: bool,
    /// Questions of the catalog for what names mean are not answered.
    pub names_hang: bool,
    /// Questions for what one of these means are not answered.
    pub hung_names: Vec<String>,
    /// The catalog refuses to say what objects there are.
    pub refuses_catalog: bool,
    /// New snapshots are of so long ago.
    pub lag_ms: u64,
    /// The next COPYs are refused.
    pub copy_errors: Vec<Failure>,
    /// The next COPYs break after so many lines.
    pub breaks: Vec<(usize, Break)>,
    /// How many have broken so.
    pub broken: u64,
    pub sessions: BTreeMap<u64, Session>,
    dice: Dice,
}

impl Upstream {
    pub fn new(generation: Generation, dice: Dice) -> Self {
        Upstream {
            generation,
            truth: Truth::default(),
            begin_ms: 1_700_000_000_000,
            back_ms: 0,
            since: 0,
            lost_until: 0,
            told: 0,
            refuses: false,
            refuses_login: false,
            room: usize::MAX,
            hangs: false,
            streams_hang: false,
            names_hang: false,
            hung_names: Vec::new(),
            refuses_catalog: false,
            lag_ms: 0,
            copy_errors: Vec::new(),
            breaks: Vec::new(),
            broken: 0,
            sessions: BTreeMap::new(),
            dice,
        }
    }

    /// Its time at this moment of the simulation.
    pub fn time(&self, now_us: u64) -> u64 {
        let time = self.begin_ms + now_us / 1_000 - self.back_ms;
        time.max(self.told + 1)
    }

    /// What there is was there long before anything happens, so that time can go
    /// back.
    pub fn age(&mut self) {
        self.begin_ms += AGE_MS;
    }

    /// A session begins, or is refused.
    pub fn connect(&mut self, session: u64) -> Result<(), TailError> {
        let refused = |failure: Failure, is_refused_login, is_no_room| {
            Err(TailError::Connect(ConnectFailure {
                failure,
                hint: String::new(),
                is_refused_login,
                is_no_room,
                is_without_password: false,
            }))
        };
        if self.refuses {
            return refused(Failure::broken("connection refused"), false, false);
        }
        if self.refuses_login {
            let failure = Failure::answer("28P01", "invalid password");
            return refused(failure, true, false);
        }
        if self.sessions.len() >= self.room {
            let failure = Failure::answer("53000", "creating connection would violate limit");
            return refused(failure, false, true);
        }
        self.sessions.insert(session, Session::default());
        Ok(())
    }

    /// A new view under this name.
    pub fn create(
        &mut self,
        place: (&'static str, &str),
        has_text: bool,
        flow: Flow,
        now_us: u64,
    ) -> usize {
        let at = self.time(now_us);
        self.told = at;
        let place = (place.0, place.1.to_owned());
        self.truth.create(place, has_text, flow, at)
    }

    /// What a bare name means.
    fn meaning(&self, name: &str) -> Option<usize> {
        let at = |schema: &str| {
            let mut objects = self.truth.objects.iter();
            objects.position(|it| {
                it.place
                    .as_ref()
                    .is_some_and(|it| it.0 == schema && it.1 == name)
            })
        };
        PATH.into_iter().find_map(at)
    }

    pub fn by_id(&self, id: &str) -> Option<usize> {
        let mut objects = self.truth.objects.iter();
        objects.position(|it| it.id == id && it.place.is_some())
    }

    /// Changes of an object; streams are told.
    pub fn change(&mut self, object: usize, changes: Changes, now_us: u64) {
        let it = &self.truth.objects[object];
        if it.ended.is_some() || it.flow == Flow::Constant && !self.truth.is_new(object) {
            return;
        }
        let at = match it.flow {
            // Those of a constant view were there before everything.
            Flow::Constant => 0,
            Flow::Steady | Flow::Refreshed(_) => self.time(now_us).max(it.last + 1),
        };
        self.refresh_all(now_us);
        self.truth.change(object, at, changes);
        self.tell(object);
    }

    fn refresh(&mut self, object: usize, at: u64) {
        self.truth.refresh(object, at);
    }

    /// Brings what is due by now into force, before anybody looks.
    pub(super) fn refresh_all(&mut self, now_us: u64) {
        let now = self.time(now_us);
        for object in 0..self.truth.objects.len() {
            if self.truth.refresh(object, now).is_some() {
                self.tell(object);
            }
        }
    }

    /// Time is told to who is told it: about once a second.
    pub fn tick(&mut self, now_us: u64) {
        let now = self.time(now_us);
        self.told = now;
        self.end_what_hangs();
        for object in 0..self.truth.objects.len() {
            self.refresh(object, now);
            self.tell(object);
            self.progress(object, now);
        }
    }

    /// The view is dropped: its streams end where the server says so.
    pub fn drop_view(&mut self, object: usize) {
        let it = &mut self.truth.objects[object];
        let Some((schema, name)) = it.place.take() else {
            return;
        };
        if !self.generation.is_old() {
            let message = format!("relation 'materialize.{schema}.{name}' was dropped");
            self.end_streams(object, Err(Failure::answer("42704", &message)));
        }
    }

    /// A view begins to fail, or does not any more.
    pub fn set_error(&mut self, object: usize, error: Option<String>, now_us: u64) {
        let failure = error.as_deref().map(|text| Failure::answer("XX000", text));
        let now = self.time(now_us);
        let it = &mut self.truth.objects[object];
        let before = it.error.take().map(|(_, since)| since);
        it.errors.extend(before.map(|since| (since, now)));
        it.error = error.map(|text| (text, before.unwrap_or(now)));
        if let Some(failure) = failure
            && !self.generation.is_old()
        {
            self.end_streams(object, Err(failure));
        }
    }

    /// The source of a view ends: nothing will change any more.
    pub fn end_source(&mut self, object: usize, now_us: u64) {
        let at = self.time(now_us);
        let it = &mut self.truth.objects[object];
        let is_large = it.rows.keys().any(|row| row.n >= LARGE_FROM);
        let is_over = it.flow != Flow::Steady || it.ended.is_some();
        if is_over || is_large {
            return;
        }
        it.ended = Some(at);
        if self.generation.is_old() {
            // What it held between its last word and its end is not known: a gap
            // that docs/ARCHITECTURE.md names.
            self.truth.blur(object);
        }
        self.told = at;
        self.end_streams(object, Ok(()));
    }

    /// Restarts: every session ends, and an old server has lost its rows.
    pub fn restart(&mut self, now_us: u64) {
        self.sessions.clear();
        let at = self.time(now_us);
        if self.generation.is_old() {
            for object in 0..self.truth.objects.len() {
                let last = self.truth.objects[object].last;
                self.truth.lose(object, at.max(last + 1));
            }
            self.since = at;
            self.told = at;
        }
    }

    /// Restarts from a backup of so long ago.
    pub fn go_back(&mut self, by_ms: u64, now_us: u64) {
        // What was created since would not be there.
        let live = self.truth.objects.iter().filter(|it| it.place.is_some());
        let created = live.map(|it| self.truth.histories[it.history].from).max();
        let now = self.time(now_us);
        let to = (now - by_ms).max(created.unwrap_or(0) + 1).min(now);
        // Less is not noticed: a gap that docs/ARCHITECTURE.md names.
        if now - to <= SNAPSHOT_BEHIND_MS_MAX + 100_000 {
            return;
        }
        self.sessions.clear();
        self.truth.backs += 1;
        self.back_ms += now - to;
        self.lost_until = self.lost_until.max(now).max(self.told);
        self.told = to;
        self.since = self.since.min(to);
        for object in 0..self.truth.objects.len() {
            self.truth.go_back(object, to);
            let it = &mut self.truth.objects[object];
            it.errors.retain(|(since, _)| *since < to);
            if let Some((_, since)) = &mut it.error {
                *since = to.min(*since);
            }
        }
    }

    /// Forgets what was before.
    pub fn compact(&mut self) {
        self.since = self.told;
    }
}

/// A line of COPY text.
fn line(time: u64, diff: i64, row: &Row, has_text: bool) -> Vec<u8> {
    let mut line = format!("{time}\tf\t{diff}\t{}", row.n);
    if has_text {
        line.push('\t');
        match &row.s {
            None => line.push_str("\\N"),
            Some(text) => {
                for letter in text.chars() {
                    match letter {
                        '\\' => line.push_str("\\\\"),
                        '\n' => line.push_str("\\n"),
                        '\r' => line.push_str("\\r"),
                        '\t' => line.push_str("\\t"),
                        other => line.push(other),
                    }
                }
            }
        }
    }
    line.push('\n');
    line.into_bytes()
}
