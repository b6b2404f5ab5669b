//! Who reads a window on a thread, and how each of them is woken.

use std::rc::Weak;
use std::task::Waker;

use crate::model::retention::Cursor;
use crate::relay::thread::places::Places;
use crate::relay::thread::round::WriteNews;

/// How a reader is woken.
enum WakeUp {
    /// This task, once.
    Task(Waker),
    /// The thread writes to this socket each time.
    Outlet(Weak<dyn WriteNews>),
}

/// One reader.
#[derive(Default)]
pub(super) struct Reader {
    /// Where it stands in the view's log; `None` until it has the base.
    pub(super) cursor: Option<Cursor>,
    /// It shows one view, and is sent heartbeats. Else it shows several, at times
    /// which they have in common, and says by itself that nothing has changed.
    pub(super) is_alone: bool,
    /// It lacks the current heartbeat.
    pub(super) lacks_beat: bool,
    wake_up: Option<WakeUp>,
}

/// The readers of a window, each at its place.
#[derive(Default)]
pub(super) struct Readers {
    places: Places<Reader>,
    /// How many of them stand somewhere.
    following: usize,
    /// Tasks that are to be woken, and sockets that are to be written to.
    tasks: usize,
    outlets: usize,
}

impl Readers {
    /// One more, who waits for a base first; its place.
    pub(super) fn enter(&mut self, is_alone: bool) -> usize {
        self.places.enter(Reader {
            is_alone,
            ..Reader::default()
        })
    }

    /// One is gone; where it stood, if anywhere.
    pub(super) fn leave(&mut self, place: usize) -> Option<Cursor> {
        self.set_wake_up(place, None);
        let reader = self.places.leave(place)?;
        if reader.cursor.is_some() {
            self.following = self.following.saturating_sub(1);
        }
        reader.cursor
    }

    /// One stands here now, and is woken in this way; whether it stood nowhere
    /// before.
    pub(super) fn follow(
        &mut self,
        place: usize,
        cursor: Cursor,
        outlet: Option<Weak<dyn WriteNews>>,
    ) -> bool {
        self.set_wake_up(place, outlet.map(WakeUp::Outlet));
        let Some(reader) = self.get_mut(place) else {
            return false;
        };
        let is_first = reader.cursor.replace(cursor).is_none();
        self.following += usize::from(is_first);
        is_first
    }

    /// The one at a place.
    pub(super) fn get(&self, place: usize) -> Option<&Reader> {
        self.places.get(place)
    }

    /// The same, to be changed.
    pub(super) fn get_mut(&mut self, place: usize) -> Option<&mut Reader> {
        self.places.get_mut(place)
    }

    /// All of them.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Reader> {
        self.places.iter_mut()
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.places.count() == 0
    }

    /// How many stand somewhere.
    pub(super) fn following(&self) -> usize {
        self.following
    }

    /// Whether any waits for a base.
    pub(super) fn is_base_awaited(&self) -> bool {
        self.places.count() > self.following
    }

    /// Whether any is to be sent heartbeats.
    pub(super) fn wants_beats(&self) -> bool {
        let mut readers = self.places.iter();
        readers.any(|reader| reader.is_alone && reader.cursor.is_some())
    }

    /// There is a heartbeat for those who want it.
    pub(super) fn owe_beat(&mut self) {
        for reader in self.iter_mut() {
            reader.lacks_beat = reader.is_alone && reader.cursor.is_some();
        }
    }

    fn set_wake_up(&mut self, place: usize, wake_up: Option<WakeUp>) {
        let Some(reader) = self.places.get_mut(place) else {
            return;
        };
        for (wake_up, is_more) in [(&reader.wake_up, false), (&wake_up, true)] {
            let count = match wake_up {
                Some(WakeUp::Task(_)) => &mut self.tasks,
                Some(WakeUp::Outlet(_)) => &mut self.outlets,
                None => continue,
            };
            *count = match is_more {
                true => count.saturating_add(1),
                false => count.saturating_sub(1),
            };
        }
        reader.wake_up = wake_up;
    }

    /// Wakes this task at the next news.
    pub(super) fn wait(&mut self, place: usize, waker: &Waker) {
        self.set_wake_up(place, Some(WakeUp::Task(waker.clone())));
    }

    /// Wakes the tasks that wait; whether there are sockets to be written to.
    pub(super) fn wake(&mut self) -> bool {
        if self.tasks > 0 {
            self.tasks = 0;
            for wake_up in self.places.iter_mut().map(|it| &mut it.wake_up) {
                if matches!(wake_up, Some(WakeUp::Task(_)))
                    && let Some(WakeUp::Task(waker)) = wake_up.take()
                {
                    waker.wake();
                }
            }
        }
        self.outlets > 0
    }

    /// Adds their sockets from a place on, until there are so many; where to go on,
    /// if these were not all.
    pub(super) fn outlets(
        &self,
        from: usize,
        full: usize,
        outlets: &mut Vec<Weak<dyn WriteNews>>,
    ) -> Option<usize> {
        let outlet = |reader: &Reader| match &reader.wake_up {
            Some(WakeUp::Outlet(outlet)) => Some(Weak::clone(outlet)),
            Some(WakeUp::Task(_)) | None => None,
        };
        self.places.outlets(from, full, outlets, outlet)
    }
}
