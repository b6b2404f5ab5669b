//! How often what was answered: by status, and tokens that were refused by why.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::access::denied::Denied;

/// The statuses of our answers.
pub const STATUSES: [u16; 15] = [
    200, 204, 304, 308, 400, 401, 403, 404, 405, 406, 408, 417, 431, 500, 503,
];

/// Why a request has no access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAccess {
    /// It has no token.
    Missing,
    /// It has several in one place.
    Ambiguous,
    /// No key has been read yet.
    NoKeys,
    /// Its token is not good.
    Denied(Denied),
}

impl NoAccess {
    /// All of them.
    pub const ALL: [NoAccess; 13] = [
        NoAccess::Missing,
        NoAccess::Ambiguous,
        NoAccess::NoKeys,
        NoAccess::Denied(Denied::TooLong),
        NoAccess::Denied(Denied::Malformed),
        NoAccess::Denied(Denied::Algorithm),
        NoAccess::Denied(Denied::UnknownKey),
        NoAccess::Denied(Denied::Signature),
        NoAccess::Denied(Denied::Issuer),
        NoAccess::Denied(Denied::Audience),
        NoAccess::Denied(Denied::Claims),
        NoAccess::Denied(Denied::Expired),
        NoAccess::Denied(Denied::NotYet),
    ];

    /// Why, if it may be a mistake in what issuer and gateway were told of each other,
    /// and is not what every token comes to in time.
    pub fn mistaken(self) -> Option<Denied> {
        use Denied::{Algorithm, Audience, Claims, Issuer, Signature, UnknownKey};
        match self {
            NoAccess::Denied(
                denied @ (Algorithm | UnknownKey | Signature | Issuer | Audience | Claims),
            ) => Some(denied),
            _ => None,
        }
    }

    /// The word for it in metrics.
    pub fn word(self) -> &'static str {
        match self {
            NoAccess::Missing => "missing",
            NoAccess::Ambiguous => "ambiguous",
            NoAccess::NoKeys => "no_keys",
            NoAccess::Denied(denied) => denied.word(),
        }
    }
}

/// What became of settings that were read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reloaded {
    /// They were good: what of them can change has changed.
    Taken,
    /// One of them was not good: the old ones stay.
    Refused,
}

impl Reloaded {
    /// All of them.
    pub const ALL: [Reloaded; 2] = [Reloaded::Taken, Reloaded::Refused];

    /// The word for it in metrics.
    pub fn word(self) -> &'static str {
        match self {
            Reloaded::Taken => "ok",
            Reloaded::Refused => "refused",
        }
    }
}

/// The counts of all workers.
#[derive(Debug, Default)]
pub struct Counts {
    reloads: [AtomicU64; Reloaded::ALL.len()],
    answers: [AtomicU64; STATUSES.len()],
    others: AtomicU64,
    no_access: [AtomicU64; NoAccess::ALL.len()],
}

impl Counts {
    /// A request was answered; a stream is, when it begins.
    pub fn count_answer(&self, status: u16) {
        let at = STATUSES.iter().position(|known| *known == status);
        let counter = at.and_then(|at| self.answers.get(at));
        counter
            .unwrap_or(&self.others)
            .fetch_add(1, Ordering::Relaxed);
    }

    /// A request was refused for its token; whether it is the first for this reason.
    pub fn count_no_access(&self, why: NoAccess) -> bool {
        count(&NoAccess::ALL, &self.no_access, &why)
    }

    /// Settings were read again.
    pub fn count_reload(&self, reloaded: Reloaded) {
        let _ = count(&Reloaded::ALL, &self.reloads, &reloaded);
    }

    /// How often settings were read again, by what became of it.
    pub fn reloads(&self) -> impl Iterator<Item = (&'static str, u64)> {
        counted(Reloaded::ALL.map(Reloaded::word), &self.reloads)
    }

    /// Answers so far: each status, or `other`, and how many.
    pub fn answers(&self) -> impl Iterator<Item = (String, u64)> {
        let known = STATUSES.iter().map(ToString::to_string).zip(&self.answers);
        let other = std::iter::once(("other".to_owned(), &self.others));
        let all = known.chain(other);
        all.map(|(status, counter)| (status, counter.load(Ordering::Relaxed)))
    }

    /// Refusals so far: each reason, and how many.
    pub fn no_access(&self) -> impl Iterator<Item = (&'static str, u64)> {
        counted(NoAccess::ALL.map(NoAccess::word), &self.no_access)
    }
}

/// One more of a kind; whether it is the first.
fn count<K: PartialEq>(kinds: &[K], counters: &[AtomicU64], kind: &K) -> bool {
    let at = kinds.iter().position(|known| known == kind);
    let counter = at.and_then(|at| counters.get(at));
    counter.is_some_and(|counter| counter.fetch_add(1, Ordering::Relaxed) == 0)
}

/// How many of each kind there were, by its word.
fn counted<const N: usize>(
    words: [&'static str; N],
    counters: &[AtomicU64; N],
) -> impl Iterator<Item = (&'static str, u64)> {
    let all = words.into_iter().zip(counters);
    all.map(|(word, counter)| (word, counter.load(Ordering::Relaxed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_by_status_and_by_reason() {
        let counts = Counts::default();
        counts.count_answer(200);
        counts.count_answer(299);
        assert!(counts.count_no_access(NoAccess::Denied(Denied::Expired)));
        let answers: Vec<_> = counts.answers().filter(|(_, count)| *count > 0).collect();
        assert_eq!(answers, [("200".to_owned(), 1), ("other".to_owned(), 1)]);
        let refused: Vec<_> = counts.no_access().filter(|(_, count)| *count > 0).collect();
        assert_eq!(refused, [("expired", 1)]);
    }
}
