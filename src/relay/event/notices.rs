//! Lines for one client alone: when to come back, and why it is not served now.

use bytes::Bytes;

use crate::relay::event::names::EVENT_FULL;

/// The first block of every stream: how long a client waits before it comes
/// back. It stands alone, with its blank line, for a second reason: clients
/// that keep half an event over a reconnection end it there, and not inside
/// the first event of the new stream.
pub fn retry(milliseconds: u64) -> Bytes {
    Bytes::from(format!("{RETRY}{milliseconds}\n\n"))
}

/// The same as a line of the event that follows at once: some clients take it
/// only from a block that has data.
pub fn retry_line(milliseconds: u64) -> Bytes {
    Bytes::from(format!("{RETRY}{milliseconds}\n"))
}

const RETRY: &str = "retry: ";

/// The whole stream of a client that is not served now: when to come back (in a
/// block of its own, and in one with data for clients that need that) and why.
pub fn full(milliseconds: u64, reason: &str) -> Bytes {
    let data = serde_json::json!({ "reason": reason });
    let event = format!("event: {EVENT_FULL}\n{RETRY}{milliseconds}\ndata: {data}\n\n");
    Bytes::from(format!("{RETRY}{milliseconds}\n: {reason}\n\n{event}"))
}

/// Why a stream of several views ends that cannot take in one of them.
pub const REASON_BACK: &str = "a view that was gone is served again";

/// Why a gateway that shuts down serves no stream; a comment to the client.
pub const REASON_CLOSING: &str = "this gateway is shutting down";

/// Why a stream ends whose client takes too long for a large event.
pub const REASON_SLOW: &str = "this event is not kept any longer; come back for what there is now";

/// Why a stream ends that would have to wait for long.
pub const REASON_BUSY: &str = "too many clients come back at once";

/// Why a stream ends whose token, or whose page's origin, counts no longer.
pub const REASON_EXPIRED: &str = "your access has ended: come back with a newer token";

/// Why a stream ends that is compressed with the dictionary of a view that is gone.
pub const REASON_DICTIONARY: &str = "your dictionary is of what this view was before";

/// Why a stream ends whose client says nothing any more.
pub const REASON_HALF_CLOSED: &str = "your side of the connection is closed";

/// The last words of a stream that ends though its view goes on: when to come
/// back, and why; the reason is one line.
pub fn farewell(milliseconds: u64, reason: &str) -> Bytes {
    Bytes::from(format!("retry: {milliseconds}\n: {reason}\n\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_as_the_contract_says() {
        assert_eq!(retry(2143), "retry: 2143\n\n");
        assert_eq!(retry_line(2143), "retry: 2143\n");
        assert_eq!(
            full(2143, "why"),
            "retry: 2143\n: why\n\nevent: full\nretry: 2143\ndata: {\"reason\":\"why\"}\n\n"
        );
        assert_eq!(farewell(2143, "why"), "retry: 2143\n: why\n\n");
    }
}
