//! Why a view is not live, in words that anybody who may see the view may
//! read: fixed, since a server's own text may hold rows or settings. Pure.

use std::fmt;

/// What is wrong with an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// No connection.
    Unreachable,
    /// Connected, and not let in.
    LoginRefused,
    /// The gateway has no password: what gives it has failed.
    NoPassword,
    /// As many connections as it allows, or out of memory or disk.
    NoRoom,
    /// The role lacks a privilege.
    Denied,
    /// The view's expression fails for some of its rows.
    Evaluation,
    /// The snapshot is over the upstream's `max_result_size`.
    ResultTooLarge,
    /// The cluster is not there, or has no replica.
    NoCluster,
    /// The query was cancelled there.
    Cancelled,
    /// Another error of the upstream.
    Refused,
    /// The connection broke.
    Broken,
    /// The stream ended though the view still stands.
    Ended,
    /// Nothing came in time.
    Silent,
    /// What came contradicts itself or what came before.
    BadData,
    /// The catalog did not say in time what the stream is of.
    Unproven,
    /// The view is being looked for: what it was may be over.
    Changing,
    /// The upstream's version is not one that can be streamed from.
    Version,
    /// This gateway has no file left for its connection.
    NoFiles,
    /// This gateway has no thread for it.
    NoThread,
}

impl Cause {
    /// All of them.
    pub const ALL: [Cause; 19] = [
        Cause::Unreachable,
        Cause::LoginRefused,
        Cause::NoPassword,
        Cause::NoRoom,
        Cause::Denied,
        Cause::Evaluation,
        Cause::ResultTooLarge,
        Cause::NoCluster,
        Cause::Cancelled,
        Cause::Refused,
        Cause::Broken,
        Cause::Ended,
        Cause::Silent,
        Cause::BadData,
        Cause::Unproven,
        Cause::Changing,
        Cause::Version,
        Cause::NoFiles,
        Cause::NoThread,
    ];

    /// Whether it is the query that the upstream would not run. That the view is
    /// described in the next attempt says nothing against it then.
    pub fn is_of_the_query(self) -> bool {
        match self {
            Cause::NoRoom
            | Cause::Denied
            | Cause::Evaluation
            | Cause::ResultTooLarge
            | Cause::NoCluster
            | Cause::Cancelled
            | Cause::Refused
            | Cause::BadData => true,
            Cause::Unreachable
            | Cause::LoginRefused
            | Cause::NoPassword
            | Cause::Broken
            | Cause::Ended
            | Cause::Silent
            | Cause::Unproven
            | Cause::Changing
            | Cause::Version
            | Cause::NoFiles
            | Cause::NoThread => false,
        }
    }

    /// In one word, for metrics.
    pub fn word(self) -> &'static str {
        match self {
            Cause::Unreachable => "unreachable",
            Cause::LoginRefused => "login_refused",
            Cause::NoPassword => "no_password",
            Cause::NoRoom => "no_room",
            Cause::Denied => "denied",
            Cause::Evaluation => "evaluation_error",
            Cause::ResultTooLarge => "max_result_size",
            Cause::NoCluster => "no_cluster",
            Cause::Cancelled => "cancelled",
            Cause::Refused => "refused",
            Cause::Broken => "broken",
            Cause::Ended => "ended",
            Cause::Silent => "silent",
            Cause::BadData => "bad_data",
            Cause::Unproven => "unproven",
            Cause::Changing => "changing",
            Cause::Version => "version",
            Cause::NoFiles => "no_files",
            Cause::NoThread => "no_thread",
        }
    }

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Cause::Unreachable => "the upstream cannot be reached",
            Cause::LoginRefused => "the upstream refuses the login of the gateway's role",
            Cause::NoPassword => "the gateway's password for the upstream cannot be read",
            Cause::NoRoom => "the upstream has no room for another connection or query",
            Cause::Denied => {
                "permission denied: the gateway's role lacks a privilege on the view, its schema \
                 or its cluster"
            }
            Cause::Evaluation => "evaluation error: the view's expression fails for some row",
            Cause::ResultTooLarge => "the view is larger than the upstream's max_result_size",
            Cause::NoCluster => "the cluster of the view's query is not there or has no replica",
            Cause::Cancelled => "the view's query was cancelled at the upstream",
            Cause::Refused => "the upstream refused to stream the view",
            Cause::Broken => "the connection to the upstream broke",
            Cause::Ended => "the upstream ended the stream though the view still stands",
            Cause::Silent => "the upstream is silent",
            Cause::BadData => {
                "the upstream sent data that contradict each other; a new snapshot is awaited"
            }
            Cause::Unproven => "the catalog did not say in time which object the stream is of",
            Cause::Changing => "the stream ended and is begun anew; a snapshot is awaited",
            Cause::Version => "the upstream's version cannot be streamed from",
            Cause::NoFiles => "this gateway has no file left for the view's connection",
            Cause::NoThread => "this gateway has no thread left for the view",
        }
    }
}

/// A cause with the code that the server gave, if it gave one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason {
    /// What it is.
    pub cause: Cause,
    /// The SQLSTATE: five digits or upper-case letters.
    code: Option<[u8; 5]>,
}

impl Reason {
    /// Without a code.
    pub const fn new(cause: Cause) -> Self {
        Reason { cause, code: None }
    }

    /// With a SQLSTATE; what is not one is left out.
    pub fn with_code(cause: Cause, code: &str) -> Self {
        let is_code = |byte: &u8| byte.is_ascii_digit() || byte.is_ascii_uppercase();
        let code = <[u8; 5]>::try_from(code.as_bytes()).ok();
        Reason {
            cause,
            code: code.filter(|code| code.iter().all(is_code)),
        }
    }
}

impl From<Cause> for Reason {
    fn from(cause: Cause) -> Self {
        Reason::new(cause)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.cause.words())?;
        match self.code.as_ref().map(|code| std::str::from_utf8(code)) {
            Some(Ok(code)) => write!(f, " (SQLSTATE {code})"),
            _ => Ok(()),
        }
    }
}

/// Why a view is gone; what the clients of its streams are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It was dropped, or the role sees it no more.
    Dropped,
    /// There is another one in its place.
    Recreated,
    /// The name means another object now.
    Moved,
    /// It has another name now.
    Renamed,
    /// The gateway's role may not read it any more.
    Revoked,
    /// It has other columns.
    ColumnsChanged,
    /// The upstream's time went back.
    TimeWentBack,
    /// Final contents have changed.
    FinalChanged,
    /// It is over the gateway's limit.
    TooLarge,
    /// The gateway serves it no longer: no pattern finds it.
    GivenUp,
    /// The gateway's settings name it no longer.
    Removed,
    /// They say something else of it, and it is served anew.
    Redefined,
}

impl Why {
    /// All of them.
    pub const ALL: [Why; 12] = [
        Why::Dropped,
        Why::Recreated,
        Why::Moved,
        Why::Renamed,
        Why::Revoked,
        Why::ColumnsChanged,
        Why::TimeWentBack,
        Why::FinalChanged,
        Why::TooLarge,
        Why::GivenUp,
        Why::Removed,
        Why::Redefined,
    ];

    /// In one word, for metrics.
    pub fn word(self) -> &'static str {
        match self {
            Why::Dropped => "dropped",
            Why::Recreated => "recreated",
            Why::Moved => "moved",
            Why::Renamed => "renamed",
            Why::Revoked => "revoked",
            Why::ColumnsChanged => "columns_changed",
            Why::TimeWentBack => "time_went_back",
            Why::FinalChanged => "final_changed",
            Why::TooLarge => "too_large",
            Why::GivenUp => "given_up",
            Why::Removed => "removed",
            Why::Redefined => "redefined",
        }
    }

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Why::Dropped => "the view was dropped",
            Why::Recreated => "the view was dropped and created anew",
            Why::Moved => "the view's name was given to another one",
            Why::Renamed => "the view was renamed",
            Why::Revoked => "the gateway's role may not read the view any more",
            Why::ColumnsChanged => "the view's columns have changed",
            Why::TimeWentBack => "the upstream's time went back",
            Why::FinalChanged => "the upstream's contents changed without its time",
            Why::TooLarge => "the view is larger than this gateway serves",
            Why::GivenUp => "the view is not in the catalog any more and is not served",
            Why::Removed => "this gateway does not serve the view any more",
            Why::Redefined => "this gateway serves the view in another way now",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reason_has_the_code_only_where_it_is_one() {
        let shown = |code| Reason::with_code(Cause::Denied, code).to_string();
        assert!(shown("42501").ends_with("(SQLSTATE 42501)"));
        for code in ["", "4250", "425011", "<b>xx", "abcde", "42 01"] {
            assert_eq!(shown(code), Cause::Denied.words(), "{code}");
        }
    }

    #[test]
    fn reasons_differ_by_word_and_words() {
        let mut words: Vec<&str> = Cause::ALL.map(Cause::word).to_vec();
        words.extend(Why::ALL.map(Why::word));
        words.extend(Cause::ALL.map(Cause::words));
        words.extend(Why::ALL.map(Why::words));
        let all = words.len();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), all);
    }
}
