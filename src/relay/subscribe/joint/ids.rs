//! One id for the positions of several views.

use crate::model::position::Position;

/// Stands for a view that has no position.
const NO_POSITION: &str = "-";

/// Between two positions. It does not occur in one, and needs no escape in a URL.
const SEPARATOR: char = '.';

/// The positions of all views as one id.
pub(super) fn id_of(positions: &[Option<Position>]) -> String {
    let mut id = String::new();
    for (at, position) in positions.iter().enumerate() {
        if at > 0 {
            id.push(SEPARATOR);
        }
        match position {
            Some(position) => id.push_str(&position.to_string()),
            None => id.push_str(NO_POSITION),
        }
    }
    id
}

/// Of several ids of so many views, the one that counts: the one with the most
/// positions that the view at this place has, and among these the latest. From an
/// earlier one the client would be sent deltas that it has applied already.
pub(super) fn best(
    ids: &[String],
    views: usize,
    has: impl Fn(usize, Position) -> bool,
) -> Option<String> {
    let worth = |id: &&String| {
        let positions = positions(id, views);
        let placed = positions.iter().enumerate();
        let is_had = |(place, position): &(usize, &Option<Position>)| {
            position.is_some_and(|position| has(*place, position))
        };
        let count = placed.filter(is_had).count();
        let times = positions
            .iter()
            .flatten()
            .map(|position| position.timestamp);
        (count, times.max())
    };
    // Of equal ones the first, as it is in the header.
    ids.iter().rev().max_by_key(worth).cloned()
}

/// The positions in an id of so many views; none where it makes no sense.
pub(super) fn positions(id: &str, count: usize) -> Vec<Option<Position>> {
    let parts = id.split(SEPARATOR);
    let positions: Vec<_> = parts
        .take(count + 1)
        .map(|text| text.parse().ok())
        .collect();
    if positions.len() == count {
        positions
    } else {
        vec![None; count]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::position::{Incarnation, Timestamp};

    #[test]
    fn joint_id_and_back_is_the_same() {
        let position = |time| Position {
            timestamp: Timestamp::new(time),
            incarnation: Incarnation::of(["v", "1"]),
        };
        for all in [
            vec![Some(position(0))],
            vec![Some(position(7)), None, Some(position(u64::MAX))],
            vec![None, None],
        ] {
            assert_eq!(positions(&id_of(&all), all.len()), all);
            for count in [all.len() - 1, all.len() + 1] {
                assert_eq!(positions(&id_of(&all), count), vec![None; count]);
            }
        }
        assert_eq!(positions("", 2), [None, None]);
        assert_eq!(positions("<x>.\0", 2), [None, None]);
    }

    #[test]
    fn joint_id_of_several_is_the_latest_that_is_of_now() {
        let incarnation = |name| Incarnation::of([name]);
        let id = |parts: [(u64, &'static str); 2]| {
            let position = |(time, name)| Position {
                timestamp: Timestamp::new(time),
                incarnation: incarnation(name),
            };
            id_of(&parts.map(|part| Some(position(part))))
        };
        let now = [incarnation("a"), incarnation("b")];
        let has = |place: usize, position: Position| position.incarnation == now[place];
        let (old, new) = (id([(7, "a"), (7, "b")]), id([(9, "a"), (9, "b")]));
        let (half, other) = (id([(99, "a"), (99, "x")]), id([(99, "x"), (99, "y")]));
        let bad = "no id".to_owned();
        for ids in [
            [&old, &new, &half, &other, &bad],
            [&bad, &other, &new, &half, &old],
        ] {
            assert_eq!(best(&ids.map(Clone::clone), 2, has), Some(new.clone()));
        }
        assert_eq!(best(&[bad.clone(), half.clone()], 2, has), Some(half));
        // Nothing is known of the views yet.
        assert_eq!(best(&[old, new.clone(), bad], 2, |_, _| false), Some(new));
        assert_eq!(best(&[], 2, has), None);
    }
}
