//! One actor per view and HTTP worker: looks after the thread's view when there
//! is news, and writes to its sockets, one after the other, which is all that
//! fan-out has to cost.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use actix::{Actor, Addr, Context, Handler, Message};
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

    fn handle(&mut self, _: Wake, _: &mut Self::Context) {
        // Lowered before looking: news that comes meanwhile wakes us again.
        self.pending.lower();
        let mut step = self.thread.borrow_mut().news(Instant::now());
        if step == Step::Write {
            step = write(&self.thread);
        }
        if step != Step::Done {
            spawn(go_on(Rc::clone(&self.thread), step));
        }
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
