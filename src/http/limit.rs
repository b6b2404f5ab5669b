//! How many streams are served at once: in all, to one client, of one view.
//!
//! A value without a lock: `places` keeps it for all workers, and gives each
//! place back whatever ends its stream.

use std::collections::HashMap;
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
}

/// One stream's place; it counts until it is given to [`Admission::release`].
#[derive(Debug)]
pub struct Place {
    client: IpAddr,
    views: Box<[Arc<str>]>,
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
    pub fn admit(&mut self, address: IpAddr, views: &[&str]) -> Result<Place, Limit> {
        let client = client(address);
        if let Some(limit) = self.exceeded(client, views) {
            if let Some(refused) = self.refused.get_mut(index(limit)) {
                *refused = refused.saturating_add(1);
            }
            return Err(limit);
        }
        let counts = &mut self.counts;
        counts.all = counts.all.saturating_add(1);
        let count = counts.by_client.entry(client).or_default();
        *count = count.saturating_add(1);
        let views = views.iter().map(|view| counts.add_view(view)).collect();
        Ok(Place { client, views })
    }

    /// The first limit that one more stream would be over.
    fn exceeded(&self, client: IpAddr, views: &[&str]) -> Option<Limit> {
        let (limits, counts) = (&self.limits, &self.counts);
        let is_full = |count: Option<&usize>, limit: Option<usize>| {
            limit.is_some_and(|limit| count.copied().unwrap_or(0) >= limit)
        };
        if counts.all >= limits.connections {
            Some(Limit::Connections)
        } else if is_full(counts.by_client.get(&client), limits.per_address) {
            Some(Limit::Address)
        } else {
            let mut counts = views.iter().map(|view| counts.by_view.get(*view));
            let is_any_full = counts.any(|count| is_full(count, limits.per_view));
            is_any_full.then_some(Limit::View)
        }
    }

    /// Takes back the place of a stream that has ended.
    pub fn release(&mut self, place: &Place) {
        let counts = &mut self.counts;
        counts.all = counts.all.saturating_sub(1);
        release(&mut counts.by_client, &place.client);
        for view in &place.views {
            release(&mut counts.by_view, view);
        }
    }

    /// Streams that have a place now.
    pub fn admitted(&self) -> usize {
        self.counts.all
    }

    /// Whether nothing is counted any more, of any client or view.
    pub fn is_empty(&self) -> bool {
        let counts = &self.counts;
        counts.all == 0 && counts.by_client.is_empty() && counts.by_view.is_empty()
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
        let count = self.by_view.entry(Arc::clone(&name)).or_default();
        *count = count.saturating_add(1);
        name
    }
}

fn index(limit: Limit) -> usize {
    match limit {
        Limit::Connections => 0,
        Limit::Address => 1,
        Limit::View => 2,
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

fn release<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn admit_counts_each_limit_exactly_and_release_gives_back() {
        let mut admission = Admission::new(Limits {
            connections: 4,
            per_address: Some(2),
            per_view: Some(3),
        });
        let (a, b) = (["a"], ["b"]);
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
        assert_eq!(Limit::ALL.map(|limit| admission.refused(limit)), [1, 1, 1]);
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
        });
        let one = address("192.0.2.1");
        let held = admission.admit(one, &["a", "b"]).unwrap();
        assert_eq!(admission.admitted(), 1);
        for view in ["a", "b"] {
            let refused = admission.admit(one, &[view]);
            assert_eq!(refused.unwrap_err(), Limit::View);
        }
        admission.release(&held);
        let held = admission.admit(one, &["b"]).unwrap();
        let refused = admission.admit(one, &["a", "b"]);
        assert_eq!(refused.unwrap_err(), Limit::View);
        admission.release(&held);
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
