//! Bounds of what a stream is sent, and of streams on their own sockets.

use std::time::Duration;

/// Bytes of frames that are copied into one piece for subscribers a few frames
/// behind: one write instead of many, as long as copying is the cheaper part.
pub const GATHER_BYTES_MAX: usize = 64 * 1024;

/// How hard events are compressed, of 9: harder gains a hundredth or two.
pub const PACK_LEVEL: u32 = 6;

/// Bytes of a large event that are compressed at a time: a millisecond's work,
/// for which others on the thread wait; twice deflate's window, so that cutting
/// costs little.
pub const LONG_PACK_BYTES: usize = 64 * 1024;

/// Bytes of a view's rows that its dictionary is made of: enough for what rows have in
/// common, and fetched once.
pub const DICTIONARY_BYTES_MAX: usize = 16 * 1024;

/// Bytes of a row that is shown in an event of a dictionary, at the most.
pub const DICTIONARY_ROW_BYTES_MAX: usize = 1024;

/// How hard events are compressed with a dictionary, of 22: harder gains nothing on
/// short events, and takes longer.
pub const DICTIONARY_LEVEL: i32 = 9;

/// Sockets that a relay writes to before it lets others on its thread in:
/// some two milliseconds' work.
pub const PASS_OUTLETS_MAX: usize = 256;

/// Longest rest of a relay between two rounds of writing, while news comes
/// faster than rounds do: what comes meanwhile goes out in one write, and
/// nobody sees so short a time.
pub const PASS_REST_MAX: Duration = Duration::from_millis(5);

/// Shortest such rest: the timer's step. A view with few streams has none.
pub const PASS_REST_MIN: Duration = Duration::from_millis(1);

/// Pieces that one stream writes before others on its thread are let in, each
/// of as much as the socket takes.
pub const OUTLET_WRITES_MAX: usize = 16;

/// Slices that are written along with the one whose turn it is, in one call, if
/// they are the rest of a long event. Of a longer rest, one is.
pub const OUTLET_GATHERED_MAX: usize = 7;

/// Bytes that a client may say on a stream, its request's body perhaps, before
/// it is taken for a fault and disconnected. They are passed over.
pub const STREAM_INPUT_BYTES_MAX: usize = 64 * 1024;

/// Bytes of further requests that are held while one is answered; more wait in
/// the client's system.
pub const PIPELINED_BYTES_MAX: usize = 4 * 1024;

/// Bytes that are read from a connection at a time: most requests at once.
pub const READ_BYTES: usize = 4 * 1024;

/// Bytes of a request that are held before its head is whole: the largest head
/// that is taken, and the signs around each of its names and values.
pub const REQUEST_HEAD_BUFFER_BYTES_MAX: usize = 40 * 1024;

/// Headers of a request, cookies not counted, which HTTP/2 tells one by one: a
/// browser sends some twenty, and each proxy adds a few.
pub const REQUEST_HEADERS_MAX: usize = 96;

/// Time that a connection is kept open for another request.
pub const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes of a piece that are copied behind the size of their chunk: cheaper
/// than telling the kernel of two places.
pub const CHUNK_COPIED_BYTES_MAX: usize = 4 * 1024;

/// Time that a client has to read the last answer before its connection is
/// closed under what it still sends; local networks need a thousandth of it.
pub const LINGER_TIMEOUT: Duration = Duration::from_secs(2);

/// Bytes that are passed over meanwhile: a request's body of some size.
pub const LINGER_BYTES_MAX: usize = 1024 * 1024;

/// Ids that a client may come back with at once, those not counted that are
/// none: one in the header, one that its library put into the query, one that
/// its page did, and many more of a page that never forgets one.
pub const LAST_EVENT_IDS_MAX: usize = 64;

/// Frames a subscriber that fell behind is sent one by one; a longer backlog
/// is merged into one delta. Merging costs a sort, sending costs a chunk.
pub const CATCH_UP_FRAMES_MAX: usize = 32;

/// Bytes of an event from which on it is handed out in slices: what one that
/// is sent whole may cost a subscriber in the middle of it.
pub const LONG_EVENT_BYTES: usize = 64 * 1024;

/// Bytes of such a slice. A reader holds one at a time.
pub const BASE_SLICE_BYTES: usize = 32 * 1024;

/// Slices of such an event that are kept while it is read, for those who read it
/// at the same time: two MiB.
pub const SLICES_KEPT: usize = 64;

/// Bases of one view that others have taken the place of and that are still
/// read, at the most; all but the last also have to share most of their memory
/// with the view.
pub const BASES_MAX: usize = 64;

/// Bytes that such bases may hold beside the view in any case.
pub const BASE_KEPT_BYTES_MIN: u64 = 4 * 1024 * 1024;

/// Backlogs that wait to be merged, at the most: each takes milliseconds. Who
/// comes on top of that comes back a little later.
pub const MERGES_WAITING_MAX: usize = 4096;

/// Merges that a thread remembers of one view, for others who come back to the
/// same place.
pub const MERGES_KNOWN_MAX: usize = 8;

/// Of so many bytes that a log may keep, its merged runs are one.
pub const RUNS_PART_OF_RETENTION: u64 = 4;

/// Answers to `GET /{view}` that are being sent at once, at the most: each
/// holds a slice or two, and its connection.
pub const SNAPSHOTS_MAX: usize = 256;

/// Views that one stream may show together: each is a place at a relay, and
/// its position a part of every id (up to 34 bytes).
pub const JOINT_VIEWS_MAX: usize = 16;

/// Silence after which a view of a server that says nothing when idle is taken
/// to stand where the other views of a stream do. Such a server tells of a
/// change within milliseconds, and closes a timestamp a second.
pub const JOINT_SILENCE: Duration = Duration::from_secs(1);

/// Steps of streams of the same views that a thread remembers while it goes through
/// their sockets: from one place to the next, or that there is nothing yet. Nearly all
/// stand at one place; a few have been waiting for room in their sockets.
pub const COHORT_STEPS_MAX: usize = 4;

/// Bytes of small events that a stream of several views hands out at once;
/// larger ones are not copied.
pub const JOINT_GATHER_BYTES: usize = 16 * 1024;

/// Room for small events that is made at first.
pub const JOINT_ROOM_BYTES: usize = 512;

/// How often in a stall timeout each connection is looked at: a peer that has
/// stalled is let go within so much of it.
pub const STALL_LOOKS: u32 = 4;

/// Bytes that the slowest reader reads in a second, as far as time is given for
/// what it has taken and may not have read yet.
pub const READ_BYTES_PER_SECOND_MIN: u64 = 1024;

/// Stall timeouts that are given for that at the most: who has a large buffer
/// and reads nothing must not be waited for as long as it would take to read.
pub const READ_STALL_TIMEOUTS_MAX: u32 = 4;

/// What is given for it at the least, where the stall timeout is short: time to
/// read the smallest buffers that systems have.
pub const READ_WAIT_MIN: Duration = Duration::from_secs(10);

/// Shortest time between two looks at some of the connections.
pub const STALL_TICK_MIN: Duration = Duration::from_millis(10);

/// Longest such time; also between two looks at a stream of HTTP/2 that waits.
pub const STALL_TICK_MAX: Duration = Duration::from_secs(1);

/// Time for which a stream that is over, or beyond what is kept, still waits
/// for a peer that takes nothing.
pub const ENDING_WAIT: Duration = Duration::from_secs(5);

/// Streams of one HTTP/2 connection at once: as many as the usual servers
/// allow, so that a proxy opens another connection instead of waiting.
pub const HTTP2_STREAMS_MAX: u32 = 128;

/// Bytes that wait in an HTTP/2 connection for each of its streams: two frames.
pub const HTTP2_UNSENT_BYTES_MAX: usize = 32 * 1024;

/// Bytes of one frame of data: the most that every peer takes.
pub const HTTP2_FRAME_BYTES_MAX: usize = 16 * 1024;

/// Bytes of a list of headers, each counted with 32 bytes more, above which
/// HTTP/2 answers by itself; below it, the answer says what is wrong.
pub const HTTP2_HEADER_BYTES_MAX: u32 = 64 * 1024;

/// Bytes of bodies that a connection may send unasked: nothing here takes one.
pub const HTTP2_RECEIVE_BYTES_MAX: u32 = 64 * 1024;

/// Streams that were reset and are remembered for frames still on their way.
pub const HTTP2_RESET_STREAMS_MAX: usize = 16;

/// Streams that a client may open and reset before they are looked at; beyond
/// them its connection ends, with everybody's streams on it. So many are reset
/// at once by a proxy whose clients all leave.
pub const HTTP2_RESETS_PENDING_MAX: usize = 128;

/// Time after which an HTTP/2 connection without a stream is told to go; it is
/// ended after as much again.
pub const HTTP2_IDLE: Duration = Duration::from_secs(30);

/// Shortest time that a stream of HTTP/2 is waited for inside an event: the
/// client would have to take the whole of it again, which may be a base.
pub const HTTP2_INSIDE_WAIT_MIN: Duration = Duration::from_secs(15);

/// Longest time by which requests on the same connection put that wait off: who
/// asks for more is there, and is busy rather than gone.
pub const HTTP2_ASKING_GRACE: Duration = Duration::from_secs(45);

/// Bytes that wait in a connection with TLS, encrypted or about to be: two of
/// its records.
pub const TLS_UNSENT_BYTES_MAX: usize = 32 * 1024;

/// Time for a handshake of TLS.
pub const TLS_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(3);

/// Handshakes of TLS that are under way in a worker; over that, no connection is
/// accepted.
pub const TLS_HANDSHAKES_MAX: usize = 256;
