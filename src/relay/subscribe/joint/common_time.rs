//! The latest time at which several views can be shown together.

use crate::model::position::Timestamp;

/// The latest time up to `at_most` that lies inside no delta of any log. Asked
/// for a time, `whole_at` gives the latest time up to it that lies inside no
/// delta of the log that has to go back furthest.
pub(super) fn common_time(
    at_most: Timestamp,
    whole_at: impl Fn(Timestamp) -> Option<Timestamp>,
) -> Timestamp {
    let mut time = at_most;
    // Going back for one log may lead into a delta of another: repeat until
    // none has to go back.
    while let Some(earlier) = whole_at(time).filter(|earlier| *earlier < time) {
        time = earlier;
    }
    time
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::retention::{Entry, Retention};

    /// A log of deltas, each over the times after `.0` up to `.1`.
    fn log(deltas: &[(u64, u64)]) -> Retention<()> {
        let mut log = Retention::new(Timestamp::MIN);
        for (after, timestamp) in deltas {
            log.push(Entry {
                after: Timestamp::new(*after),
                timestamp: Timestamp::new(*timestamp),
                has_changes: true,
                bytes: 1,
                at_ms: 0,
                frame: (),
            });
        }
        log
    }

    fn found(logs: &[Retention<()>], at_most: u64) -> u64 {
        let whole_at = |time| logs.iter().map(|log| log.whole_at(time)).min();
        common_time(Timestamp::new(at_most), whole_at).get()
    }

    #[test]
    fn common_time_is_the_latest_at_which_all_logs_are_whole() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..2_000 {
            let logs: Vec<_> = (0..random.usize(1..4))
                .map(|_| {
                    let (mut time, mut deltas) = (0, Vec::new());
                    while time < 30 {
                        let after = time + random.u64(0..3);
                        time = after + random.u64(1..6);
                        deltas.push((after, time));
                    }
                    (log(&deltas), deltas)
                })
                .collect();
            let is_whole = |time: u64| {
                let within = |&(after, end): &(u64, u64)| after < time && time < end;
                !logs.iter().any(|(_, deltas)| deltas.iter().any(within))
            };
            let at_most = random.u64(0..30);
            let expected = (0..=at_most).rev().find(|time| is_whole(*time)).unwrap();
            let logs: Vec<_> = logs.iter().map(|(log, _)| log.clone()).collect();
            assert_eq!(found(&logs, at_most), expected);
        }
    }

    #[test]
    fn common_time_exists_for_each_round_of_gathered_deltas() {
        // Two views that change at every time and gather five of them each.
        let gathered = |phase: u64, is_cut: bool| {
            let mut deltas = Vec::new();
            let mut time = 0;
            while time < 100 {
                let end = time + if time == 0 { phase } else { 5 };
                let end = if is_cut {
                    end.min(time / 5 * 5 + 5)
                } else {
                    end
                };
                deltas.push((time, end));
                time = end;
            }
            log(&deltas)
        };
        let apart = [gathered(5, false), gathered(2, false)];
        assert_eq!(found(&apart, 97), 0, "they never meet");
        let in_rounds = [gathered(5, true), gathered(2, true)];
        assert_eq!(found(&in_rounds, 97), 95);
    }
}
