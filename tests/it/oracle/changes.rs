//! The data of a base or a delta, as a client reads them.

use std::collections::HashMap;

use serde_json::value::RawValue;

use super::client::Wrong;
use super::rows::{Seen, copies_of};
use super::tally::FORMAT;
use crate::support::table::Change;

/// Rows by their hashes, and the hash of all of them.
pub type Hashed = (HashMap<u128, i64>, u128);

/// The rows of a base.
pub fn base_of(data: &str, seen: &mut Seen) -> Result<Hashed, Wrong> {
    let list: Vec<&RawValue> =
        serde_json::from_str(data).map_err(|error| (FORMAT, format!("base: {error}")))?;
    let (mut rows, mut sum) = (HashMap::new(), 0u128);
    for row in list {
        let hash = seen.hash(row.get()).map_err(|text| (FORMAT, text))?;
        *rows.entry(hash).or_insert(0) += 1;
        sum = sum.wrapping_add(copies_of(hash, 1));
    }
    Ok((rows, sum))
}

/// The changes of a delta.
pub struct Changes<'a>(Vec<Change<'a>>);

impl<'a> Changes<'a> {
    pub fn of(data: &'a str) -> Result<Self, Wrong> {
        let changes = serde_json::from_str(data);
        changes
            .map(Changes)
            .map_err(|error| (FORMAT, format!("delta: {error}")))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Calls with each row and its diff; they must be in order and
    /// consolidated [P3].
    pub fn each(&self, seen: &mut Seen, mut call: impl FnMut(u128, i64)) -> Result<(), Wrong> {
        let mut is_inserting = false;
        let mut deleted: Vec<u128> = Vec::new();
        for change in &self.0 {
            let (row, diff) = match change {
                Change::Insert(row) => (row, 1),
                Change::Delete(row) => (row, -1),
            };
            let hash = seen.hash(row.get()).map_err(|text| (FORMAT, text))?;
            if diff < 0 {
                if deleted.last() != Some(&hash) {
                    deleted.push(hash);
                }
            } else {
                is_inserting = true;
            }
            if (diff < 0 && is_inserting) || (diff > 0 && deleted.contains(&hash)) {
                let text = seen.text(hash);
                return Err((FORMAT, format!("not in order or not consolidated: {text}")));
            }
            call(hash, diff);
        }
        Ok(())
    }
}
