//! The views that are served: those that the settings name, and those that their
//! patterns find. They begin and end here alone.

use std::collections::{BTreeMap, VecDeque};
use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use actix_web::rt::time::sleep;
use crossbeam_channel::{Receiver, Sender, bounded};
use log::error;
use tokio::sync::mpsc;

use super::error::GatewayError;
use super::files::make_room;
use super::patterns::{catalog, choice, named, patterns};
use super::publishers::Publishers;
use super::running::{Leaving, Running, lock};
use super::start::{TailSlot, start_view};
use crate::config::Config;
use crate::config::views::{ViewChoice, What};
use crate::http::gateway::Gateway;
use crate::http::sources::{Source, Sources};
use crate::limits::CATALOG_LOOK_EVERY;
use crate::model::name::ViewName;
use crate::model::reason::Why;
use crate::process;
use crate::tail::catalog::{FoundState, Listed, PatternEffect, PatternViews};
use crate::tail::past::Past;
use crate::tail::{Catalog, TailError};

/// All views, and what they are started with.
pub struct Views {
    /// The settings in force.
    config: Config,
    gateway: Gateway,
    catalog: Catalog,
    publishers: Publishers,
    tails: Vec<TailSlot>,
    /// Where tails of the start tell that they have given up: that ends the
    /// gateway.
    fatal: (Sender<TailError>, Receiver<TailError>),
    /// Those that the settings name.
    named: BTreeMap<String, Running>,
    /// Those that patterns have found.
    found: BTreeMap<String, Running>,
    patterns: PatternViews,
    leaving: VecDeque<(String, Leaving)>,
}

impl Views {
    /// Starts those that the settings name.
    pub fn start(config: &Config, gateway: &Gateway) -> Result<Self, GatewayError> {
        let has_patterns = patterns(config).next().is_some();
        let mut views = Views {
            config: config.clone(),
            gateway: gateway.clone(),
            catalog: catalog(config)?,
            publishers: Publishers::start(config.views.len(), has_patterns)?,
            tails: Vec::new(),
            fatal: bounded(1),
            named: BTreeMap::new(),
            found: BTreeMap::new(),
            patterns: PatternViews::default(),
            leaving: VecDeque::new(),
        };
        for view in named(config) {
            let (source, running) = views.begin(view, Past::default(), true)?;
            gateway.sources.add(source);
            views.named.insert(view.name.clone(), running);
        }
        Ok(views)
    }

    /// What views are read with.
    pub fn tails(&self) -> &[TailSlot] {
        &self.tails
    }

    /// Tells the streams of views that are served no more, at once.
    pub fn tell_who_waits(&mut self) {
        self.leaving.clear();
    }

    /// Follows the catalog, and the settings as they change, for as long as it is
    /// polled; answers only an error.
    pub async fn follow(&mut self, changes: &mut mpsc::Receiver<Config>) -> GatewayError {
        loop {
            if let Err(error) = self.look() {
                return error;
            }
            tokio::select! {
                Some(config) = changes.recv() => self.change(config),
                () = sleep(CATALOG_LOOK_EVERY) => {}
            }
        }
    }

    /// Starts a view. Only of the start it ends the gateway that there is no such
    /// view.
    fn begin(
        &mut self,
        view: &ViewChoice,
        past: Past,
        is_of_start: bool,
    ) -> Result<(Source, Running), GatewayError> {
        let (fatal, over) = match is_of_start {
            true => (self.fatal.0.clone(), None),
            false => {
                let (fatal, over) = bounded(1);
                (fatal, Some(over))
            }
        };
        let means = (&self.catalog, &self.publishers);
        let started = start_view(&self.config, view, past, means, &fatal)?;
        self.tails.retain(|slot| lock(slot).is_some());
        self.tails.push(TailSlot::clone(&started.1));
        let source = started.0.clone();
        Ok((source, Running::new(view.clone(), started, over)))
    }

    fn look(&mut self) -> Result<(), GatewayError> {
        if let Ok(error) = self.fatal.1.try_recv() {
            return Err(GatewayError::Tail(error));
        }
        self.leave_out_what_is_not_there();
        if let Some(reason) = self.catalog.take_unlisted() {
            self.sources().catalog_failed(reason, process::now());
        }
        let mut effects = Vec::new();
        if let Some(listed) = self.catalog.take_listed() {
            effects = self.listed(&listed);
        }
        effects.extend(self.patterns.look(Instant::now()));
        if effects.is_empty() {
            return Ok(());
        }
        effects
            .into_iter()
            .try_for_each(|effect| self.apply(effect))?;
        make_room(&self.gateway);
        Ok(())
    }

    fn sources(&self) -> &Sources {
        &self.gateway.sources
    }

    /// A view that a reload has begun, and that there is not, is served no more.
    fn leave_out_what_is_not_there(&mut self) {
        let over = self.named.iter().find_map(|(name, view)| {
            let error = view.gave_up()?;
            Some((name.clone(), error))
        });
        if let Some((name, error)) = over {
            let hint = error.hint().unwrap_or_default();
            error!("view {name:?} is not served: {}. {hint}", error.chain());
            self.end(&name, Why::Removed);
            make_room(&self.gateway);
        }
    }

    /// Serves a view no more that the settings named.
    fn end(&mut self, name: &str, why: Why) {
        if let Some(view) = self.named.remove(name) {
            self.sources().remove_for_good(name);
            // Its streams are told at once.
            drop(view.stop(why));
        }
    }

    /// The settings are these from now on. Views of which they say the same are not
    /// touched.
    fn change(&mut self, config: Config) {
        self.config = config;
        self.publishers.grow(self.config.views.len());
        let wanted: Vec<ViewChoice> = named(&self.config).cloned().collect();
        let is_wanted = |name: &&String| wanted.iter().any(|view| view.name == **name);
        let gone = self.named.keys().filter(|name| !is_wanted(name));
        for name in gone.cloned().collect::<Vec<_>>() {
            self.end(&name, Why::Removed);
        }
        for view in &wanted {
            self.serve_named(view);
        }
        let found: Vec<_> = self
            .found
            .values()
            .map(|view| view.choice.clone())
            .collect();
        for old in found {
            self.serve_found_anew(&old);
        }
        let names: Vec<&str> = wanted.iter().map(|view| view.name.as_str()).collect();
        self.sources().arrange(&names);
        make_room(&self.gateway);
    }

    /// Serves a view as the settings say.
    fn serve_named(&mut self, view: &ViewChoice) {
        match self.named.get_mut(&view.name) {
            Some(running) if running.choice.is_served_alike(view) => {
                if running.choice.description != view.description {
                    running.choice = view.clone();
                    let description = view.description.as_deref().map(Arc::from);
                    self.sources().describe(&view.name, description);
                }
            }
            _ => {
                let old = self.named.remove(&view.name);
                // A pattern may have found it before it was named.
                self.patterns.release(&view.name);
                let old = old.or_else(|| self.found.remove(&view.name));
                if let Some(running) = self.replace(old, view) {
                    self.named.insert(view.name.clone(), running);
                }
            }
        }
    }

    /// Serves a view that a pattern has found as the pattern's table says now.
    fn serve_found_anew(&mut self, old: &ViewChoice) {
        let What::Relation(relation) = &old.what else {
            return;
        };
        let view = choice(&self.config, relation);
        if !view.is_served_alike(old)
            && let Some(before) = self.found.remove(&old.name)
            && let Some(running) = self.replace(Some(before), &view)
        {
            self.found.insert(old.name.clone(), running);
        }
    }

    /// Serves a view in place of the one of its name, if there is one. Nobody who
    /// asks finds none meanwhile, and then the streams of the old one are told.
    fn replace(&mut self, old: Option<Running>, view: &ViewChoice) -> Option<Running> {
        let old = old.map(|old| old.stop(Why::Redefined));
        let is_new = old.is_none();
        let (past, _leaving) = old.unzip();
        match self.begin(view, past.unwrap_or_default(), false) {
            Ok((source, running)) => {
                match is_new {
                    true => self.sources().add(source),
                    false => self.sources().replace(source),
                }
                Some(running)
            }
            Err(error) => {
                error!("view {:?} is not served: {}", view.name, whole(&error));
                self.sources().remove(&view.name);
                None
            }
        }
    }

    fn listed(&mut self, listed: &Listed) -> Vec<PatternEffect> {
        let all = self.sources().all();
        let served: Vec<String> = all.iter().map(|it| it.shared.name.clone()).collect();
        self.found.retain(|name, _| served.contains(name));
        let state = |name: &str| {
            let found = self.found.get(name);
            FoundState {
                has_given_up: found.is_some_and(|it| it.gave_up().is_some()),
                is_gone: found.is_some_and(|it| it.shared.upstream().is_gone()),
            }
        };
        self.patterns.handle(listed, &served, state, Instant::now())
    }

    fn apply(&mut self, effect: PatternEffect) -> Result<(), GatewayError> {
        match effect {
            PatternEffect::Begin(relation) => self.begin_found(&relation)?,
            PatternEffect::Forget(name) => {
                self.sources().remove(&name);
                if let Some(found) = self.found.remove(&name) {
                    let (past, leaving) = found.stop(Why::GivenUp);
                    self.patterns.remember(name.clone(), past);
                    self.leaving.push_back((name, leaving));
                }
            }
            PatternEffect::GiveUp(name) => {
                let first = self.leaving.iter().position(|(view, _)| *view == name);
                drop(first.and_then(|first| self.leaving.remove(first)));
            }
            PatternEffect::Resolved => self.sources().set_resolved(),
        }
        Ok(())
    }

    fn begin_found(&mut self, relation: &ViewName) -> Result<(), GatewayError> {
        let view = choice(&self.config, relation);
        let past = self.patterns.recall(relation.text());
        let (source, running) = self.begin(&view, past, false)?;
        self.sources().add(source);
        self.found.insert(relation.text().to_owned(), running);
        Ok(())
    }
}

/// An error with its causes.
fn whole(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
