use super::*;
use crate::limits::WATCH_TICK;
use crate::model::event::{Description, Kept, TailEvent};
use crate::model::position::{Incarnation, Timestamp};
use crate::model::reason::{Cause, Why};
use crate::tail::assembler::Start;
use crate::tail::settings::{TailSettings, TailView};
use crate::tail::view_tail::Effect;

/// A tail whose stream of a server of this dialect has just begun.
fn streaming(dialect: Dialect, now: Instant) -> ViewTail {
    let settings = TailSettings::new(TailView::default());
    let mut tail = ViewTail::new(0, settings, fastrand::Rng::with_seed(1), now);
    let description = Description {
        columns: Vec::new(),
        kept: Kept::all(0),
        incarnation: Incarnation::of(["v"]),
        is_steady: true,
        sql: None,
    };
    tail.describe(description, Why::Recreated, now);
    tail.held.dialect = Some(dialect);
    let start = Start::Snapshot {
        floor: None,
        reached: None,
    };
    tail.stream_begins(start);
    tail.confirm(now);
    while tail.take_told().is_some() {}
    while tail.take_effect().is_some() {}
    tail
}

/// Looks every tick for so long; the effects, and after how many seconds each.
fn watch(tail: &mut ViewTail, now: &mut Instant, time: Duration) -> Vec<(u64, Effect)> {
    let begin = *now;
    let mut effects = Vec::new();
    while *now < begin + time {
        *now += WATCH_TICK;
        tail.look(*now);
        while let Some(effect) = tail.take_effect() {
            effects.push(((*now - begin).as_secs(), effect));
        }
    }
    effects
}

fn probe() -> Effect {
    Effect::StartProbe { generation: 0 }
}

fn is_given_up(effects: &[(u64, Effect)]) -> bool {
    let is_reader = |(_, effect): &(u64, Effect)| matches!(effect, Effect::StartReader { .. });
    effects.iter().any(is_reader)
}

#[test]
fn watch_asks_once_the_stream_is_silent_and_gives_it_up_without_an_answer() {
    let mut now = Instant::now();
    let mut tail = streaming(Dialect::Subscribe, now);
    let timeout = tail.settings().upstream_timeout;
    let effects = watch(&mut tail, &mut now, timeout + Duration::from_secs(1));
    assert_eq!(effects, [(10, probe())]);
    let effects = watch(&mut tail, &mut now, timeout);
    assert!(is_given_up(&effects), "{effects:?}");
    assert_eq!(tail.generation(), 1);
}

#[test]
fn watch_gives_a_stream_up_that_is_silent_though_all_else_is_well() {
    let mut now = Instant::now();
    let mut tail = streaming(Dialect::Subscribe, now);
    // Its snapshot has come: progress is to follow.
    let mut assembler = tail.held.assembler.take().unwrap();
    for at in [5, 9] {
        assembler.progress(Timestamp::new(at)).unwrap();
    }
    tail.held.assembler = Some(assembler);
    for well in 1..=SILENT_PROBES_MAX {
        let effects = watch(&mut tail, &mut now, Duration::from_millis(10_200));
        assert!(!is_given_up(&effects), "{well} {effects:?}");
        tail.silence.unexplained = well;
        tail.probe_ended();
    }
    assert!(is_given_up(&watch(&mut tail, &mut now, WATCH_TICK)));
}

#[test]
fn watch_of_a_slow_publisher_or_an_idle_old_server_gives_nothing_up() {
    let hour = Duration::from_secs(3_600);
    let mut now = Instant::now();
    let mut tail = streaming(Dialect::Subscribe, now);
    tail.deliver(TailEvent::Progress(Timestamp::new(7)));
    assert_eq!(watch(&mut tail, &mut now, hour), []);
    assert!(tail.take_told().is_some());
    // It is not in the channel yet.
    assert_eq!(watch(&mut tail, &mut now, hour), []);

    let mut tail = streaming(Dialect::Tail, now);
    for _ in 0..1_000 {
        let effects = watch(&mut tail, &mut now, Duration::from_millis(1_200));
        // Whether it is empty is not known yet.
        assert_eq!(effects.len(), 1, "{effects:?}");
        tail.probe_ended();
    }
    assert_eq!(tail.generation(), 0);
}

#[test]
fn watch_starts_a_reader_again_that_no_thread_could_be_had_for() {
    let mut now = Instant::now();
    let mut tail = streaming(Dialect::Subscribe, now);
    let error = TailError::Thread {
        reason: "too many".to_owned(),
    };
    for again in 1..4 {
        let current = Effect::StartReader {
            generation: again - 1,
            cause: Some(TailError::Replaced),
        };
        tail.not_started(&current, &error, now);
        let told = tail.take_told();
        let is_told = matches!(&told, Some(TailEvent::Failed(it)) if it.cause == Cause::NoThread);
        assert!(is_told, "{told:?}");
        assert_eq!(tail.take_told(), None);
        let timeout = tail.settings().upstream_timeout + WATCH_TICK;
        let effects = watch(&mut tail, &mut now, timeout);
        let next = Effect::StartReader {
            generation: again,
            cause: Some(TailError::Replaced),
        };
        assert_eq!(effects, [(10, next)]);
    }
    // One outage, and one error of it in the log.
    let outage = tail.held.outage.as_ref();
    assert_eq!(outage.map(|it| it.report(now).attempts), Some(3));
}

#[test]
fn watch_gives_a_silent_stream_up_that_no_probe_could_be_started_for() {
    let mut now = Instant::now();
    let error = TailError::Thread {
        reason: "too many".to_owned(),
    };
    for (dialect, gives_up) in [(Dialect::Subscribe, true), (Dialect::Tail, false)] {
        let mut tail = streaming(dialect, now);
        let mut assembler = tail.held.assembler.take().unwrap();
        for at in [5, 9] {
            assembler.progress(Timestamp::new(at)).unwrap();
        }
        tail.held.assembler = Some(assembler);
        let mut is_over = false;
        for _ in 0..=SILENT_PROBES_MAX {
            let effects = watch(&mut tail, &mut now, Duration::from_millis(10_200));
            is_over |= is_given_up(&effects);
            tail.not_started(&probe(), &error, now);
        }
        // An old server that is idle says nothing: that is no reason.
        assert_eq!(is_over, gives_up, "{dialect:?}");
    }
}

#[test]
fn watch_gives_up_a_reader_that_does_not_get_to_the_stream() {
    let mut now = Instant::now();
    let mut tail = streaming(Dialect::Subscribe, now);
    tail.set_phase(Phase::Setup);
    let silences = tail.settings().upstream_timeout * SETUP_SILENCES;
    assert_eq!(watch(&mut tail, &mut now, silences), []);
    assert!(is_given_up(&watch(&mut tail, &mut now, WATCH_TICK)));
    tail.stop();
    assert!(!tail.look(now));
}
