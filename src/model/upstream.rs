//! What is known of a view's upstream. Pure, and the only owner: streams,
//! readiness, metrics, the list of views and the log all read it.
//!
//! It changes by events only, in `next`, which is tested as a table.

use std::borrow::Cow;

use super::reason::{Reason, Why};

/// How a view stands with its upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// There is no base yet.
    Loading(Attempt),
    /// Changes arrive as they happen.
    Live,
    /// The stream was interrupted for this reason, and its continuation is
    /// expected at any moment. Not for long: see `Event::Overdue`.
    Doubted(Reason),
    /// What is held may be stale.
    Lost(Attempt),
    /// A constant view: what is held is final.
    Complete,
    /// Nothing is held; the view is looked for.
    Gone {
        /// Why.
        why: Why,
        /// What has failed last since, while it was looked for.
        failure: Option<Reason>,
    },
    /// Nothing is held, and nobody looks for the view any more.
    GivenUp(Why),
}

/// How the attempt to get rows stands, where there are none or old ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// The upstream has not answered yet.
    Asking,
    /// It has; the rows are awaited.
    Reading,
    /// It failed; the next one follows.
    Failed(Reason),
}

impl Attempt {
    /// What it is once the view was described. Of a query that was refused it is
    /// the rows that must prove the reason over: it would flicker with each
    /// attempt otherwise.
    fn found(self) -> Attempt {
        match self {
            Attempt::Failed(reason) if reason.cause.is_of_the_query() => self,
            _ => Attempt::Reading,
        }
    }

    /// Why there are no rows yet.
    fn words(self) -> Cow<'static, str> {
        match self {
            Attempt::Asking => "the upstream has not answered yet".into(),
            Attempt::Reading => "its rows are being read from the upstream".into(),
            Attempt::Failed(reason) => reason.to_string().into(),
        }
    }

    /// The same in one word.
    fn word(self) -> &'static str {
        match self {
            Attempt::Asking => "asking",
            Attempt::Reading => "reading",
            Attempt::Failed(reason) => reason.cause.word(),
        }
    }
}

/// What happens to a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The upstream has told what the view is.
    Found,
    /// What is held is what the upstream told right now.
    Current,
    /// What is held is final.
    Final,
    /// The stream has ended, and the next is expected at any moment.
    Interrupted(Reason),
    /// It was expected for too long.
    Overdue,
    /// An attempt has failed, or the stream has.
    Failed(Reason),
    /// The view is no more what it was; what was held is let go.
    Gone(Why),
    /// Nobody looks for it any more.
    GivenUp(Why),
}

/// What those who hold the view have to be told after an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Nothing.
    Nothing,
    /// That what they hold may be stale.
    Lost,
    /// That it is fresh again.
    Live,
    /// That there is no such view, and why.
    Gone(Why),
}

/// The states as one word each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// No base yet.
    Loading,
    /// Fresh.
    Live,
    /// Perhaps stale.
    Lost,
    /// Final.
    Complete,
    /// Not there, or not served.
    Gone,
}

impl Word {
    /// All of them.
    pub const ALL: [Word; 5] = [
        Word::Loading,
        Word::Live,
        Word::Lost,
        Word::Complete,
        Word::Gone,
    ];

    /// As it stands in `/views`, logs and metrics.
    pub fn text(self) -> &'static str {
        match self {
            Word::Loading => "loading",
            Word::Live => "live",
            Word::Lost => "lost",
            Word::Complete => "complete",
            Word::Gone => "gone",
        }
    }
}

impl State {
    /// What becomes of a state by an event, and what is to be told.
    pub fn next(&self, event: Event) -> (State, Told) {
        use Attempt::Failed;
        use State::{Complete, Doubted, GivenUp, Gone, Live, Lost};
        match (self, event) {
            // Whoever came later would wait for ever.
            (GivenUp(why), _) => (GivenUp(*why), Told::Nothing),
            (_, Event::GivenUp(why)) => (GivenUp(why), Told::Gone(why)),
            (_, Event::Gone(why)) => (Gone { why, failure: None }, self.tell_gone(why)),
            (State::Loading(attempt), Event::Found) => {
                (State::Loading(attempt.found()), Told::Nothing)
            }
            (State::Loading(_), Event::Interrupted(reason) | Event::Failed(reason)) => {
                (State::Loading(Failed(reason)), Told::Nothing)
            }
            (Gone { why, failure }, Event::Found) => {
                let failure = failure.filter(|reason| reason.cause.is_of_the_query());
                let why = *why;
                (Gone { why, failure }, Told::Nothing)
            }
            // Nobody holds anything of it that could be stale.
            (Gone { why, .. }, Event::Interrupted(reason) | Event::Failed(reason)) => {
                let (why, failure) = (*why, Some(reason));
                (Gone { why, failure }, Told::Nothing)
            }
            (Lost(_), Event::Current) => (Live, Told::Live),
            (Lost(_), Event::Final) => (Complete, Told::Live),
            (Lost(_), Event::Interrupted(reason) | Event::Failed(reason)) => {
                (Lost(Failed(reason)), Told::Nothing)
            }
            (Lost(attempt), Event::Found) => (Lost(attempt.found()), Told::Nothing),
            (_, Event::Current) => (Live, Told::Nothing),
            (_, Event::Final) => (Complete, Told::Nothing),
            (Live | Complete, Event::Interrupted(reason)) => (Doubted(reason), Told::Nothing),
            (Doubted(reason), Event::Overdue) => (Lost(Failed(*reason)), Told::Lost),
            (Live | Doubted(_) | Complete, Event::Failed(reason)) => {
                (Lost(Failed(reason)), Told::Lost)
            }
            // The first reason is the true one: what follows comes of it.
            (Doubted(_), Event::Interrupted(_))
            | (Live | Doubted(_) | Complete, Event::Found)
            | (_, Event::Overdue) => (self.clone(), Told::Nothing),
        }
    }

    /// Who was told already is not told again.
    fn tell_gone(&self, why: Why) -> Told {
        match self {
            State::Gone { .. } | State::GivenUp(_) => Told::Nothing,
            _ => Told::Gone(why),
        }
    }

    /// In one word.
    fn word(&self) -> Word {
        match self {
            State::Loading(_) => Word::Loading,
            State::Live | State::Doubted(_) => Word::Live,
            State::Lost(_) => Word::Lost,
            State::Complete => Word::Complete,
            State::Gone { .. } | State::GivenUp(_) => Word::Gone,
        }
    }
}

/// The state of a view, and since when it is so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    state: State,
    since_ms: u64,
    /// Until when what is held was certainly what the upstream has, while that
    /// is in doubt.
    certain_until_ms: u64,
    /// Whether what is held was final when it was last certain.
    is_final: bool,
}

impl Upstream {
    /// Nothing is known yet; the clock is in milliseconds since 1970.
    pub fn new(now_ms: u64) -> Self {
        Upstream {
            state: State::Loading(Attempt::Asking),
            since_ms: now_ms,
            certain_until_ms: now_ms,
            is_final: false,
        }
    }

    /// Takes an event; what is to be told.
    #[must_use = "it has to be told"]
    pub fn handle(&mut self, event: Event, now_ms: u64) -> Told {
        let (state, told) = self.state.next(event);
        let (word, before) = (self.word(), std::mem::replace(&mut self.state, state));
        self.is_final = match self.state {
            State::Complete => true,
            State::Doubted(_) | State::Lost(_) => self.is_final,
            _ => false,
        };
        match (&before, &self.state) {
            // Lost since the data are not what the upstream has, not since the
            // gateway has owned up to it.
            (State::Doubted(_), State::Lost(_)) => self.since_ms = self.certain_until_ms,
            (State::Doubted(_), State::Doubted(_)) => {}
            // Nobody is told of a doubt: if it proves unfounded, nothing was.
            (_, State::Doubted(_)) => self.certain_until_ms = now_ms,
            (State::Gone { why, .. }, State::Gone { why: other, .. }) if why != other => {
                self.since_ms = now_ms;
            }
            _ if word != self.word() => self.since_ms = now_ms,
            _ => {}
        }
        told
    }

    /// The state.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// In one word.
    pub fn word(&self) -> Word {
        match self.state {
            State::Doubted(_) if self.is_final => Word::Complete,
            _ => self.state.word(),
        }
    }

    /// Since when it is so, in milliseconds since 1970.
    pub fn since_ms(&self) -> u64 {
        self.since_ms
    }

    /// Whether what is held is what the upstream has, as far as anybody knows.
    pub fn is_fresh(&self) -> bool {
        matches!(self.word(), Word::Live | Word::Complete)
    }

    /// Whether what is held was final when it was last certain, as it is unless
    /// somebody changes the view meanwhile.
    pub fn is_final(&self) -> bool {
        self.is_final
    }

    /// Whether there is no such view to be had, and streams are told so.
    pub fn is_gone(&self) -> bool {
        self.word() == Word::Gone
    }

    /// Whether nobody looks for the view any more.
    pub fn is_given_up(&self) -> bool {
        matches!(self.state, State::GivenUp(_))
    }

    /// Why the view is gone, if it is; fit for its streams.
    pub fn why_gone(&self) -> Option<Why> {
        match self.state {
            State::Gone { why, .. } => Some(why),
            State::GivenUp(why) => Some(why),
            _ => None,
        }
    }

    /// Why it is neither live nor complete, in words.
    pub fn reason(&self) -> Option<Cow<'static, str>> {
        match &self.state {
            State::Live | State::Doubted(_) | State::Complete => None,
            State::Loading(attempt) | State::Lost(attempt) => Some(attempt.words()),
            State::Gone { why, failure: None } => Some(why.words().into()),
            State::Gone {
                why,
                failure: Some(failure),
            } => Some(format!("{}; since then: {failure}", why.words()).into()),
            State::GivenUp(why) => Some(why.words().into()),
        }
    }

    /// The reason as one word, for metrics; empty where there is none.
    pub fn reason_word(&self) -> &'static str {
        match &self.state {
            State::Live | State::Doubted(_) | State::Complete => "",
            State::Loading(attempt) | State::Lost(attempt) => attempt.word(),
            State::Gone { why, .. } => why.word(),
            State::GivenUp(why) => why.word(),
        }
    }
}

#[cfg(test)]
mod tests;
