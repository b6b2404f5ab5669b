//! Bounds of what is chosen to be streamed, and of how it is reached.

use std::time::Duration;

/// Bytes of a file with a password, keys or certificates: all CAs that a
/// machine trusts take some 200 KiB.
pub const SECRET_FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// How long the command that prints the upstream's password may take: one that
/// asks another service for a token takes a second.
pub const PASSWORD_COMMAND_MAX: Duration = Duration::from_secs(10);

/// How long what it printed is used for further connections: many that are made
/// at once run it once.
pub const PASSWORD_COMMAND_FRESH: Duration = Duration::from_secs(1);

/// How often it is looked whether it has ended.
pub const PASSWORD_COMMAND_LOOK_EVERY: Duration = Duration::from_millis(10);

/// Characters of what it said about its failure that are told, from the end.
pub const PASSWORD_COMMAND_WORDS_MAX: usize = 400;

/// Iterations of SCRAM-SHA-256 that a server may ask for: a Materialize asks for
/// 600,000 unless told otherwise. So many take about a second, and a server that
/// asks for more wants nothing but that.
pub const SCRAM_ITERATIONS_MAX: u32 = 2_000_000;

/// Salted passwords that are kept: one for each host, and those of before.
pub const SALTED_PASSWORDS_MAX: usize = 8;

/// Bytes of one message of a server before a session has begun.
pub const LOGIN_MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// Schemas of a search path: nobody looks through more by name.
pub const SCHEMAS_MAX: usize = 64;

/// Columns that a view may be cut down to: more than any relation has.
pub const COLUMNS_MAX: usize = 1600;

/// How often the catalog is asked what the names of views mean, and which
/// relations there are for patterns, unless set: three small queries for all
/// views together, and a name that was given away is noticed within seconds.
pub const CATALOG_INTERVAL_DEFAULT: Duration = Duration::from_secs(2);

/// Shortest such interval: below it, the catalog does little else.
pub const CATALOG_INTERVAL_MIN: Duration = Duration::from_millis(100);

/// Longest such interval: after an hour nobody waits for the other view.
pub const CATALOG_INTERVAL_MAX: Duration = Duration::from_secs(3600);

/// How long a question to the catalog is waited for, unless it is known to take
/// longer: it is answered from memory, and behind one that hangs the others are
/// asked in time to notice within five seconds that a name was given away.
pub const CATALOG_QUESTION_FIRST: Duration = Duration::from_secs(2);

/// How long a question that was not answered rests before it is asked again;
/// doubled each time.
pub const CATALOG_HANG_AGAIN: Duration = Duration::from_secs(10);

/// Longest such rest: a question that has hung for so long hangs for good.
pub const CATALOG_HANG_AGAIN_MAX: Duration = Duration::from_secs(640);

/// Threads of the catalog's questions, those included that wait on connections
/// that are dead: each ends once its connection is hung up.
pub const CATALOG_THREADS_MAX: usize = 16;

/// How long rows of an object that was asked for by its id wait for the catalog
/// to say that the name still means it: the server has found it by its id, so
/// the question is for the name alone.
pub const PROOF_WAIT_BY_ID: Duration = Duration::from_secs(2);

/// How often a relation of a pattern that the role may not read is asked for
/// again: soon enough for whoever has just granted it.
pub const CATALOG_GRANT_EVERY: Duration = Duration::from_secs(10);

/// How long a reader that has found the same as ever is not told again that its
/// view's name means another object: it may see the catalog differently for good,
/// and a name may as well have been given back for a moment and away again.
pub const CATALOG_TOLD_AGAIN: Duration = Duration::from_secs(30);

/// How often it is asked whether the role may still read each view: what was
/// revoked is noticed within half a minute.
pub const CATALOG_REVOKED_EVERY: Duration = Duration::from_secs(20);

/// Views that are asked for in one round of questions: what the names mean is
/// asked in time, also where each of them takes a moment.
pub const CATALOG_REVOKED_PER_ROUND: usize = 32;

/// How often what was found is looked for: less than a person notices.
pub const CATALOG_LOOK_EVERY: Duration = Duration::from_millis(50);

/// How long the streams of a view that is not found any more go on: who has
/// just found it is let in within this time.
pub const FORGOTTEN_FOR: Duration = Duration::from_millis(500);

/// How long a view whose tail still runs may be missing from the catalog: in
/// this time a tail finds out by itself and tells its streams why they end.
pub const CATALOG_MISSED_MAX: Duration = Duration::from_secs(20);

/// Columns of a view that clients may ask for rows by: each may take an index
/// of up to 16 bytes a row.
pub const FILTER_COLUMNS_MAX: usize = 8;

/// Columns of the demo's views that its clients may ask for rows by.
pub const DEMO_FILTERS: &[&str] = &[
    "user_edits:user",
    "hot_pages:wiki",
    "page_edits:user",
    "page_edits:wiki",
    "page_edits:page",
];

/// Columns of a view whose values must be those of a token.
pub const ROW_RULES_MAX: usize = 8;

/// Windows of a view that are open at once, unless set: what 100,000 streams
/// that each show other rows cost in memory, some 100 MB, is foreseen.
pub const WINDOWS_PER_VIEW_DEFAULT: usize = 100_000;
