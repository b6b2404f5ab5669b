//! Who is let in, as the HTTP side does it: the places of streams, and answers
//! that are held since their clients never wait.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use viewcast::http::hasty::Hasty;
use viewcast::http::limit::{Admission, Asked, Limits, Place, client};
use viewcast::http::refusal::{Limit, Refusal};
use viewcast::limits::{HASTY_TIMES, HELD_MAX, HOLD_TIME};
use viewcast::relay::counters::{End, Kept};
use viewcast::relay::event::notices::full;

use crate::client::Served;
use crate::gateway::{Gateway, Life};
use crate::serve::Stream;
use crate::windows::{Kind, WHOLE};
use crate::world::{World, micros};

/// Everybody is let in.
pub const NO_LIMITS: Limits = Limits {
    connections: 1_000,
    per_address: None,
    per_view: None,
    windows_per_address: None,
    windows_per_view: None,
};

/// The places of a gateway.
pub struct Places {
    pub limits: Limits,
    pub admission: Rc<RefCell<Admission>>,
    pub hasty: Rc<RefCell<Hasty>>,
    /// When each client was told to come back, and how often it came sooner.
    told: BTreeMap<IpAddr, (u64, u32)>,
}

/// A stream's place; given back when it is dropped, whatever ends the stream.
pub struct Permit {
    admission: Rc<RefCell<Admission>>,
    place: Place,
}

impl Kept for Permit {
    fn ended(&self, _: End, _: u64) {}
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.admission.borrow_mut().release(&self.place);
    }
}

/// An answer that is held.
pub struct Held(Rc<RefCell<Hasty>>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.borrow_mut().let_go();
    }
}

/// A stream that says only when to come back.
pub struct Short {
    pub words: Option<bytes::Bytes>,
    /// When it ends; at once, unless it is held.
    pub ends_us: u64,
    pub held: Option<Held>,
}

impl Places {
    pub fn new(limits: Limits) -> Self {
        Places {
            limits,
            admission: Rc::new(RefCell::new(Admission::new(limits))),
            hasty: Rc::default(),
            told: BTreeMap::new(),
        }
    }

    /// How often in a row it came too soon, as it has to be counted.
    fn count(&mut self, address: IpAddr, wait_ms: u64, now_us: u64) -> u32 {
        let times = match self.told.get(&client(address)) {
            Some((until, times)) if now_us < *until => times + 1,
            _ => 0,
        };
        let until = now_us + wait_ms * 1_000;
        self.told.insert(client(address), (until, times));
        times
    }
}

impl World {
    /// Lets a stream of these views in, or says which limit it is over.
    pub fn admit(
        &mut self,
        life: Life,
        address: IpAddr,
        slots: &[(usize, Kind)],
    ) -> Result<Permit, Limit> {
        let expected = self.limit_exceeded(life, address, slots);
        let gateway = self.gateway(life).expect("it is up");
        let asked = slots.iter().map(|(slot, kind)| Asked {
            view: gateway.slots[*slot].name.as_str(),
            window: kind.key(),
        });
        let asked: Vec<Asked<'_>> = asked.collect();
        let admission = Rc::clone(&gateway.places.admission);
        let admitted = admission.borrow_mut().admit(address, &asked);
        if expected != admitted.as_ref().err().copied() {
            let said = admitted.as_ref().err();
            self.fail(format!(
                "{life} has let in {address}: {said:?}, expected {expected:?}"
            ));
        }
        let place = admitted?;
        Ok(Permit { admission, place })
    }

    /// The first limit that one more stream is over, by the streams there are.
    fn limit_exceeded(
        &self,
        life: Life,
        address: IpAddr,
        slots: &[(usize, Kind)],
    ) -> Option<Limit> {
        let gateway = self.gateways[life.gateway].as_ref()?;
        let limits = gateway.places.limits;
        let name = |slot: &usize| &gateway.slots[*slot].name;
        let served = self.streams.values().map(|it| &**it);
        let served = served.filter(|it| it.life == life && !matches!(it.served, Served::Short(_)));
        let served: Vec<&Stream> = served.collect();
        let count = |is_of_it: &dyn Fn(&&&Stream) -> bool| served.iter().filter(is_of_it).count();
        let of_client = count(&|it| client(it.address) == client(address));
        let is_of = |it: &Stream, slot: &usize| {
            let mut all = it.slots.iter();
            all.any(|(one, _)| name(one) == name(slot))
        };
        let is_view_full = |(slot, _): &(usize, Kind)| {
            let of_view = count(&|it| is_of(it, slot));
            limits.per_view.is_some_and(|limit| of_view >= limit)
        };
        if served.len() >= limits.connections {
            Some(Limit::Connections)
        } else if limits.per_address.is_some_and(|limit| of_client >= limit) {
            Some(Limit::Address)
        } else {
            let is_full = slots.iter().any(is_view_full);
            let is_over = || self.windows_exceeded(gateway, address, slots);
            is_full.then_some(Limit::View).or_else(is_over)
        }
    }

    /// The first limit of windows that these are over, by the streams there are.
    fn windows_exceeded(
        &self,
        gateway: &Gateway,
        address: IpAddr,
        slots: &[(usize, Kind)],
    ) -> Option<Limit> {
        let limits = gateway.places.limits;
        let window = |(slot, kind): &(usize, Kind)| {
            let name = gateway.slots[*slot].name.clone();
            kind.key().map(|key| (name, key))
        };
        let served = self.streams.values().filter(|it| it.life == gateway.life);
        let windows = served.flat_map(|it| it.slots.iter().map(move |slot| (it.address, slot)));
        let (mut all, mut of_client) = (BTreeSet::new(), BTreeSet::new());
        for (of, slot) in windows {
            all.extend(window(slot));
            of_client.extend(window(slot).filter(|_| client(of) == client(address)));
        }
        of_client.extend(slots.iter().filter_map(window));
        let is_over = |limit: Option<usize>, count| limit.is_some_and(|limit| count > limit);
        if is_over(limits.windows_per_address, of_client.len()) {
            return Some(Limit::AddressWindows);
        }
        let mut new = slots.iter().filter_map(window);
        let is_one_too_many = |of: (String, u64)| {
            let open = all.iter().filter(|it| it.0 == of.0).count();
            !all.contains(&of) && is_over(limits.windows_per_view, open + 1)
        };
        new.any(is_one_too_many).then_some(Limit::ViewWindows)
    }

    /// The stream of a client that is over a limit.
    pub fn refuse(&mut self, life: Life, address: IpAddr, limit: Limit) -> Short {
        let refusal = Refusal::Over(limit);
        let mut rng = fastrand::Rng::with_seed(self.dice.next());
        let retry_ms = refusal.retry_ms(&mut rng);
        let (now, now_us) = (self.now().instant, self.now_us);
        let gateway = self.gateway(life).expect("it is up");
        let wait = Duration::from_millis(retry_ms);
        let hasty = Rc::clone(&gateway.places.hasty);
        let has_room = hasty.borrow().held() < HELD_MAX;
        let is_held = hasty.borrow_mut().tell(client(address), wait, now);
        let times = gateway.places.count(address, retry_ms, now_us);
        if is_held != (times >= HASTY_TIMES && has_room) {
            self.fail(format!(
                "{life}: {address} came too soon {times} times, held: {is_held}"
            ));
        }
        let hold = if is_held { HOLD_TIME } else { Duration::ZERO };
        Short {
            words: Some(full(retry_ms, refusal.reason())),
            ends_us: now_us + micros(hold),
            held: is_held.then(|| Held(hasty)),
        }
    }

    /// Whether every place was given back, and no other.
    pub fn places_not_right(&self) -> Option<String> {
        for gateway in self.gateways.iter().flatten() {
            let life = gateway.life;
            let of_it = || {
                let all = self.streams.values().map(|it| &**it);
                all.filter(|it| it.life == life)
            };
            for (place, slot) in gateway.slots.iter().enumerate() {
                let slots = of_it().flat_map(|it| &it.slots);
                let of_view = slots.filter(|(slot, _)| *slot == place);
                let windows = of_view.clone().filter(|(_, kind)| *kind != WHOLE).count();
                let served = of_view.count();
                let open = slot.shared.windows_open();
                if open > windows {
                    let name = &slot.name;
                    return Some(format!(
                        "{life} {name} has {open} windows open, not {windows}"
                    ));
                }
                let counted = slot.shared.subscriber_count();
                if served != counted {
                    let name = &slot.name;
                    return Some(format!(
                        "{life} {name} counts {counted} streams, not {served}"
                    ));
                }
            }
            let is_short = |it: &&Stream| matches!(it.served, Served::Short(_));
            let is_held =
                |it: &&Stream| matches!(&it.served, Served::Short(it) if it.held.is_some());
            let served = of_it().count() - of_it().filter(is_short).count();
            let admission = gateway.places.admission.borrow();
            let (admitted, is_empty) = (admission.admitted(), admission.is_empty());
            if served != admitted || (served == 0) != is_empty {
                return Some(format!(
                    "{life} has {served} streams, and {admitted} places taken"
                ));
            }
            let (held, counted) = (
                of_it().filter(is_held).count(),
                gateway.places.hasty.borrow().held(),
            );
            if held != counted {
                return Some(format!("{life} holds {held} answers, and counts {counted}"));
            }
        }
        None
    }
}
