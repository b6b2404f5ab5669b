//! How a stream is compressed, if it is.

use std::sync::Arc;

use crate::relay::event::dictionary::Dictionary;

/// A way to compress streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packing {
    /// With gzip.
    Gzip,
    /// With the dictionary of the view's log, which the client has.
    Dictionary(Arc<Dictionary>),
}

/// Something that there is one of for each way: all streams of a log that have a
/// dictionary have the same one.
#[derive(Debug, Default)]
pub struct PerPacking<T> {
    gzip: T,
    dictionary: T,
}

impl<T> PerPacking<T> {
    /// The one for this way.
    pub fn get(&self, packing: &Packing) -> &T {
        match packing {
            Packing::Gzip => &self.gzip,
            Packing::Dictionary(_) => &self.dictionary,
        }
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, packing: &Packing) -> &mut T {
        match packing {
            Packing::Gzip => &mut self.gzip,
            Packing::Dictionary(_) => &mut self.dictionary,
        }
    }
}
