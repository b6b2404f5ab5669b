//! A stream of several views that is sent what others of the same views are.

use std::rc::Rc;
use std::time::Instant;

use bytes::Bytes;

use super::Joint;
use super::output::Taken;
use super::part::Part;
use crate::relay::thread::cohort::Standing;

impl Joint {
    /// The next bytes, if there are any. In a round the thread asks, while it goes
    /// through its sockets: nothing can be asked of it meanwhile.
    pub(super) fn next(&mut self, now: Instant, is_in_round: bool) -> Taken {
        let Some(cohort) = self.cohort.clone() else {
            return self.next_alone(now, is_in_round);
        };
        let from = self.standing.take();
        // What is sent for another reason than news is sent to one alone.
        let is_alike = !self.is_last && now < self.beat_at && cohort.is_calm();
        let from_alike = from.as_ref().filter(|_| is_alike && !self.is_expired(now));
        if let Some(from) = from_alike
            && let Some((frames, bytes, to)) = cohort.follow(from, &self.out.form)
        {
            self.frames = self.frames.wrapping_add(frames);
            self.standing = Some(to);
            if bytes.is_empty() {
                return Taken::Nothing;
            }
            self.held_since = None;
            self.beat_at = now + self.heartbeat;
            return Taken::Bytes(bytes);
        }
        // Bytes are noted in a round alone, at whose end they are let go.
        let before = from_alike.filter(|_| is_in_round);
        let before = before.map(|from| (Rc::clone(from), cohort.handed()));
        if let Some(from) = &from {
            self.take_up(from);
        }
        let taken = self.next_alone(now, is_in_round);
        if cohort.is_shared()
            && let Some(standing) = self.standing()
        {
            let to = cohort.stand(standing, from.as_ref());
            let bytes = match &taken {
                Taken::Bytes(bytes) => Some(bytes.clone()),
                Taken::Nothing => Some(Bytes::new()),
                Taken::Later | Taken::GivenUp => None,
            };
            if let (Some((from, before)), Some(bytes)) = (before, bytes) {
                cohort.note((from, &to), &self.out.form, bytes, &before);
            }
            self.standing = Some(to);
        }
        taken
    }

    /// Where it stands, if all has been said up to there and nothing is under way. The
    /// last id's positions are moved there, since each stream would hold its own.
    fn standing(&mut self) -> Option<Standing> {
        let is_under_way = self.is_owed || self.is_silent || self.batch.is_some();
        if self.is_over || is_under_way || !self.out.is_done() {
            return None;
        }
        let (time, places) = (self.time?, self.parts.iter().map(Part::place));
        Some(Standing {
            time,
            places: places.collect::<Option<_>>()?,
            known: self.known.take(),
        })
    }

    /// It stands there, and goes on from there by itself.
    fn take_up(&mut self, standing: &Standing) {
        self.time = Some(standing.time);
        self.known.clone_from(&standing.known);
        for (part, place) in self.parts.iter_mut().zip(&standing.places) {
            part.stand_at(place);
        }
    }

    /// Whether what it lacks is not kept any more.
    pub(super) fn is_forgotten(&self) -> bool {
        match &self.standing {
            Some(standing) => standing.is_forgotten(),
            None => self.parts.iter().any(Part::is_forgotten),
        }
    }
}

#[cfg(test)]
mod tests;
