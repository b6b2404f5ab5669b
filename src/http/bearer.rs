//! Who asks: taken from the request by every handler that tells of views.
//!
//! A view can be found only with an [`Access`] at hand, so that no path to it
//! can forget to ask.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header::{AUTHORIZATION, COOKIE};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest};

use crate::access::claims::Grant;
use crate::access::rows::RowRule;

use super::counts::NoAccess;
use super::error::HttpError;
use super::gateway::Gateway;
use super::guard::Stranger;
use super::leases::Bearer;
use super::policy::{Policy, now};
use super::window::Sees;

/// What the request may see.
#[derive(Clone, Debug)]
pub struct Access(Scope);

#[derive(Clone, Debug)]
enum Scope {
    /// No tokens are asked for.
    Everything,
    /// No tokens are asked for, but the request names a host that may not be
    /// ours: it is shown no view.
    NoView,
    /// What its token grants.
    Granted(Grant),
}

impl Access {
    /// Whether it may see the view of this name, there or not.
    fn may_see(&self, view: &str) -> bool {
        match &self.0 {
            Scope::Everything => true,
            Scope::NoView => false,
            Scope::Granted(grant) => grant.may_see(view),
        }
    }

    /// How rows that it was shown may be cached (RFC 9111): asked for anew each
    /// time, and what a token's bearer sees, by nobody else.
    pub fn caching(&self) -> &'static str {
        match &self.0 {
            Scope::Everything | Scope::NoView => "no-cache",
            Scope::Granted(_) => "private, no-cache",
        }
    }

    /// What it sees of a view that has these rules, there or not.
    pub fn sees(&self, view: &str, rules: &[RowRule]) -> Result<Sees, HttpError> {
        if !self.may_see(view) {
            return Err(HttpError::Forbidden);
        }
        let Scope::Granted(grant) = &self.0 else {
            // Without tokens nobody is anybody: the configuration refuses such
            // rules, and so does this.
            return match rules {
                [] => Ok(Sees::default()),
                _ => Err(HttpError::RowRules),
            };
        };
        Ok(Sees {
            by_rules: grant.required_by(rules).map_err(HttpError::Rows)?,
            by_token: grant.required_of(view).map_err(HttpError::Rows)?,
        })
    }

    /// Whether it may read `/metrics`.
    pub fn may_see_metrics(&self) -> bool {
        match &self.0 {
            Scope::Everything | Scope::NoView => true,
            Scope::Granted(grant) => grant.metrics,
        }
    }

    /// Whether the metrics it may read name views.
    pub fn may_see_metrics_of_views(&self) -> bool {
        !matches!(self.0, Scope::NoView)
    }

    /// Whose token it is, and how long a stream that begins now may last; `None`
    /// where no tokens are asked for, and for ever.
    pub fn bearer(&self) -> Option<Bearer<'_>> {
        match &self.0 {
            Scope::Everything | Scope::NoView => None,
            Scope::Granted(grant) => Some(Bearer {
                subject: grant.subject(),
                lasts: grant.lasts(now()),
            }),
        }
    }

    async fn of(policy: &Policy, request: &HttpRequest) -> Result<Access, NoAccess> {
        let Some(tokens) = &policy.tokens else {
            let is_stranger = request.extensions().contains::<Stranger>();
            return Ok(Access(match is_stranger {
                true => Scope::NoView,
                false => Scope::Everything,
            }));
        };
        let headers = request.headers();
        let token = tokens
            .places
            .find(
                headers.get_all(AUTHORIZATION).map(|value| value.as_bytes()),
                request.query_string(),
                headers.get_all(COOKIE).map(|value| value.as_bytes()),
            )
            .map_err(|_| NoAccess::Ambiguous)?
            .ok_or(NoAccess::Missing)?;
        let grant = tokens.judge(&token).await?;
        Ok(Access(Scope::Granted(grant)))
    }
}

impl FromRequest for Access {
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<Access, HttpError>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            // The application always has its rules; should they be missing, nobody is
            // let in.
            let gateway = request.app_data::<Data<Gateway>>().cloned();
            let gateway = gateway.ok_or(HttpError::NoKeys)?;
            let access = Access::of(&gateway.policy.get(), &request).await;
            access.map_err(|why| {
                // Counted where it is known whether it was refused for that.
                request.extensions_mut().insert(why);
                why.into()
            })
        })
    }
}
