//! Clients: they come, read at their own pace, leave, are cut, and come back
//! with the last id that they have.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::{Arc, Weak};

use viewcast::relay::deliver::outlet::Served as OnSocket;
use viewcast::relay::log::shared_log::Log;
use viewcast::relay::subscribe::source::Source;

use crate::dice::Dice;
use crate::gateway::{Life, Woken};
use crate::places::Short;
use crate::socket::{End, Pipe};
use crate::table::Table;
use crate::windows::{Kind, WHOLE};
use crate::wire::Parser;
use crate::world::{Task, World, micros};

mod connecting;
mod reading;

/// How the gateway serves a stream.
pub enum Served {
    /// A socket, which the relay writes to.
    Outlet(OnSocket<End>),
    /// A body that is asked for bytes, as over HTTP/2.
    Body(Source),
    /// The client is over a limit.
    Short(Short),
}

/// A connection, as the client has it.
pub struct Link {
    pub epoch: u64,
    pub life: Life,
    pub since_us: u64,
    /// When bytes came last.
    pub heard_us: u64,
    /// When its views were last said to stand at another time than before.
    pub moved_us: u64,
    pub pipe: Rc<Pipe>,
    parser: Parser,
    /// It takes so many bytes, each so many microseconds.
    pace: (usize, u64),
    is_taking: bool,
    bases: BTreeMap<usize, usize>,
    word: BTreeMap<usize, String>,
    is_over: bool,
    /// It was told to come back later.
    pub is_refused: bool,
    /// It has had an event with data.
    has_data: bool,
    /// The log that a stream of one view follows. What it says may be read long
    /// after the view has another.
    log: Option<Weak<Log>>,
    /// The log that its position is of, while it can be gone on from there.
    goes_on: Option<(Arc<Log>, u64)>,
}

/// A client is slow if it takes so few bytes at once, or if there is room for so
/// few on the way to it. It may then have read all that came for so long, though
/// more is to come.
const SLOW_BYTES: usize = 40;
const SLOW_ROOM: u64 = 300;
const SLOW_US: u64 = 2_000_000;

impl Link {
    /// Whether something is on its way to the client, or it is in the middle of it.
    /// One that takes a little at a time has read all for a moment, again and
    /// again, before it is sent more.
    pub fn is_reading(&self, now_us: u64) -> bool {
        let is_slow = self.pace.0 <= SLOW_BYTES || self.pipe.capacity() <= SLOW_ROOM as usize;
        let is_heard = self.heard_us + SLOW_US > now_us;
        self.pipe.len() > 0 || self.parser.is_within() || is_slow && is_heard
    }
}

/// What is held, good to go on from.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    pub id: Option<String>,
    /// How often time had gone back when it was given.
    pub backs: usize,
    pub tables: BTreeMap<usize, Table>,
}

pub struct Client {
    pub place: usize,
    pub is_joint: bool,
    /// Views, by their names' order.
    pub views: Vec<usize>,
    /// The window that is asked for of each.
    pub kinds: BTreeMap<usize, Kind>,
    /// What decides about windows, if it asks for any.
    pub windows: Option<Dice>,
    pub dice: Dice,
    pub address: IpAddr,
    /// It takes an id as soon as it has read its line.
    is_early: bool,
    /// It comes back at once, whatever it is told.
    is_hasty: bool,
    /// It takes what is compressed.
    is_packing: bool,
    pub link: Option<Link>,
    epochs: u64,
    /// As of the last id.
    pub kept: Kept,
    /// The log that has given it the last id, where it shows one view.
    given: Option<(Weak<Log>, String)>,
    /// As shown now.
    pub tables: BTreeMap<usize, Table>,
    /// Views that stand at the last `consistent`.
    pub time: Option<u64>,
    /// The last word on each view's upstream.
    pub words: BTreeMap<usize, String>,
    retry_ms: u64,
    pub stalled_until: u64,
    pub away_until: u64,
    pub lost_us: u64,
}

impl Client {
    pub fn new(
        place: usize,
        is_joint: bool,
        views: usize,
        mut windows: Option<Dice>,
        mut dice: Dice,
    ) -> Self {
        let mut chosen: Vec<usize> = (0..views).collect();
        while chosen.len() > 1 && (!is_joint || chosen.len() > 2) {
            chosen.remove(dice.below(chosen.len()));
            if is_joint && dice.percent(50) {
                break;
            }
        }
        let kind = |view: &usize| {
            let kind = windows.as_mut().map(|dice| match dice.percent(80) {
                true => Kind::throw(dice),
                false => WHOLE,
            });
            (*view, kind.unwrap_or(WHOLE))
        };
        let kinds = chosen.iter().map(kind).collect();
        let host = u8::try_from(dice.below(3) + 1).unwrap_or(1);
        Client {
            place,
            is_joint,
            views: chosen,
            kinds,
            windows,
            address: IpAddr::from([192, 0, 2, host]),
            is_early: dice.percent(40),
            is_hasty: dice.percent(15),
            is_packing: dice.percent(50),
            dice,
            link: None,
            epochs: 0,
            kept: Kept::default(),
            given: None,
            tables: BTreeMap::new(),
            time: None,
            words: BTreeMap::new(),
            retry_ms: 1_000,
            stalled_until: 0,
            away_until: 0,
            lost_us: 0,
        }
    }

    /// Its token was renewed, perhaps, or it asks for something else: of one view
    /// for another window, though it comes with what it has.
    fn turn(&mut self) {
        if let Some(dice) = &mut self.windows
            && dice.percent(8)
        {
            let view = *dice.pick(&self.views);
            self.kinds.insert(view, Kind::throw(dice));
        }
    }

    /// What it has of a view, if it is of the window that it asks for.
    pub fn table(&mut self, view: usize) -> Option<&mut Table> {
        let kind = self.kinds[&view];
        let table = self.tables.get_mut(&view);
        table.filter(|table| table.kind == kind)
    }

    /// It does not come back.
    pub fn stay_away(&mut self) {
        self.epochs = u64::MAX;
    }

    /// What its connection is called, before it has one: zero.
    pub fn epoch(&self) -> u64 {
        self.link.as_ref().map_or(0, |link| link.epoch)
    }
}

impl World {
    /// Time goes back. Whoever waits with a position of before, for a view that
    /// its gateway has not seen yet, would have it believed: a gap that
    /// docs/ARCHITECTURE.md names.
    pub fn lose_who_waits(&mut self) {
        for client in 0..self.clients.len() {
            let link = self.clients[client].link.as_ref();
            if link.is_some_and(|link| !link.has_data) {
                self.lose(client);
            }
        }
    }

    /// A client does what comes next: it connects, or takes bytes.
    pub fn client(&mut self, client: usize, epoch: u64) {
        let it = &mut self.clients[client];
        if it.epoch() != epoch {
            return;
        }
        match it.link.is_some() {
            false if it.epochs == u64::MAX => {}
            false if it.away_until > self.now_us => {
                let until = it.away_until;
                self.at(until, Task::Client { client, epoch: 0 });
            }
            false => self.connect(client),
            true => self.take(client),
        }
    }

    /// There are bytes for a client, or the end.
    pub fn bytes(&mut self, client: usize, epoch: u64) {
        let now_us = self.now_us;
        let it = &mut self.clients[client];
        let stalled_until = it.stalled_until;
        let Some(link) = it.link.as_mut().filter(|link| link.epoch == epoch) else {
            return;
        };
        if !link.is_taking {
            link.is_taking = true;
            let at = (now_us + link.pace.1).max(stalled_until);
            self.at(at, Task::Client { client, epoch });
        }
    }

    fn take(&mut self, client: usize) {
        let it = &mut self.clients[client];
        let Some(link) = &mut it.link else { return };
        link.is_taking = false;
        let bytes = link.pipe.take(link.pace.0);
        let epoch = link.epoch;
        if !bytes.is_empty() {
            link.heard_us = self.now_us;
        }
        let events = match link.parser.take(&bytes) {
            Ok(events) => events,
            Err(text) => return self.fail(format!("client {client}: {text}")),
        };
        self.upstream.truth.now = self.upstream.time(self.now_us);
        for event in events {
            self.note(format_args!("client {client} reads {event:?}"));
            if let Err(text) = self.event(client, &event) {
                let id = self.clients[client].kept.id.clone();
                return self.fail(format!(
                    "client {client}, kept {id:?}, at {event:?}: {text}"
                ));
            }
        }
        let Some(link) = &self.clients[client].link else {
            return;
        };
        if link.pipe.is_at_end() {
            let ended = link.parser.ended().filter(|_| !link.pipe.is_broken());
            if let Some(text) = ended {
                return self.fail(format!("client {client}: the stream ended {text}"));
            }
            return self.lose(client);
        }
        if link.pipe.len() > 0 {
            self.bytes(client, epoch);
        }
    }

    /// The connection has ended; it comes back after a while.
    pub fn lose(&mut self, client: usize) {
        let it = &mut self.clients[client];
        if let Some(link) = it.link.take() {
            // In the middle of an event, such a client has its id already. Behind
            // the data that would be too soon by the one blank line that is left:
            // a gap that docs/ARCHITECTURE.md names.
            if let Some(id) = link.parser.early_id().filter(|_| it.is_early) {
                it.kept.id = Some(id.to_owned());
            }
            let is_over = link.pipe.is_at_end();
            link.pipe.reset();
            if !is_over {
                self.notice_reset(client, link.epoch);
            }
        }
        let it = &mut self.clients[client];
        it.lost_us = self.now_us;
        let retry_us = it.retry_ms.min(30_000) * 1_000;
        let wait = match it.is_hasty {
            true => it.dice.between(5_000, 100_000),
            false => it.dice.between(retry_us / 2, retry_us + 100_000),
        };
        self.note(format_args!("client {client} has lost its connection"));
        self.after(wait, Task::Client { client, epoch: 0 });
    }

    /// It leaves, and comes back after so long.
    pub fn keep_away(&mut self, client: usize, ms: u64) {
        let back_us = self.clients[client]
            .away_until
            .max(self.now_us + ms * 1_000);
        self.clients[client].away_until = back_us;
        if self.clients[client].link.is_some() {
            self.lose(client);
        }
        self.clients[client].lost_us = back_us;
    }

    /// A process has ended, and with it its connections.
    pub fn reset_clients(&mut self, life: Life) {
        self.streams.retain(|_, stream| stream.life != life);
        for client in 0..self.clients.len() {
            let is_of_it = self.clients[client]
                .link
                .as_ref()
                .is_some_and(|it| it.life == life);
            if is_of_it {
                self.lose(client);
            }
        }
    }

    /// The client has closed its side: who serves a body is told so.
    pub fn half_close(&mut self, client: usize) {
        let epoch = self.clients[client].epoch();
        match self
            .streams
            .get_mut(&(client, epoch))
            .map(|it| &mut it.served)
        {
            Some(Served::Body(body)) => body.end_soon(),
            // Its socket tells.
            Some(Served::Outlet(_) | Served::Short(_)) | None => return,
        }
        self.bell.ring(Woken::Stream { client, epoch });
    }

    /// How long nothing is read, from now on.
    pub fn stall(&mut self, client: usize, ms: u64) {
        // A longer stall that has begun is not over sooner by this one.
        let until = self.now_us + micros(std::time::Duration::from_millis(ms));
        let known = &mut self.clients[client].stalled_until;
        *known = until.max(*known);
    }
}
