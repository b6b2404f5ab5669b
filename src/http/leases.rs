//! Streams that end with a token, and may go on with a newer one.
//!
//! Each is known by an id of 128 random bits that only its own response tells.
//! Whoever knows the id and has a token of the same subject, that grants the
//! same views and the same rows, puts the stream's end off to that token's.
//!
//! When the rules change that streams were let in by, those whose token, or whose
//! page's origin, counts no more are ended.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use ring::rand::{SecureRandom as _, SystemRandom};
use serde_json::Value;

use crate::limits::{LEASES_SWEPT_FROM, RENEWAL_INTERVAL_MIN};
use crate::relay::subscribe::expiry::Lease;

use super::error::HttpError;
use super::window::Shown;

/// What a stream is known by: hard to guess, and told to nobody else.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct StreamId([u8; 16]);

impl StreamId {
    /// A new one; `None` if the system has no random bits.
    fn random() -> Option<StreamId> {
        let mut bytes = [0; 16];
        SystemRandom::new().fill(&mut bytes).ok()?;
        Some(StreamId(bytes))
    }

    /// Reads what `Display` writes.
    pub fn parse(text: &str) -> Option<StreamId> {
        let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if text.len() != 32 || !is_hex {
            return None;
        }
        let number = u128::from_str_radix(text, 16).ok()?;
        Some(StreamId(number.to_be_bytes()))
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// What of a token matters here.
#[derive(Clone, Copy)]
pub struct Bearer<'a> {
    /// The token.
    pub token: &'a Arc<str>,
    /// Whose it is (`sub`), if it says so.
    pub subject: Option<&'a Value>,
    /// How long a stream that begins now may last.
    pub lasts: Duration,
}

/// What a stream is served for, and by which rules.
#[derive(Clone, Copy)]
pub struct Terms<'a> {
    /// Whose token it is, if one is asked for.
    pub bearer: Option<Bearer<'a>>,
    /// The other origin whose page reads it, if one does.
    pub origin: Option<&'a str>,
    /// The edition of the rules.
    pub edition: u64,
}

/// The streams of all workers. A clone has the same.
#[derive(Clone, Default)]
pub struct Leases(Arc<Mutex<Book>>);

#[derive(Default)]
struct Book {
    held: HashMap<StreamId, Held>,
    /// Those that nobody can put off.
    nameless: Vec<Held>,
    /// The rules that all of them were judged by.
    edition: u64,
    /// Those whose stream has ended are swept out when there are so many.
    sweep_at: usize,
}

struct Held {
    lease: Weak<Lease>,
    token: Option<Arc<str>>,
    origin: Option<Arc<str>>,
    subject: Option<Value>,
    views: Vec<Shown>,
    renewed: Option<Instant>,
}

impl Held {
    /// Whether the stream is served yet.
    fn is_alive(&self) -> bool {
        self.lease.strong_count() > 0
    }
}

impl Book {
    /// Drops those whose stream has ended, where there are many.
    fn sweep(&mut self) {
        let count = self.held.len().saturating_add(self.nameless.len());
        if count >= self.sweep_at {
            self.held.retain(|_, held| held.is_alive());
            self.nameless.retain(Held::is_alive);
            let left = self.held.len().saturating_add(self.nameless.len());
            self.sweep_at = LEASES_SWEPT_FROM.max(left.saturating_mul(2));
        }
    }
}

impl Leases {
    /// The lease of a stream that begins on these terms; and its id, where a newer
    /// token can put its end off.
    pub fn begin(
        &self,
        terms: Terms<'_>,
        views: Vec<Shown>,
        now: Instant,
    ) -> (Arc<Lease>, Option<StreamId>) {
        let bearer = terms.bearer;
        let lasts = bearer.map_or(Duration::MAX, |bearer| bearer.lasts);
        let lease = Lease::new(now, lasts);
        let id = bearer.and_then(|_| StreamId::random());
        let held = Held {
            lease: Arc::downgrade(&lease),
            token: bearer.map(|bearer| Arc::clone(bearer.token)),
            origin: terms.origin.map(Arc::from),
            subject: bearer.and_then(|bearer| bearer.subject.cloned()),
            views,
            renewed: None,
        };
        self.with(|book| {
            if terms.edition < book.edition {
                // The rules have changed since it was judged: it comes back.
                lease.recall();
            }
            book.sweep();
            match id {
                Some(id) => drop(book.held.insert(id, held)),
                None => book.nameless.push(held),
            }
        });
        (lease, id)
    }

    /// The rules are of this edition now: recalls each lease whose token and origin
    /// `are_good` says no of. How many that were.
    pub fn judge(
        &self,
        edition: u64,
        are_good: impl Fn(Option<&str>, Option<&str>) -> bool,
    ) -> usize {
        // A key takes its time, and others are not to wait for it.
        let all: Vec<_> = self.with(|book| {
            book.edition = edition;
            let all = book.held.values().chain(&book.nameless);
            all.map(|it| (it.lease.clone(), it.token.clone(), it.origin.clone()))
                .collect()
        });
        let mut recalled = 0;
        for (lease, token, origin) in all {
            if let Some(lease) = lease.upgrade()
                && !are_good(token.as_deref(), origin.as_deref())
            {
                lease.recall();
                recalled += 1;
            }
        }
        recalled
    }

    /// Has a stream go on until this token ends, and says how long that is. The token
    /// was judged by this edition of the rules; `is_same` is whether it shows just as
    /// much of a view.
    pub fn renew(
        &self,
        id: StreamId,
        (token, edition): (Bearer<'_>, u64),
        is_same: impl Fn(&Shown) -> Result<bool, HttpError>,
        now: Instant,
    ) -> Result<Duration, HttpError> {
        self.with(|book| {
            let held = book.held.get_mut(&id).ok_or(HttpError::NoStream)?;
            let Some(lease) = held.lease.upgrade().filter(|lease| !lease.is_over(now)) else {
                book.held.remove(&id);
                return Err(HttpError::NoStream);
            };
            // In the same words as an id that nobody has: whose stream it is, is
            // told to nobody.
            if held.subject.as_ref() != token.subject || edition < book.edition {
                return Err(HttpError::NoStream);
            }
            for view in &held.views {
                if !is_same(view)? {
                    return Err(HttpError::OtherRows);
                }
            }
            let is_often = |at: Instant| now.saturating_duration_since(at) < RENEWAL_INTERVAL_MIN;
            if held.renewed.is_some_and(is_often) {
                return Err(HttpError::OftenRenewed);
            }
            held.renewed = Some(now);
            held.token = Some(Arc::clone(token.token));
            lease.prolong(now, token.lasts);
            Ok(lease.left(now))
        })
    }

    fn with<T>(&self, change: impl FnOnce(&mut Book) -> T) -> T {
        // Every state in here is valid between two statements.
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stream_ids_are_all_different_and_read_back() {
        let ids: Vec<StreamId> = (0..1_000).filter_map(|_| StreamId::random()).collect();
        let all: std::collections::HashSet<_> = ids.iter().copied().collect();
        assert_eq!(all.len(), 1_000);
        for id in ids {
            let text = id.to_string();
            assert_eq!(text.len(), 32);
            assert!(StreamId::parse(&text) == Some(id));
        }
        for bad in ["", "0", &"g".repeat(32), &"0".repeat(33), &"+".repeat(32)] {
            assert!(StreamId::parse(bad).is_none(), "{bad}");
        }
    }
}
