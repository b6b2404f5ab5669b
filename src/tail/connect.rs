//! Connections: how they are made and how they are left.

use std::time::Duration;

use postgres::config::Config;
use postgres::{CancelToken, Client, NoTls};

use crate::limits::{CONNECT_TIMEOUT, KEEPALIVE_IDLE, KEEPALIVE_INTERVAL, KEEPALIVE_RETRIES};

use super::error::TailError;

/// The configuration with what the operator left open filled in.
pub(super) fn completed(config: &Config, upstream_timeout: Duration) -> Config {
    let mut config = config.clone();
    if config.get_application_name().is_none() {
        config.application_name(concat!("viewcast/", env!("CARGO_PKG_VERSION")));
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_TIMEOUT.min(upstream_timeout));
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(upstream_timeout);
    }
    if config.get_keepalives_interval().is_none() && config.get_keepalives_retries().is_none() {
        config
            .keepalives(true)
            .keepalives_idle(KEEPALIVE_IDLE)
            .keepalives_interval(KEEPALIVE_INTERVAL)
            .keepalives_retries(KEEPALIVE_RETRIES);
    }
    config.notice_callback(|notice| log::debug!("notice from Materialize: {}", notice.message()));
    config
}

/// A new connection.
pub(super) fn connect(config: &Config) -> Result<Client, TailError> {
    config.connect(NoTls).map_err(TailError::Connect)
}

/// Asks the server to end what a connection is doing. Says nothing about the
/// outcome, since the server does not either.
pub(super) fn cancel(token: &CancelToken) {
    if let Err(error) = token.cancel_query(NoTls) {
        log::debug!("cancelling a query failed: {error}");
    }
}
