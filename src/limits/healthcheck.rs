//! Bounds of `viewcast healthcheck`.

use std::time::Duration;

/// What `viewcast healthcheck` asks for: whether the process answers.
pub const HEALTHCHECK_PATH: &str = "/healthz";

/// Time a health check may take in all: below the 10 s of common probes.
pub const HEALTHCHECK_TIMEOUT: Duration = Duration::from_secs(3);

/// Bytes of the answer a health check reads: the status line is in the first.
pub const HEALTHCHECK_ANSWER_BYTES_MAX: usize = 1024;
