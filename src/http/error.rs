//! What a client is told when it asks for something that is not there.
//!
//! The public text says what to do and repeats nothing the client sent, so
//! that no markup of its making comes back to it.

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use serde_json::json;

use crate::access::denied::{Denied, Unmet};
use crate::limits::{
    JOINT_VIEWS_MAX, OVER_LIMIT_RETRY_MS, RENEWAL_INTERVAL_MIN, RETRY_AFTER_SECONDS,
};

use super::counts::NoAccess;

/// An answer that is not the one hoped for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// No view, page or asset of that name.
    #[error("unknown view")]
    UnknownView,
    /// No view of a name that stands at this place among several, from one.
    #[error("unknown view: number {0} of those asked for")]
    UnknownViewAt(usize),
    /// A stream of several views that names none.
    #[error("no view asked for")]
    NoViews,
    /// More views than one stream may show.
    #[error("more than {JOINT_VIEWS_MAX} views asked for")]
    ManyViews,
    /// The view at this place, from one, was named before.
    #[error("view asked for twice: number {0} of those asked for")]
    RepeatedView(usize),
    /// A view's name in a query that is not percent-encoded UTF-8.
    #[error("malformed name of a view")]
    MalformedName,
    /// No such asset.
    #[error("unknown asset")]
    UnknownAsset,
    /// No such path.
    #[error("unknown path")]
    UnknownPath,
    /// The path is not percent-encoded UTF-8.
    #[error("malformed path")]
    MalformedPath,
    /// A `Host` that is none of ours.
    #[error("host not allowed")]
    Host,
    /// A preflight of a page that may not read.
    #[error("origin not allowed")]
    Origin,
    /// No token, where one is needed.
    #[error("access token required")]
    NoToken,
    /// Several tokens in one place.
    #[error("more than one access token")]
    AmbiguousToken,
    /// A token that is not good, for whichever reason.
    #[error("access token not accepted")]
    BadToken,
    /// A token that was good.
    #[error("access token has expired")]
    ExpiredToken,
    /// A good token that does not grant this, whether it is there or not.
    #[error("not granted by the access token")]
    Forbidden,
    /// The token does not say which rows of the view it grants.
    #[error("{0}")]
    Rows(Unmet),
    /// What it says of them fits no column of the view.
    #[error("a claim that the view's rows are shown by does not fit the view's columns")]
    RowClaim,
    /// The operator's rules for the view's rows cannot be enforced, so nobody is
    /// shown any.
    #[error("the view's rows cannot be told apart by the gateway's rules")]
    RowRules,
    /// No key has been read yet that tokens could be verified with.
    #[error("access tokens cannot be verified yet")]
    NoKeys,
    /// A stream that has ended, is another gateway's, or somebody else's.
    #[error("unknown stream")]
    NoStream,
    /// A token that shows other rows than the stream does.
    #[error("the token shows other rows than the stream")]
    OtherRows,
    /// A stream that was given a newer token a moment ago.
    #[error("the stream was renewed a moment ago")]
    OftenRenewed,
    /// Anything but POST, where that alone makes sense.
    #[error("only POST is allowed here")]
    OnlyPost,
    /// Anything but GET and HEAD.
    #[error("method not allowed")]
    Method,
    /// The SQL of the view is not shown, not to this client, or not known.
    #[error("the view's SQL is not shown")]
    NoSql,
    /// The view has no dictionary, or not for this client.
    #[error("the view has no dictionary for you")]
    NoDictionary,
    /// The view has no base yet.
    #[error("view is not loaded yet")]
    NotLoaded,
    /// The gateway serves as many streams as it may.
    #[error("too many streams")]
    OverLimit,
    /// As many answers with rows are being sent as may be.
    #[error("too many answers with rows are being sent")]
    ManySnapshots,
    /// The request's target and headers are larger than any that makes sense.
    #[error("request head is too large")]
    HeadTooLarge,
    /// Bytes that are no request of HTTP.
    #[error("malformed request")]
    MalformedRequest,
    /// None, several, or one that is no name.
    #[error("malformed host")]
    MalformedHost,
    /// The head of a request did not arrive in time.
    #[error("request head took too long")]
    SlowHead,
    /// The gateway is going away.
    #[error("gateway is shutting down")]
    Closing,
}

impl From<NoAccess> for HttpError {
    fn from(why: NoAccess) -> Self {
        match why {
            NoAccess::Missing => HttpError::NoToken,
            NoAccess::Ambiguous => HttpError::AmbiguousToken,
            NoAccess::NoKeys => HttpError::NoKeys,
            NoAccess::Denied(Denied::Expired) => HttpError::ExpiredToken,
            // Which of the other reasons it is helps nobody but who forges tokens.
            NoAccess::Denied(_) => HttpError::BadToken,
        }
    }
}

impl HttpError {
    /// What to do about it, in full sentences.
    pub fn hint(self) -> &'static str {
        match self {
            HttpError::UnknownView | HttpError::UnknownViewAt(_) => {
                "The views are listed at /views; check the spelling."
            }
            HttpError::NoViews => "Name each with a parameter: /stream?view=a&view=b.",
            HttpError::ManyViews => "Open another stream for the others.",
            HttpError::RepeatedView(_) => "Name each view once.",
            HttpError::MalformedName => "Percent-encode each name as UTF-8.",
            HttpError::NoStream | HttpError::OtherRows => {
                "Open the stream anew with the token; it goes on from the last id."
            }
            HttpError::OftenRenewed => "Wait, or open the stream anew.",
            HttpError::OnlyPost => "POST the stream's id, with a newer token.",
            HttpError::NoDictionary => {
                "There is one where the gateway runs with --compress auto, of a view that has \
                 rows and is what it was before, for who sees all of them."
            }
            HttpError::NoSql => {
                "It takes --show-sql, and a view of which all columns and all rows are seen."
            }
            HttpError::UnknownAsset => "The page is at /.",
            HttpError::UnknownPath => {
                "A view's stream is at /{view}/stream; the views are listed at /views."
            }
            HttpError::MalformedPath => {
                "Percent-encode the view's name as UTF-8, e.g. %22 for a quote."
            }
            HttpError::Host => "Whoever runs the gateway allows more hosts with --allow-host.",
            HttpError::Origin => {
                "Whoever runs the gateway allows more origins with --allow-origin."
            }
            HttpError::NoToken => "Send one as `Authorization: Bearer`, or in the cookie.",
            HttpError::AmbiguousToken => {
                "Send one Authorization header, or one cookie of the name."
            }
            HttpError::BadToken => "Get a new one from whoever issues them.",
            HttpError::ExpiredToken => "Get a new one, then connect again.",
            HttpError::Forbidden => "The views that the token grants are listed at /views.",
            HttpError::Rows(_) | HttpError::RowClaim => {
                "Get a token that says which rows of the view are its bearer's."
            }
            HttpError::RowRules => "Whoever runs the gateway finds the reason in its log.",
            HttpError::NoKeys => "Try again soon.",
            HttpError::Method => "Everything here is read with GET.",
            HttpError::NotLoaded => "Try again soon, or open its stream, which waits for it.",
            HttpError::ManySnapshots => {
                "Try again soon, or open the view's stream, which begins with its rows."
            }
            HttpError::OverLimit => "Try again after the time that Retry-After says.",
            HttpError::MalformedRequest => {
                "Send a request line and header fields as HTTP/1.1 has them."
            }
            HttpError::MalformedHost => "Name the host once, in the Host header.",
            HttpError::SlowHead => "Send the request line and its headers at once.",
            HttpError::HeadTooLarge => {
                "Send a shorter address, or fewer or shorter headers, cookies above all."
            }
            HttpError::Closing => "Connect again; another gateway may answer.",
        }
    }
}

impl HttpError {
    /// What `WWW-Authenticate` says, after RFC 6750.
    fn challenge(self) -> Option<&'static str> {
        match self {
            HttpError::NoToken => Some("Bearer realm=\"viewcast\""),
            HttpError::AmbiguousToken => {
                Some("Bearer realm=\"viewcast\", error=\"invalid_request\"")
            }
            HttpError::BadToken => Some("Bearer realm=\"viewcast\", error=\"invalid_token\""),
            HttpError::ExpiredToken => Some(
                "Bearer realm=\"viewcast\", error=\"invalid_token\", \
                 error_description=\"expired\"",
            ),
            HttpError::Forbidden | HttpError::Rows(_) | HttpError::RowClaim => {
                Some("Bearer realm=\"viewcast\", error=\"insufficient_scope\"")
            }
            _ => None,
        }
    }
}

impl ResponseError for HttpError {
    fn status_code(&self) -> StatusCode {
        match self {
            HttpError::UnknownView
            | HttpError::UnknownViewAt(_)
            | HttpError::NoSql
            | HttpError::NoDictionary
            | HttpError::NoStream
            | HttpError::UnknownAsset
            | HttpError::UnknownPath => StatusCode::NOT_FOUND,
            HttpError::MalformedRequest
            | HttpError::MalformedHost
            | HttpError::MalformedPath
            | HttpError::MalformedName
            | HttpError::NoViews
            | HttpError::ManyViews
            | HttpError::RepeatedView(_)
            | HttpError::AmbiguousToken => StatusCode::BAD_REQUEST,
            HttpError::NoToken | HttpError::BadToken | HttpError::ExpiredToken => {
                StatusCode::UNAUTHORIZED
            }
            HttpError::Host
            | HttpError::Origin
            | HttpError::Forbidden
            | HttpError::Rows(_)
            | HttpError::RowClaim => StatusCode::FORBIDDEN,
            HttpError::SlowHead => StatusCode::REQUEST_TIMEOUT,
            HttpError::OtherRows => StatusCode::CONFLICT,
            HttpError::OftenRenewed => StatusCode::TOO_MANY_REQUESTS,
            HttpError::Method | HttpError::OnlyPost => StatusCode::METHOD_NOT_ALLOWED,
            HttpError::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            HttpError::NotLoaded
            | HttpError::RowRules
            | HttpError::NoKeys
            | HttpError::OverLimit
            | HttpError::ManySnapshots
            | HttpError::Closing => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        if *self == HttpError::Method {
            response.insert_header((ALLOW, "GET, HEAD"));
        }
        if *self == HttpError::OnlyPost {
            response.insert_header((ALLOW, "POST"));
        }
        if *self == HttpError::OftenRenewed {
            response.insert_header((RETRY_AFTER, RENEWAL_INTERVAL_MIN.as_secs()));
        }
        if let Some(challenge) = self.challenge() {
            response.insert_header((WWW_AUTHENTICATE, challenge));
        }
        if self.status_code() == StatusCode::SERVICE_UNAVAILABLE {
            let seconds = match self {
                HttpError::OverLimit => fastrand::u64(OVER_LIMIT_RETRY_MS) / 1_000,
                _ => u64::from(RETRY_AFTER_SECONDS),
            };
            response.insert_header((RETRY_AFTER, seconds));
        }
        response.json(json!({ "error": self.to_string(), "hint": self.hint() }))
    }
}
