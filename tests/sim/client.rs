//! Clients: they come, read at their own pace, leave, are cut, and come back
//! with the last id that they have.

use std::collections::BTreeMap;
use std::rc::Rc;

use viewcast::model::position::Position;
use viewcast::relay::deliver::outlet::Served as OnSocket;
use viewcast::relay::subscribe::joint::Joint;
use viewcast::relay::subscribe::joint::chosen::Chosen;
use viewcast::relay::subscribe::subscriber::Subscriber;

use crate::dice::Dice;
use crate::gateway::{Life, WORKERS, Woken};
use crate::socket::{End, Pipe};
use crate::table::Table;
use crate::wire::Parser;
use crate::world::{Task, World, micros};

mod reading;

/// How the gateway serves a stream.
pub enum Served {
    /// A plain socket, which the relay writes to.
    Outlet(OnSocket<End>),
    /// A body that is asked for bytes, as behind TLS.
    Body(Box<Subscriber>),
    Joint(Box<Joint>),
}

/// A connection.
pub struct Link {
    pub epoch: u64,
    pub life: Life,
    pub pipe: Rc<Pipe>,
    pub served: Option<Served>,
    pub wake_us: Option<u64>,
    parser: Parser,
    /// It takes so many bytes, each so many microseconds.
    pace: (usize, u64),
    is_taking: bool,
    bases: BTreeMap<usize, usize>,
    word: BTreeMap<usize, String>,
    is_over: bool,
}

/// What is held, good to go on from.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    pub id: Option<String>,
    pub tables: BTreeMap<usize, Table>,
}

pub struct Client {
    pub place: usize,
    pub is_joint: bool,
    /// Views, by their names' order.
    pub views: Vec<usize>,
    pub dice: Dice,
    pub link: Option<Link>,
    epochs: u64,
    /// As of the last id.
    pub kept: Kept,
    /// As shown now.
    pub tables: BTreeMap<usize, Table>,
    /// Views that stand at the last `consistent`.
    pub time: Option<u64>,
    /// The last word on each view's upstream.
    pub words: BTreeMap<usize, String>,
    retry_ms: u64,
    pub stalled_until: u64,
    pub lost_us: u64,
}

impl Client {
    pub fn new(place: usize, is_joint: bool, views: usize, mut dice: Dice) -> Self {
        let mut chosen: Vec<usize> = (0..views).collect();
        while chosen.len() > 1 && (!is_joint || chosen.len() > 2) {
            chosen.remove(dice.below(chosen.len()));
            if is_joint && dice.percent(50) {
                break;
            }
        }
        Client {
            place,
            is_joint,
            views: chosen,
            dice,
            link: None,
            epochs: 0,
            kept: Kept::default(),
            tables: BTreeMap::new(),
            time: None,
            words: BTreeMap::new(),
            retry_ms: 1_000,
            stalled_until: 0,
            lost_us: 0,
        }
    }

    /// What its connection is called, before it has one: zero.
    pub fn epoch(&self) -> u64 {
        self.link.as_ref().map_or(0, |link| link.epoch)
    }
}

impl World {
    /// A client does what comes next: it connects, or takes bytes.
    pub fn client(&mut self, client: usize, epoch: u64) {
        let it = &mut self.clients[client];
        if it.epoch() != epoch {
            return;
        }
        match it.link.is_some() {
            false => self.connect(client),
            true => self.take(client),
        }
    }

    fn connect(&mut self, client: usize) {
        let wait = self.dice.between(200_000, 1_500_000);
        let again = Task::Client { client, epoch: 0 };
        let up: Vec<Life> = self
            .gateways
            .iter()
            .flatten()
            .filter(|it| it.drain.is_none())
            .map(|it| it.life)
            .collect();
        if up.is_empty() {
            return self.after(wait, again);
        }
        let life = *self.dice.pick(&up);
        let heartbeat = self.setup.heartbeat;
        let worker = self.dice.below(WORKERS);
        self.bring_along(client);
        let now = self.now().instant;
        let seed = self.dice.next();
        let capacity = match self.dice.below(4) {
            0 => usize::try_from(self.dice.between(10, 300)).unwrap(),
            _ => usize::try_from(self.dice.between(1_000, 60_000)).unwrap(),
        };
        let bell = self.bell.clone();
        let expires = self
            .dice
            .percent(8)
            .then(|| self.dice.between(1_000, 60_000));
        let on_socket = self.dice.percent(60);
        let it = &mut self.clients[client];
        it.epochs += 1;
        let epoch = it.epochs;
        let pipe = Pipe::new(capacity, bell, Woken::Bytes { client, epoch });
        let rng = fastrand::Rng::with_seed(seed);
        let (views, id, is_joint) = (it.views.clone(), it.kept.id.clone(), it.is_joint);
        it.tables = it.kept.tables.clone();
        it.words.clear();
        it.time = None;
        let pace = match it.dice.below(6) {
            0 => (it.dice.below(40) + 1, it.dice.between(1_000, 100_000)),
            _ => (100_000, it.dice.between(50, 5_000)),
        };
        let Some(gateway) = self.gateway(life) else {
            return;
        };
        let end_at = expires.map(std::time::Duration::from_millis);
        let mut is_chunked = false;
        let served = if is_joint {
            let chosen = views.iter().map(|view| Chosen {
                local: Rc::clone(&gateway.slots[*view].threads[worker]),
                name: gateway.slots[*view].name.clone(),
                window: None,
            });
            let chosen: Vec<Chosen> = chosen.collect();
            let ids: Vec<String> = id.iter().cloned().collect();
            let mut joint = Joint::new(&chosen, &ids, heartbeat, now, rng, ());
            if let Some(end_at) = end_at {
                joint.end_after(end_at, now);
            }
            Served::Joint(Box::new(joint))
        } else {
            let slot = &gateway.slots[views[0]];
            let resume: Vec<Position> = id.iter().filter_map(|id| id.parse().ok()).collect();
            let mut subscriber = Subscriber::new(&slot.threads[worker], resume, rng, ());
            if let Some(end_at) = end_at {
                subscriber.end_after(end_at, now);
            }
            match on_socket {
                true => {
                    is_chunked = true;
                    let head = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
                    Served::Outlet(OnSocket::new(End(Rc::clone(&pipe)), head, subscriber))
                }
                false => Served::Body(Box::new(subscriber)),
            }
        };
        self.note(format_args!("client {client} comes to {life} with {id:?}, {capacity} bytes, pace {pace:?}, socket {is_chunked}, ends after {expires:?}"));
        self.clients[client].link = Some(Link {
            epoch,
            life,
            pipe,
            served: Some(served),
            wake_us: None,
            parser: Parser::new(is_chunked),
            pace,
            is_taking: false,
            bases: BTreeMap::new(),
            word: BTreeMap::new(),
            is_over: false,
        });
        let soon = self.dice.between(10, 3_000);
        self.after(soon, Task::Run(Woken::Stream { client, epoch }));
    }

    /// Most come back with what they have, some with nothing, with what another
    /// one has, or with what makes no sense.
    fn bring_along(&mut self, client: usize) {
        match self.dice.below(20) {
            0 => self.clients[client].kept = Kept::default(),
            1 => {
                let it = &self.clients[client];
                let same = self.clients.iter().filter(|other| {
                    other.views == it.views
                        && other.is_joint == it.is_joint
                        && other.kept.id.is_some()
                });
                let kept: Vec<Kept> = same.map(|other| other.kept.clone()).collect();
                if !kept.is_empty() {
                    let kept = self.dice.pick(&kept).clone();
                    self.clients[client].kept = kept;
                }
            }
            _ => {}
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
        let events = match link.parser.take(&bytes) {
            Ok(events) => events,
            Err(text) => return self.fail(format!("client {client}: {text}")),
        };
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
            if link.parser.is_within() && !link.pipe.is_broken() {
                return self.fail(format!("client {client}: the stream ended within an event"));
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
            link.pipe.reset();
        }
        it.lost_us = self.now_us;
        let retry_us = it.retry_ms.min(10_000) * 1_000;
        let wait = it.dice.between(retry_us / 2, retry_us + 100_000);
        self.note(format_args!("client {client} has lost its connection"));
        self.after(wait, Task::Client { client, epoch: 0 });
    }

    /// A process has ended, and with it its connections.
    pub fn reset_clients(&mut self, life: Life) {
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
        match self.clients[client]
            .link
            .as_mut()
            .and_then(|it| it.served.as_mut())
        {
            Some(Served::Body(body)) => body.end_soon(),
            Some(Served::Joint(body)) => body.end_soon(),
            // Its socket tells.
            Some(Served::Outlet(_)) | None => {}
        }
        let epoch = self.clients[client].epoch();
        self.bell.ring(Woken::Stream { client, epoch });
    }

    /// How long nothing is read, from now on.
    pub fn stall(&mut self, client: usize, ms: u64) {
        self.clients[client].stalled_until =
            self.now_us + micros(std::time::Duration::from_millis(ms));
    }
}
