//! A client comes, with what it holds, to one of the gateways.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use viewcast::model::position::Position;
use viewcast::model::reason::Why;
use viewcast::relay::deliver::outlet::Served as OnSocket;
use viewcast::relay::event::packing::Packing;
use viewcast::relay::log::shared_log::Log;
use viewcast::relay::shared_view::SharedView;
use viewcast::relay::subscribe::expiry::Lease;
use viewcast::relay::subscribe::joint::Joint;
use viewcast::relay::subscribe::joint::chosen::Chosen;
use viewcast::relay::subscribe::source::Source;
use viewcast::relay::subscribe::subscriber::Subscriber;
use viewcast::relay::thread::thread_view::ThreadView;

use super::{Kept, Link, SLOW_BYTES, SLOW_ROOM, Served};
use crate::gateway::{Life, WORKERS, Woken};
use crate::places::Permit;
use crate::serve::Stream;
use crate::socket::{End, Pipe};
use crate::windows::{Kind, WHOLE};
use crate::wire::Parser;
use crate::world::{Task, World};

/// What a client has decided before it is let in.
struct Coming {
    client: usize,
    epoch: u64,
    life: Life,
    worker: usize,
    pipe: Rc<Pipe>,
    rng: fastrand::Rng,
    ends_after: Option<Duration>,
    is_on_socket: bool,
    is_secure: bool,
    is_packed: bool,
}

impl fmt::Display for Coming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Coming {
            is_on_socket,
            is_secure,
            is_packed,
            ends_after,
            ..
        } = self;
        write!(
            f,
            "socket {is_on_socket}, secure {is_secure}, packed {is_packed}, ends after {ends_after:?}"
        )
    }
}

impl World {
    pub(super) fn connect(&mut self, client: usize) {
        let wait = self.dice.between(200_000, 1_500_000);
        let again = Task::Client { client, epoch: 0 };
        let up = self.gateways.iter().flatten();
        let up: Vec<Life> = up
            .filter(|it| it.drain.is_none())
            .map(|it| it.life)
            .collect();
        if up.is_empty() {
            return self.after(wait, again);
        }
        let life = *self.dice.pick(&up);
        self.bring_along(client);
        self.clients[client].turn();
        self.forget_what_is_believed(client, life);
        let coming = self.coming(client, life);
        let slots = self.slots(client, life);
        // `404`: a test's client comes back all the same.
        if slots.iter().all(Option::is_none) {
            self.note(format_args!("client {client} finds no view at {life}"));
            let it = &self.clients[client];
            if it.views.iter().all(|view| !self.is_to_be_served(*view)) {
                self.clients[client].lost_us = self.now_us;
            }
            return self.after(wait, again);
        }
        self.enter(coming, &slots);
    }

    fn coming(&mut self, client: usize, life: Life) -> Coming {
        let worker = self.dice.below(WORKERS);
        let rng = fastrand::Rng::with_seed(self.dice.next());
        let is_crowd = self.script.shape.is_crowd;
        let capacity = match self.dice.below(4) {
            0 => self.dice.between(10, SLOW_ROOM),
            _ if is_crowd => self.dice.between(10, SLOW_ROOM),
            _ => self.dice.between(1_000, 60_000),
        };
        let ends_after = self.dice.percent(8);
        let ends_after = ends_after.then(|| self.dice.between(1_000, 60_000));
        let is_on_socket = self.dice.percent(60);
        let is_secure = self.dice.percent(50);
        let is_packed = self.setup.is_packing && self.clients[client].is_packing;
        let it = &mut self.clients[client];
        it.epochs += 1;
        let epoch = it.epochs;
        let news = Woken::Bytes { client, epoch };
        let capacity = usize::try_from(capacity).unwrap_or(10);
        Coming {
            client,
            epoch,
            life,
            worker,
            pipe: Pipe::new(capacity, self.bell.clone(), news),
            rng,
            ends_after: ends_after.map(Duration::from_millis),
            is_on_socket,
            is_secure,
            is_packed: is_packed && !it.is_joint,
        }
    }

    /// Where the client's views are served; `None` for one that is not found.
    fn slots(&self, client: usize, life: Life) -> Vec<Option<usize>> {
        let Some(gateway) = &self.gateways[life.gateway] else {
            return Vec::new();
        };
        let views = self.clients[client].views.iter();
        let name = |view: &usize| self.setup.name_of(&self.names[*view]);
        views.map(|view| gateway.find(&name(view))).collect()
    }

    /// How a client's stream is compressed: every other client has the dictionaries of
    /// views, which are for streams of all rows.
    fn packing(&self, client: usize, life: Life, slots: &[Option<usize>]) -> Packing {
        let it = &self.clients[client];
        let has_them = client % 2 == 1 && it.kinds[&it.views[0]] == WHOLE;
        let gateway = self.gateways[life.gateway].as_ref().filter(|_| has_them);
        let slot = gateway.zip(slots.iter().flatten().next());
        let log = slot.and_then(|(gateway, slot)| gateway.slots[*slot].shared.log());
        let text = || "event: delta\ndata: [{\"insert\":{\"n\":".to_owned();
        let made = log.and_then(|log| log.shelf.get_or_make(text).cloned());
        made.map_or(Packing::Gzip, Packing::Dictionary)
    }

    /// The client is let in, or told when to come back.
    fn enter(&mut self, coming: Coming, slots: &[Option<usize>]) {
        let Coming { client, life, .. } = coming;
        let address = self.clients[client].address;
        let it = &self.clients[client];
        let found = slots.iter().zip(&it.views);
        let found: Vec<(usize, Kind)> = found
            .filter_map(|(slot, view)| Some(((*slot)?, it.kinds[view])))
            .collect();
        let permit = self.admit(life, address, &found);
        let is_in = permit.is_ok();
        let it = &mut self.clients[client];
        it.tables = it.kept.tables.clone();
        it.words.clear();
        it.time = None;
        let id = it.kept.id.clone();
        self.note(format_args!(
            "client {client} comes to {life} with {id:?}, {coming}, in {is_in}"
        ));
        let is_chunked = is_in && coming.is_on_socket;
        let is_packed = is_in && coming.is_packed;
        let packing = is_packed.then(|| self.packing(client, life, slots));
        let parser = Parser::new(is_chunked, packing.as_ref());
        let goes_on = self.goes_on(client, life, slots).filter(|_| is_in);
        let (pipe, epoch) = (Rc::clone(&coming.pipe), coming.epoch);
        let served = match permit {
            Ok(permit) => self.begin_stream(coming, slots, (permit, packing)),
            Err(limit) => Served::Short(self.refuse(life, address, limit)),
        };
        let stream = Stream {
            life,
            slots: if is_in { found } else { Vec::new() },
            address,
            pipe: Rc::clone(&pipe),
            served,
            wake_us: None,
            left_us: None,
        };
        self.streams.insert((client, epoch), Box::new(stream));
        let is_crowd = self.script.shape.is_crowd;
        let it = &mut self.clients[client];
        let pace = match it.dice.below(6) {
            _ if is_crowd => (
                it.dice.below(SLOW_BYTES) + 1,
                it.dice.between(300_000, 1_000_000),
            ),
            0 => (
                it.dice.below(SLOW_BYTES) + 1,
                it.dice.between(1_000, 100_000),
            ),
            _ => (100_000, it.dice.between(50, 5_000)),
        };
        it.link = Some(Link {
            epoch,
            life,
            since_us: self.now_us,
            heard_us: self.now_us,
            moved_us: self.now_us,
            pipe,
            parser,
            pace,
            is_taking: false,
            bases: BTreeMap::new(),
            word: BTreeMap::new(),
            is_over: false,
            is_refused: !is_in,
            has_data: false,
            log: None,
            goes_on,
        });
        let soon = self.dice.between(10, 3_000);
        self.after(soon, Task::Run(Woken::Stream { client, epoch }));
    }

    fn begin_stream(
        &mut self,
        coming: Coming,
        slots: &[Option<usize>],
        (permit, packing): (Permit, Option<Packing>),
    ) -> Served {
        let (now, heartbeat) = (self.now(), self.setup.heartbeat);
        let way = match coming.is_on_socket {
            true => Way::Socket(End::new(coming.pipe, coming.is_secure)),
            false => Way::Body,
        };
        let it = &self.clients[coming.client];
        let id = it.kept.id.clone();
        let gateway = &self.gateways[coming.life.gateway];
        let gateway = gateway.as_ref().expect("it was found there");
        let thread = |slot: usize| Rc::clone(&gateway.slots[slot].threads[coming.worker]);
        if it.is_joint {
            let chosen = it.views.iter().zip(slots).map(|(view, slot)| Chosen {
                local: match slot {
                    Some(slot) => thread(*slot),
                    // One of the pattern that is not there is shown as gone.
                    None => {
                        let name = self.setup.name_of(&self.names[*view]);
                        let jobs = Arc::clone(&gateway.jobs) as _;
                        let shared = SharedView::new(name, jobs, now);
                        shared.give_up(Why::GivenUp, now);
                        let local = ThreadView::new(Arc::new(shared), Box::new(|| {}));
                        Rc::new(RefCell::new(local))
                    }
                },
                name: self.names[*view].clone(),
                window: it.kinds[view].choose(),
            });
            let chosen: Vec<Chosen> = chosen.collect();
            let ids: Vec<String> = id.into_iter().collect();
            let mut joint = Joint::new(&chosen, &ids, heartbeat, now.instant, coming.rng, permit);
            let names = Rc::clone(&gateway.names);
            joint.return_when(move |view| names.borrow().contains(&view.name));
            if let Some(time) = coming.ends_after {
                joint.end_with(Lease::new(now.instant, time));
            }
            return way.serve(Source::Several(Box::new(joint)));
        }
        let resume: Vec<Position> = id.iter().filter_map(|id| id.parse().ok()).collect();
        let slot = slots.iter().flatten().next().copied().unwrap_or_default();
        let mut subscriber = match it.kinds[&it.views[0]].choose() {
            Some(choose) => {
                Subscriber::of_window(&thread(slot), choose, resume, coming.rng, permit)
            }
            None => Subscriber::new(&thread(slot), resume, coming.rng, permit),
        };
        if let Some(time) = coming.ends_after {
            subscriber.end_with(Lease::new(now.instant, time));
        }
        if let Some(packing) = packing {
            subscriber.pack(packing);
        }
        way.serve(Source::One(Box::new(subscriber)))
    }

    /// Keeps in mind which log its stream follows, once there is one.
    pub fn note_log(&mut self, client: usize, epoch: u64) {
        let it = &mut self.clients[client];
        let (Some(view), Some(link)) = (it.views.first(), &mut it.link) else {
            return;
        };
        if link.epoch != epoch || link.log.is_some() {
            return;
        }
        let name = self.setup.name_of(&self.names[*view]);
        let gateway = self.gateways[link.life.gateway].as_ref();
        let slot = gateway.and_then(|it| Some(&it.slots[it.find(&name)?]));
        let log = slot.and_then(|it| it.shared.log());
        link.log = log.map(|log| Arc::downgrade(&log));
    }

    /// The log that has given out the client's position, if it is that of the
    /// view still and no time went back since: it has to go on from there.
    fn goes_on(
        &mut self,
        client: usize,
        life: Life,
        slots: &[Option<usize>],
    ) -> Option<(Arc<Log>, u64)> {
        let it = &self.clients[client];
        let view = it.views.first()?;
        let kind = it.kept.tables.get(view)?.kind;
        if it.kinds[view] != kind {
            return None;
        }
        let [Some(slot)] = slots else { return None };
        let id = it.kept.id.as_ref().filter(|_| !it.is_joint)?;
        let (time, incarnation) = crate::table::position(id).ok()?;
        let incarnation = self.upstream.truth.view_of(kind, &incarnation)?;
        let log = self.gateways[life.gateway].as_ref()?.slots[*slot]
            .shared
            .log()?;
        let is_its = it.given.as_ref().is_some_and(|(given, of)| {
            of == id && given.upgrade().is_some_and(|it| Arc::ptr_eq(&it, &log))
        });
        // What was final before time went back may be something else afterwards.
        let truth = &self.upstream.truth;
        let is_shared = truth.shared(&incarnation) == incarnation;
        let has_gone_back = is_shared && truth.has_gone_back(&incarnation)
            || is_shared && time == u64::MAX && truth.backs > 0;
        (is_its && !has_gone_back).then_some((log, time))
    }

    /// A gateway that has not seen a view before time went back knows nothing of
    /// that, and would believe positions of before; and its own are believed by one
    /// that has not noticed yet. A gap that docs/ARCHITECTURE.md names.
    fn forget_what_is_believed(&mut self, client: usize, life: Life) {
        let (backs, it) = (self.upstream.truth.backs, &self.clients[client]);
        let gateway = self.gateways[life.gateway].as_ref();
        let (Some(id), Some(gateway)) = (&it.kept.id, gateway) else {
            return;
        };
        let mut views = it.views.clone();
        views.sort_unstable();
        let incarnations = id.split(['.', '-']).skip(1).step_by(2);
        let is_old = self.upstream.generation.is_old();
        let mut since = views.iter().zip(incarnations).map(|(view, of)| {
            let kind = it.kept.tables.get(view).map_or(WHOLE, |table| table.kind);
            let of = self.upstream.truth.view_of(kind, of).unwrap_or_default();
            let name = self.setup.name_of(&self.names[*view]);
            let slot = gateway.find(&name).map(|slot| &gateway.slots[slot]);
            let log = slot.and_then(|it| it.kept.log.as_ref());
            let log = log.filter(|_| self.upstream.truth.shared(&of) == of);
            let noticed = log.map_or(backs, |(_, backs)| *backs);
            // Since when an old server's view is final is not told: a gap as well.
            let truth = &self.upstream.truth;
            let mut objects = truth.objects_of(&of).iter().map(|it| &truth.objects[*it]);
            let is_unclear = is_old && objects.any(|it| it.ended.is_some());
            let seen = gateway.seen.get(&(name, of)).copied().unwrap_or(backs);
            (seen, noticed, is_unclear)
        });
        let kept = it.kept.backs;
        if since.any(|(seen, noticed, unclear)| kept < seen || kept > noticed || unclear) {
            self.clients[client].kept = Kept::default();
        }
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
}

/// What a stream goes over.
enum Way {
    Socket(End),
    Body,
}

impl Way {
    fn serve(self, source: Source) -> Served {
        match self {
            Way::Socket(end) => {
                let head = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
                Served::Outlet(OnSocket::new(end, head, source))
            }
            Way::Body => Served::Body(source),
        }
    }
}
