//! One stream: a cursor into the thread's copy of the log.
//!
//! Nothing is queued for a subscriber. It is asked for bytes when its socket
//! has room, and answers from where it stands; nobody ever waits for it.

use std::any::Any;
use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::rt::time::{Sleep, sleep};
use bytes::Bytes;

use crate::limits::{AHEAD_WAIT, BASE_SLICE_BYTES, RETRY_MS};
use crate::model::position::Position;
use crate::model::retention::{Cursor, Resume};

use super::counters::{End, Outcome, StreamCounters};
use super::frame::{Base, COMMENT, Frame, REASON_CLOSING, farewell, retry};
use super::relay::{Local, LocalLog, Next, Waiter};
use super::shared::{LOTS, SharedView};

/// Where a stream is in its life.
enum Stage {
    /// Nothing sent yet.
    Opening,
    /// Waits for a log, a base, or for the log to reach a position.
    Joining,
    /// Sends a base, this much of it being out.
    Base {
        log: Rc<RefCell<LocalLog>>,
        base: Arc<Base>,
        sent: usize,
    },
    /// Follows the log.
    Following {
        log: Rc<RefCell<LocalLog>>,
        cursor: Cursor,
    },
    /// Ends, or has ended.
    Ended,
}

/// A browser's stream, as a source of bytes.
pub struct Subscriber {
    waiter: Waiter,
    shared: Arc<SharedView>,
    stage: Stage,
    /// What the client said it has; forgotten once it was of use, or of none.
    resume: Option<Position>,
    /// Runs while the client is ahead of this gateway.
    ahead: Option<Pin<Box<Sleep>>>,
    /// Silent intervals already answered with a comment.
    silences: u64,
    /// Drawn at random: when it ends at a shutdown.
    lot: u16,
    counters: Arc<StreamCounters>,
    /// Why it ended, once it has.
    end: End,
    /// Runs until the stream has to end, if it has to.
    expiry: Option<Pin<Box<Sleep>>>,
    /// Whatever is to be let go when the stream has ended.
    _kept: Box<dyn Any>,
}

impl Subscriber {
    /// A stream of the view, from a position if it can be resumed; it keeps
    /// what it is given until it has ended.
    pub fn new(local: &Rc<RefCell<Local>>, resume: Option<Position>, kept: impl Any) -> Self {
        let (shared, silences, counters) = {
            let local = local.borrow();
            let counters = Arc::clone(&local.counters);
            (Arc::clone(&local.shared), local.silences, counters)
        };
        shared.subscribe();
        Subscriber {
            waiter: Waiter::new(local),
            shared,
            stage: Stage::Opening,
            resume,
            ahead: None,
            silences,
            lot: fastrand::u16(LOTS),
            counters,
            end: End::Left,
            expiry: None,
            _kept: Box::new(kept),
        }
    }

    /// Ends the stream after this time, between two events.
    pub fn end_after(&mut self, time: Duration) {
        self.expiry = Some(Box::pin(sleep(time)));
    }

    /// The next bytes of the stream; `None` at its end, which is always between
    /// two events.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let next = self.poll_stage(context);
        if let Poll::Ready(Some(bytes)) = &next {
            self.counters.count_bytes(bytes.len());
        }
        next
    }

    fn poll_stage(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let is_expired = self.is_expired(context);
        loop {
            match &mut self.stage {
                Stage::Opening => {
                    self.stage = Stage::Joining;
                    return Poll::Ready(Some(retry(fastrand::u64(RETRY_MS))));
                }
                Stage::Joining | Stage::Following { .. } if is_expired => self.finish(End::Expired),
                Stage::Joining => match self.join(context) {
                    Poll::Ready(Some(bytes)) => return Poll::Ready(Some(bytes)),
                    Poll::Ready(None) => {}
                    Poll::Pending => return Poll::Pending,
                },
                Stage::Base { log, base, sent } => {
                    let end = base.bytes.len().min(sent.saturating_add(BASE_SLICE_BYTES));
                    if *sent < end {
                        if *sent == 0 {
                            self.counters.count_frame();
                        }
                        let slice = base.bytes.slice(*sent..end);
                        *sent = end;
                        return Poll::Ready(Some(slice));
                    }
                    let (log, timestamp) = (Rc::clone(log), base.position.timestamp);
                    let found = log.borrow().frames.since(timestamp);
                    if let Some(bytes) = self.follow(log, found) {
                        return Poll::Ready(Some(bytes));
                    }
                }
                Stage::Following { log, cursor } => {
                    if self.shared.ends(self.lot) {
                        return Poll::Ready(Some(self.say_farewell()));
                    }
                    let next = log.borrow_mut().next(*cursor);
                    match next {
                        Next::Bytes(bytes, place) => {
                            self.counters.count_frame();
                            if place != cursor.next() {
                                self.counters.count_compacted();
                            }
                            *cursor = place;
                            return Poll::Ready(Some(bytes));
                        }
                        Next::Nothing => return self.wait(context),
                        Next::Ended => self.finish(End::Gone),
                        Next::Forgotten => self.finish(End::Slow),
                    }
                }
                Stage::Ended => return Poll::Ready(None),
            }
        }
    }

    fn finish(&mut self, end: End) {
        self.end = end;
        self.stage = Stage::Ended;
    }

    /// The last words at a shutdown: another gateway may answer whoever comes
    /// back, but not all of them at once.
    fn say_farewell(&mut self) -> Bytes {
        self.finish(End::Shutdown);
        farewell(fastrand::u64(RETRY_MS), REASON_CLOSING)
    }

    /// Whether the time is over that the stream may last.
    fn is_expired(&mut self, context: &mut Context<'_>) -> bool {
        let expiry = self.expiry.as_mut();
        expiry.is_some_and(|expiry| expiry.as_mut().poll(context).is_ready())
    }

    fn wait(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.waiter.wait(context.waker());
        Poll::Pending
    }

    /// Finds the place to begin. `Ready(None)` where the stage has changed.
    fn join(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.shared.ends(self.lot) {
            return Poll::Ready(Some(self.say_farewell()));
        }
        let Some(log) = self.waiter.current_log() else {
            return self.wait_with_comments(context);
        };
        if let Some(position) = self.resume {
            let found = log.borrow_mut().resume(position);
            match found {
                Resume::UpToDate(_) | Resume::Deltas(_) => {
                    self.counters.count_resume(match found {
                        Resume::UpToDate(_) => Outcome::UpToDate,
                        _ => Outcome::Deltas,
                    });
                    return Poll::Ready(self.follow(log, found));
                }
                Resume::Ahead if !self.patience_is_over(context) => {
                    return self.wait_with_comments(context);
                }
                Resume::Ahead => {
                    self.counters.count_resume(Outcome::Ahead);
                    self.resume = None;
                }
                Resume::Base => {
                    self.counters.count_resume(Outcome::Base);
                    self.resume = None;
                }
            }
        }
        let base = log.borrow().base.clone();
        match base {
            Some(base) => {
                self.stage = Stage::Base { log, base, sent: 0 };
                Poll::Ready(None)
            }
            None => {
                self.waiter.want_base();
                self.wait_with_comments(context)
            }
        }
    }

    /// Begins to follow the log; the bytes say that the upstream is lost, if
    /// it is, since the frame that said so may be behind the cursor.
    fn follow(&mut self, log: Rc<RefCell<LocalLog>>, found: Resume) -> Option<Bytes> {
        self.ahead = None;
        self.resume = None;
        let (Resume::UpToDate(cursor) | Resume::Deltas(cursor)) = found else {
            // The base is not continued by the log any more: the client was
            // too slow for it, and comes back for another one.
            self.finish(End::Slow);
            return None;
        };
        let lost = log.borrow_mut().is_lost_at(cursor);
        self.stage = Stage::Following { log, cursor };
        lost.then(|| Frame::upstream(false).bytes)
    }

    /// Whether a client that is ahead has waited long enough.
    fn patience_is_over(&mut self, context: &mut Context<'_>) -> bool {
        let timer = self
            .ahead
            .get_or_insert_with(|| Box::pin(sleep(AHEAD_WAIT)));
        timer.as_mut().poll(context).is_ready()
    }

    /// Waits for news; each silent interval is answered with a comment, which
    /// keeps proxies from closing a stream that has no base yet.
    fn wait_with_comments(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let silences = self.waiter.local().silences;
        if silences != self.silences {
            self.silences = silences;
            return Poll::Ready(Some(Bytes::from_static(COMMENT)));
        }
        self.wait(context)
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.shared.unsubscribe();
        self.counters.count_end(self.end);
    }
}
