//! Bounds of what is chosen to be streamed, and of how it is reached.

use std::time::Duration;

/// Bytes of a file with a password, keys or certificates: all CAs that a
/// machine trusts take some 200 KiB.
pub const SECRET_FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Schemas of a search path: nobody looks through more by name.
pub const SCHEMAS_MAX: usize = 64;

/// Columns that a view may be cut down to: more than any relation has.
pub const COLUMNS_MAX: usize = 1600;

/// How often the catalog is asked which relations there are, if views are
/// chosen by patterns: three small queries.
pub const CATALOG_POLL_EVERY: Duration = Duration::from_secs(2);

/// How often a relation of a pattern that the role may not read is asked for
/// again: soon enough for whoever has just granted it.
pub const CATALOG_GRANT_EVERY: Duration = Duration::from_secs(10);

/// How often what was found is looked for: less than a person notices.
pub const CATALOG_LOOK_EVERY: Duration = Duration::from_millis(50);

/// Lists in a row that may lack a view whose tail still runs: twenty seconds,
/// in which a tail finds out by itself and tells its streams why they end.
pub const CATALOG_MISSES_MAX: u32 = 10;
