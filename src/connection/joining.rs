//! Rows of a COPY, many in one message.
//!
//! A server sends each row as a message of its own, and the client library enters
//! its runtime for each: most of what reading a row costs. The protocol lets a
//! message of a COPY hold any part of the data. So runs of whole ones that came by
//! one read are joined where they are read, in place. Nothing is held back, no byte
//! of the data is changed, and all other messages stay as and where they are. Pure.

/// The kind of a message, and its length, which counts itself and what follows.
const HEAD_BYTES: usize = 5;
const LENGTH_BYTES: usize = 4;
/// The kind of those that hold a COPY's data.
const COPY_DATA: u8 = b'd';

/// Where between two messages, or in which, a server's words stand.
#[derive(Debug, Default)]
pub(super) struct Joining {
    /// The beginning of a head that has not come whole.
    head: [u8; HEAD_BYTES],
    seen: usize,
    /// How much of a message's body is still to come.
    left: usize,
    /// What came is no protocol that is known here: it is the library's to say so.
    is_unknown: bool,
}

/// Bytes that are moved to the front as they are passed on.
struct Bytes<'a> {
    all: &'a mut [u8],
    /// Up to here they were looked at.
    from: usize,
    /// Up to here they are passed on.
    to: usize,
}

/// A message that others are joined to.
struct Run {
    /// Where its length stands.
    at: usize,
    /// Bytes of data.
    bytes: usize,
}

impl Joining {
    /// Joins what was read, and moves it to the front; how much of it is left.
    pub fn join(&mut self, all: &mut [u8]) -> usize {
        let mut bytes = Bytes {
            all,
            from: 0,
            to: 0,
        };
        let mut run: Option<Run> = None;
        while bytes.rest() > 0 {
            if self.is_unknown {
                bytes.pass(bytes.rest());
            } else if self.left > 0 {
                let part = self.left.min(bytes.rest());
                bytes.pass(part);
                self.left -= part;
            } else if let Some((COPY_DATA, body)) = self.whole(&bytes) {
                run = Some(bytes.add(run, body));
            } else {
                bytes.end(run.take());
                self.begin(&mut bytes);
            }
        }
        bytes.end(run);
        bytes.to
    }

    /// The kind of the next message and the length of its body, if all of it is here.
    fn whole(&self, bytes: &Bytes<'_>) -> Option<(u8, usize)> {
        let rest = bytes.all.get(bytes.from..)?;
        let (head, rest) = rest.split_first_chunk::<HEAD_BYTES>()?;
        let body = body_of(head)?;
        (self.seen == 0 && body <= rest.len()).then_some((head[0], body))
    }

    /// Passes the head of a message on, as far as it is here.
    fn begin(&mut self, bytes: &mut Bytes<'_>) {
        while self.seen < HEAD_BYTES
            && let Some(byte) = bytes.all.get(bytes.from).copied()
            && let Some(place) = self.head.get_mut(self.seen)
        {
            *place = byte;
            self.seen += 1;
            bytes.pass(1);
        }
        if self.seen == HEAD_BYTES {
            self.seen = 0;
            let body = body_of(&self.head);
            self.is_unknown = body.is_none();
            self.left = body.unwrap_or(0);
        }
    }
}

/// The length of the body that a head tells of; `None` for one that cannot be.
fn body_of(head: &[u8; HEAD_BYTES]) -> Option<usize> {
    let [_, length @ ..] = *head;
    let length = i32::from_be_bytes(length);
    usize::try_from(length).ok()?.checked_sub(LENGTH_BYTES)
}

impl Bytes<'_> {
    /// How many are still to be looked at.
    fn rest(&self) -> usize {
        self.all.len().saturating_sub(self.from)
    }

    /// Passes so many on, of those that are here.
    fn pass(&mut self, count: usize) {
        let end = self.from + count;
        if self.from != self.to {
            self.all.copy_within(self.from..end, self.to);
        }
        self.from = end;
        self.to += count;
    }

    /// Adds a message that is here to those before it, if it follows some.
    fn add(&mut self, run: Option<Run>, body: usize) -> Run {
        let Some(run) = run else {
            let at = self.to + 1;
            self.pass(HEAD_BYTES + body);
            return Run { at, bytes: body };
        };
        self.from += HEAD_BYTES;
        self.pass(body);
        Run {
            bytes: run.bytes + body,
            ..run
        }
    }

    /// No other message is joined to these.
    fn end(&mut self, run: Option<Run>) {
        let Some(Run { at, bytes }) = run else { return };
        // Shorter than what was read, and that is less than a message may be.
        let length = u32::try_from(bytes + LENGTH_BYTES).unwrap_or(u32::MAX);
        if let Some(place) = self.all.get_mut(at..at + LENGTH_BYTES) {
            place.copy_from_slice(&length.to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + LENGTH_BYTES).unwrap();
        [&[kind], &length.to_be_bytes()[..], body].concat()
    }

    /// What comes of one read.
    fn joined(read: &[u8]) -> Vec<u8> {
        let mut bytes = read.to_vec();
        let length = Joining::default().join(&mut bytes);
        bytes.truncate(length);
        bytes
    }

    #[test]
    fn joining_makes_one_message_of_a_run_of_rows() {
        let rows = [b"one\n".to_vec(), b"".to_vec(), b"three\n".to_vec()];
        let rows: Vec<u8> = rows.iter().flat_map(|row| message(b'd', row)).collect();
        let (before, behind) = (message(b'H', b"\0\0\0"), message(b'c', b""));
        let all = [&before[..], &rows, &behind, &rows].concat();
        let one = message(b'd', b"one\nthree\n");
        assert_eq!(joined(&all), [&before[..], &one, &behind, &one].concat());
    }

    #[test]
    fn joining_passes_on_what_is_no_protocol_as_it_is() {
        let row = message(b'd', b"row");
        for wrong in [0u32, 3, 1 << 31, u32::MAX] {
            let bad = [b"d", &wrong.to_be_bytes()[..]].concat();
            let all = [&row[..], &row, &bad, &row, &row].concat();
            let one = message(b'd', b"rowrow");
            assert_eq!(joined(&all), [&one[..], &bad, &row, &row].concat());
        }
    }

    /// However the words are cut into reads: the messages are the same but for those
    /// that were joined, all that has come is passed on at once, and the data are the
    /// same.
    #[test]
    fn joining_keeps_every_byte_wherever_reads_end() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..2_000 {
            let mut all = Vec::new();
            for _ in 0..random.usize(1..12) {
                let kind = *random.choice(b"dddddSNZ").unwrap();
                let body: Vec<u8> = (0..random.usize(0..9)).map(|_| random.u8(..)).collect();
                all.extend(message(kind, &body));
            }
            let mut joining = Joining::default();
            let (mut out, mut rest) = (Vec::new(), &all[..]);
            let mut came = Vec::new();
            while !rest.is_empty() {
                let (read, later) = rest.split_at(random.usize(1..=rest.len().min(20)));
                rest = later;
                came.extend_from_slice(read);
                let mut bytes = read.to_vec();
                let length = joining.join(&mut bytes);
                out.extend_from_slice(&bytes[..length]);
                assert_eq!(data(&out), data(&came), "of {all:?}");
            }
            assert!(out.len() <= all.len());
        }
    }

    /// The data of COPYs, and the other messages, in order; also of one that has not
    /// come whole.
    fn data(mut words: &[u8]) -> Vec<(u8, Vec<u8>)> {
        let mut all: Vec<(u8, Vec<u8>)> = Vec::new();
        while let Some((head, rest)) = words.split_first_chunk::<HEAD_BYTES>() {
            let length = body_of(head).unwrap().min(rest.len());
            let body = &rest[..length];
            match all.last_mut() {
                Some((COPY_DATA, data)) if head[0] == COPY_DATA => data.extend_from_slice(body),
                _ => all.push((head[0], body.to_vec())),
            }
            words = &rest[length..];
        }
        all
    }
}
