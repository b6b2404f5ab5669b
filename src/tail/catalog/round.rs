//! One round of questions to the catalog: what is still to be asked, who waits
//! for an answer, and what has failed.

use std::collections::{BTreeSet, VecDeque};

use crate::model::name::ViewName;
use crate::tail::error::TailError;
use crate::tail::inquiry::{Inquiry, Verdict};
use crate::tail::names::Facts;

use super::exchange::CatalogEffect;

/// A step of a round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// To ask what all names mean, by one question.
    AllNames(Vec<Vec<String>>),
    /// To ask what one name means.
    OneName(Vec<String>),
    /// The names are done: whoever has no answer gets none.
    NamesDone,
    /// To ask for the object and columns of a view that is streamed by name.
    Columns(Inquiry),
    /// To ask for all patterns, unless there is no connection.
    Patterns,
    /// To ask for the pattern at this place.
    Pattern(usize),
    /// To look which of the relations that were found may be read.
    Listing,
    /// To ask whether one may be read.
    Readable(ViewName),
    /// To say which may be.
    Publish(Vec<ViewName>),
    /// To ask whether what a name means may still be read.
    Granted(Vec<String>),
    /// To ask for the server's own limit on what it sends.
    ResultLimit,
}

/// A round that is under way.
#[derive(Debug)]
pub(super) struct Round {
    tasks: VecDeque<Task>,
    /// Those that what a name means answers.
    inquiries: Vec<Inquiry>,
    /// What of the names could not be found out.
    names: Result<(), TailError>,
    /// What of the patterns could not be found out.
    patterns: Result<(), TailError>,
}

impl Round {
    /// A round for these inquiries, and if it `is_due`, for all names that are
    /// watched and for the patterns, too.
    pub fn new(inquiries: Vec<Inquiry>, watched: Vec<Vec<String>>, is_due: bool) -> Self {
        let mut tasks = VecDeque::new();
        // What is asked for by its id is settled by what the name means now,
        // like what is watched; all else by the columns, too.
        let is_asked = is_due || !inquiries.is_empty();
        let is_by_id = |inquiry: &Inquiry| inquiry.object.is_by_id;
        let (by_id, others): (Vec<_>, Vec<_>) = inquiries.into_iter().partition(is_by_id);
        if is_asked {
            // Those that somebody waits for come first.
            let parts = by_id.iter().map(|inquiry| inquiry.view.parts.clone());
            let mut known = BTreeSet::new();
            let names = parts.chain(watched);
            let names: Vec<Vec<String>> = names.filter(|it| known.insert(it.clone())).collect();
            match names.len() {
                // One that hangs is to keep nobody else waiting.
                0 | 1 => tasks.extend(names.into_iter().map(Task::OneName)),
                _ => tasks.push_back(Task::AllNames(names)),
            }
            tasks.push_back(Task::NamesDone);
            tasks.extend(others.into_iter().map(Task::Columns));
        }
        if is_due {
            tasks.push_back(Task::Patterns);
        }
        Round {
            tasks,
            inquiries: by_id,
            names: Ok(()),
            patterns: Ok(()),
        }
    }

    /// This is the last step.
    pub fn put_last(&mut self, task: Task) {
        self.tasks.push_back(task);
    }

    /// The next step.
    pub fn next(&mut self) -> Option<Task> {
        self.tasks.pop_front()
    }

    /// These are the next steps.
    pub fn put_first(&mut self, tasks: impl DoubleEndedIterator<Item = Task>) {
        for task in tasks.rev() {
            self.tasks.push_front(task);
        }
    }

    /// The server does not answer for all names at once, or not in time: each
    /// is asked for by itself, so that one that hangs keeps nobody waiting.
    pub fn ask_one_by_one(&mut self, names: Vec<Vec<String>>) {
        self.put_first(names.into_iter().map(Task::OneName));
    }

    /// All names could not be asked for.
    pub fn names_failed(&mut self, error: TailError) {
        self.names = Err(error);
    }

    /// One name could not be asked for. Without a connection none can.
    pub fn name_failed(&mut self, parts: &[String], error: TailError) -> Vec<CatalogEffect> {
        let verdict = Verdict::unanswered(&error);
        let is_of_it = |it: &mut Inquiry| it.view.parts == parts;
        let answered = self.inquiries.extract_if(.., is_of_it);
        let effects = answered
            .map(|it| of_inquiry(&it, verdict.clone()))
            .collect();
        if error.is_without_connection() {
            self.tasks.retain(|task| !matches!(task, Task::OneName(_)));
        }
        self.names = Err(error);
        effects
    }

    /// Who waits for what these names mean is answered.
    pub fn answer(&mut self, names: &[Vec<String>], facts: &Facts) -> Vec<CatalogEffect> {
        let is_of_them = |it: &mut Inquiry| names.contains(&it.view.parts);
        let answered = self.inquiries.extract_if(.., is_of_them);
        answered
            .map(|it| of_inquiry(&it, it.judge(facts)))
            .collect()
    }

    /// Who still waits after all names is told why there is no answer.
    pub fn answer_the_rest(&mut self) -> Vec<CatalogEffect> {
        let Err(error) = &self.names else {
            return Vec::new();
        };
        let verdict = Verdict::unanswered(error);
        let rest = self.inquiries.drain(..);
        rest.map(|it| of_inquiry(&it, verdict.clone())).collect()
    }

    /// Whether the catalog cannot be reached.
    pub fn is_without_connection(&self) -> bool {
        let error = self.names.as_ref().err();
        error.is_some_and(TailError::is_without_connection)
    }

    /// A pattern could not be asked for.
    pub fn pattern_failed(&mut self, error: TailError) {
        self.patterns = Err(error);
    }

    /// No further relation can be asked for in this round.
    pub fn leave_readable(&mut self) {
        self.tasks.retain(|task| !matches!(task, Task::Readable(_)));
    }

    /// What could not be found out.
    pub fn outcome(self) -> Result<(), TailError> {
        self.names.and(self.patterns)
    }
}

/// The answer to an inquiry.
pub(super) fn of_inquiry(inquiry: &Inquiry, verdict: Verdict) -> CatalogEffect {
    CatalogEffect::Verdict {
        tail: inquiry.tail,
        stream: inquiry.stream,
        verdict,
    }
}
