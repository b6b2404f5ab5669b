//! Bounds of access: tokens, keys, hosts, origins.

use std::time::Duration;

/// By how much clocks may differ: a token counts this long before its `nbf` and
/// after its `exp`, and a page has as long to renew an expired cookie.
pub const JWT_LEEWAY: Duration = Duration::from_secs(30);

/// Longest time a stream may last on one token, whatever the token says: a
/// timer for the year 292277 would overflow.
pub const JWT_LIFE_MAX: Duration = Duration::from_secs(30 * 24 * 3600);

/// How soon after a newer token a stream may be given another one: whoever has a
/// token renews it every few minutes, and each is verified.
pub const RENEWAL_INTERVAL_MIN: Duration = Duration::from_secs(5);

/// Streams with an id from which on those that have ended are swept out, again
/// each time that there are twice as many: an id takes some hundred bytes.
pub const LEASES_SWEPT_FROM: usize = 1_024;

/// Bytes of a token: more is no token but an attempt to keep us busy. Common
/// proxies refuse headers of more than 8 KiB in all.
pub const JWT_BYTES_MAX: usize = 8 * 1024;

/// Fewest bytes of a secret: those of the hash (RFC 7518, 3.2).
pub const JWT_SECRET_BYTES_MIN: usize = 32;

/// Bits of an RSA key: at least what RFC 7518, 3.3 asks for, at most what the
/// library verifies.
pub const JWT_RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;

/// Keys that a token without a `kid` is tried with: each costs a verification.
pub const JWT_KEY_TRIES_MAX: usize = 8;

/// Bytes of a key file or a certificate's: a larger one is some other file.
pub const KEY_FILE_BYTES_MAX: u64 = 256 * 1024;

/// Keys in a key set; issuers publish two or three.
pub const JWKS_KEYS_MAX: usize = 64;

/// Bytes of a key set, beyond which the answer is something else.
pub const JWKS_BYTES_MAX: usize = 256 * 1024;

/// How often a key set is read again.
pub const JWKS_REFRESH: Duration = Duration::from_secs(300);

/// How soon after a failure: sooner than the next refresh, and no flood.
pub const JWKS_RETRY: Duration = Duration::from_secs(10);

/// Least time between two readings that unknown keys caused: whoever sends
/// made-up ones must not make us a burden to the issuer.
pub const JWKS_UNKNOWN_PAUSE: Duration = Duration::from_secs(30);

/// How long one reading of a key set may take.
pub const JWKS_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a request with an unknown key waits for the set to be read again.
pub const JWKS_WAIT: Duration = Duration::from_secs(3);

/// How long browsers may remember what a preflight was told, in seconds.
pub const PREFLIGHT_AGE_SECONDS: u32 = 600;

/// The cookie that holds the token unless told otherwise.
pub const JWT_COOKIE_DEFAULT: &str = "viewcast_token";

/// Hosts, or origins, that may be listed: each request is compared with all.
pub const ALLOWED_MAX: usize = 256;

/// Time before a certificate's end at which it is warned of: who renews every 90
/// days does so after 60.
pub const CERTIFICATE_ENDS_SOON: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Time between two looks at the certificate's end: a process runs for months.
pub const CERTIFICATE_LOOK_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// Values of a claim that rows are shown by: as many as a condition of a client
/// may have.
pub const CLAIM_VALUES_MAX: usize = 1_000;

/// Objects within objects that a rule's claim is looked for in.
pub const CLAIM_DEPTH_MAX: usize = 16;

/// Bytes of the path that everything is served below: as much as anybody types.
pub const BASE_PATH_BYTES_MAX: usize = 256;
