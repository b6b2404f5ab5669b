//! `viewcast types`: the rows of the views that a gateway of this configuration
//! would serve, as TypeScript; it asks for their columns and serves nothing.

use std::thread;

use crate::config::Config;
use crate::config::views::{ViewChoice, What};
use crate::limits::CATALOG_LOOK_EVERY;
use crate::model::name::ViewName;
use crate::model::row::Column;
use crate::model::typescript::{TypedView, declarations};
use crate::tail::{Describer, TailError};

use super::error::GatewayError;
use super::patterns;
use super::start::{dialect, tail_view};

/// The declarations of the views that are chosen, in the order in which they
/// would be served: those of patterns come last.
pub fn types(config: &Config) -> Result<String, GatewayError> {
    let connector = config.upstream.connector(config.session.clone());
    let mut describer = Describer::new(&connector, dialect(config), config.upstream_timeout);
    let mut described: Vec<(ViewChoice, Vec<Column>)> = Vec::new();
    for view in &config.views {
        if !matches!(view.what, What::Pattern(_)) {
            described.push((view.clone(), columns(&mut describer, config, view)?));
        }
    }
    for relation in listed(config)? {
        let is_served = |(view, _): &(ViewChoice, _)| view.name == relation.text();
        if !described.iter().any(is_served) {
            let view = patterns::choice(config, &relation);
            let columns = columns(&mut describer, config, &view)?;
            described.push((view, columns));
        }
    }
    Ok(declarations(described.iter().map(|(view, columns)| {
        TypedView {
            name: &view.name,
            description: view.description.as_deref(),
            columns,
        }
    })))
}

/// What a view shows. An error that does not name the view is told with it.
fn columns(
    describer: &mut Describer,
    config: &Config,
    view: &ViewChoice,
) -> Result<Vec<Column>, GatewayError> {
    let found = describer.columns(tail_view(config, view));
    found.map_err(|source| match source {
        TailError::Query { .. } | TailError::Answer { .. } | TailError::Silent { .. } => {
            GatewayError::Undescribed {
                view: view.name.clone(),
                source: Box::new(source),
            }
        }
        source => GatewayError::Tail(source),
    })
}

/// The relations that the patterns name, and that the role may read: what a
/// gateway finds in its first look at the catalog.
pub(super) fn listed(config: &Config) -> Result<Vec<ViewName>, GatewayError> {
    if patterns::patterns(config).next().is_none() {
        return Ok(Vec::new());
    }
    let catalog = patterns::catalog(config)?;
    loop {
        if let Some(listed) = catalog.take_listed().filter(|listed| listed.is_whole) {
            return Ok(listed.names);
        }
        if let Some(reason) = catalog.take_unlisted() {
            return Err(GatewayError::Unlisted(reason));
        }
        thread::sleep(CATALOG_LOOK_EVERY);
    }
}
