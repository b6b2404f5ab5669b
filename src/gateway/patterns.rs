//! Views that patterns name: begun when the catalog shows them, ended when it
//! no longer does.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::PoisonError;

use actix::ArbiterHandle;
use actix_web::rt::time::sleep;
use crossbeam_channel::{Receiver, TryRecvError, bounded};
use log::{error, info, warn};

use super::{GatewayError, TailSlot, start_view};
use crate::config::Config;
use crate::config::views::{ViewChoice, What};
use crate::http::views::Sources;
use crate::limits::{CATALOG_LOOK_EVERY, CATALOG_MISSES_MAX, VIEWS_MAX};
use crate::model::name::ViewName;
use crate::relay::publisher::Wake;
use crate::relay::shared::{LOTS, Upstream};
use crate::tail::{self, CatalogWatch, TailError};

/// A view that a pattern has named.
struct Found {
    slot: TailSlot,
    arbiter: ArbiterHandle,
    /// Where its tail tells that it has given up.
    over: Receiver<TailError>,
    /// Lists in a row that lacked it.
    misses: u32,
}

/// Begins to watch the catalog, if there are patterns.
pub fn watch(config: &Config) -> Result<Option<CatalogWatch>, GatewayError> {
    let patterns = config.views.iter().filter_map(|view| match &view.what {
        What::Pattern(pattern) => Some(pattern.clone()),
        What::Relation(_) | What::Query(_) => None,
    });
    let patterns: Vec<_> = patterns.collect();
    if patterns.is_empty() {
        return Ok(None);
    }
    let connector = config.upstream.connector(config.session.clone());
    let dialect = super::dialect(config);
    let watch = tail::watch_catalog(&connector, patterns, config.upstream_timeout, dialect)?;
    Ok(Some(watch))
}

/// Follows the catalog for as long as it is polled; answers only an error.
pub async fn follow(
    config: &Config,
    sources: &Sources,
    tails: &mut Vec<TailSlot>,
    watch: Option<CatalogWatch>,
) -> GatewayError {
    let Some(watch) = watch else {
        return pending().await;
    };
    let mut found = BTreeMap::new();
    let mut too_many = 0;
    loop {
        match watch.lists.try_recv() {
            Ok(listed) => {
                forget(&listed, &mut found, sources);
                let over = match begin(config, &listed, &mut found, sources, tails) {
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
                sources.set_resolved();
            }
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => {}
        }
        sleep(CATALOG_LOOK_EVERY).await;
    }
}

/// Begins what is new; how many there was no room for.
fn begin(
    config: &Config,
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
        let (source, slot, arbiter) = start_view(config, &choice, &fatal)?;
        tails.retain(|slot| lock(slot).is_some());
        tails.push(TailSlot::clone(&slot));
        sources.add(source);
        let begun = Found {
            slot,
            arbiter,
            over: is_over,
            misses: 0,
        };
        found.insert(name.to_owned(), begun);
    }
    Ok(over)
}

/// Ends what is gone. Its tail is to say so first, and so that its streams end
/// with the reason; one that does not is waited for no longer than a while.
fn forget(listed: &[ViewName], found: &mut BTreeMap<String, Found>, sources: &Sources) {
    found.retain(|name, view| {
        let is_listed = listed.iter().any(|relation| relation.text() == name);
        view.misses = match is_listed {
            true => 0,
            false => view.misses.saturating_add(1),
        };
        let all = sources.all();
        let Some((shared, publisher)) = all.iter().find(|(shared, _)| shared.name == *name) else {
            return false;
        };
        let is_gone = view.misses > 1 && shared.upstream() == Upstream::Gone;
        // Gone before its tail ever saw it.
        let is_over = view.over.try_recv().is_ok();
        if !is_gone && !is_over && view.misses < CATALOG_MISSES_MAX {
            return true;
        }
        warn!("view {name:?} is not in the catalog any more and is not served");
        shared.close(LOTS.end);
        publisher.do_send(Wake);
        drop(lock(&view.slot).take());
        sources.remove(name);
        view.arbiter.stop();
        false
    });
}

fn lock(slot: &TailSlot) -> std::sync::MutexGuard<'_, Option<tail::TailHandle>> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}
