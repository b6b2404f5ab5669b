//! Bytes on their way out of a stream of several views.

use bytes::Bytes;

use crate::limits::JOINT_GATHER_BYTES;

/// Small events gathered into one piece, behind them the shared memory of a
/// large one, and behind that the few bytes that end it.
#[derive(Debug, Default)]
pub(super) struct Out {
    small: Vec<u8>,
    large: Bytes,
    behind: Vec<u8>,
}

impl Out {
    /// Adds bytes of this stream alone.
    pub(super) fn own(&mut self, bytes: &[u8]) {
        match self.large.is_empty() {
            true => self.small.extend_from_slice(bytes),
            false => self.behind.extend_from_slice(bytes),
        }
    }

    /// Adds bytes that others are sent, too; call it only while not full.
    pub(super) fn shared(&mut self, bytes: Bytes) {
        if bytes.len() < JOINT_GATHER_BYTES {
            self.small.extend_from_slice(&bytes);
        } else {
            self.large = bytes;
        }
    }

    /// Whether it is to be taken before anything is added.
    pub(super) fn is_full(&self) -> bool {
        !self.large.is_empty() || self.small.len() >= JOINT_GATHER_BYTES
    }

    /// The next piece, if there is one.
    pub(super) fn take(&mut self) -> Option<Bytes> {
        let bytes = if self.small.is_empty() {
            self.small = std::mem::take(&mut self.behind);
            std::mem::take(&mut self.large)
        } else {
            std::mem::take(&mut self.small).into()
        };
        (!bytes.is_empty()).then_some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn out_gathers_what_is_small_and_shares_what_is_large() {
        let mut out = Out::default();
        let large = Bytes::from(vec![b'x'; JOINT_GATHER_BYTES]);
        out.own(b"a");
        out.shared(Bytes::from_static(b"b"));
        assert!(!out.is_full());
        out.shared(large.clone());
        assert!(out.is_full());
        out.own(b"c");
        assert_eq!(out.take().unwrap(), "ab");
        assert_eq!(out.take().unwrap().as_ptr(), large.as_ptr());
        assert_eq!(out.take().unwrap(), "c");
        assert_eq!(out.take(), None);
    }
}
