//! Who is let in: the rules of `access` for this gateway, and their keys.

use std::sync::Arc;

use actix_web::rt::spawn;
use actix_web::rt::time::sleep;

use crate::access::cors::Origins;
use crate::access::host::Hosts;
use crate::access::key::KeySet;
use crate::config::Config;
use crate::config::access::Jwks;
use crate::http::client_address::TrustedProxies;
use crate::http::jwks::{self, Source};
use crate::http::keyring::Keyring;
use crate::http::limit::Limits;
use crate::http::policy::{Policy, Tokens};
use crate::http::tls::Certificate;
use crate::limits::CERTIFICATE_LOOK_EVERY;

use super::error::GatewayError;

/// The keys that tokens are verified with, if they are asked for.
pub fn keyring(config: &Config) -> Option<Arc<Keyring>> {
    let tokens = config.access.tokens.as_ref()?;
    let fixed = tokens.key.clone().map(KeySet::of).unwrap_or_default();
    Some(Arc::new(Keyring::new(fixed, tokens.jwks.is_some())))
}

/// Who may ask for what, as this gateway has it.
pub fn policy(config: &Config, keys: Option<&Arc<Keyring>>) -> Policy {
    let tokens = config.access.tokens.as_ref().zip(keys);
    let tokens = tokens.map(|(tokens, keys)| Tokens {
        places: tokens.places.clone(),
        rules: tokens.rules.clone(),
        keys: Arc::clone(keys),
    });
    Policy {
        hosts: Hosts::new(&config.access.hosts, config.listen.ip(), tokens.is_some()),
        origins: Origins::new(&config.access.origins),
        headers: config.access.headers.clone(),
        proxies: TrustedProxies::new(config.connections.trusted_proxies.clone()),
        tokens,
        edition: 0,
    }
}

/// Who may open a stream.
pub fn limits(config: &Config) -> Limits {
    let connections = &config.connections;
    Limits {
        connections: connections.max,
        per_address: connections.max_per_address,
        per_view: connections.max_per_view,
        windows_per_address: connections.max_windows_per_address,
        windows_per_view: connections.max_windows_per_view,
    }
}

/// What is shown to browsers over TLS, if anything.
pub fn certificate(config: &Config) -> Result<Option<Arc<Certificate>>, GatewayError> {
    let Some(files) = &config.access.certificate else {
        return Ok(None);
    };
    let certificate = Certificate::load(&files.chain, &files.key)?;
    let watched = Arc::clone(&certificate);
    spawn(async move {
        loop {
            watched.warn_of_time();
            sleep(CERTIFICATE_LOOK_EVERY).await;
        }
    });
    Ok(Some(certificate))
}

/// Keeps the issuer's keys up to date, where there is a set of them.
pub fn keep_keys(config: &Config, keys: Option<&Arc<Keyring>>) {
    let tokens = config.access.tokens.as_ref();
    let jwks = tokens.and_then(|tokens| tokens.jwks.clone());
    let Some((jwks, keys)) = jwks.zip(keys.cloned()) else {
        return;
    };
    let source = match jwks {
        Jwks::File(path) => Source::File(path),
        Jwks::Url(url) => Source::Url(url),
    };
    spawn(async move { jwks::keep(&keys, source).await });
}
