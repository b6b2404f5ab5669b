//! The network between a gateway and the upstream: requests arrive, answers come
//! back, connections are cut or hang.

use viewcast::tail::conversation::{Question, Request};
use viewcast::tail::error::TailError;
use viewcast::tail::failure::{ConnectFailure, Failure};

use super::{Asked, Told, Waits, Who};
use crate::upstream::{Generation, Said, Upstream};
use crate::world::{Task, World, micros};

impl World {
    /// A request arrives at the server.
    pub fn serve(&mut self, id: u64, turn: u64) {
        let Some(talk) = self.talks.get(&id) else {
            return;
        };
        if talk.turn != turn || talk.is_half_open {
            return;
        }
        let back = self.dice.between(100, 15_000);
        let is_connect = matches!(talk.asked, Some(Asked::Tail(Request::Connect)));
        if self.upstream.hangs {
            let waited = self.now_us - talk.since_us;
            if is_connect && waited > micros(self.setup.upstream_timeout) {
                let told = Told::Connected(Err(broken_connect("timed out")));
                return self.tell_after(back, id, turn, told);
            }
            return self.after(250_000, Task::Serve { talk: id, turn });
        }
        let question = talk.question().cloned();
        let waits = |question: &Question| self.upstream.waits(question);
        if question.as_ref().is_some_and(waits) {
            return self.after(250_000, Task::Serve { talk: id, turn });
        }
        let is_catalog = matches!(talk.who, Who::Catalog);
        if is_connect || is_catalog && talk.session.is_none() {
            self.next += 1;
            let session = self.next;
            let connected = self.upstream.connect(session);
            if let Some(talk) = self.talks.get_mut(&id) {
                talk.session = connected.is_ok().then_some(session);
            }
            match (connected, is_connect) {
                (connected, true) => {
                    let told = Told::Connected(connected);
                    return self.tell_after(back, id, turn, told);
                }
                (Err(error), false) => {
                    let told = Told::Answered(Err(error));
                    return self.tell_after(back, id, turn, told);
                }
                (Ok(()), false) => {}
            }
        }
        let session = self.talks.get(&id).and_then(|talk| talk.session);
        let session = session.filter(|it| self.upstream.sessions.contains_key(it));
        let Some(session) = session else {
            return self.tell_broken(id, turn, question.is_some());
        };
        if let Some(question) = question {
            if self.upstream.breaks(&question) {
                self.leave(Some(session));
                return self.tell_broken(id, turn, true);
            }
            if Upstream::takes_two_looks(&question) {
                self.upstream.look(session, &question);
                let between = self.dice.between(100, 60_000);
                return self.after(between, Task::Answer { talk: id, turn });
            }
            return self.answer(id, turn);
        }
        let copy = self.talks.get(&id).and_then(|talk| match &talk.asked {
            Some(Asked::Tail(Request::Copy(copy))) => Some(copy.clone()),
            _ => None,
        });
        if let Some(copy) = copy {
            let copying = self.upstream.copy(session, &copy, self.now_us);
            let told = Told::Copying(copying);
            self.tell_after(back, id, turn, told);
        }
    }

    /// A question is answered.
    pub fn answer(&mut self, id: u64, turn: u64) {
        let Some(talk) = self.talks.get(&id) else {
            return;
        };
        if talk.turn != turn || talk.is_half_open {
            return;
        }
        if self.upstream.hangs {
            return self.after(250_000, Task::Answer { talk: id, turn });
        }
        let Some(question) = talk.question().cloned() else {
            return;
        };
        let session = talk
            .session
            .filter(|it| self.upstream.sessions.contains_key(it));
        let Some(session) = session else {
            return self.tell_broken(id, turn, true);
        };
        let answered = self.upstream.answer(session, &question, self.now_us);
        let back = self.dice.between(100, 15_000);
        let told = Told::Answered(answered);
        self.tell_after(back, id, turn, told);
    }

    fn tell_broken(&mut self, id: u64, turn: u64, is_question: bool) {
        let failure = Failure::broken("connection closed");
        let told = match is_question {
            true => Told::Answered(Err(TailError::Query {
                what: "something",
                failure,
            })),
            false => Told::Copying(Err(failure)),
        };
        let back = self.dice.between(100, 15_000);
        self.tell_after(back, id, turn, told);
    }

    /// Hands on what streams were sent.
    pub fn pump(&mut self) {
        let waiting = self
            .talks
            .iter()
            .filter(|(_, talk)| matches!(talk.waits, Waits::Bytes) && !talk.is_half_open);
        let waiting: Vec<(u64, u64, Option<u64>)> = waiting
            .map(|(id, talk)| (*id, talk.turn, talk.session))
            .collect();
        for (id, turn, session) in waiting {
            let session = session.and_then(|it| self.upstream.sessions.get_mut(&it));
            let told = match session.map(|session| session.sent.pop_front()) {
                Some(Some(Said::Chunk(bytes))) => Told::Chunk(bytes),
                Some(Some(Said::End(how))) => Told::CopyEnded(how),
                Some(None) => continue,
                None => Told::CopyEnded(Err(Failure::broken("connection closed"))),
            };
            if let Some(talk) = self.talks.get_mut(&id) {
                talk.waits = Waits::Server;
            }
            let soon = self.dice.between(10, 3_000);
            self.tell_after(soon, id, turn, told);
        }
    }

    /// A connection is closed by the gateway.
    pub(super) fn leave(&mut self, session: Option<u64>) {
        if let Some(session) = session {
            self.upstream.sessions.remove(&session);
        }
    }

    /// The server ends the query of a session.
    pub fn cancel(&mut self, session: u64) {
        let is_silent = self.upstream.generation == Generation::Silent;
        if let Some(session) = self.upstream.sessions.get_mut(&session)
            && session.stream.take().is_some()
        {
            let failure = Failure::answer("57014", "canceling statement due to user request");
            let how = if is_silent { Ok(()) } else { Err(failure) };
            session.sent.push_back(Said::End(how));
        }
    }

    /// Cuts connections of a gateway: one by chance, or all.
    pub fn cut(&mut self, gateway: usize, all: bool, is_half_open: bool) {
        let of_it = self
            .talks
            .iter()
            .filter(|(_, talk)| talk.life.gateway == gateway);
        let with = of_it.filter(|(_, talk)| talk.session.is_some());
        let ids: Vec<u64> = with.map(|(id, _)| *id).collect();
        let chosen = self.dice.below(ids.len());
        for (place, id) in ids.iter().enumerate() {
            if !all && place != chosen {
                continue;
            }
            let Some(talk) = self.talks.get_mut(id) else {
                continue;
            };
            talk.is_half_open = is_half_open;
            let session = talk.session;
            self.leave(session);
            if is_half_open {
                // The kernel's keep-alive finds out some time.
                let some_time = micros(self.setup.upstream_timeout) * 4;
                self.after(some_time, Task::Notice { talk: *id, session });
            }
        }
    }

    /// The kernel finds that the other end of a connection is gone.
    pub fn notice(&mut self, id: u64, session: Option<u64>) {
        let talk = self.talks.get(&id);
        if talk.is_some_and(|talk| talk.session == session) {
            self.find_broken(id);
        }
    }

    /// Whoever waits on a connection that was hung up is told so.
    pub fn hung_up(&mut self, id: u64) {
        let session = self.talks.get_mut(&id).and_then(|talk| talk.take_session());
        self.leave(session);
        self.find_broken(id);
    }

    fn find_broken(&mut self, id: u64) {
        let Some(talk) = self.talks.get_mut(&id) else {
            return;
        };
        talk.is_half_open = false;
        // What the catalog is asked has a limit of its own.
        let is_asked = matches!(
            &talk.asked,
            Some(Asked::Tail(Request::Ask(_) | Request::Copy(_)))
        );
        if is_asked && matches!(talk.waits, Waits::Server) {
            let (turn, is_question) = (talk.turn, talk.question().is_some());
            self.tell_broken(id, turn, is_question);
        }
    }
}

fn broken_connect(words: &str) -> TailError {
    TailError::Connect(ConnectFailure {
        failure: Failure::broken(words),
        hint: String::new(),
        is_refused_login: false,
        is_no_room: false,
        is_without_password: false,
    })
}
