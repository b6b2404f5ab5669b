//! How far a view is known to a stream of several, and how far it is to be waited for.

use super::reach::{Reach, is_far_before};
use super::{Part, Stage};
use crate::model::position::Timestamp;

impl Part {
    /// How far it reached when last looked at; `None` unless it is followed.
    pub(in crate::relay::subscribe::joint) fn reach(&self) -> Option<Reach> {
        matches!(self.stage, Stage::Following { .. }).then_some(self.reach)
    }

    /// The time up to which it changes no more, if later ones are to come.
    pub(in crate::relay::subscribe::joint) fn closed(&self) -> Option<Timestamp> {
        match self.reach()? {
            Reach::Closed(head) => Some(head),
            Reach::Ended(_) | Reach::Constant(_) => None,
        }
    }

    /// Whether its log has ended so long after this time that the upstream's time
    /// must have gone back since.
    pub(in crate::relay::subscribe::joint) fn has_ended_far_beyond(
        &self,
        time: Option<Timestamp>,
    ) -> bool {
        match (self.reach(), time) {
            (Some(Reach::Ended(head)), Some(time)) => is_far_before(time, head),
            _ => false,
        }
    }

    /// Where its log has ended, if it has.
    pub(in crate::relay::subscribe::joint) fn ended_at(&self) -> Option<Timestamp> {
        match self.reach()? {
            Reach::Ended(head) => Some(head),
            Reach::Closed(_) | Reach::Constant(_) => None,
        }
    }

    /// The last time up to which its changes are known; of a constant view, that of
    /// the last change, where it has one before the end of time.
    pub(in crate::relay::subscribe::joint) fn changes_until(&self) -> Option<Timestamp> {
        let Stage::Following { log, .. } = &self.stage else {
            return None;
        };
        match self.reach {
            Reach::Constant(_) => {
                Some(log.borrow().frames.changed()).filter(|at| *at < Timestamp::MAX)
            }
            reach => Some(reach.head()),
        }
    }

    /// The earliest time at which the others can stand together with it, not before
    /// what the client has shown.
    pub(in crate::relay::subscribe::joint) fn floor(&self) -> Option<Timestamp> {
        let earliest = self.earliest()?;
        Some(match self.reach {
            Reach::Constant(_) => earliest,
            _ => earliest.max(self.seen),
        })
    }

    /// The earliest time at which the others can stand together with it.
    pub(in crate::relay::subscribe::joint) fn earliest(&self) -> Option<Timestamp> {
        let Stage::Following { log, cursor } = &self.stage else {
            return None;
        };
        let log = log.borrow();
        // A view that is known ahead of time was the same long before.
        let since = self.unchanged_since(&log, *cursor);
        // A window may not have changed though its view has: it is what it was where the
        // client stands.
        let from = self.whole_from(&log);
        let stood = self
            .at
            .map(|at| at.timestamp.max(from.unwrap_or(at.timestamp)));
        let at = since.into_iter().chain(stood).min()?;
        match self.reach {
            Reach::Constant(_) => Some(at).filter(|_| !log.began_final()),
            _ => Some(at),
        }
    }
}
