//! Starts one view: its publisher and its tail.

use std::sync::{Arc, Mutex, PoisonError};

use actix::Actor;
use crossbeam_channel::{Sender, bounded};

use crate::config::views::{ViewChoice, What};
use crate::config::{Config, Dialect};
use crate::http::rules::Rules;
use crate::http::sources::Source;
use crate::limits::TAIL_CHANNEL_EVENTS;
use crate::model::retention::RetentionLimits;
use crate::process;
use crate::relay::publish::publisher::{Again, Publisher, Settings};
use crate::relay::shared_view::SharedView;
use crate::relay::shell::merger::merger;
use crate::relay::shell::publisher_actor::{PublisherActor, Wake};
use crate::relay::wake_flag::WakeFlag;
use crate::tail::past::Past;
use crate::tail::{self, Catalog, TailError, TailHandle, TailSettings, TailView};

use super::error::GatewayError;
use super::publishers::{Desk, Publishers};

/// A view's tail, where its publisher can find it; none once it was stopped.
pub type TailSlot = Arc<Mutex<Option<TailHandle>>>;

/// A view that runs: its source and tail, and its publisher's place, which is to
/// be held for as long.
pub type Started = (Source, TailSlot, Desk);

/// Starts one view; `past` is what a tail that it had before knew.
pub fn start_view(
    config: &Config,
    view: &ViewChoice,
    past: Past,
    (catalog, publishers): (&Catalog, &Publishers),
    fatal: &Sender<TailError>,
) -> Result<Started, GatewayError> {
    let shared = SharedView::new(view.name.clone(), merger(), process::now());
    let shared = Arc::new(shared);
    let (sender, events) = bounded(TAIL_CHANNEL_EVENTS);
    let pending = Arc::new(WakeFlag::default());
    let tail = TailSlot::default();

    let settings = Settings {
        heartbeat: config.heartbeat,
        min_interval: config.min_interval,
        retention: RetentionLimits {
            bytes_max: config.retention_bytes,
            age_ms_max: u64::try_from(config.retention_age.as_millis()).unwrap_or(u64::MAX),
        },
        view_bytes_max: config.max_view_bytes,
        upstream_timeout: config.upstream_timeout,
    };
    // The publisher is there before its tail: until then there is nothing to
    // start again from a snapshot.
    let for_resync = Arc::clone(&tail);
    let resync = Box::new(move |again: Again| {
        let slot = for_resync.lock().unwrap_or_else(PoisonError::into_inner);
        match (slot.as_ref(), again) {
            (Some(tail), Again::Inconsistent { reason, held }) => tail.resync(&reason, held),
            (Some(tail), Again::TooLarge) => tail.too_large(),
            (None, _) => {}
        }
    });
    let (for_publisher, flag) = (Arc::clone(&shared), Arc::clone(&pending));
    let desk = publishers.desk();
    let publisher = PublisherActor::start_in_arbiter(desk.thread(), move |_| {
        let publisher = Publisher::new(
            for_publisher,
            settings,
            fastrand::Rng::new(),
            process::now(),
        );
        PublisherActor::new(publisher, events, flag, resync)
    });

    let addr = publisher.clone();
    let wake = move || {
        if pending.raise() {
            addr.do_send(Wake);
        }
    };
    let settings = tail_settings(config, view, past);
    let connector = config.upstream.connector(config.session.clone());
    let catalog = Some(catalog.clone());
    let handle = tail::spawn(settings, connector, catalog, sender, wake, fatal.clone())?;
    *tail.lock().unwrap_or_else(PoisonError::into_inner) = Some(handle);
    let source = Source {
        shared,
        publisher,
        description: view.description.as_deref().map(Arc::from),
        rules: Arc::new(Rules::new(view.filter.clone(), view.rows.clone())),
    };
    Ok((source, tail, desk))
}

fn tail_settings(config: &Config, view: &ViewChoice, past: Past) -> TailSettings {
    let view = tail_view(config, view);
    let mut settings = TailSettings::new(view);
    settings.upstream_timeout = config.upstream_timeout;
    settings.reconnect_max = config.reconnect_max;
    settings.unclosed_bytes_max = config.max_view_bytes;
    settings.dialect = dialect(config);
    settings.is_gone_when_revoked = config.is_gone_when_revoked;
    settings.history = config.retention_age;
    settings.past = past;
    settings
}

/// The dialect that is to be spoken; `None` to ask the server.
pub fn dialect(config: &Config) -> Option<tail::Dialect> {
    match config.dialect {
        Dialect::Auto => None,
        Dialect::Tail => Some(tail::Dialect::Tail),
        Dialect::Subscribe => Some(tail::Dialect::Subscribe),
    }
}

/// What is tailed for a view that was chosen.
pub fn tail_view(config: &Config, view: &ViewChoice) -> TailView {
    let mut tailed = TailView {
        name: view.name.clone(),
        columns: view.columns.clone(),
        unnamed: format!("{:016x}", fastrand::u64(..)),
        // It may name the columns that are hidden, and what they are made of.
        wants_sql: config.shows_sql && view.columns.is_none(),
        ..TailView::default()
    };
    match &view.what {
        What::Query(query) => tailed.query = Some(query.clone()),
        // A pattern is not tailed itself; the views that it names are.
        What::Pattern(_) => {}
        What::Relation(relation) => {
            tailed.sql = relation.to_sql();
            tailed.parts = relation.parts().to_vec();
            if tail::is_of_one_replica(&tailed) {
                let session = &config.session;
                let facts = [&session.cluster, &session.cluster_replica];
                tailed.facts = facts.map(|fact| fact.clone().unwrap_or_default()).to_vec();
            }
        }
    }
    tailed
}
