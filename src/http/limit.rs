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
    /// Of each client with a window, the streams of each of them; counted only
    /// where they are limited.
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
            counts: Counts::default(),
            refused: [0; Limit::ALL.len()],
        }
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
                if self.limits.windows_per_address.is_some() {
                    let windows = counts.client_windows.entry(client).or_default();
                    count(windows, (Arc::clone(&view), window));
                }
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
        if counts.all >= limits.connections {
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
mod tests {
    use super::*;

    const NO_LIMITS: Limits = Limits {
        connections: usize::MAX,
        per_address: None,
        per_view: None,
        windows_per_address: None,
        windows_per_view: None,
    };

    fn whole(view: &str) -> Asked<'_> {
        Asked { view, window: None }
    }

    fn window(view: &str, window: u64) -> Asked<'_> {
        let window = Some(window);
        Asked { view, window }
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn admit_counts_each_limit_exactly_and_release_gives_back() {
        let mut admission = Admission::new(Limits {
            connections: 4,
            per_address: Some(2),
            per_view: Some(3),
            ..NO_LIMITS
        });
        let (a, b) = ([whole("a")], [whole("b")]);
        let (one, two) = (address("192.0.2.1"), address("192.0.2.2"));
        let mut held = vec![
            admission.admit(one, &a).unwrap(),
            admission.admit(one, &a).unwrap(),
        ];
        assert_eq!(admission.admit(one, &b).unwrap_err(), Limit::Address);
        held.push(admission.admit(two, &a).unwrap());
        assert_eq!(admission.admit(two, &a).unwrap_err(), Limit::View);
        held.push(admission.admit(two, &b).unwrap());
        let third = address("192.0.2.3");
        assert_eq!(admission.admit(third, &b).unwrap_err(), Limit::Connections);
        assert_eq!(
            Limit::ALL.map(|limit| admission.refused(limit)),
            [1, 1, 1, 0, 0]
        );
        // One place is given back, and exactly one more may come.
        admission.release(&held.remove(0));
        held.push(admission.admit(third, &a).unwrap());
        assert_eq!(admission.admit(third, &a).unwrap_err(), Limit::Connections);
        assert!(!admission.is_empty());
        held.iter().for_each(|place| admission.release(place));
        assert!(admission.is_empty());
    }

    #[test]
    fn admit_of_several_views_takes_a_place_at_each_and_one_in_all() {
        let mut admission = Admission::new(Limits {
            connections: 9,
            per_address: Some(9),
            per_view: Some(1),
            ..NO_LIMITS
        });
        let one = address("192.0.2.1");
        let held = admission.admit(one, &["a", "b"].map(whole)).unwrap();
        assert_eq!(admission.admitted(), 1);
        for view in ["a", "b"] {
            let refused = admission.admit(one, &[whole(view)]);
            assert_eq!(refused.unwrap_err(), Limit::View);
        }
        admission.release(&held);
        let held = admission.admit(one, &[whole("b")]).unwrap();
        let refused = admission.admit(one, &["a", "b"].map(whole));
        assert_eq!(refused.unwrap_err(), Limit::View);
        admission.release(&held);
        assert!(admission.is_empty());
    }

    #[test]
    fn admit_counts_each_window_once_however_many_streams_share_it() {
        let mut admission = Admission::new(Limits {
            windows_per_address: Some(3),
            windows_per_view: Some(2),
            ..NO_LIMITS
        });
        let (one, two) = (address("192.0.2.1"), address("192.0.2.2"));
        let mut held = vec![
            admission.admit(one, &[window("a", 1)]).unwrap(),
            admission.admit(one, &[window("a", 2)]).unwrap(),
        ];
        for client in [one, two] {
            let refused = admission.admit(client, &[window("a", 3)]);
            assert_eq!(refused.unwrap_err(), Limit::ViewWindows);
            // One that is open, and the view itself, cost nothing more.
            held.push(admission.admit(client, &[window("a", 1)]).unwrap());
            held.push(admission.admit(client, &[whole("a")]).unwrap());
        }
        // The same number of another view is another window.
        held.push(admission.admit(one, &[window("b", 1)]).unwrap());
        let both = [window("a", 1), window("c", 1)];
        let refused = admission.admit(one, &both);
        assert_eq!(refused.unwrap_err(), Limit::AddressWindows);
        let refused = admission.admit(two, &["c", "d", "e"].map(|view| window(view, 1)));
        assert_eq!(refused.unwrap_err(), Limit::AddressWindows);
        held.push(admission.admit(two, &both).unwrap());
        // Its last stream gives a window's place back, and not the first.
        admission.release(&held.remove(0));
        let refused = admission.admit(two, &[window("a", 4)]);
        assert_eq!(refused.unwrap_err(), Limit::ViewWindows);
        admission.release(&held.remove(0));
        held.push(admission.admit(two, &[window("a", 4)]).unwrap());
        held.iter().for_each(|place| admission.release(place));
        assert!(admission.is_empty());
    }

    #[test]
    fn admit_counts_an_ipv6_network_as_one_client() {
        let same = [
            "2001:db8:0:1::1",
            "2001:db8:0:1:ffff::2",
            "2001:db8:0:1:ffff:ffff:ffff:ffff",
        ];
        for text in same {
            assert_eq!(client(address(text)), address("2001:db8:0:1::"), "{text}");
        }
        assert_ne!(
            client(address("2001:db8:0:2::1")),
            address("2001:db8:0:1::")
        );
        assert_eq!(client(address("::ffff:192.0.2.1")), address("192.0.2.1"));
        assert_eq!(client(address("192.0.2.1")), address("192.0.2.1"));
    }
}
