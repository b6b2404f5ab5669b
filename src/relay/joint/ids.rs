//! One id for the positions of several views.

use crate::model::position::Position;

/// What is in the place of a view's position that has none.
const NO_POSITION: &str = "-";

/// What stands between two positions; a position has none, and a URL may.
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

/// The positions in an id of so many views; none where it makes no sense.
pub(super) fn positions(id: Option<&str>, count: usize) -> Vec<Option<Position>> {
    let parts = id.unwrap_or_default().split(SEPARATOR);
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
            assert_eq!(positions(Some(&id_of(&all)), all.len()), all);
            for count in [all.len() - 1, all.len() + 1] {
                assert_eq!(positions(Some(&id_of(&all)), count), vec![None; count]);
            }
        }
        assert_eq!(positions(None, 2), [None, None]);
        assert_eq!(positions(Some("<x>.\0"), 2), [None, None]);
    }
}
