//! JSON strings.

/// Appends `text` as a JSON string: exactly `"`, `\` and the control
/// characters below 0x20 are escaped, so that equal texts have equal bytes and
/// the result stands on one line.
pub fn push_string(text: &str, out: &mut String) {
    out.push('"');
    let mut rest = text;
    loop {
        let plain = plain_prefix(rest.as_bytes());
        let (head, tail) = rest.split_at(plain);
        out.push_str(head);
        // What stops a plain prefix is one ASCII byte.
        let Some(&byte) = tail.as_bytes().first() else {
            break;
        };
        push_escape(byte, out);
        rest = tail.split_at(1).1;
    }
    out.push('"');
}

fn push_escape(byte: u8, out: &mut String) {
    match byte {
        b'"' => out.push_str("\\\""),
        b'\\' => out.push_str("\\\\"),
        b'\n' => out.push_str("\\n"),
        b'\r' => out.push_str("\\r"),
        b'\t' => out.push_str("\\t"),
        0x08 => out.push_str("\\b"),
        0x0c => out.push_str("\\f"),
        _ => {
            out.push_str("\\u00");
            out.push(hex_digit(byte >> 4));
            out.push(hex_digit(byte & 15));
        }
    }
}

fn hex_digit(value: u8) -> char {
    char::from_digit(u32::from(value), 16).unwrap_or('0')
}

/// Whether a byte of text needs an escape in a JSON string.
const fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// The length of the longest prefix without a byte that needs an escape.
///
/// Eight bytes at a time, since most text has none: this is the inner loop of
/// the whole gateway.
pub(super) fn plain_prefix(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        if has_special(u64::from_le_bytes(*word)) {
            let within = word.iter().position(|byte| is_special(*byte));
            return at * 8 + within.unwrap_or(0);
        }
    }
    let within = rest.iter().position(|byte| is_special(*byte));
    words.len() * 8 + within.unwrap_or(rest.len())
}

/// Whether any of a word's eight bytes is special. For each of the three
/// conditions the top bit of a byte gets set if the byte meets it, by
/// subtraction with borrow; a borrow can only run on from a byte that meets it
/// itself, so "any" is exact.
const fn has_special(word: u64) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = 0x8080_8080_8080_8080;
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    // 0x22 is the quote, 0x5c the backslash.
    let quotes = word ^ (ONES * 0x22);
    let quote = quotes.wrapping_sub(ONES) & !quotes;
    let slashes = word ^ (ONES * 0x5c);
    let slash = slashes.wrapping_sub(ONES) & !slashes;
    (control | quote | slash) & TOPS != 0
}
