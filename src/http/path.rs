//! Names in paths: how they are written, and whether a path can be read.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Whether every `%` begins an escape and the escapes spell UTF-8.
pub fn is_well_encoded(path: &str) -> bool {
    let bytes = path.as_bytes();
    let escape = |at: usize| {
        let digits = bytes.get(at + 1..at + 3);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    let escapes = memchr::memchr_iter(b'%', bytes).all(escape);
    escapes
        && percent_encoding::percent_decode(bytes)
            .decode_utf8()
            .is_ok()
}

/// What stays as it is in a path's segment (RFC 3986, `unreserved`).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A view's name as a segment of a path.
pub fn encode_segment(name: &str) -> String {
    utf8_percent_encode(name, SEGMENT).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_encoding_is_checked() {
        for good in ["/top10/stream", "/a%20b", "/%22x%22", "/%c3%a9"] {
            assert!(is_well_encoded(good), "{good}");
        }
        for bad in ["/%", "/%z", "/%zz", "/a%2", "/%ff/stream", "/%c3"] {
            assert!(!is_well_encoded(bad), "{bad}");
        }
    }

    #[test]
    fn view_name_in_a_path_reads_back() {
        assert_eq!(
            encode_segment("mz_internal.mz_frontiers"),
            "mz_internal.mz_frontiers"
        );
        assert_eq!(encode_segment("a/b \"c\""), "a%2Fb%20%22c%22");
    }
}
