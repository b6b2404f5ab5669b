//! Views that patterns name: begun when the catalog shows them, ended when it
//! no longer does.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;
use std::sync::PoisonError;
use std::time::Instant;

use actix::ArbiterHandle;
use actix_web::rt::time::sleep;
use crossbeam_channel::{Receiver, bounded};
use log::{error, info, warn};

use super::error::GatewayError;
use super::start::{TailSlot, dialect, start_view};
use crate::config::Config;
use crate::config::views::{ViewChoice, What};
use crate::http::sources::Sources;
use crate::limits::{CATALOG_LOOK_EVERY, CATALOG_MISSED_MAX, FORGOTTEN_FOR, VIEWS_MAX};
use crate::model::name::ViewName;
use crate::model::pattern::ViewPattern;
use crate::process;
use crate::relay::shared_view::SharedView;
use crate::tail::{self, Catalog, CatalogSettings, TailError};

/// A view that a pattern has named.
struct Found {
    slot: TailSlot,
    arbiter: ArbiterHandle,
    /// Where its tail tells that it has given up.
    over: Receiver<TailError>,
    /// Lists in a row that lacked it, and since when.
    misses: u32,
    missed_since: Option<Instant>,
}

/// A view that is not found any more, with the streams that it still has. They
/// are told when this is dropped: after a moment, in which whoever has just found
/// the view is let in and told as well, or with the gateway.
struct Leaving {
    shared: Arc<SharedView>,
    arbiter: ArbiterHandle,
    since: Instant,
}

impl Drop for Leaving {
    fn drop(&mut self) {
        // By the relays, so that it does not matter what of the view still runs.
        self.shared.give_up(process::now());
        self.arbiter.stop();
    }
}

/// The patterns that were chosen.
pub fn patterns(config: &Config) -> impl Iterator<Item = &ViewPattern> {
    config.views.iter().filter_map(|view| match &view.what {
        What::Pattern(pattern) => Some(pattern),
        What::Relation(_) | What::Query(_) => None,
    })
}

/// What asks the catalog for all views.
pub fn catalog(config: &Config) -> Result<Catalog, GatewayError> {
    let connector = config.upstream.connector(config.session.clone());
    Ok(Catalog::start(CatalogSettings {
        connector,
        patterns: patterns(config).cloned().collect(),
        interval: config.catalog_interval,
        upstream_timeout: config.upstream_timeout,
        dialect: dialect(config),
    })?)
}

/// Follows the catalog for as long as it is polled; answers only an error.
pub async fn follow(
    config: &Config,
    sources: &Sources,
    tails: &mut Vec<TailSlot>,
    catalog: &Catalog,
) -> GatewayError {
    let mut found = BTreeMap::new();
    let mut leaving: Vec<Leaving> = Vec::new();
    let mut too_many = 0;
    loop {
        if let Some(listed) = catalog.take_listed() {
            leaving.extend(forget(&listed.names, &mut found, sources));
            let begun = begin(config, catalog, &listed.names, &mut found, sources, tails);
            let over = match begun {
                Ok(over) => over,
                Err(error) => return error,
            };
            if over > too_many {
                error!(
                    "{over} views of the catalog are not streamed: {VIEWS_MAX} are the most; \
                     spread them over several gateways"
                );
            }
            too_many = over;
            if listed.is_whole {
                sources.set_resolved();
            }
        }
        leaving.retain(|view| view.since.elapsed() < FORGOTTEN_FOR);
        sleep(CATALOG_LOOK_EVERY).await;
    }
}

/// Begins what is new; how many there was no room for.
fn begin(
    config: &Config,
    catalog: &Catalog,
    listed: &[ViewName],
    found: &mut BTreeMap<String, Found>,
    sources: &Sources,
    tails: &mut Vec<TailSlot>,
) -> Result<usize, GatewayError> {
    let mut over = 0;
    for relation in listed {
        let name = relation.text();
        // One that was also named by itself is there already.
        if sources.all().iter().any(|(shared, _)| shared.name == name) {
            continue;
        }
        if sources.all().len() >= VIEWS_MAX {
            over += 1;
            continue;
        }
        info!("view {name:?}: found in the catalog");
        let (fatal, is_over) = bounded(1);
        let choice = ViewChoice::relation(relation.clone());
        let (source, slot, arbiter) = start_view(config, &choice, catalog, &fatal)?;
        tails.retain(|slot| lock(slot).is_some());
        tails.push(TailSlot::clone(&slot));
        sources.add(source);
        let begun = Found {
            slot,
            arbiter,
            over: is_over,
            misses: 0,
            missed_since: None,
        };
        found.insert(name.to_owned(), begun);
    }
    Ok(over)
}

/// Takes away what is gone. Its tail is to say so first, and so that its streams
/// end with the reason; one that does not is waited for no longer than a while.
fn forget(
    listed: &[ViewName],
    found: &mut BTreeMap<String, Found>,
    sources: &Sources,
) -> Vec<Leaving> {
    let mut leaving = Vec::new();
    for (name, mut view) in mem::take(found) {
        let Some(shared) = source_of(&name, sources) else {
            continue;
        };
        if !view.is_over(&name, listed, &shared) {
            found.insert(name, view);
            continue;
        }
        warn!("view {name:?} is not in the catalog any more and is not served");
        sources.remove(&name);
        drop(lock(&view.slot).take());
        leaving.push(Leaving {
            shared,
            arbiter: view.arbiter,
            since: Instant::now(),
        });
    }
    leaving
}

fn source_of(name: &str, sources: &Sources) -> Option<Arc<SharedView>> {
    let all = sources.all();
    let mut named = all.iter().filter(|(shared, _)| shared.name == name);
    named.next().map(|(shared, _)| Arc::clone(shared))
}

impl Found {
    /// Whether the view is gone, by a list that may lack it.
    fn is_over(&mut self, name: &str, listed: &[ViewName], shared: &SharedView) -> bool {
        // Gone before its tail ever saw it.
        if self.over.try_recv().is_ok() {
            return true;
        }
        if listed.iter().any(|relation| relation.text() == name) {
            (self.misses, self.missed_since) = (0, None);
            return false;
        }
        self.misses = self.misses.saturating_add(1);
        let since = self.missed_since.get_or_insert_with(Instant::now);
        let is_told = self.misses > 1 && shared.upstream().is_gone();
        is_told || since.elapsed() >= CATALOG_MISSED_MAX
    }
}

fn lock(slot: &TailSlot) -> std::sync::MutexGuard<'_, Option<tail::TailHandle>> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}
