//! What the shells of a gateway's actors and sockets do.

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use viewcast::gateway::drain;
use viewcast::limits::PUBLISH_RUN_EVENTS;
use viewcast::relay::publish::publisher::Again;
use viewcast::relay::thread::round::Step;

use crate::client::Served;
use crate::gateway::{Bell, Life, Stage, Woken};
use crate::socket::Pipe;
use crate::windows::Kind;
use crate::world::{Task, World, micros};

/// A connection, as the gateway has it. It stays until the gateway finds that
/// the client has left.
pub struct Stream {
    pub life: Life,
    /// The views that it is of, and which window of each.
    pub slots: Vec<(usize, Kind)>,
    pub address: IpAddr,
    pub pipe: Rc<Pipe>,
    pub served: Served,
    pub wake_us: Option<u64>,
    /// When its client has left.
    pub left_us: Option<u64>,
}

/// So long a client may have left before its stream is over.
const LEFT_US: u64 = 500_000;

impl Stream {
    /// Whether it is kept though its client has left. Of a client that had closed its
    /// side before, it is noticed by what is written next: at a heartbeat.
    pub fn is_left(&self, now_us: u64, heartbeat_us: u64) -> bool {
        let in_time_us = match self.pipe.is_half_closed() {
            true => LEFT_US + heartbeat_us,
            false => LEFT_US,
        };
        self.left_us.is_some_and(|left| now_us > left + in_time_us)
    }
}

/// Wakes the task of a stream.
struct StreamWaker {
    bell: Bell,
    woken: Woken,
}

impl Wake for StreamWaker {
    fn wake(self: Arc<Self>) {
        self.bell.ring(self.woken);
    }
}

/// Asks a body for bytes as long as there is room; whether it is over.
fn fill(pipe: &Pipe, waker: &Waker, mut poll: impl FnMut() -> Poll<Option<bytes::Bytes>>) -> bool {
    while pipe.room() > 0 {
        match poll() {
            Poll::Ready(Some(bytes)) => pipe.push(&bytes),
            Poll::Ready(None) => return true,
            Poll::Pending => return false,
        }
    }
    pipe.when_room(waker);
    false
}

/// A body without room is not asked for more, but may be due to end.
fn cut_if(pipe: &Pipe, is_due: bool) -> bool {
    if is_due {
        pipe.reset();
    }
    is_due
}

impl World {
    /// The publisher takes what there is, or its deadline has come.
    pub fn publish(&mut self, life: Life, slot: usize) {
        let now = self.now();
        let mut handled = 0;
        loop {
            let Some(gateway) = self.gateway(life) else {
                return;
            };
            let it = &mut gateway.slots[slot];
            if it.stage == Stage::Over {
                return;
            }
            let Some(event) = it.channel.pop_front() else {
                break;
            };
            let again = it.publisher.handle(event, now);
            match again {
                Some(Again::Inconsistent { reason, held }) => it.tail.resync(&reason, held),
                Some(Again::TooLarge) => it.tail.too_large(),
                None => {}
            }
            self.note_log_of(life, slot);
            self.note_state(life, slot);
            self.heed(life, slot, None);
            handled += 1;
            if handled >= PUBLISH_RUN_EVENTS {
                self.bell.ring(Woken::Publisher { life, slot });
                break;
            }
        }
        let now_us = self.now_us;
        let Some(gateway) = self.gateway(life) else {
            return;
        };
        let it = &mut gateway.slots[slot];
        it.publisher.look(now);
        let deadline = it.publisher.wake_at();
        let known = it.deadline_us.filter(|known| *known > now_us);
        if let Some(deadline) = deadline {
            let at = self.moment(deadline).max(self.now_us + 1);
            if known.is_none_or(|known| at < known) {
                if let Some(gateway) = self.gateway(life) {
                    gateway.slots[slot].deadline_us = Some(at);
                }
                self.at(at, Task::Deadline { life, slot });
            }
        }
        self.note_log_of(life, slot);
        self.note_state(life, slot);
    }

    /// A thread of the HTTP server looks at news.
    pub fn relay(&mut self, life: Life, slot: usize, worker: usize) {
        let now = self.now().instant;
        let Some(gateway) = self.gateway(life) else {
            return;
        };
        let thread = Rc::clone(&gateway.slots[slot].threads[worker]);
        let step = thread.borrow_mut().news(now);
        self.follow_step(step, life, slot, worker);
        self.set_beat(life, slot, worker);
    }

    /// It sends the heartbeats of windows that are due.
    pub fn beat(&mut self, life: Life, slot: usize, worker: usize) {
        let (now, now_us) = (self.now().instant, self.now_us);
        let Some(gateway) = self.gateway(life) else {
            return;
        };
        let it = &mut gateway.slots[slot];
        if it.beats[worker] != Some(now_us) {
            // Another time was set since.
            return;
        }
        it.beats[worker] = None;
        let thread = Rc::clone(&it.threads[worker]);
        let step = thread.borrow_mut().beat(now);
        self.follow_step(step, life, slot, worker);
        self.set_beat(life, slot, worker);
    }

    /// Sees to it that windows' heartbeats are sent when they are due.
    fn set_beat(&mut self, life: Life, slot: usize, worker: usize) {
        let Some(gateway) = self.gateway(life) else {
            return;
        };
        let due = gateway.slots[slot].threads[worker].borrow().wake_at();
        let Some(due) = due.map(|due| self.moment(due).max(self.now_us + 1)) else {
            return;
        };
        let Some(gateway) = self.gateway(life) else {
            return;
        };
        let known = &mut gateway.slots[slot].beats[worker];
        if known.is_some_and(|at| at <= due) {
            return;
        }
        *known = Some(due);
        self.at(due, Task::Beat { life, slot, worker });
    }

    /// It writes to the next sockets.
    pub fn write(&mut self, life: Life, slot: usize, worker: usize) {
        let now = self.now().instant;
        let Some(gateway) = self.gateway(life) else {
            return;
        };
        let thread = Rc::clone(&gateway.slots[slot].threads[worker]);
        thread.borrow_mut().write(now);
        let step = thread.borrow_mut().written(now);
        self.follow_step(step, life, slot, worker);
    }

    fn follow_step(&mut self, step: Step, life: Life, slot: usize, worker: usize) {
        let task = Task::Write { life, slot, worker };
        match step {
            Step::Write => self.write(life, slot, worker),
            Step::Yield => {
                let soon = self.dice.between(1, 200);
                self.after(soon, task);
            }
            Step::Rest(time) => self.after(micros(time), task),
            Step::Done => {}
        }
    }

    /// The task of a client's stream runs.
    pub fn poll_stream(&mut self, client: usize, epoch: u64) {
        let now = self.now().instant;
        let woken = Woken::Stream { client, epoch };
        let bell = self.bell.clone();
        let waker = Waker::from(Arc::new(StreamWaker { bell, woken }));
        self.note(format_args!("client {client} stream {epoch} is polled"));
        self.note_log(client, epoch);
        let now_us = self.now_us;
        let Some(stream) = self.streams.get_mut(&(client, epoch)) else {
            return;
        };
        let pipe = Rc::clone(&stream.pipe);
        let is_over = match &mut stream.served {
            // It finds out by its socket.
            Served::Outlet(outlet) => outlet
                .poll(now, &mut Context::from_waker(&waker))
                .is_ready(),
            _ if pipe.is_broken() => true,
            Served::Body(body) => {
                fill(&pipe, &waker, || body.poll_next(now, &waker))
                    || pipe.room() == 0 && cut_if(&pipe, body.is_due(now))
            }
            Served::Short(short) => {
                if let Some(words) = short.words.take() {
                    pipe.push(&words);
                }
                short.ends_us <= now_us
            }
        };
        if is_over {
            self.streams.remove(&(client, epoch));
            pipe.end();
            self.note(format_args!("client {client} stream {epoch} is over"));
            return;
        }
        let at = match &stream.served {
            Served::Outlet(outlet) => outlet.wake_at(now),
            Served::Body(body) => body.wake_at(now),
            Served::Short(_) => None,
        };
        let at = match &stream.served {
            Served::Short(short) => Some(short.ends_us),
            _ => at.map(|at| self.moment(at)),
        };
        // Later ones come again with the next look.
        let stream = self.streams.get_mut(&(client, epoch));
        if let (Some(at), Some(stream)) = (at, stream)
            && stream
                .wake_us
                .is_none_or(|known| at < known || known <= now_us)
        {
            stream.wake_us = Some(at);
            self.at(at, Task::Run(woken));
        }
        self.run_jobs_soon();
    }

    /// The client has reset its connection: who serves a body is told so.
    pub fn notice_reset(&mut self, client: usize, epoch: u64) {
        let Some(stream) = self.streams.get_mut(&(client, epoch)) else {
            return;
        };
        stream.left_us = Some(self.now_us);
        if !matches!(stream.served, Served::Outlet(_)) {
            self.bell.ring(Woken::Stream { client, epoch });
        }
    }

    /// Jobs that were handed in are run some time.
    fn run_jobs_soon(&mut self) {
        for gateway in 0..self.gateways.len() {
            let Some(life) = self.gateways[gateway].as_ref().map(|it| it.life) else {
                continue;
            };
            if self.gateways[gateway]
                .as_ref()
                .is_some_and(|it| it.jobs.len() > 0)
            {
                let soon = self.now_us + self.dice.between(10, 5_000);
                self.at(soon.max(self.jobs_held_until), Task::Job(life));
            }
        }
    }

    pub fn job(&mut self, life: Life) {
        if let Some(gateway) = self.gateway(life) {
            gateway.jobs.run_one();
        }
        self.run_jobs_soon();
    }

    /// The operator ends a gateway as a signal does.
    pub fn drain(&mut self, gateway: usize, time_us: u64) {
        let now = self.now();
        let Some(it) = self.gateways[gateway].as_mut() else {
            return;
        };
        if it.drain.is_some() {
            return;
        }
        let time = std::time::Duration::from_micros(time_us);
        let (drain, effects) = drain::Drain::begin(time, now.instant);
        it.drain = Some(drain);
        let life = it.life;
        self.drain_effects(life, effects);
    }

    pub fn go_on_draining(&mut self, life: Life) {
        let now = self.now().instant;
        let Some(gateway) = self.gateway(life) else {
            return;
        };
        let streams = gateway
            .slots
            .iter()
            .map(|it| it.shared.subscriber_count())
            .sum();
        let Some(drain) = &mut gateway.drain else {
            return;
        };
        let effects = drain.handle(drain::Event::Streams(streams), now);
        self.drain_effects(life, effects);
    }

    fn drain_effects(&mut self, life: Life, effects: Vec<drain::Effect>) {
        for effect in effects {
            self.note(format_args!("{life} {effect:?}"));
            let slots = self.gateway(life).map_or(0, |it| it.slots.len());
            match effect {
                drain::Effect::Close { per_mille } => {
                    for slot in 0..slots {
                        if let Some(gateway) = self.gateway(life) {
                            gateway.slots[slot].shared.close(per_mille);
                        }
                        self.bell.ring(Woken::Publisher { life, slot });
                    }
                }
                drain::Effect::StopUpstreams => {
                    for slot in 0..slots {
                        if let Some(gateway) = self.gateway(life) {
                            gateway.slots[slot].tail.stop();
                        }
                        self.heed(life, slot, None);
                    }
                }
                drain::Effect::StopServer { .. } => {
                    let soon = self.dice.between(100_000, 5_000_000);
                    return self.stop(life.gateway, soon);
                }
            }
        }
        let Some(gateway) = self.gateway(life) else {
            return;
        };
        let next = gateway.drain.as_ref().and_then(drain::Drain::wake_at);
        if let Some(next) = next {
            let at = self.moment(next);
            self.at(at.max(self.now_us + 1), Task::Drain(life));
        }
    }
}
