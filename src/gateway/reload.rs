//! SIGHUP: files and settings are read anew while streams go on.
//!
//! Settings are read and checked as a whole, as at the start. One mistake, and
//! none of them changes.

use actix_web::rt::spawn;
use actix_web::rt::task::spawn_blocking;
use log::{error, info, warn};
use tokio::sync::mpsc;

use super::doors;
use super::files::warn_of_files;
use super::renewal::{Files, Nudges};
use crate::config::Config;
use crate::config::error::ConfigErrors;
use crate::config::reload::{Change, Reread};
use crate::http::counts::Reloaded;
use crate::http::gateway::Gateway;
use crate::http::policy::Policy;

/// Who takes new settings over: the owner of those in force.
pub struct Reload {
    /// The settings in force.
    in_force: Config,
    /// Reads them again.
    again: Reread<Config>,
    /// What else is read anew.
    files: Files,
    /// What goes by them.
    gateway: Gateway,
    /// And what begins and ends views.
    views: mpsc::Sender<Config>,
}

/// Reads everything anew at each SIGHUP.
pub fn follow(mut nudges: Nudges, mut reload: Reload) {
    spawn(async move {
        loop {
            nudges.next().await;
            info!("SIGHUP: reading certificate, keys, passwords and settings anew");
            let (files, again) = (reload.files.clone(), reload.again.clone());
            // A file may be on a disk that hangs, and the streams must not.
            let read = spawn_blocking(move || {
                files.renew();
                again()
            });
            match read.await {
                Ok(Ok(new)) => reload.take(&new).await,
                Ok(Err(errors)) => reload.refuse(&errors),
                Err(_) => warn!("the files could not be read anew"),
            }
            // Keys may be others though no setting has changed.
            reload.judge_streams().await;
            if let Some(keys) = reload.files.keys.clone()
                && keys.read_anew().await
            {
                reload.judge_streams().await;
            }
        }
    });
}

impl Reload {
    /// Of a gateway that goes by these.
    pub fn new(
        config: &Config,
        again: Reread<Config>,
        files: Files,
        (gateway, views): (&Gateway, mpsc::Sender<Config>),
    ) -> Self {
        Reload {
            in_force: config.clone(),
            again,
            files,
            gateway: gateway.clone(),
            views,
        }
    }

    fn refuse(&self, errors: &ConfigErrors) {
        self.gateway.counts.count_reload(Reloaded::Refused);
        let errors = errors.0.iter();
        let told: Vec<_> = errors.map(|it| format!("{it}. {}", it.hint())).collect();
        // One line, whatever a parser says.
        error!(
            "the old settings stay: {}",
            told.join(" ").replace('\n', " ")
        );
    }

    async fn take(&mut self, new: &Config) {
        let (config, change) = self.in_force.taking(new);
        self.files.take(&config);
        let keys = self.files.keys.as_ref();
        self.gateway
            .policy
            .replace(|_| doors::policy(&config, keys));
        self.gateway.places.set_limits(doors::limits(&config));
        if config.connections.max != self.in_force.connections.max {
            warn_of_files(&config);
        }
        // Nobody listens once the gateway is ending.
        let _ = self.views.send(config.clone()).await;
        self.in_force = config;
        self.gateway.counts.count_reload(Reloaded::Taken);
        tell(&change);
    }

    /// Ends the streams whose token or origin counts no more.
    async fn judge_streams(&self) {
        let policy = self.gateway.policy.replace(Policy::clone);
        let gateway = self.gateway.clone();
        let judged = spawn_blocking(move || {
            let are_good =
                |token: Option<&str>, origin: Option<&str>| policy.lets_go_on(token, origin);
            let recalled = gateway.leases.judge(policy.edition, are_good);
            if recalled > 0 {
                let all = gateway.sources.all();
                all.iter().for_each(|source| source.shared.recall());
                info!("streams ended since their token or origin counts no more: {recalled}");
            }
        });
        if judged.await.is_err() {
            warn!("streams could not be judged by the new rules");
        }
    }
}

/// What has not changed though it was to, and what has.
fn tell(change: &Change) {
    if !change.later.is_empty() {
        let later = change.later.join(", ");
        warn!("{later} changed in the file: takes effect at the next start");
    }
    let mut changed: Vec<String> = change.at_once.iter().map(ToString::to_string).collect();
    let views = &change.views;
    for (what, names) in [
        ("begun", &views.begun),
        ("ended", &views.ended),
        ("served in another way", &views.redefined),
        ("described in other words", &views.described),
    ] {
        if !names.is_empty() {
            changed.push(format!("views {what}: {}", names.join(" ")));
        }
    }
    match changed.as_slice() {
        [] => info!("settings read anew: nothing to change"),
        changed => info!("settings read anew, changed: {}", changed.join(", ")),
    }
}
