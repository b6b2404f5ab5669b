//! What the catalog's watch is given, wants and says.

use std::time::{Duration, Instant};

use crate::limits::{CATALOG_INTERVAL_DEFAULT, UPSTREAM_TIMEOUT_DEFAULT};
use crate::model::name::ViewName;
use crate::model::pattern::ViewPattern;
use crate::model::reason::Reason;
use crate::tail::conversation::{Answer, Question};
use crate::tail::dialect::Dialect;
use crate::tail::error::TailError;
use crate::tail::inquiry::{Inquiry, Verdict};
use crate::tail::names::Facts;

/// What the catalog is watched by.
#[derive(Clone, Debug)]
pub struct CatalogRules {
    /// The patterns whose relations are looked for.
    pub patterns: Vec<ViewPattern>,
    /// How often it is asked.
    pub interval: Duration,
    /// How long a question may take at the most.
    pub upstream_timeout: Duration,
    /// `None` asks the server.
    pub dialect: Option<Dialect>,
    /// Whether it is asked if the role may still read what is streamed.
    pub asks_for_privileges: bool,
    /// How large a view may be here: a server whose own limit is lower is
    /// warned of. `None` does not ask for that.
    pub view_bytes_max: Option<u64>,
}

impl Default for CatalogRules {
    fn default() -> Self {
        CatalogRules {
            patterns: Vec::new(),
            interval: CATALOG_INTERVAL_DEFAULT,
            upstream_timeout: UPSTREAM_TIMEOUT_DEFAULT,
            dialect: None,
            asks_for_privileges: false,
            view_bytes_max: None,
        }
    }
}

/// The relations that the patterns name and the role may read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// In the order of the patterns.
    pub names: Vec<ViewName>,
    /// Whether each pattern has been answered at least once.
    pub is_whole: bool,
}

/// What is to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CatalogRequest {
    /// Wait until then, for ever if `None`, or until there is an inquiry.
    Rest {
        /// When the next round is due.
        until: Option<Instant>,
    },
    /// Ask this, on the connection of the question before if there is one.
    Ask {
        /// What.
        question: Question,
        /// How long the answer is waited for. After that the connection is
        /// left, whatever it does, and the reply is `CatalogReply::Silent`.
        limit: Duration,
        /// On a connection of its own.
        anew: bool,
    },
    /// Have each tail whose name is one of these judge what the catalog says.
    Judge {
        /// By their parts.
        names: Vec<Vec<String>>,
        /// What the catalog says of them.
        facts: Facts,
        /// When the question began.
        asked: Instant,
    },
}

/// What came of a request.
#[derive(Clone, Debug)]
pub enum CatalogReply {
    /// Nothing was requested yet.
    Begin,
    /// To `CatalogRequest::Rest`.
    Woken {
        /// Those that came since the last time.
        inquiries: Vec<Inquiry>,
        /// What each tail has as its `watched_name`.
        watched: Vec<Vec<String>>,
    },
    /// To `CatalogRequest::Ask`.
    Answered(Result<Answer, TailError>),
    /// To `CatalogRequest::Ask`: no answer came in time.
    Silent,
    /// To `CatalogRequest::Judge`.
    Judged {
        /// Whether some name means another object than before.
        is_other: bool,
    },
}

/// What others are to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CatalogEffect {
    /// The answer to an inquiry.
    Verdict {
        /// The key of the tail that asked.
        tail: u64,
        /// Which of its streams it is about.
        stream: u64,
        /// The answer.
        verdict: Verdict,
    },
    /// The role may not read what this name means any more.
    Denied {
        /// By its parts.
        name: Vec<String>,
        /// What the server says.
        error: TailError,
        /// When the question began.
        asked: Instant,
    },
    /// What the patterns name.
    Listed(Listed),
    /// What all patterns name is not known yet, for this reason.
    Unlisted(Reason),
}
