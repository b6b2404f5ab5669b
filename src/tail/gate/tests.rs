use super::*;
use crate::model::position::Timestamp;
use crate::tail::assembler::Start;
use crate::tail::dialect::Dialect;

fn gate(room: usize) -> (Gate, crossbeam_channel::Receiver<TailEvent>) {
    let (out, events) = crossbeam_channel::bounded(room);
    (Gate::new("v", out, Box::new(|| {})), events)
}

fn progress(milliseconds: u64) -> TailEvent {
    TailEvent::Progress(Timestamp::new(milliseconds))
}

#[test]
fn gate_hears_only_the_current_generation() {
    let (gate, events) = gate(8);
    assert!(
        gate.enter(0)
            .is_ok_and(|mut it| it.tell(progress(1)).is_ok())
    );
    assert_eq!(gate.supersede(0), Some(1));
    assert_eq!(gate.supersede(0), None);
    assert!(gate.enter(0).is_err() && gate.try_enter(0).is_none());
    // Also one that was inside already.
    let mut inside = gate.enter(1).unwrap_or_else(|_| panic!("current"));
    gate.supersede_any();
    assert_eq!(inside.tell(progress(2)), Err(Stale));
    assert_eq!(inside.held.closed, Some(Timestamp::new(1)));
    drop(inside);
    assert_eq!(events.try_iter().collect::<Vec<_>>(), [progress(1)]);
}

#[test]
fn gate_full_is_left_when_the_generation_is_over() {
    let (gate, events) = gate(1);
    std::thread::scope(|scope| {
        let telling = scope.spawn(|| {
            let mut inside = gate.enter(0).map_err(|_| Stale)?;
            inside.tell(progress(1))?;
            inside.tell(progress(2))
        });
        while !gate.is_full() {
            std::thread::yield_now();
        }
        gate.supersede_any();
        assert_eq!(telling.join().ok(), Some(Err(Stale)));
    });
    assert_eq!(events.try_iter().collect::<Vec<_>>(), [progress(1)]);
}

#[test]
fn gate_tells_each_failure_and_starts_where_what_it_told_ends() {
    let (gate, events) = gate(8);
    let mut inside = gate.enter(0).unwrap_or_else(|_| panic!("current"));
    inside.tell(progress(7)).ok();
    inside.failed(&TailError::Ended).ok();
    inside.failed(&TailError::Silent { seconds: 1 }).ok();
    let floor = Start::Snapshot {
        floor: Some(Timestamp::new(7)),
        reached: None,
    };
    // Silence may mean a time that went back: no resume after it.
    assert_eq!(inside.held.start(Dialect::Subscribe), floor);
    inside.held.must_snapshot = false;
    let start = inside.held.start(Dialect::Subscribe);
    assert_eq!(start, Start::Resume(Timestamp::new(7)));
    assert_eq!(inside.held.start(Dialect::Tail), floor);
    inside.tell(progress(8)).ok();
    assert!(inside.held.outage.is_none(), "data ended it");
    inside.failed(&TailError::Ended).ok();
    let failed = events.try_iter();
    let failed = failed.filter(|event| matches!(event, TailEvent::Failed(_)));
    assert_eq!(failed.count(), 3);
}

#[test]
fn gate_knows_that_time_went_back_only_once_it_was_told() {
    let (gate, events) = gate(8);
    let mut inside = gate.enter(0).unwrap_or_else(|_| panic!("current"));
    let reached = Timestamp::new(900_000);
    inside.tell(progress(900_000)).ok();
    inside.held.clock.set(reached, Instant::now());
    // A stream that is given up before it was certain what it is of.
    inside.held.withheld = Some(Vec::new());
    inside.went_back().ok();
    inside.held.withheld = None;
    let start = Start::Snapshot {
        floor: Some(reached),
        reached: Some(reached),
    };
    assert_eq!(inside.held.start(Dialect::Tail), start);
    // The next one, which is.
    inside.held.withheld = Some(Vec::new());
    inside.went_back().ok();
    inside.confirm().ok();
    let start = Start::Snapshot {
        floor: None,
        reached: None,
    };
    assert_eq!(inside.held.start(Dialect::Tail), start);
    let gone = TailEvent::Gone(Why::TimeWentBack);
    assert_eq!(
        events.try_iter().collect::<Vec<_>>(),
        [progress(900_000), gone]
    );
}

#[test]
fn gate_tells_bad_data_as_an_interruption_unless_it_goes_on() {
    let (gate, events) = gate(8);
    let mut inside = gate.enter(0).unwrap_or_else(|_| panic!("current"));
    let bad = || TailError::Resync {
        reason: "a row twice".to_owned(),
        held: Some(Timestamp::new(5)),
    };
    inside.tell(progress(7)).ok();
    inside.failed(&bad()).ok();
    inside.failed(&bad()).ok();
    assert_eq!(inside.held.closed, Some(Timestamp::new(5)));
    let told: Vec<_> = events.try_iter().skip(1).collect();
    let reason = Cause::BadData.into();
    let expected = [TailEvent::Interrupted(reason), TailEvent::Failed(reason)];
    assert_eq!(told, expected);
}
