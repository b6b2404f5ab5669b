//! A table as a client holds it, compared with the truth at every id.

use std::collections::HashMap;

use crate::truth::{Truth, copies_of};
use crate::windows::Kind;
use crate::wire::{changes_of, rows_of};

/// The rows of one view.
#[derive(Clone, Debug, Default)]
pub struct Table {
    rows: HashMap<u128, i64>,
    pub sum: u128,
    /// The window that it is.
    pub kind: Kind,
    /// Where it stands, and of which incarnation it is.
    pub position: Option<(u64, String)>,
    /// The histories that it may be in.
    pub candidates: Vec<usize>,
}

impl Table {
    /// A table with these rows.
    pub fn base(data: &str, kind: Kind) -> Result<Table, String> {
        let mut table = Table {
            kind,
            ..Table::default()
        };
        for row in rows_of(data)? {
            table.add(row, 1)?;
        }
        Ok(table)
    }

    /// Applies a delta; whether it had changes.
    pub fn delta(&mut self, data: &str) -> Result<bool, String> {
        let changes = changes_of(data)?;
        for (row, copies) in &changes {
            self.add(*row, *copies)?;
        }
        Ok(!changes.is_empty())
    }

    fn add(&mut self, row: u128, copies: i64) -> Result<(), String> {
        let here = self.rows.entry(row).or_insert(0);
        *here += copies;
        if *here < 0 {
            return Err("a delete of a row that is not there".to_owned());
        }
        if *here == 0 {
            self.rows.remove(&row);
        }
        self.sum = self.sum.wrapping_add(copies_of(row, copies));
        Ok(())
    }

    /// Compares it with what was true at this time of this incarnation.
    pub fn check(
        &mut self,
        time: u64,
        position: (u64, String),
        is_new: bool,
        truth: &mut Truth,
    ) -> Result<(), String> {
        let (_, incarnation) = &position;
        let of = truth.view_of(self.kind, incarnation).unwrap_or_default();
        let objects = truth.objects_of(&of).to_vec();
        let Some(object) = objects.last() else {
            return Err(format!(
                "an incarnation that nobody described: {incarnation}"
            ));
        };
        let found = truth.matching(&objects, time, self.sum, self.kind);
        let was = std::mem::take(&mut self.candidates);
        // The name may have been given to another view with the same columns.
        let before = self.position.as_ref().map(|(_, before)| before.clone());
        let before = before.filter(|before| !is_new && before != incarnation);
        let before = before.and_then(|before| truth.view_of(self.kind, &before));
        let is_another = |before: &String| truth.shared(before) != truth.shared(&of);
        let before = before.filter(is_another);
        if let Some(before) = &before
            && !truth.have_same_columns(before, &of)
        {
            return Err(format!("{of} behind {before}, which has other columns"));
        }
        // Where only its columns tell a view from others, it may be another now.
        let is_any = is_new || objects.len() > 1 || before.is_some();
        let is_still = |one: &&usize| is_any || was.contains(*one);
        self.candidates = found.iter().filter(is_still).copied().collect();
        self.position = Some(position);
        if !self.candidates.is_empty() {
            return Ok(());
        }
        let history = truth.objects[*object].history;
        let expected = truth.histories[history].rows_at(time);
        Err(format!(
            "WRONG ROWS of {} at {time}: {} rows shown, {:?} expected; in histories {was:?}, then \
             {found:?}, now {history}",
            truth.objects[*object].id,
            self.rows.values().sum::<i64>(),
            expected
                .iter()
                .filter(|(row, _)| self.kind.shown(row).is_some())
                .take(20)
                .collect::<Vec<_>>(),
        ))
    }
}

/// The two parts of a position.
pub fn position(id: &str) -> Result<(u64, String), String> {
    let parts = id.split_once('-');
    let parts = parts.and_then(|(time, rest)| Some((time.parse().ok()?, rest.to_owned())));
    parts.ok_or_else(|| format!("an id that is no position: {id:?}"))
}
