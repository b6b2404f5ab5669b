//! Windows that clients ask for: the rows whose number is one of some, or none
//! of them. The number is the first column of every view here.

use std::fmt::Write as _;

use crate::support::dice::Dice;

/// The rows of a view that a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    numbers: Vec<usize>,
    is_not: bool,
}

impl Window {
    /// A third of the clients ask for one.
    pub fn draw(dice: &mut Dice) -> Option<Window> {
        if !dice.percent(34) {
            return None;
        }
        // Few enough that several clients share one.
        let count = match dice.percent(50) {
            true => 1,
            false => dice.below(9) + 1,
        };
        let numbers = (0..count).map(|_| dice.below(12)).collect();
        let is_not = dice.percent(20);
        Some(Window { numbers, is_not })
    }

    /// Whether the row of this number is in it.
    pub fn has(&self, number: usize) -> bool {
        self.numbers.contains(&number) != self.is_not
    }

    /// How it is asked for, of a view whose first column has this name.
    pub fn query(&self, column: &str) -> String {
        let mut query = String::new();
        for byte in column.bytes() {
            match byte.is_ascii_alphanumeric() {
                true => query.push(char::from(byte)),
                // Writing to a String cannot fail.
                false => drop(write!(query, "%{byte:02X}")),
            }
        }
        let numbers: Vec<String> = self.numbers.iter().map(usize::to_string).collect();
        let not = if self.is_not { "not." } else { "" };
        match numbers.as_slice() {
            [one] => query + &format!("={not}eq.{one}"),
            all => query + &format!("={not}in.({})", all.join(",")),
        }
    }
}
