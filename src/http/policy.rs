//! The rules of this gateway's access: `access` decides by what is held here.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use log::debug;

use crate::access::claims::Grant;
use crate::access::cors::{AllowedHeader, Origins, Sharing};
use crate::access::denied::Denied;
use crate::access::host::Hosts;
use crate::access::presented::Places;
use crate::access::token::{Rules, verify};

use super::client_address::TrustedProxies;
use super::counts::NoAccess;
use super::keyring::Keyring;

/// The target of the log's lines about who asks for what, for RUST_LOG.
pub const TARGET: &str = "viewcast::access";

/// The rules that all workers share.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Which hosts requests may name.
    pub hosts: Hosts,
    /// Which pages of other origins may read.
    pub origins: Origins,
    /// The request headers that these pages may send, beside the usual ones.
    pub headers: Vec<AllowedHeader>,
    /// The proxies that are believed when they name the client's address.
    pub proxies: TrustedProxies,
    /// How tokens are judged; `None` lets everybody see everything.
    pub tokens: Option<Tokens>,
    /// How often they or their keys were replaced before.
    pub edition: u64,
}

/// The rules in force, which are replaced as a whole. A request is judged by
/// those that it found. A clone shows the same.
#[derive(Clone, Debug)]
pub struct PolicyInForce(Arc<RwLock<Arc<Policy>>>);

impl PolicyInForce {
    /// These, for now.
    pub fn new(policy: Policy) -> Self {
        PolicyInForce(Arc::new(RwLock::new(Arc::new(policy))))
    }

    /// Those in force now.
    pub fn get(&self) -> Arc<Policy> {
        // Replaced whole, so it is good even if a thread panicked meanwhile.
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on what this makes of them.
    pub fn replace(&self, with: impl FnOnce(&Policy) -> Policy) -> Arc<Policy> {
        let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let mut next = with(&current);
        next.edition = current.edition.saturating_add(1);
        *current = Arc::new(next);
        Arc::clone(&current)
    }
}

/// How tokens are found and judged.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// Where they are.
    pub places: Places,
    /// What they must say.
    pub rules: Rules,
    /// What they must be signed with.
    pub keys: Arc<Keyring>,
}

impl Policy {
    /// The origin that a request names, if its pages may read.
    pub fn reading_origin<'o>(&self, named: impl IntoIterator<Item = &'o [u8]>) -> Option<String> {
        let named: Vec<&[u8]> = named.into_iter().collect();
        let is_shared = self.origins.share(named.iter().copied()) != Sharing::No;
        let origin = named.first().filter(|_| is_shared)?;
        Some(String::from_utf8_lossy(origin).into_owned())
    }

    /// Whether a stream may go on that began with this token, if any, and for a
    /// page of this origin, if of another one than ours.
    pub fn lets_go_on(&self, token: Option<&str>, origin: Option<&str>) -> bool {
        let is_good = |tokens: &Tokens| {
            let judge = |token| matches!(tokens.verify(token), Ok(Ok(_)));
            token.is_some_and(judge)
        };
        let is_shared = |origin: &str| self.origins.share([origin.as_bytes()]) != Sharing::No;
        self.tokens.as_ref().is_none_or(is_good) && origin.is_none_or(is_shared)
    }

    /// Whether tokens can be verified, or are not asked for.
    pub fn can_verify(&self) -> bool {
        let tokens = self.tokens.as_ref();
        tokens.is_none_or(|tokens| tokens.keys.current().is_some())
    }
}

impl Tokens {
    /// What a token grants now. A key that is not known is looked for first.
    pub async fn judge(&self, token: &str) -> Result<Grant, NoAccess> {
        let mut verdict = self.verify(token)?;
        if verdict == Err(Denied::UnknownKey) && self.keys.reread().await {
            verdict = self.verify(token)?;
        }
        verdict.map_err(|denied| {
            // The reason is for the operator's log. The token is never logged.
            debug!(target: TARGET, "no access: {denied}");
            NoAccess::Denied(denied)
        })
    }

    fn verify(&self, token: &str) -> Result<Result<Grant, Denied>, NoAccess> {
        let keys = self.keys.current().ok_or(NoAccess::NoKeys)?;
        Ok(verify(token, &keys, &self.rules, now()))
    }
}

/// The time since 1970. A clock that is set before 1970 counts as zero, at which
/// no token is valid.
pub fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}
