//! The thread of the catalog's watch, and the handle on it.

use std::collections::BTreeSet;
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::Instant;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use crate::connection::Connector;
use crate::model::reason::Reason;
use crate::tail::TailError;
use crate::tail::catalog::{
    CatalogEffect, CatalogReply, CatalogRequest, CatalogRules, CatalogWatch, Listed,
};
use crate::tail::inquiry::Inquiry;

use super::asker::Asker;
use super::view_threads::{ViewThreads, lock};

/// What the catalog is asked with.
#[derive(Clone)]
pub struct CatalogSettings {
    /// Where.
    pub connector: Connector,
    /// What it is asked, and how often.
    pub rules: CatalogRules,
}

impl CatalogSettings {
    /// The defaults for an upstream, without patterns.
    pub fn new(connector: impl Into<Connector>) -> Self {
        CatalogSettings {
            connector: connector.into(),
            rules: CatalogRules::default(),
        }
    }
}

/// A handle; the asking ends when all of them are dropped.
#[derive(Clone)]
pub struct Catalog {
    inner: Arc<Inner>,
    /// Rung when there is something to ask before the next time.
    bell: Sender<()>,
}

/// What the handles and the thread share.
#[derive(Default)]
struct Inner {
    tails: Mutex<Vec<(u64, Weak<ViewThreads>)>>,
    /// Keys given to tails so far.
    keys: AtomicU64,
    /// One for each tail at the most that waits for an answer.
    inquiries: Mutex<Vec<Inquiry>>,
    /// What the patterns name, unless it was fetched.
    listed: Mutex<Option<Listed>>,
    /// Why that is not known yet, unless it was fetched.
    unlisted: Mutex<Option<Reason>>,
}

impl Catalog {
    /// Starts the thread that asks. It connects when there is something to ask
    /// for, and without a server it waits for one.
    pub fn start(settings: CatalogSettings) -> Result<Self, TailError> {
        let inner = Arc::<Inner>::default();
        let (bell, rung) = bounded(1);
        let upstream_timeout = settings.rules.upstream_timeout;
        let mut driver = Driver {
            inner: Arc::clone(&inner),
            asker: Asker::new(settings.connector.completed(upstream_timeout)),
            watch: CatalogWatch::new(settings.rules, Instant::now()),
        };
        let started = thread::Builder::new()
            .name("catalog".to_string())
            .spawn(move || driver.run(&rung));
        started.map_err(|error| TailError::Thread {
            reason: error.to_string(),
        })?;
        Ok(Catalog { inner, bell })
    }

    /// What the patterns name, if it was found anew since the last call.
    pub fn take_listed(&self) -> Option<Listed> {
        lock(&self.inner.listed).take()
    }

    /// Why it is not known yet what all patterns name, if another attempt to find
    /// out has failed since the last call.
    pub fn take_unlisted(&self) -> Option<Reason> {
        lock(&self.inner.unlisted).take()
    }

    /// A key that no tail of this catalog has.
    pub(super) fn next_key(&self) -> u64 {
        self.inner.keys.fetch_add(1, Ordering::Relaxed)
    }

    /// From now on the tail is told when its view's name means another object.
    pub(super) fn register(&self, tail: &Arc<ViewThreads>) {
        let key = tail.tail().key();
        lock(&self.inner.tails).push((key, Arc::downgrade(tail)));
    }

    /// Hands an inquiry over.
    pub(super) fn inquire(&self, inquiry: Inquiry) {
        lock(&self.inner.inquiries).push(inquiry);
        // Full means that it is rung already.
        let _ = self.bell.try_send(());
    }
}

/// Carries on the watch's conversation.
struct Driver {
    inner: Arc<Inner>,
    asker: Asker,
    watch: CatalogWatch,
}

impl Driver {
    /// Runs until there is nobody left to ring the bell.
    fn run(&mut self, rung: &Receiver<()>) {
        let mut reply = CatalogReply::Begin;
        loop {
            let request = self.watch.next(reply, Instant::now());
            while let Some(effect) = self.watch.take_effect() {
                self.inner.tell(effect);
            }
            reply = match request {
                CatalogRequest::Rest { until } => {
                    let woken = match until {
                        Some(until) => rung.recv_deadline(until),
                        None => rung.recv().map_err(|_| RecvTimeoutError::Disconnected),
                    };
                    if woken == Err(RecvTimeoutError::Disconnected) {
                        return;
                    }
                    self.inner.woken()
                }
                CatalogRequest::Ask {
                    question,
                    limit,
                    anew,
                } => match self.asker.ask(question, limit, anew) {
                    Some(answer) => CatalogReply::Answered(answer),
                    None => CatalogReply::Silent,
                },
                CatalogRequest::Judge {
                    names,
                    facts,
                    asked,
                } => {
                    let names: BTreeSet<Vec<String>> = names.into_iter().collect();
                    let mut is_other = false;
                    for threads in self.inner.tails() {
                        let mut tail = threads.tail();
                        let is_named = names.contains(&tail.settings().view.parts);
                        is_other |= is_named && tail.judge(&facts, asked);
                        drop(tail);
                        threads.do_effects();
                    }
                    CatalogReply::Judged { is_other }
                }
            };
        }
    }
}

impl Inner {
    /// The tails that there are.
    fn tails(&self) -> Vec<Arc<ViewThreads>> {
        let mut tails = lock(&self.tails);
        let is_there = |tail: &Weak<ViewThreads>| {
            let tail = tail.upgrade();
            tail.is_some_and(|tail| !tail.tail().is_stopped())
        };
        tails.retain(|(_, tail)| is_there(tail));
        tails
            .iter()
            .filter_map(|(_, tail)| tail.upgrade())
            .collect()
    }

    fn woken(&self) -> CatalogReply {
        let inquiries = mem::take(&mut *lock(&self.inquiries));
        let watched = self.tails().into_iter();
        let watched = watched.filter_map(|tail| tail.tail().watched_name().map(<[_]>::to_vec));
        CatalogReply::Woken {
            inquiries,
            watched: watched.collect(),
        }
    }

    fn tell(&self, effect: CatalogEffect) {
        match effect {
            CatalogEffect::Denied { name, error, asked } => {
                for threads in self.tails() {
                    let mut tail = threads.tail();
                    if tail.settings().view.parts == name {
                        tail.revoked(&error, asked);
                    }
                    drop(tail);
                    threads.do_effects();
                }
            }
            CatalogEffect::Listed(listed) => *lock(&self.listed) = Some(listed),
            CatalogEffect::Unlisted(reason) => *lock(&self.unlisted) = Some(reason),
            CatalogEffect::Verdict {
                tail,
                stream,
                verdict,
            } => {
                let tails = lock(&self.tails);
                let asking = tails.iter().find(|(key, _)| *key == tail);
                // The one who asked may be gone.
                let asking = asking.and_then(|(_, tail)| tail.upgrade());
                drop(tails);
                if let Some(threads) = asking {
                    threads.tail().take_verdict(stream, verdict);
                    threads.ring();
                }
            }
        }
    }
}
