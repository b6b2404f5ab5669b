//! Things that each have a place for as long as they are there; a place that was left
//! is given to another.

use std::ops::Range;
use std::rc::Weak;

use crate::relay::thread::round::WriteNews;

/// Things at their places.
#[derive(Debug)]
pub(super) struct Places<T> {
    all: Vec<Option<T>>,
    free: Vec<usize>,
}

impl<T> Default for Places<T> {
    fn default() -> Self {
        Places {
            all: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T> Places<T> {
    /// One more; its place.
    pub(super) fn enter(&mut self, value: T) -> usize {
        let place = self.free.pop().unwrap_or(self.all.len());
        match self.all.get_mut(place) {
            Some(entry) => *entry = Some(value),
            None => {
                // Often there is one alone, e.g. who reads a window.
                self.all.reserve_exact(self.all.len().max(1));
                self.all.push(Some(value));
            }
        }
        place
    }

    /// The one at this place leaves it.
    pub(super) fn leave(&mut self, place: usize) -> Option<T> {
        let value = self.all.get_mut(place).and_then(Option::take)?;
        self.free.push(place);
        Some(value)
    }

    /// The one at a place.
    pub(super) fn get(&self, place: usize) -> Option<&T> {
        self.all.get(place)?.as_ref()
    }

    /// The same, to be changed.
    pub(super) fn get_mut(&mut self, place: usize) -> Option<&mut T> {
        self.all.get_mut(place)?.as_mut()
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.all.iter().flatten()
    }

    /// The same, to be changed.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.all.iter_mut().flatten()
    }

    /// All places, also those that were left.
    pub(super) fn places(&self) -> Range<usize> {
        0..self.all.len()
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.all.len().saturating_sub(self.free.len())
    }

    /// Adds the sockets of those that have one, from a place on, until there are so many;
    /// where to go on, if these were not all.
    pub(super) fn outlets(
        &self,
        from: usize,
        full: usize,
        outlets: &mut Vec<Weak<dyn WriteNews>>,
        outlet: impl Fn(&T) -> Option<Weak<dyn WriteNews>>,
    ) -> Option<usize> {
        for (place, value) in self.all.iter().enumerate().skip(from) {
            if outlets.len() >= full {
                return Some(place);
            }
            outlets.extend(value.as_ref().and_then(&outlet));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_given_to_others_once_they_are_left() {
        let mut places = Places::default();
        let entered = ["a", "b", "c"].map(|it| places.enter(it));
        assert_eq!(entered, [0, 1, 2]);
        assert_eq!(places.leave(1), Some("b"));
        // Nobody is there, and the place is not given twice.
        assert_eq!(places.leave(1), None);
        assert_eq!((places.get(1), places.count()), (None, 2));
        assert_eq!([places.enter("d"), places.enter("e")], [1, 3]);
        assert_eq!(places.iter().copied().collect::<String>(), "adce");
    }
}
