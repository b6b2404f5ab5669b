//! What `serve` and `demo` start, once their configuration is known.

use std::net::SocketAddr;

use crate::config::upstream::Upstream;
use crate::config::{Config, DemoConfig};
use crate::gateway::{self, GatewayError};

/// Why a program ended that was not asked to.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The gateway.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// The stand-in.
    #[cfg(feature = "demo")]
    #[error("could not start the demo")]
    Demo(#[from] crate::demo::DemoError),
    /// Built without it.
    #[error("this build has no demo")]
    NoDemo,
}

impl LaunchError {
    /// What to do about it, where that can be said.
    pub fn hint(&self) -> Option<String> {
        match self {
            LaunchError::Gateway(error) => error.hint(),
            LaunchError::NoDemo => {
                Some("Build it with the feature \"demo\", which is on by default.".to_owned())
            }
            #[cfg(feature = "demo")]
            LaunchError::Demo(_) => None,
        }
    }
}

/// Serves views of a Materialize until a signal.
pub fn serve(config: &Config) -> Result<(), LaunchError> {
    Ok(gateway::run(config)?)
}

/// Serves the demo until a signal.
#[cfg(feature = "demo")]
pub fn demo(config: &DemoConfig) -> Result<(), LaunchError> {
    let stand_in = crate::demo::start(options(config))?;
    log::info!("stand-in for Materialize on {}", stand_in.upstream_url());
    if config.only_upstream {
        return Ok(gateway::until_signal()?);
    }
    let gateway = config.gateway(Upstream::at(stand_in.address()));
    let outcome = gateway::run(&gateway);
    stand_in.stop();
    Ok(outcome?)
}

/// Says that there is none.
#[cfg(not(feature = "demo"))]
pub fn demo(_: &DemoConfig) -> Result<(), LaunchError> {
    Err(LaunchError::NoDemo)
}

#[cfg(feature = "demo")]
fn options(config: &DemoConfig) -> crate::demo::Options {
    use crate::cli::StandInDialect;
    use crate::demo::DemoDialect;
    crate::demo::Options {
        rate: config.rate,
        seed_edits: config.seed_edits,
        tick: config.tick,
        listen: config.listen_upstream.unwrap_or(ANY_LOOPBACK_PORT),
        dialect: match config.stand_in_dialect {
            Some(StandInDialect::Tail) => DemoDialect::Tail,
            Some(StandInDialect::Subscribe) | None => DemoDialect::Subscribe,
        },
    }
}

/// The stand-in has no authentication, so nobody outside is to reach it.
#[cfg(feature = "demo")]
const ANY_LOOPBACK_PORT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);
