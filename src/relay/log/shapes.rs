//! The sets of columns by which the open windows of a log look for changes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::window::Shape;

/// Those in use. The publisher parts each delta by them, so that no thread that
/// serves streams has to.
#[derive(Debug, Default)]
pub struct Shapes {
    /// How many there are, to be asked without a lock.
    count: AtomicUsize,
    /// Each with the threads that use it.
    used: Mutex<Vec<(Shape, usize)>>,
}

impl Shapes {
    /// A thread has windows of these columns from now on.
    pub fn enter(&self, shape: &Shape) {
        let mut used = self.lock();
        match used.iter_mut().find(|(known, _)| known == shape) {
            Some((_, threads)) => *threads += 1,
            None => used.push((shape.clone(), 1)),
        }
        self.count.store(used.len(), Ordering::Release);
    }

    /// A thread has none of these columns any more.
    pub fn leave(&self, shape: &Shape) {
        let mut used = self.lock();
        if let Some(at) = used.iter().position(|(known, _)| known == shape)
            && let Some((_, threads)) = used.get_mut(at)
        {
            *threads = threads.saturating_sub(1);
            if *threads == 0 {
                used.swap_remove(at);
            }
        }
        self.count.store(used.len(), Ordering::Release);
    }

    /// All of them; costs no lock where there are none.
    pub fn all(&self) -> Vec<Shape> {
        match self.count.load(Ordering::Acquire) {
            0 => Vec::new(),
            _ => self.lock().iter().map(|(shape, _)| shape.clone()).collect(),
        }
    }

    /// Nothing is left half done by a thread that panics.
    fn lock(&self) -> MutexGuard<'_, Vec<(Shape, usize)>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::row::Column;
    use crate::model::window::{Layout, Test, Wanted, What};
    use std::sync::Arc;

    fn shape(column: &str) -> Shape {
        let column_of = |name: &str| Column::new(name, "text");
        let layout = Arc::new(Layout::new(&[column_of("a"), column_of("b")]));
        let mut wanted = Wanted::default();
        let what = What::In(vec!["x".to_owned()]);
        wanted.and(column, Test { not: false, what });
        let filterable = ["a".to_owned(), "b".to_owned()];
        wanted
            .resolve(&layout, &filterable)
            .unwrap()
            .shape()
            .clone()
    }

    #[test]
    fn shapes_are_used_until_the_last_thread_has_left() {
        let shapes = Shapes::default();
        assert!(shapes.all().is_empty());
        for column in ["a", "b", "a"] {
            shapes.enter(&shape(column));
        }
        shapes.leave(&shape("a"));
        assert_eq!(shapes.all(), [shape("a"), shape("b")]);
        shapes.leave(&shape("a"));
        shapes.leave(&shape("a"));
        assert_eq!(shapes.all(), [shape("b")]);
    }
}
