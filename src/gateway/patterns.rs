//! What the settings say of views that patterns name.

use super::error::GatewayError;
use super::start::dialect;
use crate::config::Config;
use crate::config::views::{ViewChoice, What};
use crate::model::name::ViewName;
use crate::model::pattern::ViewPattern;
use crate::tail::{Catalog, CatalogSettings};

/// The patterns that were chosen.
pub fn patterns(config: &Config) -> impl Iterator<Item = &ViewPattern> {
    config.views.iter().filter_map(|view| match &view.what {
        What::Pattern(pattern) => Some(pattern),
        What::Relation(_) | What::Query(_) => None,
    })
}

/// The views that were chosen by their names.
pub fn named(config: &Config) -> impl Iterator<Item = &ViewChoice> {
    let is_one = |view: &&ViewChoice| !matches!(view.what, What::Pattern(_));
    config.views.iter().filter(is_one)
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
