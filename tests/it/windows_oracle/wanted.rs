//! Windows as a client asks for them, for the tests that ask for many.

use viewcast::model::window::{Test, Wanted, What};

/// One of these values.
pub fn is(values: &[&str]) -> What {
    What::In(values.iter().map(|value| (*value).to_owned()).collect())
}

/// What is asked for: conditions, each of a column, negated or not; and the columns
/// that are shown, all if none is named.
pub fn wanted(tests: &[(&str, bool, What)], shows: &[&str]) -> Wanted {
    let mut wanted = Wanted::default();
    for (column, not, what) in tests {
        let (not, what) = (*not, what.clone());
        wanted.and(column, Test { not, what });
    }
    if !shows.is_empty() {
        wanted.select(shows.iter().map(|name| (*name).to_owned()).collect());
    }
    wanted
}
