//! What a gateway that runs takes over of a configuration that is read again.
//!
//! What it serves by is a value of the same type as before: of each setting
//! either the new one, or the old one until the next start.

use std::sync::Arc;

use super::access::{Access, Tokens};
use super::environment::OfProcess;
use super::error::ConfigErrors;
use super::views::{ViewChoice, What};
use super::{Config, DemoConfig, Shown, load, load_demo};
use crate::cli::settings::{Setting, serve};
use crate::cli::{Flags, StandIn};

/// The settings that count as soon as they are read again. All others are read
/// at the start alone: sockets, threads and connections are made by them.
pub const AT_ONCE: &[Setting] = &[
    serve::allow_host,
    serve::allow_origin,
    serve::allow_header,
    serve::trusted_proxy,
    serve::max_connections,
    serve::max_connections_per_address,
    serve::max_connections_per_view,
    serve::max_windows_per_view,
    serve::max_windows_per_address,
    serve::jwt_key_file,
    serve::jwt_issuer,
    serve::jwt_audience,
    serve::jwt_cookie,
    serve::allow_url_token,
    serve::view,
    serve::filter,
];

/// Those of them that mean something only where tokens are asked for.
const OF_TOKENS: [Setting; 5] = [
    serve::jwt_key_file,
    serve::jwt_issuer,
    serve::jwt_audience,
    serve::jwt_cookie,
    serve::allow_url_token,
];

/// Reads flags, environment and file again, as at the start.
pub type Reread<C> = Arc<dyn Fn() -> Result<C, ConfigErrors> + Send + Sync>;

/// Reads the configuration of `viewcast serve` again.
pub fn of_serve(flags: Flags) -> Reread<Config> {
    Arc::new(move || load(&flags, &OfProcess))
}

/// Reads the configuration of `viewcast demo` again.
pub fn of_demo(flags: Flags, stand_in: StandIn) -> Reread<DemoConfig> {
    Arc::new(move || load_demo(&flags, &stand_in, &OfProcess))
}

/// Which settings are other ones, by their keys.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Those that count from now on.
    pub at_once: Vec<&'static str>,
    /// Those that count from the next start on.
    pub later: Vec<&'static str>,
    /// What becomes of views.
    pub views: ViewsChange,
}

/// What becomes of views, by their names and patterns.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ViewsChange {
    /// Served from now on.
    pub begun: Vec<String>,
    /// Served no more.
    pub ended: Vec<String>,
    /// Served in another way.
    pub redefined: Vec<String>,
    /// Served as before, and described in other words.
    pub described: Vec<String>,
}

impl ViewsChange {
    fn between(old: &[ViewChoice], new: &[ViewChoice]) -> Self {
        let mut change = ViewsChange::default();
        for view in new {
            let name = view.name.clone();
            match old.iter().find(|before| before.name == name) {
                None => change.begun.push(name),
                Some(before) if !before.is_served_alike(view) => change.redefined.push(name),
                Some(before) if before != view => change.described.push(name),
                Some(_) => {}
            }
        }
        let is_gone = |view: &&ViewChoice| new.iter().all(|it| it.name != view.name);
        let ended = old.iter().filter(is_gone).map(|view| view.name.clone());
        change.ended.extend(ended);
        change
    }
}

impl Config {
    /// What is in force once `new` was read, and what has changed.
    pub fn taking(&self, new: &Config) -> (Config, Change) {
        let tokens = self.access.tokens.as_ref().zip(new.access.tokens.as_ref());
        // Whether they are asked for, and where their key set is, is decided once.
        let tokens = tokens.map(|(old, new)| Tokens {
            jwks: old.jwks.clone(),
            ..new.clone()
        });
        let asks_for_tokens = tokens.is_some();
        let mut change = Change::default();
        let views = self.views_with(&new.views);
        change.views = ViewsChange::between(&self.views, &views);
        for key in self.differing(new) {
            let is_of_views = [serve::view.key, serve::filter.key].contains(&key);
            if is_of_views {
                // Told of by their names.
                continue;
            }
            let is_of_tokens = OF_TOKENS.iter().any(|setting| setting.key == key);
            let is_at_once = AT_ONCE.iter().any(|setting| setting.key == key);
            match is_at_once && (asks_for_tokens || !is_of_tokens) {
                true => change.at_once.push(key),
                false => change.later.push(key),
            }
        }
        if views != new.views {
            change.later.push("patterns of view");
        }
        let config = Config {
            views,
            access: Access {
                hosts: new.access.hosts.clone(),
                origins: new.access.origins.clone(),
                headers: new.access.headers.clone(),
                tokens: tokens.or_else(|| self.access.tokens.clone()),
                ..self.access.clone()
            },
            connections: new.connections.clone(),
            shown: self.shown_with(new, &change.at_once),
            ..self.clone()
        };
        (config, change)
    }

    /// The new views, but the old patterns where the new ones are others: the
    /// catalog is asked for those of the start.
    fn views_with(&self, new: &[ViewChoice]) -> Vec<ViewChoice> {
        let is_pattern = |view: &&ViewChoice| matches!(view.what, What::Pattern(_));
        let names = |views: &[ViewChoice]| {
            let patterns = views.iter().filter(is_pattern);
            patterns.map(|view| view.name.clone()).collect::<Vec<_>>()
        };
        if names(&self.views) == names(new) {
            return new.to_vec();
        }
        let named = new.iter().filter(|view| !is_pattern(view));
        let kept = self.views.iter().filter(is_pattern);
        named.chain(kept).cloned().collect()
    }

    /// The settings that differ, by their keys.
    fn differing(&self, new: &Config) -> Vec<&'static str> {
        let keys = self.shown.iter().chain(&new.shown).map(|(key, _)| *key);
        let mut found = Vec::new();
        for key in keys {
            // A password is not shown.
            let is_upstream = key == serve::upstream.key;
            let is_same = self.shown_of(key) == new.shown_of(key)
                && (!is_upstream || self.upstream.is_same(&new.upstream));
            if !is_same && !found.contains(&key) {
                found.push(key);
            }
        }
        found
    }

    fn shown_of(&self, key: &str) -> Option<&str> {
        let entry = self.shown.iter().find(|(other, _)| *other == key);
        entry.and_then(|(_, value)| value.as_deref())
    }

    /// What is shown of the settings with these of another configuration.
    fn shown_with(&self, new: &Config, keys: &[&'static str]) -> Shown {
        let is_kept = |(key, _): &&(&'static str, Option<String>)| !keys.contains(key);
        let kept = self.shown.iter().filter(is_kept).cloned();
        let taken = keys
            .iter()
            .map(|key| (*key, new.shown_of(key).map(str::to_owned)));
        kept.chain(taken).collect()
    }
}
