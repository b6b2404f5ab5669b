//! Who is let in: the rules of `access` for this gateway, and their keys.

use std::sync::Arc;

use actix_web::rt::spawn;
use actix_web::rt::time::sleep;

use crate::access::cors::Origins;
use crate::access::host::Hosts;
use crate::access::key::KeySet;
use crate::config::Config;
use crate::config::access::Jwks;
use crate::http::jwks::{self, Source};
use crate::http::keyring::Keyring;
use crate::http::policy::{Policy, Tokens};
use crate::http::tls::Certificate;
use crate::limits::CERTIFICATE_LOOK_EVERY;

use super::error::GatewayError;

/// Who may ask for what, as this gateway has it.
pub fn policy(config: &Config) -> Policy {
    let tokens = config.access.tokens.as_ref().map(|tokens| {
        let fixed = tokens.key.clone().map(KeySet::of).unwrap_or_default();
        Tokens {
            places: tokens.places.clone(),
            rules: tokens.rules.clone(),
            keys: Keyring::new(fixed, tokens.jwks.is_some()),
        }
    });
    Policy {
        hosts: Hosts::new(&config.access.hosts, config.listen.ip(), tokens.is_some()),
        origins: Origins::new(&config.access.origins),
        headers: config.access.headers.clone(),
        tokens,
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
pub fn keep_keys(config: &Config, policy: Arc<Policy>) {
    let tokens = config.access.tokens.as_ref();
    let Some(jwks) = tokens.and_then(|tokens| tokens.jwks.clone()) else {
        return;
    };
    let source = match jwks {
        Jwks::File(path) => Source::File(path),
        Jwks::Url(url) => Source::Url(url),
    };
    spawn(async move {
        if let Some(tokens) = &policy.tokens {
            jwks::keep(tokens, source).await;
        }
    });
}
