//! Windows that clients ask for: how, and which rows that are, worked out from
//! scratch.

use std::rc::Rc;
use std::sync::Arc;

use viewcast::model::position::Position;
use viewcast::model::row::Column;
use viewcast::model::window::{Layout, Test, Wanted, What};
use viewcast::relay::thread::seat::Choose;

use crate::dice::Dice;
use crate::truth::{Row, hash};
use crate::wanted::{is, wanted};

/// The columns of a row that are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shows {
    All,
    Number,
    Text,
}

/// A window of any view.
struct Asked {
    wanted: fn() -> Wanted,
    has: fn(&Row) -> bool,
    shows: Shows,
    /// Only a view with texts has such a window.
    needs_text: bool,
}

/// Which window, by its place among those that there are; the first is the view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind(pub usize);

/// The whole view.
pub const WHOLE: Kind = Kind(0);

/// How many there are.
const KINDS: usize = ASKED.len();

/// What a bearer's rules show of what is asked for.
fn ruled(numbers: &[&str], mut asked: Wanted) -> Wanted {
    let what = is(numbers);
    asked.require("n", Test { not: false, what });
    asked
}

fn text(row: &Row) -> &str {
    row.s.as_deref().unwrap_or("no text")
}

const ASKED: [Asked; 12] = [
    Asked {
        wanted: Wanted::default,
        has: |_| true,
        shows: Shows::All,
        needs_text: false,
    },
    Asked {
        wanted: || wanted(&[("n", false, is(&["5"]))], &[]),
        has: |row| row.n == 5,
        shows: Shows::All,
        needs_text: false,
    },
    Asked {
        wanted: || wanted(&[("n", false, is(&["2", "04", "6", "8", "1000"]))], &[]),
        has: |row| matches!(row.n, 2 | 4 | 6 | 8 | 1000),
        shows: Shows::All,
        needs_text: false,
    },
    Asked {
        wanted: || wanted(&[("n", true, is(&["1", "2", "3", "5", "7", "11"]))], &[]),
        has: |row| !matches!(row.n, 1 | 2 | 3 | 5 | 7 | 11),
        shows: Shows::All,
        needs_text: false,
    },
    Asked {
        wanted: || wanted(&[("s", false, is(&["a"]))], &[]),
        has: |row| text(row) == "a",
        shows: Shows::All,
        needs_text: true,
    },
    Asked {
        wanted: || {
            let texts = ("s", false, is(&["", "\\", "é\u{2028}", "data: x\n\n"]));
            wanted(&[("n", true, is(&["1", "2"])), texts], &[])
        },
        has: |row| {
            let is_it = matches!(text(row), "" | "\\" | "é\u{2028}" | "data: x\n\n");
            is_it && row.n != 1 && row.n != 2
        },
        shows: Shows::All,
        needs_text: true,
    },
    Asked {
        wanted: || wanted(&[("s", false, What::Null)], &[]),
        has: |row| row.s.is_none(),
        shows: Shows::All,
        needs_text: true,
    },
    Asked {
        wanted: || wanted(&[("s", true, What::Null)], &["n"]),
        has: |row| row.s.is_some(),
        shows: Shows::Number,
        needs_text: true,
    },
    Asked {
        wanted: || wanted(&[], &["s"]),
        has: |_| true,
        shows: Shows::Text,
        needs_text: true,
    },
    Asked {
        wanted: || wanted(&[("n", false, is(&["99"]))], &["n"]),
        has: |row| row.n == 99,
        shows: Shows::Number,
        needs_text: false,
    },
    // Rows by identity: what a token shows, and that of it which is asked for.
    Asked {
        wanted: || ruled(&["1", "2", "3"], Wanted::default()),
        has: |row| matches!(row.n, 1..4),
        shows: Shows::All,
        needs_text: false,
    },
    Asked {
        wanted: || {
            let asked = wanted(&[("n", false, is(&["3", "4"]))], &["n"]);
            ruled(&["2", "3"], asked)
        },
        has: |row| row.n == 3,
        shows: Shows::Number,
        needs_text: false,
    },
];

impl Kind {
    /// One by chance; the view itself now and then.
    pub fn throw(dice: &mut Dice) -> Kind {
        Kind(dice.below(KINDS))
    }

    fn asked(self) -> &'static Asked {
        &ASKED[self.0]
    }

    /// What the core is given to choose the window; nothing for the whole view.
    pub fn choose(self) -> Option<Choose> {
        if self == WHOLE {
            return None;
        }
        let wanted = (self.asked().wanted)();
        let filterable = ["n", "s"].map(str::to_owned);
        Some(Rc::new(move |layout| {
            let window = wanted.resolve(layout, &filterable);
            window.map_err(|error| error.to_string())
        }))
    }

    /// What stands for the window where streams are counted.
    pub fn key(self) -> Option<u64> {
        (self != WHOLE).then(|| u64::try_from(self.0).unwrap_or(0))
    }

    /// Whether a view with or without texts has such a window.
    pub fn is_of(self, has_text: bool) -> bool {
        has_text || !self.asked().needs_text
    }

    /// What of a row is shown, as a hash, if it is in the window.
    pub fn shown(self, row: &Row) -> Option<u128> {
        let asked = self.asked();
        (asked.has)(row).then(|| match asked.shows {
            Shows::All => hash(Some(row.n), row.s.as_deref()),
            Shows::Number => hash(Some(row.n), None),
            Shows::Text => hash(None, row.s.as_deref()),
        })
    }

    /// What the ids of its streams are of, where those of its view are of this.
    pub fn incarnation(self, of: &str, columns: &[Column]) -> Option<String> {
        let view: Position = format!("0-{of}").parse().ok()?;
        let Some(choose) = self.choose() else {
            return Some(of.to_owned());
        };
        let window = choose(&Arc::new(Layout::new(columns))).ok()?;
        Some(window.incarnation(view.incarnation).to_string())
    }
}
