use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};

use fastrand::Rng;

use crate::limits::WINDOW_BASES_AT_ONCE;
use crate::model::delta::{Change, Delta};
use crate::model::event::TailEvent;
use crate::model::position::Timestamp;
use crate::model::reason::Why;
use crate::model::row::Row;
use crate::relay::deliver::outlet::Served;
use crate::relay::shared_view::LOTS;
use crate::relay::subscribe::joint::Joint;
use crate::relay::subscribe::joint::chosen::Chosen;
use crate::relay::subscribe::source::Source;
use crate::relay::subscribe::subscriber::Subscriber;
use crate::relay::subscribe::window_rows::{Found, Rows, WindowRows};
use crate::relay::thread::seat::Choose;
use crate::relay::thread::windows::tests::{Bottle, Flag, HEARTBEAT, Taking, choose, row};

#[test]
fn window_readers_are_told_at_once_when_they_are_to_end() {
    let mut bottle = Bottle::new(&["a"]);
    let (mut subscriber, _) = bottle.joined("a");
    let (flag, socket) = (Arc::<Flag>::default(), Taking::default());
    let waker = Waker::from(Arc::clone(&flag));
    assert_eq!(bottle.read_for(&mut subscriber, &waker).0, "");
    let source = Source::One(Box::new(bottle.subscriber("a", None)));
    let served = Served::new(socket, Vec::new(), source);
    let (woken, now) = (Arc::<Flag>::default(), bottle.now.instant);
    let task = Waker::from(Arc::clone(&woken));
    let mut context = Context::from_waker(&task);
    assert!(served.poll(now, &mut context).is_pending());
    bottle.look();
    assert!(served.poll(now, &mut context).is_pending());
    woken.0.store(false, Ordering::Release);
    bottle.shared.close(LOTS.end);
    bottle.look();
    assert!(flag.0.load(Ordering::Acquire) && woken.0.load(Ordering::Acquire));
    assert!(bottle.read(&mut subscriber).1);
    assert!(served.poll(now, &mut context).is_ready());
}

#[test]
fn window_that_is_none_ends_with_the_reason() {
    let bottle = Bottle::new(&["a"]);
    let refuse: Choose = Rc::new(|_| Err("there is no such column".to_owned()));
    let rng = Rng::with_seed(7);
    let mut subscriber =
        Subscriber::of_window(&bottle.thread, Rc::clone(&refuse), Vec::new(), rng, ());
    let (said, is_over) = bottle.read(&mut subscriber);
    let gone = "event: gone\ndata: {\"reason\":\"there is no such column\"}\n\n";
    assert!(is_over && said.ends_with(gone), "{said}");
    let mut rows = WindowRows::new(&bottle.thread, refuse, Vec::new());
    let found = rows.poll(bottle.now.instant, Waker::noop());
    assert!(matches!(found, Poll::Ready(Found::Refused(_))));
}

#[test]
fn window_bases_are_looked_up_once_for_all_who_wait_and_so_many_at_a_time() {
    let names: Vec<String> = (0..WINDOW_BASES_AT_ONCE * 2)
        .map(|at| at.to_string())
        .collect();
    let customers: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut bottle = Bottle::new(&customers);
    let twice = customers.iter().chain(&customers);
    let mut readers: Vec<Subscriber> = twice.map(|it| bottle.subscriber(it, None)).collect();
    for reader in &mut readers {
        bottle.read(reader);
    }
    assert_eq!(bottle.rung.get(), 1);
    let bases = |bottle: &Bottle| bottle.shared.counters.window_bases();
    let at_once = u64::try_from(WINDOW_BASES_AT_ONCE).unwrap();
    bottle.look();
    assert!(bottle.publisher.is_behind());
    assert_eq!(bases(&bottle), at_once);
    bottle.look();
    assert!(!bottle.publisher.is_behind());
    assert_eq!(bases(&bottle), at_once * 2);
    for reader in &mut readers {
        assert!(bottle.read(reader).0.contains("event: base\n"));
    }
    // None is kept for a few readers.
    bottle.joined("0");
    assert_eq!(bases(&bottle), at_once * 2 + 1);
}

#[test]
fn window_of_many_rows_is_read_in_slices_from_the_views_memory() {
    let names: Vec<String> = (0..20_000).map(|at| format!("customer {at}")).collect();
    let customers: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut bottle = Bottle::new(&customers);
    // No index finds what is not so: each row is looked at, some at a time.
    let mut all = bottle.subscriber("!customer 7", None);
    let (mut said, mut pauses) = (Vec::new(), 0);
    while pauses < 100_000 {
        match all.poll_next(bottle.now.instant, Waker::noop()) {
            Poll::Ready(bytes) => said.extend_from_slice(&bytes.expect("no end")),
            Poll::Pending if said.ends_with(b"\n\n") && said.len() > 100_000 => break,
            Poll::Pending => bottle.look(),
        }
        pauses += 1;
    }
    let said = String::from_utf8(said).unwrap();
    let (_, data) = said.split_once("data: ").expect("a base");
    let (data, _) = data.split_once('\n').expect("its end");
    let rows: Vec<serde_json::Value> = serde_json::from_str(data).expect("an array");
    assert_eq!(rows.len(), 3 * (names.len() - 1));
    let mut one = bottle.rows("customer 7", Vec::new());
    match bottle.found(&mut one) {
        Found::Rows { rows, .. } => match rows {
            Rows::Whole(bytes) => {
                let rows: Vec<serde_json::Value> = serde_json::from_slice(&bytes).unwrap();
                assert_eq!(rows.len(), 3);
            }
            Rows::Read(_) => panic!("three rows in slices"),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn window_rows_are_unchanged_while_only_others_change() {
    let mut bottle = Bottle::new(&["a", "b"]);
    let mut asked = bottle.rows("a", Vec::new());
    let Found::Rows { position, rows } = bottle.found(&mut asked) else {
        panic!("no rows");
    };
    let Rows::Whole(bytes) = rows else {
        panic!("three rows in slices");
    };
    let listed = [0, 1, 2].map(|at| row("a", &at.to_string())).join(",");
    assert_eq!(bytes, format!("[{listed}]"));
    bottle.note("b", "x");
    let mut again = bottle.rows("a", vec![position]);
    assert!(matches!(bottle.found(&mut again), Found::Unchanged(it) if it == position));
    // Of another window, the same position is nothing.
    let mut other = bottle.rows("b", vec![position]);
    assert!(matches!(bottle.found(&mut other), Found::Rows { .. }));
    bottle.note("a", "x");
    let mut again = bottle.rows("a", vec![position]);
    match bottle.found(&mut again) {
        Found::Rows { position, .. } => assert_eq!(position.timestamp.get(), bottle.time),
        other => panic!("{other:?}"),
    }
}

#[test]
fn window_of_few_rows_among_many_lets_others_in_while_they_are_looked_for() {
    let mut bottle = Bottle::new(&["d"]);
    let change = |at: u64| Change {
        row: Row::from(row("c", &at.to_string()).as_str()),
        diff: 1,
    };
    let changes = (0..30_000).map(change).collect();
    bottle.time += 1;
    let delta = Delta::new(Timestamp::new(bottle.time), changes);
    bottle.tell(TailEvent::Delta(delta));
    let mut few = bottle.subscriber("!c", None);
    let (mut said, mut turns) = (bottle.read(&mut few).0, 0);
    bottle.look();
    while !said.contains("\nid: ") {
        let woken: Arc<Flag> = Arc::default();
        let waker = Waker::from(Arc::clone(&woken));
        said.push_str(&bottle.read_for(&mut few, &waker).0);
        turns += usize::from(woken.0.load(Ordering::Acquire));
        assert!(turns < 100, "{said}");
    }
    assert!(turns >= 2, "{turns}");
    let listed = [0, 1, 2].map(|at| row("d", &at.to_string())).join(",");
    assert!(
        said.contains(&format!("\ndata: [{listed}]\nid: ")),
        "{said}"
    );
}

#[test]
fn window_of_a_view_that_is_gone_has_no_heartbeat_behind_its_end() {
    let mut bottle = Bottle::new(&["a"]);
    let (mut slow, _) = bottle.joined("a");
    bottle.tell(TailEvent::Gone(Why::Dropped));
    assert_eq!(bottle.thread.borrow().wake_at(), None);
    bottle.pass(HEARTBEAT * 2);
    let step = bottle.thread.borrow_mut().beat(bottle.now.instant);
    bottle.write(step);
    let (said, is_over) = bottle.read(&mut slow);
    assert!(is_over && said.starts_with("event: gone\n"), "{said}");
    assert!(!said.contains("event: delta\n"), "{said}");
}

#[test]
fn window_beside_another_view_goes_out_when_that_has_come_as_far() {
    let mut views = [Bottle::new(&["a"]), Bottle::new(&["a"])];
    let chosen = [("one", 0), ("two", 1)].map(|(name, at): (&str, usize)| Chosen {
        local: Rc::clone(&views[at].thread),
        name: name.to_owned(),
        window: Some(choose("a")),
    });
    let (now, rng) = (views[0].now.instant, Rng::with_seed(7));
    let mut joint = Joint::new(&chosen, &[], HEARTBEAT, now, rng, ());
    let woken: Arc<Flag> = Arc::default();
    let waker = Waker::from(Arc::clone(&woken));
    let mut read = || {
        let mut said = Vec::new();
        while let Poll::Ready(Some(bytes)) = joint.poll_next(now, &waker) {
            said.extend_from_slice(&bytes);
        }
        String::from_utf8(said).unwrap()
    };
    let is_woken = || woken.0.swap(false, Ordering::AcqRel);
    read();
    views.iter_mut().for_each(Bottle::look);
    assert!(is_woken());
    assert!(read().contains("data: {\"position\":7}\n"));
    // Nothing is held back: others' rows are no reason to look.
    is_woken();
    views[1].note("b", "x");
    assert!(!is_woken());
    // A change of the one waits until the other is known up to its time.
    views[0].note("a", "x");
    views[0].note("a", "y");
    assert!(is_woken());
    let said = read();
    assert!(said.contains("event: one.delta\n"), "{said}");
    assert!(said.contains("data: {\"position\":8}\n") && !said.contains("\"y\""));
    views[1].tell(TailEvent::Progress(Timestamp::new(9)));
    assert!(is_woken());
    let said = read();
    assert!(
        said.contains("\"y\"") && said.contains("data: {\"position\":9}\n"),
        "{said}"
    );
}
