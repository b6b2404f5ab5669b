//! What a request asks for, not yet judged.

/// Conditions of one window at the most, those of rules among them.
pub const CONDITIONS_MAX: usize = 16;

/// Values of one condition at the most: a page of results, or the groups that
/// somebody is in.
pub const VALUES_MAX: usize = 1_000;

/// One condition on a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Test {
    /// Whether it is turned round.
    pub not: bool,
    /// What is asked of the value.
    pub what: What,
}

/// What a condition asks of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// To be one of these, as SQL compares them. NULL is none of them, and also
    /// not none of them.
    In(Vec<String>),
    /// To be NULL.
    Null,
    /// To be true; neither false nor NULL is.
    True,
    /// To be false; neither true nor NULL is.
    False,
}

/// Who asks for a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// The client, which may use the filterable columns only.
    Client,
    /// A rule of the operator or of the token.
    Rule,
}

/// The window that a request asks for: all conditions must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    pub(super) conditions: Vec<(By, String, Test)>,
    pub(super) select: Option<Vec<String>>,
}

impl Wanted {
    /// The client asks for a condition on a column.
    pub fn and(&mut self, column: &str, test: Test) {
        self.conditions.push((By::Client, column.to_owned(), test));
    }

    /// A rule asks for a condition on a column, which need not be filterable.
    pub fn require(&mut self, column: &str, test: Test) {
        self.conditions.push((By::Rule, column.to_owned(), test));
    }

    /// The client asks to be shown these columns only.
    pub fn select(&mut self, names: Vec<String>) {
        self.select = Some(names);
    }

    /// Whether nothing is asked for, so that the stream is the view's.
    pub fn is_all(&self) -> bool {
        self.conditions.is_empty() && self.select.is_none()
    }
}
