//! What all HTTP workers of the gateway share.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpRequest;
use tokio::sync::Semaphore;

use super::counts::Counts;
use super::leases::Leases;
use super::limit::Asked;
use super::places::{Permit, Places};
use super::policy::PolicyInForce;
use super::refusal::Refusal;
use super::sources::Sources;
use super::tls::Certificate;
use super::window::Opened;

/// How many views are being connected.
#[derive(Clone, Copy, Debug)]
pub struct Connecting {
    /// At this moment.
    pub now: usize,
    /// As soon as others are.
    pub waiting: usize,
}

/// What all workers share.
#[derive(Clone)]
pub struct Gateway {
    /// The views in the order they were chosen.
    pub sources: Sources,
    /// Who may ask for what.
    pub policy: PolicyInForce,
    /// Who may open one stream more.
    pub places: Places,
    /// The streams whose end a newer token puts off.
    pub leases: Leases,
    /// Places for answers with all rows of a view; so many are sent at once.
    pub snapshots: Arc<Semaphore>,
    /// The path that everything is below: empty, or with a slash before it.
    pub base_path: Arc<str>,
    /// Whether `/metrics` is served on a port of its own, and not to clients.
    pub metrics_apart: bool,
    /// How often what was answered.
    pub counts: Arc<Counts>,
    /// Whether streams are compressed for who accepts it.
    pub compress: bool,
    /// What is shown to browsers over TLS, if anything.
    pub certificate: Option<Arc<Certificate>>,
    /// What is shown, for people who do not know it.
    pub about: Option<Arc<str>>,
    /// Tells how many views are being connected.
    pub connecting: fn() -> Connecting,
    /// Silence after which a stream of several views says that nothing changed.
    pub heartbeat: Duration,
}

impl Gateway {
    /// Whose request it is.
    pub fn client_address(&self, request: &HttpRequest) -> IpAddr {
        self.policy.get().proxies.client_address(request)
    }

    /// A place for one more stream of these, or why there is none.
    pub fn admit(&self, request: &HttpRequest, views: &[&Opened]) -> Result<Permit, Refusal> {
        let shared: Vec<_> = views.iter().map(|opened| opened.shared()).collect();
        if shared.iter().any(|shared| shared.is_closing()) {
            return Err(Refusal::Closing);
        }
        let address = self.client_address(request);
        let asked = shared.iter().zip(views).map(|(shared, opened)| Asked {
            view: &shared.name,
            window: opened.key,
        });
        let asked: Vec<_> = asked.collect();
        self.places.admit(address, &asked).map_err(Refusal::Over)
    }
}
