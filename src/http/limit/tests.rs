use super::*;
use crate::limits::{FILES_PER_VIEW, FILES_RESERVED, room};

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
fn limits_that_come_later_count_what_began_before() {
    let mut admission = Admission::new(NO_LIMITS);
    let one = address("192.0.2.1");
    let held = ["a", "b"].map(|view| admission.admit(one, &[window(view, 1)]).unwrap());
    let limits = Limits {
        connections: 3,
        windows_per_address: Some(1),
        ..NO_LIMITS
    };
    admission.set_limits(limits);
    let refused = admission.admit(one, &[window("a", 1)]);
    assert_eq!(refused.unwrap_err(), Limit::AddressWindows);
    // Those that are over it go on, and one that is given back is one less.
    admission.release(&held[0]);
    let again = admission.admit(one, &[window("b", 1)]).unwrap();
    let refused = admission.admit(one, &[window("a", 1)]);
    assert_eq!(refused.unwrap_err(), Limit::AddressWindows);
    admission.release(&held[1]);
    admission.release(&again);
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

#[test]
fn room_is_what_views_leave_and_never_none() {
    let beside = room(20_000, 0);
    assert_eq!(beside, (20_000 - FILES_RESERVED) * 9 / 10);
    assert!(beside - room(20_000, 1_000) >= 1_000 * FILES_PER_VIEW * 9 / 10);
    assert_eq!(room(1_024, 1_000), 1);
    assert_eq!(room(0, 0), 1);
}

#[test]
fn limit_is_what_there_is_room_for_whatever_is_allowed() {
    let mut admission = Admission::new(Limits {
        connections: 3,
        ..NO_LIMITS
    });
    let (a, one) = ([whole("a")], address("192.0.2.1"));
    admission.set_room(1);
    assert_eq!(admission.most(), 1);
    let _place = admission.admit(one, &a).unwrap();
    assert_eq!(admission.admit(one, &a).unwrap_err(), Limit::Connections);
    admission.set_room(9);
    assert_eq!(admission.most(), 3);
    admission.admit(one, &a).unwrap();
}
