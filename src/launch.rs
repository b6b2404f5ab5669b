//! What `serve`, `demo` and `types` do, once their configuration is known.

use std::error::Error;
use std::io::{self, Write as _};

use crate::config::reload::Reread;
use crate::config::{Config, DemoConfig};
use crate::gateway::{self, GatewayError};

mod lines;

pub use lines::start as start_logger;

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
    /// The server lacks what a gateway would need.
    #[error("what a gateway would need and not get: {0}, see above")]
    Wrong(usize),
    /// Nobody reads what is printed.
    #[error("could not print what was found")]
    Output(#[source] io::Error),
    /// Built without it.
    #[error("this build has no demo")]
    NoDemo,
}

impl LaunchError {
    /// The whole chain of causes, then what to do about it, for stderr.
    pub fn report(&self) -> String {
        let mut report = format!("error: {self}");
        let mut cause = self.source();
        while let Some(error) = cause {
            report.push_str(&format!(": {error}"));
            cause = error.source();
        }
        if let Some(hint) = self.hint() {
            report.push_str(&format!("\nhint: {hint}"));
        }
        report + "\n"
    }

    /// What to do about it, where that can be said.
    pub fn hint(&self) -> Option<String> {
        match self {
            LaunchError::Gateway(error) => error.hint(),
            LaunchError::Wrong(_) | LaunchError::Output(_) => None,
            LaunchError::NoDemo => {
                Some("Build it with the feature \"demo\", which is on by default.".to_owned())
            }
            #[cfg(feature = "demo")]
            LaunchError::Demo(error) => error.hint(),
        }
    }
}

/// Serves views of a Materialize until a signal; at SIGHUP the configuration is
/// read again.
pub fn serve(config: &Config, again: Reread<Config>) -> Result<(), LaunchError> {
    gateway::survive_hangups()?;
    Ok(gateway::run(config, again)?)
}

/// Prints a configuration. If the server is to be asked, too, what was found is
/// behind it as comments, so that the whole output still is a configuration.
pub fn check(config: &Config, shown: &str, asks: bool) -> Result<(), LaunchError> {
    let mut out = io::stdout();
    let mut print = |text: &str| out.write_all(text.as_bytes()).map_err(LaunchError::Output);
    print(shown)?;
    if !asks {
        return Ok(());
    }
    let findings = gateway::checkup::checkup(config);
    for line in findings.lines {
        print(&format!("# {}\n", line.replace('\n', " ")))?;
    }
    match findings.wrong {
        0 => Ok(()),
        wrong => Err(LaunchError::Wrong(wrong)),
    }
}

/// The views' rows as TypeScript.
pub fn types(config: &Config) -> Result<String, LaunchError> {
    Ok(gateway::types::types(config)?)
}

/// Serves the demo until a signal; at SIGHUP the configuration is read again.
#[cfg(feature = "demo")]
pub fn demo(config: &DemoConfig, again: Reread<DemoConfig>) -> Result<(), LaunchError> {
    gateway::survive_hangups()?;
    with_demo::run(config, again)
}

/// Says that there is none.
#[cfg(not(feature = "demo"))]
pub fn demo(_: &DemoConfig, _: Reread<DemoConfig>) -> Result<(), LaunchError> {
    Err(LaunchError::NoDemo)
}

#[cfg(feature = "demo")]
mod with_demo {
    use std::net::{IpAddr, Ipv4Addr, SocketAddr};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::LaunchError;
    use crate::cli::StandInDialect;
    use crate::config::reload::Reread;
    use crate::config::upstream::Upstream;
    use crate::config::{Config, DemoConfig};
    use crate::demo::{self, DemoDialect, DemoError, Options};
    use crate::gateway;

    /// The stand-in has no authentication, so nobody outside is to reach it.
    const ANY_LOOPBACK_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

    pub(super) fn run(config: &DemoConfig, again: Reread<DemoConfig>) -> Result<(), LaunchError> {
        if let Some(upstream) = &config.replay_into {
            return replay(config, upstream, again);
        }
        let stand_in = demo::start(options(config))?;
        log::info!("stand-in for Materialize on {}", stand_in.upstream_url());
        if config.only_upstream {
            return Ok(gateway::until_signal()?);
        }
        let about = format!(
            "{} Look behind it: psql {}",
            shown(config),
            stand_in.upstream_url()
        );
        let upstream = Upstream::at(stand_in.address());
        let gateway = config.gateway(upstream.clone(), about.clone());
        let outcome = gateway::run(&gateway, of_gateway(again, upstream, about));
        stand_in.stop();
        Ok(outcome?)
    }

    /// Replays the edits into a real Materialize while the gateway tails it.
    fn replay(
        config: &DemoConfig,
        upstream: &Upstream,
        again: Reread<DemoConfig>,
    ) -> Result<(), LaunchError> {
        let options = options(config);
        // The views must be there before they are tailed: one that is not at
        // the first connection is an error that ends the program.
        let stop = Arc::new(AtomicBool::new(false));
        let gateway = config.gateway(upstream.clone(), shown(config));
        let connector = upstream.connector(gateway.session.clone());
        let connect = move || connector.connect().map_err(|error| error.report());
        demo::prepare(&connect, &stop)?;
        let stopped = Arc::clone(&stop);
        std::thread::Builder::new()
            .name("demo-replay".to_owned())
            .spawn(move || {
                if let Err(error) = demo::replay(&connect, &options, &stopped) {
                    log::error!("the replay ended: {error}");
                }
            })
            .map_err(DemoError::Thread)?;
        let again = of_gateway(again, upstream.clone(), shown(config));
        let outcome = gateway::run(&gateway, again);
        stop.store(true, Ordering::Relaxed);
        Ok(outcome?)
    }

    /// Reads the gateway's part again. The edits go on as they began.
    fn of_gateway(again: Reread<DemoConfig>, upstream: Upstream, about: String) -> Reread<Config> {
        Arc::new(move || Ok(again()?.gateway(upstream.clone(), about.clone())))
    }

    /// What there is to see, in words for the page.
    fn shown(config: &DemoConfig) -> String {
        match &config.live {
            Some(url) => format!("Edits of Wikipedias, as they happen: {url}."),
            None => format!(
                "A recording of Wikipedia's edits of 12 September 2015, replayed at {} a second.",
                config.rate
            ),
        }
    }

    fn options(config: &DemoConfig) -> Options {
        Options {
            rate: config.rate,
            seed_edits: config.seed_edits,
            live: config.live.clone(),
            tick: config.tick,
            listen: config.listen_upstream.unwrap_or(ANY_LOOPBACK_PORT),
            // One that is to be the same database after a restart gives its
            // objects the same ids again: none comes by itself meanwhile.
            spotlights: config.stand_in_environment.is_none(),
            dialect: match config.stand_in_dialect {
                Some(StandInDialect::Tail) => DemoDialect::Tail,
                Some(StandInDialect::Subscribe) | None => DemoDialect::Subscribe,
            },
            environment: config.stand_in_environment.clone(),
        }
    }
}
