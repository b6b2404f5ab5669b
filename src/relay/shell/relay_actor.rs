//! One actor per view and HTTP worker: looks after the thread's view when there
//! is news, and writes to its sockets, one after the other, which is all that
//! fan-out has to cost.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message, SpawnHandle};
use actix_web::rt::spawn;
use actix_web::rt::time::sleep;
use tokio::task::yield_now;

use crate::relay::shared_view::SharedView;
use crate::relay::shell::publisher_actor::{PublisherActor, Wake as WakePublisher};
use crate::relay::thread::round::Step;
use crate::relay::thread::thread_view::ThreadView;
use crate::relay::wake_flag::WakeFlag;

/// There is news in the shared view. Carries nothing: the log has it all, so
/// one pending wake is as good as a thousand.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Wake;

/// The actor; its state is shared with the subscribers of its thread.
pub struct Relay {
    thread: Rc<RefCell<ThreadView>>,
    pending: Arc<WakeFlag>,
    /// The timer of windows' heartbeats, and when it goes off.
    timer: Option<(SpawnHandle, Instant)>,
}

impl Relay {
    /// Starts a relay on this thread and attaches it to the view.
    pub fn attach(
        shared: &Arc<SharedView>,
        publisher: &Addr<PublisherActor>,
    ) -> Rc<RefCell<ThreadView>> {
        let publisher = publisher.clone();
        let wake_publisher = Box::new(move || publisher.do_send(WakePublisher));
        let thread = ThreadView::new(Arc::clone(shared), wake_publisher);
        let thread = Rc::new(RefCell::new(thread));
        let pending = Arc::new(WakeFlag::default());
        let relay = Relay {
            thread: Rc::clone(&thread),
            pending: Arc::clone(&pending),
            timer: None,
        };
        let addr = relay.start();
        shared.attach(Box::new(move || {
            if pending.raise() {
                addr.do_send(Wake);
            }
            addr.connected()
        }));
        thread
    }
}

impl Actor for Relay {
    type Context = Context<Self>;
}

impl Handler<Wake> for Relay {
    type Result = ();

    fn handle(&mut self, _: Wake, context: &mut Self::Context) {
        // Lowered before looking: news that comes meanwhile wakes us again.
        self.pending.lower();
        let step = self.thread.borrow_mut().news(Instant::now());
        self.serve(step);
        self.set_timer(context);
    }
}

impl Relay {
    /// Writes to the sockets, as far as that is to be done now.
    fn serve(&self, mut step: Step) {
        if step == Step::Write {
            step = write(&self.thread);
        }
        if step != Step::Done {
            spawn(go_on(Rc::clone(&self.thread), step));
        }
    }

    /// Sees to it that windows' heartbeats are sent when they are due.
    fn set_timer(&mut self, context: &mut Context<Self>) {
        let Some(due) = self.thread.borrow().wake_at() else {
            return;
        };
        if self.timer.as_ref().is_some_and(|(_, at)| *at <= due) {
            return;
        }
        if let Some((later, _)) = self.timer.take() {
            context.cancel_future(later);
        }
        let wait = due.saturating_duration_since(Instant::now());
        let timer = context.run_later(wait, |relay, context| {
            relay.timer = None;
            let step = relay.thread.borrow_mut().beat(Instant::now());
            relay.serve(step);
            relay.set_timer(context);
        });
        self.timer = Some((timer, due));
    }
}

fn write(thread: &RefCell<ThreadView>) -> Step {
    let mut thread = thread.borrow_mut();
    thread.write(Instant::now());
    thread.written(Instant::now())
}

/// Goes on with a round.
async fn go_on(thread: Rc<RefCell<ThreadView>>, mut step: Step) {
    loop {
        match step {
            Step::Write => {}
            Step::Yield => yield_now().await,
            Step::Rest(rest) => sleep(rest).await,
            Step::Done => return,
        }
        step = write(&thread);
    }
}

#[cfg(test)]
mod tests;
