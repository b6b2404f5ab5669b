//! What a window's reader has missed: the net effect of a log's entries on the
//! rows of the window. No other row is read for it.

use std::sync::Arc;

use crate::model::delta::{Change, Delta};
use crate::model::position::Timestamp;
use crate::model::window::Window;
use crate::relay::event::frame::Frame;

/// Adds the changes of a frame that are of a window; whether there are any.
pub fn narrow(frame: &Frame, window: &Window, changes: &mut Vec<Change>) -> bool {
    let before = changes.len();
    if let Some(delta) = frame.changes()
        && let Some(parted) = frame.part(window.shape(), window.layout())
    {
        parted.narrow(delta, window, changes);
    }
    changes.len() > before
}

/// The net effect of these frames on a window, each given with the time of its
/// changes, at the time of the last of them that is of the window; `None` where
/// there is none.
///
/// Up to that time the reader then has everything, and nothing beyond it.
pub fn missed<'a>(
    frames: impl Iterator<Item = (&'a Arc<Frame>, Timestamp)>,
    window: &Window,
) -> Option<Delta> {
    let (mut last, mut changes) = (None, Vec::new());
    for (frame, timestamp) in frames {
        if narrow(frame, window, &mut changes) {
            last = Some(timestamp);
        }
    }
    let delta = Delta::new(last?, changes);
    (!delta.is_empty()).then_some(delta)
}
