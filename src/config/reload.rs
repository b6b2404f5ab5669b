//! What a gateway that runs takes over of a configuration that is read again.
//!
//! What it serves by is a value of the same type as before: of each setting
//! either the new one, or the old one until the next start.

use std::sync::Arc;

use super::access::{Access, Tokens};
use super::environment::OfProcess;
use super::error::ConfigErrors;
use super::{Config, DemoConfig, load, load_demo};
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
        for key in self.differing(new) {
            let is_of_tokens = OF_TOKENS.iter().any(|setting| setting.key == key);
            let is_at_once = AT_ONCE.iter().any(|setting| setting.key == key);
            match is_at_once && (asks_for_tokens || !is_of_tokens) {
                true => change.at_once.push(key),
                false => change.later.push(key),
            }
        }
        let config = Config {
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
    fn shown_with(
        &self,
        new: &Config,
        keys: &[&'static str],
    ) -> Vec<(&'static str, Option<String>)> {
        let is_kept = |(key, _): &&(&'static str, Option<String>)| !keys.contains(key);
        let kept = self.shown.iter().filter(is_kept).cloned();
        let taken = keys
            .iter()
            .map(|key| (*key, new.shown_of(key).map(str::to_owned)));
        kept.chain(taken).collect()
    }
}
