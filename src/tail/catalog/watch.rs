//! What the catalog is asked, and what follows from its answers: for all views
//! of a gateway on one connection, every interval and whenever a reader
//! inquires.

use std::collections::VecDeque;
use std::mem;
use std::time::{Duration, Instant};

use crate::limits::CATALOG_QUESTION_FIRST;
use crate::model::name::ViewName;
use crate::model::pattern::ViewPattern;
use crate::tail::conversation::{Answer, Question, mismatch};
use crate::tail::error::TailError;
use crate::tail::inquiry::{Inquiry, Verdict};
use crate::tail::names::Facts;

use super::exchange::{CatalogEffect, CatalogReply, CatalogRequest, CatalogRules, Listed};
use super::patience::{Patience, Rests};
use super::privileges::Privileges;
use super::readable::Readable;
use super::result_limit;
use super::round::{Round, Task, of_inquiry};

/// The watch over a catalog.
#[derive(Debug)]
pub struct CatalogWatch {
    rules: CatalogRules,
    patience: Patience,
    /// What each pattern was last found to name; `None` before the first answer.
    listed: Vec<Option<Vec<ViewName>>>,
    readable: Readable,
    privileges: Privileges,
    /// The last failure in the log, not to log it again and again.
    logged: String,
    /// When the next round is due; `None` until somebody has asked, where
    /// there are no patterns.
    due: Option<Instant>,
    /// The server is still to be asked for its limit on a result.
    asks_limit: bool,
    /// The next question is to have a connection of its own.
    anew: bool,
    round: Option<Round>,
    asked: Option<Asked>,
    judging: Option<CatalogRequest>,
    effects: VecDeque<CatalogEffect>,
}

/// A question that waits for its answer.
#[derive(Debug)]
struct Asked {
    task: Task,
    limit: Duration,
    began: Instant,
}

impl CatalogWatch {
    /// A watch that has asked nothing yet.
    pub fn new(rules: CatalogRules, now: Instant) -> Self {
        CatalogWatch {
            patience: Patience::new(rules.upstream_timeout),
            listed: vec![None; rules.patterns.len()],
            readable: Readable::default(),
            privileges: Privileges::default(),
            logged: String::new(),
            due: (!rules.patterns.is_empty()).then_some(now),
            asks_limit: rules.view_bytes_max.is_some(),
            anew: false,
            round: None,
            asked: None,
            judging: None,
            effects: VecDeque::new(),
            rules,
        }
    }

    /// The next thing that others are to be told.
    pub fn take_effect(&mut self) -> Option<CatalogEffect> {
        self.effects.pop_front()
    }

    /// Takes what came of the last request; what is to be done next.
    pub fn next(&mut self, reply: CatalogReply, now: Instant) -> CatalogRequest {
        match reply {
            CatalogReply::Begin => {}
            CatalogReply::Woken { inquiries, watched } => {
                let is_due = self.due.is_none_or(|due| now >= due);
                if is_due {
                    self.due = Some(now + self.rules.interval);
                }
                let asks = is_due && self.rules.asks_for_privileges;
                let granted = match asks {
                    true => self.privileges.due(&watched, now),
                    false => Vec::new(),
                };
                let mut round = Round::new(inquiries, watched, is_due);
                for name in granted {
                    round.put_last(Task::Granted(name));
                }
                if is_due && self.asks_limit {
                    round.put_last(Task::ResultLimit);
                }
                self.round = Some(round);
            }
            CatalogReply::Answered(answer) => self.answered(answer, now),
            CatalogReply::Silent => self.silent(now),
            // Should this session see names otherwise than a new one (a role's
            // search path was changed), the next one does not.
            CatalogReply::Judged { is_other } => self.anew |= is_other,
        }
        self.go_on(now)
    }

    /// Does what there is to do without anybody else's help.
    fn go_on(&mut self, now: Instant) -> CatalogRequest {
        loop {
            if let Some(request) = self.judging.take() {
                return request;
            }
            match self.round.as_mut().and_then(Round::next) {
                Some(task) => {
                    if let Some(request) = self.begin(task, now) {
                        return request;
                    }
                }
                None => {
                    if let Some(round) = self.round.take() {
                        self.note(round.outcome());
                    }
                    return CatalogRequest::Rest { until: self.due };
                }
            }
        }
    }

    /// Begins a step; the request, if it needs one.
    fn begin(&mut self, task: Task, now: Instant) -> Option<CatalogRequest> {
        let question = match &task {
            Task::AllNames(names) => Question::Names(names.clone()),
            Task::OneName(parts) => Question::Name(parts.clone()),
            Task::Columns(inquiry) => Question::Object(inquiry.view.clone()),
            Task::Pattern(at) => Question::Relations {
                pattern: self.rules.patterns.get(*at)?.clone(),
                dialect: self.rules.dialect,
            },
            Task::Readable(relation) => Question::Readable(relation.clone()),
            Task::Granted(name) => Question::Granted(name.clone()),
            Task::ResultLimit => Question::ResultLimit,
            Task::NamesDone | Task::Patterns | Task::Listing | Task::Publish(_) => {
                self.go_through(task, now);
                return None;
            }
        };
        let limit = match self.key(&task) {
            Some(key) => self.patience.limit(&key, now),
            None => Ok(CATALOG_QUESTION_FIRST),
        };
        match limit {
            Ok(limit) => {
                self.asked = Some(Asked {
                    task,
                    limit,
                    began: now,
                });
                let anew = mem::take(&mut self.anew);
                Some(CatalogRequest::Ask {
                    question,
                    limit,
                    anew,
                })
            }
            Err(Rests(waited)) => {
                self.take(task, Err(silent(waited)), now, now);
                None
            }
        }
    }

    /// What a question is known by, if there is patience for it.
    fn key(&self, task: &Task) -> Option<String> {
        match task {
            Task::AllNames(_) => Some("all names".to_string()),
            Task::OneName(parts) => Some(parts.join(".")),
            Task::Columns(inquiry) => Some(format!("columns of {}", inquiry.view.name)),
            Task::Pattern(at) => self.rules.patterns.get(*at).map(ViewPattern::text),
            Task::Granted(name) => Some(format!("privileges of {}", name.join("."))),
            _ => None,
        }
    }

    fn answered(&mut self, answer: Result<Answer, TailError>, now: Instant) {
        let Some(asked) = self.asked.take() else {
            return;
        };
        if let Some(key) = self.key(&asked.task) {
            let time = now.saturating_duration_since(asked.began);
            self.patience.took(&key, time);
        }
        self.anew |= answer.as_ref().is_err_and(|error| !error.is_answer());
        self.take(asked.task, answer, asked.began, now);
    }

    fn silent(&mut self, now: Instant) {
        let Some(asked) = self.asked.take() else {
            return;
        };
        if let Some(key) = self.key(&asked.task) {
            self.patience.hung(&key, asked.limit, now);
        }
        self.anew = true;
        self.take(asked.task, Err(silent(asked.limit)), asked.began, now);
    }

    /// Takes the answer to a step's question.
    fn take(
        &mut self,
        task: Task,
        answer: Result<Answer, TailError>,
        asked: Instant,
        now: Instant,
    ) {
        let Some(round) = self.round.as_mut() else {
            return;
        };
        match (task, answer) {
            (Task::AllNames(names), Ok(Answer::Names(Some(facts)))) => {
                self.judge(names, facts, asked);
            }
            (Task::AllNames(names), Ok(Answer::Names(None)) | Err(TailError::Silent { .. })) => {
                round.ask_one_by_one(names);
            }
            (Task::AllNames(_), answer) => round.names_failed(wrong(answer)),
            (Task::OneName(parts), Ok(Answer::Name(facts))) => {
                self.judge(vec![parts], facts, asked);
            }
            (Task::OneName(parts), answer) => {
                let effects = round.name_failed(&parts, wrong(answer));
                self.effects.extend(effects);
            }
            (Task::Columns(inquiry), answer) => {
                let verdict = of_columns(&inquiry, answer);
                self.anew |= verdict == Verdict::Other;
                self.effects.push_back(of_inquiry(&inquiry, verdict));
            }
            (Task::Pattern(at), Ok(Answer::Relations(found))) => {
                if let Some(listed) = self.listed.get_mut(at) {
                    *listed = Some(found);
                }
            }
            // What it named last stays.
            (Task::Pattern(_), answer) => round.pattern_failed(wrong(answer)),
            (Task::Readable(relation), answer) => {
                if !self.readable.take(&relation, &answer.map(drop), now) {
                    round.leave_readable();
                }
            }
            (Task::Granted(name), Err(error)) if error.is_denied() => {
                self.effects
                    .push_back(CatalogEffect::Denied { name, error, asked });
            }
            // What else it is refused for, its tail meets.
            (Task::Granted(_), _) => {}
            // Without a connection there is no answer yet.
            (Task::ResultLimit, Err(error)) if error.is_without_connection() => {}
            (Task::ResultLimit, answer) => {
                self.asks_limit = false;
                let limits = answer.ok().zip(self.rules.view_bytes_max);
                if let Some((Answer::ResultLimit(Some(there)), here)) = limits {
                    result_limit::compare(&there, here);
                }
            }
            (Task::NamesDone | Task::Patterns | Task::Listing | Task::Publish(_), _) => {}
        }
    }

    /// Does a step that asks nothing.
    fn go_through(&mut self, task: Task, now: Instant) {
        let Some(round) = self.round.as_mut() else {
            return;
        };
        match task {
            Task::NamesDone => self.effects.extend(round.answer_the_rest()),
            Task::Patterns if !round.is_without_connection() => {
                let patterns = (0..self.rules.patterns.len()).map(Task::Pattern);
                round.put_first(patterns.chain([Task::Listing]));
            }
            Task::Listing if self.listed.iter().any(Option::is_some) => {
                let mut names: Vec<ViewName> = Vec::new();
                for name in self.listed.iter().flatten().flatten() {
                    if !names.contains(name) {
                        names.push(name.clone());
                    }
                }
                let open = self.readable.open(&names, now).into_iter();
                round.put_first(open.map(Task::Readable).chain([Task::Publish(names)]));
            }
            Task::Publish(names) => {
                self.effects.push_back(CatalogEffect::Listed(Listed {
                    names: self.readable.given(&names),
                    is_whole: self.listed.iter().all(Option::is_some),
                }));
            }
            _ => {}
        }
    }

    /// Tells who is concerned what the catalog says of these names.
    fn judge(&mut self, names: Vec<Vec<String>>, facts: Facts, asked: Instant) {
        let Some(round) = self.round.as_mut() else {
            return;
        };
        for effect in round.answer(&names, &facts) {
            let is_other = matches!(
                &effect,
                CatalogEffect::Verdict { verdict, .. } if *verdict == Verdict::Other
            );
            self.anew |= is_other;
            self.effects.push_back(effect);
        }
        self.judging = Some(CatalogRequest::Judge {
            names,
            facts,
            asked,
        });
    }

    fn note(&mut self, outcome: Result<(), TailError>) {
        let Err(error) = outcome else {
            self.logged.clear();
            return;
        };
        if self.listed.iter().any(Option::is_none) {
            self.effects
                .push_back(CatalogEffect::Unlisted(error.reason()));
        }
        let reason = error.chain();
        let hint = error.hint().unwrap_or_default();
        let is_connect = error.is_without_connection();
        if reason == self.logged {
            log::debug!("looking at the catalog: {reason}");
        } else if !self.rules.patterns.is_empty() {
            log::error!("looking for views in the catalog: {reason}. {hint}");
        } else if is_connect {
            // The tails meet the same, and say it.
            log::debug!("looking at the catalog: {reason}. {hint}");
        } else {
            log::warn!("asking the catalog what the views' names mean: {reason}. {hint}");
        }
        self.logged = reason;
    }
}

/// What the answer for a view's object and columns says of its stream.
fn of_columns(inquiry: &Inquiry, answer: Result<Answer, TailError>) -> Verdict {
    match answer {
        Ok(Answer::Object(object)) if inquiry.object.is_same(&object) => Verdict::Same,
        // A refusal to say what the name means is no answer.
        Ok(Answer::Object(object)) if object.meaning.is_none() => Verdict::untold(),
        Ok(Answer::Object(_)) => Verdict::Other,
        Err(error) if error.is_of_the_choice() => Verdict::Other,
        answer => Verdict::unanswered(&wrong(answer)),
    }
}

/// The error, or that the answer is to another question.
fn wrong(answer: Result<Answer, TailError>) -> TailError {
    answer.err().unwrap_or_else(mismatch)
}

fn silent(waited: Duration) -> TailError {
    TailError::Silent {
        seconds: waited.as_secs(),
    }
}

#[cfg(test)]
mod tests;
