//! Begins and ends the views that patterns name, as `PatternViews` says.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use actix::Addr;
use actix_web::rt::time::sleep;
use crossbeam_channel::{Receiver, bounded};

use super::error::GatewayError;
use super::files::make_room;
use super::publishers::{Desk, Publishers};
use super::start::{TailSlot, dialect, start_view};
use crate::config::Config;
use crate::config::views::{ViewChoice, What};
use crate::http::gateway::Gateway;
use crate::http::sources::Sources;
use crate::limits::CATALOG_LOOK_EVERY;
use crate::model::name::ViewName;
use crate::model::pattern::ViewPattern;
use crate::process;
use crate::relay::shared_view::SharedView;
use crate::relay::shell::publisher_actor::{PublisherActor, Stop};
use crate::tail::catalog::{FoundState, Listed, PatternEffect, PatternViews};
use crate::tail::{Catalog, CatalogSettings, TailError, TailHandle};

/// A view that a pattern has named.
struct Found {
    shared: Arc<SharedView>,
    slot: TailSlot,
    publisher: Published,
    /// Where its tail tells that it has given up.
    over: Receiver<TailError>,
}

/// A publisher that ends when this is dropped.
struct Published {
    publisher: Addr<PublisherActor>,
    /// Held for its end alone.
    _desk: Desk,
}

impl Drop for Published {
    fn drop(&mut self) {
        self.publisher.do_send(Stop);
    }
}

/// A view that is not found any more, with the streams that it still has. They
/// are told when this is dropped, at the latest with the gateway.
struct Leaving {
    name: String,
    shared: Arc<SharedView>,
    /// Held for its end alone.
    _publisher: Published,
}

impl Drop for Leaving {
    fn drop(&mut self) {
        // By the relays, so that it does not matter what of the view still runs.
        self.shared.give_up(process::now());
    }
}

/// The patterns that were chosen.
pub fn patterns(config: &Config) -> impl Iterator<Item = &ViewPattern> {
    config.views.iter().filter_map(|view| match &view.what {
        What::Pattern(pattern) => Some(pattern),
        What::Relation(_) | What::Query(_) => None,
    })
}

/// What is known of a relation that a pattern names: what the pattern says of
/// all its views.
pub fn choice(config: &Config, relation: &ViewName) -> ViewChoice {
    let mut views = config.views.iter();
    let pattern = views.find(|view| match &view.what {
        What::Pattern(pattern) => pattern.names(relation.text()),
        What::Relation(_) | What::Query(_) => false,
    });
    let plain = || ViewChoice::relation(relation.clone());
    pattern.map_or_else(plain, |pattern| pattern.found(relation.clone()))
}

/// What asks the catalog for all views.
pub fn catalog(config: &Config) -> Result<Catalog, GatewayError> {
    let connector = config.upstream.connector(config.session.clone());
    let mut settings = CatalogSettings::new(connector);
    settings.rules.patterns = patterns(config).cloned().collect();
    settings.rules.interval = config.catalog_interval;
    settings.rules.upstream_timeout = config.upstream_timeout;
    settings.rules.dialect = dialect(config);
    settings.rules.asks_for_privileges = config.is_gone_when_revoked;
    settings.rules.view_bytes_max = Some(config.max_view_bytes);
    Ok(Catalog::start(settings)?)
}

/// Follows the catalog for as long as it is polled; answers only an error.
pub async fn follow(
    config: &Config,
    gateway: &Gateway,
    tails: &mut Vec<TailSlot>,
    (catalog, publishers): (&Catalog, &Publishers),
) -> GatewayError {
    let mut follower = Follower {
        config,
        gateway,
        sources: &gateway.sources,
        tails,
        catalog,
        publishers,
        views: PatternViews::default(),
        found: BTreeMap::new(),
        leaving: VecDeque::new(),
    };
    loop {
        if let Err(error) = follower.look() {
            return error;
        }
        sleep(CATALOG_LOOK_EVERY).await;
    }
}

/// What follows the catalog.
struct Follower<'a> {
    config: &'a Config,
    gateway: &'a Gateway,
    sources: &'a Sources,
    tails: &'a mut Vec<TailSlot>,
    catalog: &'a Catalog,
    publishers: &'a Publishers,
    views: PatternViews,
    found: BTreeMap<String, Found>,
    leaving: VecDeque<Leaving>,
}

impl Follower<'_> {
    fn look(&mut self) -> Result<(), GatewayError> {
        if let Some(reason) = self.catalog.take_unlisted() {
            self.sources.catalog_failed(reason, process::now());
        }
        let mut effects = Vec::new();
        if let Some(listed) = self.catalog.take_listed() {
            effects = self.listed(&listed);
        }
        effects.extend(self.views.look(Instant::now()));
        if effects.is_empty() {
            return Ok(());
        }
        effects
            .into_iter()
            .try_for_each(|effect| self.apply(effect))?;
        make_room(self.gateway);
        Ok(())
    }

    fn listed(&mut self, listed: &Listed) -> Vec<PatternEffect> {
        let all = self.sources.all();
        let served: Vec<String> = all.iter().map(|it| it.shared.name.clone()).collect();
        self.found.retain(|name, _| served.contains(name));
        let state = |name: &str| {
            let found = self.found.get(name);
            FoundState {
                has_given_up: found.is_some_and(|it| it.over.try_recv().is_ok()),
                is_gone: found.is_some_and(|it| it.shared.upstream().is_gone()),
            }
        };
        self.views.handle(listed, &served, state, Instant::now())
    }

    fn apply(&mut self, effect: PatternEffect) -> Result<(), GatewayError> {
        match effect {
            PatternEffect::Begin(relation) => self.begin(&relation)?,
            PatternEffect::Forget(name) => {
                self.sources.remove(&name);
                if let Some(found) = self.found.remove(&name) {
                    let tail = lock(&found.slot).take();
                    let past = tail.map(TailHandle::past).unwrap_or_default();
                    self.views.remember(name.clone(), past);
                    self.leaving.push_back(Leaving {
                        name,
                        shared: found.shared,
                        _publisher: found.publisher,
                    });
                }
            }
            PatternEffect::GiveUp(name) => {
                let first = self.leaving.iter().position(|view| view.name == name);
                drop(first.and_then(|first| self.leaving.remove(first)));
            }
            PatternEffect::Resolved => self.sources.set_resolved(),
        }
        Ok(())
    }

    fn begin(&mut self, relation: &ViewName) -> Result<(), GatewayError> {
        let (fatal, over) = bounded(1);
        let choice = choice(self.config, relation);
        let past = self.views.recall(relation.text());
        let means = (self.catalog, self.publishers);
        let (source, slot, desk) = start_view(self.config, &choice, past, means, &fatal)?;
        self.tails.retain(|slot| lock(slot).is_some());
        self.tails.push(TailSlot::clone(&slot));
        let found = Found {
            shared: Arc::clone(&source.shared),
            slot,
            publisher: Published {
                publisher: source.publisher.clone(),
                _desk: desk,
            },
            over,
        };
        self.sources.add(source);
        self.found.insert(relation.text().to_owned(), found);
        Ok(())
    }
}

fn lock(slot: &TailSlot) -> std::sync::MutexGuard<'_, Option<TailHandle>> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}
