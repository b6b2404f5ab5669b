//! Who asks: taken from the request by every handler that tells of views.
//!
//! A view can be found only with an [`Access`] at hand, so that no path to it
//! can forget to ask.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::header::{AUTHORIZATION, COOKIE, ORIGIN};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest};

use crate::access::claims::Grant;
use crate::access::rows::RowRule;

use super::counts::NoAccess;
use super::error::HttpError;
use super::gateway::Gateway;
use super::guard::Stranger;
use super::leases::{Bearer, Terms};
use super::policy::{Policy, now};
use super::window::Sees;

/// What the request may see.
#[derive(Clone, Debug)]
pub struct Access {
    scope: Scope,
    /// The other origin whose page reads the answer, if one does.
    origin: Option<String>,
    /// Which edition of the rules it was judged by.
    edition: u64,
}

#[derive(Clone, Debug)]
enum Scope {
    /// No tokens are asked for.
    Everything,
    /// No tokens are asked for, but the request names a host that may not be
    /// ours: it is shown no view.
    NoView,
    /// What its token grants, and the token.
    Granted(Grant, Token),
}

/// A token, which is never shown.
#[derive(Clone)]
struct Token(Arc<str>);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

impl Access {
    /// Whether it may see the view of this name, there or not.
    fn may_see(&self, view: &str) -> bool {
        match &self.scope {
            Scope::Everything => true,
            Scope::NoView => false,
            Scope::Granted(grant, _) => grant.may_see(view),
        }
    }

    /// How rows that it was shown may be cached (RFC 9111): asked for anew each
    /// time, and what a token's bearer sees, by nobody else.
    pub fn caching(&self) -> &'static str {
        match self.is_of_token() {
            true => "private, no-cache",
            false => "no-cache",
        }
    }

    /// Whether what it is shown is shown to it for its token.
    pub fn is_of_token(&self) -> bool {
        matches!(self.scope, Scope::Granted(..))
    }

    /// What it sees of a view that has these rules, there or not.
    pub fn sees(&self, view: &str, rules: &[RowRule]) -> Result<Sees, HttpError> {
        if !self.may_see(view) {
            return Err(HttpError::Forbidden);
        }
        let Scope::Granted(grant, _) = &self.scope else {
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
        match &self.scope {
            Scope::Everything | Scope::NoView => true,
            Scope::Granted(grant, _) => grant.metrics,
        }
    }

    /// Whether the metrics it may read name views.
    pub fn may_see_metrics_of_views(&self) -> bool {
        !matches!(self.scope, Scope::NoView)
    }

    /// Whose token it is, and how long a stream that begins now may last; `None`
    /// where no tokens are asked for, and for ever.
    pub fn bearer(&self) -> Option<Bearer<'_>> {
        match &self.scope {
            Scope::Everything | Scope::NoView => None,
            Scope::Granted(grant, token) => Some(Bearer {
                token: &token.0,
                subject: grant.subject(),
                lasts: grant.lasts(now()),
            }),
        }
    }

    /// Which edition of the rules it was judged by.
    pub fn edition(&self) -> u64 {
        self.edition
    }

    /// What a stream is served for that begins now; `None` where no rule could
    /// end it.
    pub fn terms(&self) -> Option<Terms<'_>> {
        let terms = Terms {
            bearer: self.bearer(),
            origin: self.origin.as_deref(),
            edition: self.edition,
        };
        (terms.bearer.is_some() || terms.origin.is_some()).then_some(terms)
    }

    async fn of(policy: &Policy, request: &HttpRequest) -> Result<Access, NoAccess> {
        let origins = request.headers().get_all(ORIGIN);
        Ok(Access {
            scope: Scope::of(policy, request).await?,
            origin: policy.reading_origin(origins.map(|value| value.as_bytes())),
            edition: policy.edition,
        })
    }
}

impl Scope {
    async fn of(policy: &Policy, request: &HttpRequest) -> Result<Scope, NoAccess> {
        let Some(tokens) = &policy.tokens else {
            let is_stranger = request.extensions().contains::<Stranger>();
            return Ok(match is_stranger {
                true => Scope::NoView,
                false => Scope::Everything,
            });
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
        Ok(Scope::Granted(grant, Token(token.into())))
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
