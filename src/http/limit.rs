//! How many streams are served at once: in all, to one client, of one view; and
//! how many windows of a view are open at once, which cost more than streams.
//!
//! A value without a lock: `places` keeps it for all workers, and gives each
//! place back whatever ends its stream.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use crate::limits::IPV6_CLIENT_PREFIX;

use super::refusal::Limit;

/// What the operator allows.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Streams in all.
    pub connections: usize,
    /// Streams to one client address; `None` for no limit.
    pub per_address: Option<usize>,
    /// Streams of one view; `None` for no limit.
    pub per_view: Option<usize>,
    /// Windows of one client address; `None` for no limit.
    pub windows_per_address: Option<usize>,
    /// Windows of one view; `None` for no limit.
    pub windows_per_view: Option<usize>,
}

/// A view that a stream is of, and which window of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked<'v> {
    /// The view's name.
    pub view: &'v str,
    /// What stands for the window, equal for equal ones; `None` for the view
    /// itself.
    pub window: Option<u64>,
}

/// Counts the streams, and says who may open one more.
#[derive(Debug)]
pub struct Admission {
    limits: Limits,
    /// Streams that there are files for.
    room: usize,
    counts: Counts,
    refused: [u64; Limit::ALL.len()],
}

/// How many streams there are now. Entries that come to zero are removed, so
/// the maps do not grow with clients that have left.
#[derive(Debug, Default)]
struct Counts {
    all: usize,
    by_client: HashMap<IpAddr, usize>,
    by_view: HashMap<Arc<str>, usize>,
    /// Of each client with a window, the streams of each of them.
    client_windows: HashMap<IpAddr, Windows<(Arc<str>, u64)>>,
    /// Of each view with a window, the streams of each of them.
    view_windows: HashMap<Arc<str>, Windows<u64>>,
}

/// How many streams each window has.
type Windows<W> = HashMap<W, usize>;

/// One stream's place; it counts until it is given to [`Admission::release`].
#[derive(Debug)]
pub struct Place {
    client: IpAddr,
    views: Box<[(Arc<str>, Option<u64>)]>,
}

impl Admission {
    /// Nobody is in yet.
    pub fn new(limits: Limits) -> Self {
        Admission {
            limits,
            room: usize::MAX,
            counts: Counts::default(),
            refused: [0; Limit::ALL.len()],
        }
    }

    /// These are the limits from now on. Streams that are over them go on; no other
    /// one begins until they are fewer.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// There are files for so many streams from now on.
    pub fn set_room(&mut self, room: usize) {
        self.room = room;
    }

    /// Streams that are served at the most.
    pub fn most(&self) -> usize {
        self.limits.connections.min(self.room)
    }

    /// A place for one more stream of these views to this address; else the
    /// first limit that it is over.
    pub fn admit(&mut self, address: IpAddr, views: &[Asked<'_>]) -> Result<Place, Limit> {
        let client = client(address);
        if let Some(limit) = self.exceeded(client, views) {
            if let Some(refused) = self.refused.get_mut(index(limit)) {
                *refused = refused.saturating_add(1);
            }
            return Err(limit);
        }
        let counts = &mut self.counts;
        counts.all = counts.all.saturating_add(1);
        count(&mut counts.by_client, client);
        let views = views.iter().map(|asked| {
            let view = counts.add_view(asked.view);
            if let Some(window) = asked.window {
                let windows = counts.client_windows.entry(client).or_default();
                count(windows, (Arc::clone(&view), window));
                let windows = counts.view_windows.entry(Arc::clone(&view)).or_default();
                count(windows, window);
            }
            (view, asked.window)
        });
        let views = views.collect();
        Ok(Place { client, views })
    }

    /// The first limit that one more stream would be over.
    fn exceeded(&self, client: IpAddr, views: &[Asked<'_>]) -> Option<Limit> {
        let (limits, counts) = (&self.limits, &self.counts);
        let is_full = |count: Option<&usize>, limit: Option<usize>| {
            limit.is_some_and(|limit| count.copied().unwrap_or(0) >= limit)
        };
        if counts.all >= self.most() {
            return Some(Limit::Connections);
        }
        if is_full(counts.by_client.get(&client), limits.per_address) {
            return Some(Limit::Address);
        }
        let mut of_views = views.iter().map(|asked| counts.by_view.get(asked.view));
        if of_views.any(|count| is_full(count, limits.per_view)) {
            return Some(Limit::View);
        }
        if limits
            .windows_per_address
            .is_some_and(|limit| counts.windows_of(client, views) > limit)
        {
            return Some(Limit::AddressWindows);
        }
        let is_one_too_many = |asked: &Asked<'_>| {
            let windows = counts.view_windows.get(asked.view);
            let open = windows.map_or(0, HashMap::len);
            let is_new = asked
                .window
                .is_some_and(|window| windows.is_none_or(|windows| !windows.contains_key(&window)));
            is_new && is_full(Some(&open), limits.windows_per_view)
        };
        views
            .iter()
            .any(is_one_too_many)
            .then_some(Limit::ViewWindows)
    }

    /// Takes back the place of a stream that has ended.
    pub fn release(&mut self, place: &Place) {
        let counts = &mut self.counts;
        let client = &place.client;
        counts.all = counts.all.saturating_sub(1);
        release(&mut counts.by_client, client);
        for (view, window) in &place.views {
            release(&mut counts.by_view, view);
            if let Some(window) = window {
                let of_client = (Arc::clone(view), *window);
                release_within(&mut counts.client_windows, client, &of_client);
                release_within(&mut counts.view_windows, view, window);
            }
        }
    }

    /// Streams that have a place now.
    pub fn admitted(&self) -> usize {
        self.counts.all
    }

    /// Whether nothing is counted any more, of any client or view.
    pub fn is_empty(&self) -> bool {
        let counts = &self.counts;
        let of_windows = counts.client_windows.is_empty() && counts.view_windows.is_empty();
        counts.all == 0 && counts.by_client.is_empty() && counts.by_view.is_empty() && of_windows
    }

    /// How many were over this limit so far.
    pub fn refused(&self, limit: Limit) -> u64 {
        self.refused.get(index(limit)).copied().unwrap_or(0)
    }
}

impl Counts {
    /// Counts one more stream of a view; the name as it is kept, once for all
    /// streams of the view.
    fn add_view(&mut self, view: &str) -> Arc<str> {
        let known = self.by_view.get_key_value(view);
        let name = known.map_or_else(|| Arc::from(view), |(name, _)| Arc::clone(name));
        count(&mut self.by_view, Arc::clone(&name));
        name
    }

    /// The windows that a client has open, once it has these.
    fn windows_of(&self, client: IpAddr, views: &[Asked<'_>]) -> usize {
        let open = self.client_windows.get(&client);
        let is_new = |asked: &&Asked<'_>| {
            let Some(window) = asked.window else {
                return false;
            };
            let window = (Arc::from(asked.view), window);
            open.is_none_or(|open| !open.contains_key(&window))
        };
        let new = views.iter().filter(is_new).count();
        open.map_or(0, HashMap::len).saturating_add(new)
    }
}

fn count<K: Hash + Eq>(counts: &mut HashMap<K, usize>, key: K) {
    let count = counts.entry(key).or_default();
    *count = count.saturating_add(1);
}

fn index(limit: Limit) -> usize {
    match limit {
        Limit::Connections => 0,
        Limit::Address => 1,
        Limit::View => 2,
        Limit::AddressWindows => 3,
        Limit::ViewWindows => 4,
    }
}

/// What counts as one client: an IPv4 address, or an IPv6 network.
pub fn client(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let mask = u128::MAX
                .checked_shl(u32::from(128 - IPV6_CLIENT_PREFIX))
                .unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
        }
        address @ IpAddr::V4(_) => address,
    }
}

fn release<K: Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(key);
        }
    }
}

/// The same one level down; what has none left is removed.
fn release_within<K, W>(counts: &mut HashMap<K, Windows<W>>, key: &K, window: &W)
where
    K: Hash + Eq,
    W: Hash + Eq,
{
    if let Some(windows) = counts.get_mut(key) {
        release(windows, window);
        if windows.is_empty() {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests;
