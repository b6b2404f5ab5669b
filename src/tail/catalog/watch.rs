//! The thread that asks the catalog.

use std::mem;
use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Receiver, RecvTimeoutError};

use crate::model::name::ViewName;
use crate::tail::TailError;
use crate::tail::describe;
use crate::tail::names::{self, Facts};
use crate::tail::shared::Shared;

use super::asker::Asker;
use super::patience::Patient;
use super::readable::Readable;
use super::relations::relations;
use super::{CatalogSettings, Inner, Listed, Request, Verdict, lock};

pub(super) struct Watch {
    settings: CatalogSettings,
    inner: Arc<Inner>,
    patient: Patient,
    /// What each pattern was last found to name; `None` before the first answer.
    listed: Vec<Option<Vec<ViewName>>>,
    readable: Readable,
    /// The last failure in the log, not to log it again and again.
    logged: String,
}

impl Watch {
    pub fn new(settings: CatalogSettings, inner: Arc<Inner>) -> Self {
        let connector = settings.connector.completed(settings.upstream_timeout);
        Watch {
            patient: Patient::new(Asker::new(connector), settings.upstream_timeout),
            listed: vec![None; settings.patterns.len()],
            readable: Readable::default(),
            logged: String::new(),
            settings,
            inner,
        }
    }

    /// Asks every interval, and whenever the bell rings, until there is nobody
    /// left to ring it.
    pub fn run(mut self, rung: &Receiver<()>) {
        let is_idle = self.settings.patterns.is_empty();
        if is_idle && rung.recv().is_err() {
            return;
        }
        let mut due = Instant::now();
        loop {
            let is_due = Instant::now() >= due;
            if is_due {
                due = Instant::now() + self.settings.interval;
            }
            let asked = self.look(is_due);
            self.note(asked);
            match rung.recv_deadline(due) {
                Ok(()) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn look(&mut self, is_due: bool) -> Result<(), TailError> {
        let requests = mem::take(&mut *lock(&self.inner.requests));
        let named = match is_due || !requests.is_empty() {
            true => self.look_at_names(requests),
            false => Ok(()),
        };
        if !is_due || matches!(named, Err(TailError::Connect(_))) {
            return named;
        }
        named.and(self.look_at_patterns())
    }

    fn note(&mut self, asked: Result<(), TailError>) {
        let Err(error) = asked else {
            self.logged.clear();
            return;
        };
        let reason = error.chain();
        let hint = error.hint().unwrap_or_default();
        let is_connect = matches!(error, TailError::Connect(_));
        if reason == self.logged {
            log::debug!("looking at the catalog: {reason}");
        } else if !self.settings.patterns.is_empty() {
            log::error!("looking for views in the catalog: {reason}. {hint}");
        } else if is_connect {
            // The tails meet the same, and say it.
            log::debug!("looking at the catalog: {reason}. {hint}");
        } else {
            log::warn!("asking the catalog what the views' names mean: {reason}. {hint}");
        }
        self.logged = reason;
    }

    /// The tails that there are.
    fn tails(&self) -> Vec<Arc<Shared>> {
        let mut tails = lock(&self.inner.tails);
        tails.retain(|tail| tail.upgrade().is_some_and(|tail| !tail.is_stopped()));
        tails.iter().filter_map(std::sync::Weak::upgrade).collect()
    }

    fn look_at_names(&mut self, requests: Vec<Request>) -> Result<(), TailError> {
        // What is asked for by its id is settled by what the name means now,
        // like what is watched; all else by the columns, too.
        let is_by_id = |request: &Request| request.object.is_by_id;
        let (by_id, others): (Vec<_>, Vec<_>) = requests.into_iter().partition(is_by_id);
        let watched = self.tails().into_iter();
        let watched = watched.filter(|tail| tail.known.meaning().is_some());
        let parts = by_id.iter().map(|request| request.view.parts.clone());
        let parts = parts.chain(watched.map(|tail| tail.settings.view.parts.clone()));
        // Those that somebody waits for come first.
        let mut names: Vec<Vec<String>> = Vec::new();
        for parts in parts {
            if !names.contains(&parts) {
                names.push(parts);
            }
        }
        let outcome = self.look_at_meanings(names, by_id);
        for request in others {
            self.look_at_columns(&request);
        }
        outcome
    }

    /// Asks for all names at once; where that is not answered, for each by
    /// itself, so that one that hangs keeps nobody else waiting.
    fn look_at_meanings(
        &mut self,
        names: Vec<Vec<String>>,
        mut requests: Vec<Request>,
    ) -> Result<(), TailError> {
        if names.len() > 1 {
            let asked = Instant::now();
            let all = names.clone();
            let answer = self.patient.ask("all names", move |client, session| {
                names::load_all(client, session, &all)
            });
            match answer {
                Ok(Some(facts)) => {
                    self.judge(&names, &facts, asked, &mut requests);
                    return Ok(());
                }
                Ok(None) | Err(TailError::Silent { .. }) => {}
                Err(error) => {
                    answer_all(requests, &error);
                    return Err(error);
                }
            }
        }
        let mut outcome = Ok(());
        for parts in names {
            let asked = Instant::now();
            let one = parts.clone();
            let answer = self.patient.ask(&parts.join("."), move |client, session| {
                names::load(client, session, &one)
            });
            match answer {
                Ok(facts) => self.judge(&[parts], &facts, asked, &mut requests),
                Err(error) => {
                    let is_of_it = |it: &mut Request| it.view.parts == parts;
                    answer_all(requests.extract_if(.., is_of_it), &error);
                    let is_lost = matches!(error, TailError::Connect(_));
                    outcome = Err(error);
                    if is_lost {
                        break;
                    }
                }
            }
        }
        if let Err(error) = &outcome {
            answer_all(requests, error);
        }
        outcome
    }

    /// Tells who is concerned what the catalog says of these names.
    fn judge(
        &mut self,
        names: &[Vec<String>],
        facts: &Facts,
        asked: Instant,
        requests: &mut Vec<Request>,
    ) {
        let mut is_other = false;
        for request in requests.extract_if(.., |it| names.contains(&it.view.parts)) {
            let verdict = of_meaning(&request, facts);
            is_other |= verdict == Verdict::Other;
            // The one who asked may be gone.
            let _ = request.answer.send(verdict);
        }
        for tail in self.tails() {
            let parts = &tail.settings.view.parts;
            if !names.contains(parts) {
                continue;
            }
            if let Some(generation) = tail.known.is_outdated(parts, facts, asked) {
                is_other = true;
                log::info!("view \"{}\": its name means another object", tail.name());
                tail.replace(generation, TailError::Replaced);
            }
        }
        if is_other {
            // Should this session see names otherwise than a new one (a role's
            // search path was changed), the next one does not.
            self.patient.asker.close();
        }
    }

    fn look_at_columns(&mut self, request: &Request) {
        let view = request.view.clone();
        let key = format!("columns of {}", view.name);
        let answer = self
            .patient
            .ask(&key, move |client, _| describe::object(client, &view));
        let verdict = match &answer {
            Ok(object) if request.object.is_same(object) => Verdict::Same,
            Ok(_) => Verdict::Other,
            Err(error) if error.is_of_the_choice() => Verdict::Other,
            Err(error) => unanswered(error),
        };
        if verdict == Verdict::Other {
            self.patient.asker.close();
        }
        // The one who asked may be gone.
        let _ = request.answer.send(verdict);
    }

    fn look_at_patterns(&mut self) -> Result<(), TailError> {
        let mut outcome = Ok(());
        let dialect = self.settings.dialect;
        for (pattern, listed) in self.settings.patterns.iter().zip(&mut self.listed) {
            let (key, pattern) = (pattern.text(), pattern.clone());
            let found = self.patient.ask(&key, move |client, session| {
                relations(client, session, &pattern, dialect)
            });
            match found {
                Ok(found) => *listed = Some(found),
                // What it named last stays.
                Err(error) => outcome = Err(error),
            }
        }
        if self.listed.iter().all(Option::is_none) {
            return outcome;
        }
        let mut names: Vec<ViewName> = Vec::new();
        for name in self.listed.iter().flatten().flatten() {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        let names = self.readable.of(&mut self.patient.asker, &names);
        let is_whole = self.listed.iter().all(Option::is_some);
        *lock(&self.inner.listed) = Some(Listed { names, is_whole });
        outcome
    }
}

fn answer_all(requests: impl IntoIterator<Item = Request>, error: &TailError) {
    for request in requests {
        // The one who asked may be gone.
        let _ = request.answer.send(unanswered(error));
    }
}

fn of_meaning(request: &Request, facts: &Facts) -> Verdict {
    let now = facts.meaning(&request.view.parts);
    match (now, &request.object.meaning) {
        (Some(now), Some(then)) if now.is_same(then) => Verdict::Same,
        (Some(_), Some(_)) => Verdict::Other,
        _ => Verdict::Unanswered {
            reason: "the catalog does not tell what the view is".to_string(),
            no_room: false,
        },
    }
}

fn unanswered(error: &TailError) -> Verdict {
    Verdict::Unanswered {
        reason: error.chain(),
        no_room: error.is_no_room(),
    }
}
