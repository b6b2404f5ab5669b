use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::model::delta::{Change, Delta};
use crate::model::event::{Description, Kept, TailEvent};
use crate::model::now::Now;
use crate::model::position::Incarnation;
use crate::model::reason::{Cause, Why};
use crate::model::retention::RetentionLimits;
use crate::model::row::Row;
use crate::model::view::ViewBuilder;
use crate::relay::log::jobs::AtOnce;
use crate::relay::publish::publisher::{Publisher, Settings};
use crate::relay::thread::thread_view::ThreadView;

pub(super) const HEARTBEAT: Duration = Duration::from_secs(15);

/// A view with its publisher and one thread, without any actor, socket or clock.
pub(super) struct Bottle {
    name: &'static str,
    publisher: Publisher,
    pub(super) thread: Rc<RefCell<ThreadView>>,
    /// Its upstream tells how far it is, though nothing changes.
    pub(super) is_steady: bool,
    /// The thread is to look after its copy of the view.
    is_woken: Arc<AtomicBool>,
    pub(super) now: Now,
}

impl Bottle {
    fn new(name: &'static str, now: Now) -> Self {
        let shared = Arc::new(SharedView::new(name.to_owned(), Arc::new(AtOnce), now));
        let settings = Settings {
            heartbeat: HEARTBEAT,
            min_interval: Duration::ZERO,
            retention: RetentionLimits {
                bytes_max: 1 << 20,
                age_ms_max: 60_000,
            },
            view_bytes_max: 1 << 20,
            upstream_timeout: Duration::from_secs(30),
        };
        let thread = ThreadView::new(Arc::clone(&shared), Box::new(|| ()));
        let is_woken = Arc::new(AtomicBool::new(true));
        let woken = Arc::clone(&is_woken);
        shared.attach(Box::new(move || {
            woken.store(true, Ordering::Relaxed);
            true
        }));
        Bottle {
            name,
            publisher: Publisher::new(shared, settings, fastrand::Rng::with_seed(1), now),
            thread: Rc::new(RefCell::new(thread)),
            is_steady: true,
            is_woken,
            now,
        }
    }

    pub(super) fn tell(&mut self, event: TailEvent) {
        assert_eq!(self.publisher.handle(event, self.now), None);
        self.look();
    }

    pub(super) fn look(&mut self) {
        self.publisher.look(self.now);
        if self.is_woken.swap(false, Ordering::Relaxed) {
            let _ = self.thread.borrow_mut().news(self.now.instant);
        }
    }

    /// A view with one row that is known from one time to another.
    pub(super) fn begin(&mut self, incarnation: &str, from: u64, to: u64) {
        self.tell(TailEvent::Described(Description {
            columns: Vec::new(),
            kept: Kept::all(0),
            incarnation: Incarnation::of([incarnation]),
            is_steady: self.is_steady,
            sql: None,
        }));
        let mut view = ViewBuilder::new();
        view.add(&format!("{{\"of\":\"{incarnation}\"}}"), 1);
        let view = view.finish(Timestamp::new(from)).unwrap();
        self.tell(TailEvent::Snapshot(view));
        self.tell(TailEvent::Progress(Timestamp::new(to)));
    }

    fn chosen(&self) -> Chosen {
        Chosen {
            local: Rc::clone(&self.thread),
            name: self.name.to_owned(),
            window: None,
        }
    }
}

/// Two views that have not begun.
pub(super) fn bottles() -> [Bottle; 2] {
    let now = Now {
        instant: Instant::now(),
        wall_ms: 1_000_000,
    };
    ["v", "w"].map(|name| Bottle::new(name, now))
}

/// A stream of both that begins.
fn joint_of([v, w]: [&Bottle; 2]) -> Joint {
    let views = [v.chosen(), w.chosen()];
    let rng = Rng::with_seed(1);
    Joint::new(&views, &[], HEARTBEAT, v.now.instant, rng, ())
}

/// Views of an old server, which tells nothing of one that does not change, each with
/// one row that is known from one time to another; and a stream of both that begins.
fn of_an_old_server(known: [(u64, u64); 2]) -> ([Bottle; 2], Joint) {
    let mut bottles = bottles();
    for (bottle, (from, to)) in bottles.iter_mut().zip(known) {
        bottle.is_steady = false;
        bottle.begin(bottle.name, from, to);
    }
    let [v, w] = &bottles;
    let joint = joint_of([v, w]);
    (bottles, joint)
}

/// So much later that a view that is silent counts as unchanged.
fn later(bottles: [&mut Bottle; 2]) {
    for bottle in bottles {
        bottle.now.instant += Duration::from_secs(5);
    }
}

/// A row that is inserted at this time.
pub(super) fn later_row(at: u64) -> TailEvent {
    let row = Row::from("{\"of\":\"later\"}");
    let changes = vec![Change { row, diff: 1 }];
    TailEvent::Delta(Delta::new(Timestamp::new(at), changes))
}

/// What the stream has to say, once the publishers have had their turn.
fn said(joint: &mut Joint, bottles: [&mut Bottle; 2]) -> String {
    let mut said = Vec::new();
    let now = bottles[0].now.instant;
    for bottle in bottles {
        // The first time something is wanted of them.
        for _ in 0..2 {
            while let Poll::Ready(Some(bytes)) = joint.poll_next(now, Waker::noop()) {
                said.extend_from_slice(&bytes);
            }
            bottle.look();
        }
    }
    String::from_utf8(said).unwrap()
}

/// The one was known ahead of time, and both were shown at that time; another
/// one takes its place that will never come as far.
#[test]
fn joint_views_that_are_final_are_shown_at_a_time_that_others_had_before_them() {
    let [mut v, mut w] = bottles();
    v.begin("v", 100, 900);
    w.begin("w", 150, 150);
    w.tell(TailEvent::Complete);
    let mut joint = joint_of([&v, &w]);
    let text = said(&mut joint, [&mut v, &mut w]);
    assert!(text.contains("{\"position\":900}"), "{text}");
    v.tell(TailEvent::Gone(Why::Moved));
    v.begin("another", 300, 400);
    v.tell(TailEvent::Complete);
    let text = said(&mut joint, [&mut v, &mut w]);
    assert!(text.contains("v.gone"), "{text}");
    let base = text.find("\"of\":\"another\"").expect("its base");
    let consistent = text.find("{\"position\":900}").expect("together");
    assert!(base < consistent, "{text}");
    let id = format!("id: 400-{}.150-", Incarnation::of(["another"]));
    assert!(text.contains(&id), "{text}");
}

/// An old server tells nothing of a view that is idle: it counts as unchanged up to
/// where the others stand, but not up to the end of time.
#[test]
fn joint_view_that_is_final_and_lost_does_not_take_an_idle_one_to_the_end_of_time() {
    let [mut v, mut w] = bottles();
    let mut now = v.now;
    (v.is_steady, w.is_steady) = (false, false);
    let end = u64::MAX;
    v.begin("v", end, end);
    v.tell(TailEvent::Complete);
    w.begin("w", 150, 150);
    let mut joint = joint_of([&v, &w]);
    let text = said(&mut joint, [&mut v, &mut w]);
    assert!(text.contains("{\"position\":150}"), "{text}");
    v.tell(TailEvent::Failed(Cause::Broken.into()));
    for _ in 0..3 {
        now.instant += Duration::from_secs(5);
        (v.now, w.now) = (now, now);
        let text = said(&mut joint, [&mut v, &mut w]);
        assert!(!text.contains(&end.to_string()), "{text}");
    }
    now.instant += HEARTBEAT;
    (v.now, w.now) = (now, now);
    w.tell(TailEvent::Progress(Timestamp::new(400)));
    let text = said(&mut joint, [&mut v, &mut w]);
    assert!(text.contains("{\"position\":400}"), "{text}");
}

/// Final since a change of later than the others have come to: its rows are not
/// those of their time.
#[test]
fn joint_view_that_has_become_final_is_not_shown_at_a_time_before_its_last_change() {
    let [mut v, mut w] = bottles();
    v.begin("v", 100, 200);
    v.tell(later_row(300));
    v.tell(TailEvent::Complete);
    w.begin("w", 150, 250);
    let mut joint = joint_of([&v, &w]);
    let text = said(&mut joint, [&mut v, &mut w]);
    assert!(!text.contains("event: consistent"), "{text}");
    w.tell(TailEvent::Progress(Timestamp::new(400)));
    let text = said(&mut joint, [&mut v, &mut w]);
    assert!(text.contains("event: consistent"), "{text}");
}

/// A change of a view that has become final since is not waited for beside one
/// whose upstream tells nothing while it is idle.
#[test]
fn joint_last_change_of_what_is_final_is_shown_beside_an_idle_view_of_an_old_server() {
    let ([mut v, mut w], mut joint) = of_an_old_server([(100, 100), (150, 150)]);
    said(&mut joint, [&mut v, &mut w]);
    later([&mut v, &mut w]);
    let text = said(&mut joint, [&mut v, &mut w]);
    assert!(text.contains("{\"position\":150}"), "{text}");
    v.tell(later_row(300));
    v.tell(TailEvent::Progress(Timestamp::MAX));
    v.tell(TailEvent::Complete);
    let text = said(&mut joint, [&mut v, &mut w]);
    assert!(!text.contains("later"), "{text}");
    later([&mut v, &mut w]);
    let text = said(&mut joint, [&mut v, &mut w]);
    let row = text.find("later").expect("the row");
    let consistent = text.find("{\"position\":300}").expect("together");
    assert!(row < consistent, "{text}");
}

/// A view that is not waited for may change while the changes of the others are on
/// their way. What was sent of it is in the id: who comes back with that would be sent
/// it again.
#[test]
fn joint_id_tells_what_a_quiet_view_was_shown_to_become_meanwhile() {
    let ([mut v, mut w], mut joint) = of_an_old_server([(100, 100), (150, 150)]);
    said(&mut joint, [&mut v, &mut w]);
    later([&mut v, &mut w]);
    said(&mut joint, [&mut v, &mut w]);
    let row = format!("{{\"of\":\"{}\"}}", "large ".repeat(20_000));
    let row = Row::from(row.as_str());
    let changes = vec![Change { row, diff: 1 }];
    v.tell(TailEvent::Delta(Delta::new(Timestamp::new(400), changes)));
    v.tell(TailEvent::Progress(Timestamp::new(400)));
    let text = said(&mut joint, [&mut v, &mut w]);
    assert!(!text.contains("large"), "w is waited for: {text}");
    later([&mut v, &mut w]);
    let Poll::Ready(Some(bytes)) = joint.poll_next(v.now.instant, Waker::noop()) else {
        panic!("nothing is sent");
    };
    let mut text = String::from_utf8(bytes.to_vec()).unwrap();
    assert!(!text.contains("consistent"), "it is on its way");
    w.tell(later_row(300));
    text += &said(&mut joint, [&mut v, &mut w]);
    let row = text.find("later").expect("the row");
    let of = |name| Incarnation::of([name]);
    let id = format!("id: 400-{}.300-{}", of("v"), of("w"));
    let id = text.find(&id).expect("an id that has the row");
    assert!(row < id);
}

/// The other one begins at an earlier time. If time went back, what was brought of the
/// one, and has not changed since, is shown as it is there; else not before what was
/// brought.
#[test]
fn joint_view_that_has_not_changed_is_shown_where_time_went_back() {
    let [mut v, mut w] = bottles();
    v.begin("v", 100, 900_000);
    w.begin("w", 150, 200_000);
    let (views, now) = ([v.chosen(), w.chosen()], v.now.instant);
    let of = |name| Incarnation::of([name]);
    for (brought, is_shown) in [(201_000, false), (700_000, true)] {
        let id = format!("{brought}-{}.{brought}-{}", of("v"), of("another"));
        let mut joint = Joint::new(&views, &[id], HEARTBEAT, now, Rng::with_seed(1), ());
        let text = said(&mut joint, [&mut v, &mut w]);
        assert!(!text.contains("v.base"), "{text}");
        assert_eq!(text.contains("{\"position\":200000}"), is_shown, "{text}");
    }
}

/// Nothing more is to come for whoever has closed its side: it is not kept until the
/// next heartbeat.
#[test]
fn joint_client_that_has_closed_its_side_is_let_go_where_all_views_are_gone() {
    let [mut v, mut w] = bottles();
    v.tell(TailEvent::Gone(Why::Dropped));
    w.tell(TailEvent::Gone(Why::Moved));
    let mut joint = joint_of([&v, &w]);
    joint.end_soon();
    let text = said(&mut joint, [&mut v, &mut w]);
    let told = ["v.gone", "w.gone", REASON_HALF_CLOSED];
    assert!(told.iter().all(|word| text.contains(word)), "{text}");
    let end = joint.poll_next(v.now.instant, Waker::noop());
    assert_eq!(end, Poll::Ready(None));
}

/// A view that is read anew from a time before the last common one, and is gone before
/// it has come as far: that is told, though the other one is idle and its old server
/// tells nothing of it.
#[test]
fn joint_view_that_is_gone_in_the_past_is_told_to_be_beside_an_idle_one_of_an_old_server() {
    let ([mut v, mut w], mut joint) = of_an_old_server([(100, 150), (100, 120)]);
    said(&mut joint, [&mut v, &mut w]);
    later([&mut v, &mut w]);
    v.tell(later_row(160));
    v.tell(TailEvent::Progress(Timestamp::new(170)));
    said(&mut joint, [&mut v, &mut w]);
    later([&mut v, &mut w]);
    let text = said(&mut joint, [&mut v, &mut w]);
    assert!(text.contains("{\"position\":170}"), "{text}");
    v.tell(TailEvent::Gone(Why::TooLarge));
    let text = said(&mut joint, [&mut v, &mut w]);
    assert!(text.contains("v.gone"), "{text}");
    v.begin("v", 130, 140);
    let text = said(&mut joint, [&mut v, &mut w]);
    assert!(text.contains("v.base"), "{text}");
    v.tell(later_row(145));
    v.tell(TailEvent::Progress(Timestamp::new(150)));
    v.tell(TailEvent::Gone(Why::TooLarge));
    said(&mut joint, [&mut v, &mut w]);
    later([&mut v, &mut w]);
    let text = said(&mut joint, [&mut v, &mut w]);
    assert!(text.contains("v.gone"), "{text}");
}
