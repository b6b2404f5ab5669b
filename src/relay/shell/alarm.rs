//! One timer for a stream that says when it wants to be polled again.

use std::pin::Pin;
use std::task::Context;
use std::time::Instant;

use actix_web::rt::time::{Sleep, sleep_until};

/// Wakes a task at a moment. Nothing is held for a stream that waits for none.
#[derive(Debug, Default)]
pub struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// Has the task woken at this moment, in place of the one before.
    pub fn set(&mut self, at: Option<Instant>, context: &mut Context<'_>) {
        let Some(at) = at.map(Into::into) else {
            self.0 = None;
            return;
        };
        let timer = self.0.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if timer.deadline() != at {
            timer.as_mut().reset(at);
        }
        // Past by now: the task looks at the clock again.
        if timer.as_mut().poll(context).is_ready() {
            context.waker().wake_by_ref();
        }
    }
}
