//! JSON strings, and what COPY text says of a text.

/// What COPY text says in place of a value that is NULL.
pub const COPY_NULL: &str = "\\N";

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

/// Appends the beginning of `text`, raw COPY text up to its first tab, as the inside
/// of a JSON string. What is left begins with that tab, or is empty. `None` where a
/// backslash is followed by anything else than one of COPY's letters; `out` has then
/// grown.
///
/// So one pass over COPY text finds the ends of values, the escapes of COPY and what
/// JSON wants escaped.
pub(super) fn push_copy_text<'a>(text: &'a str, out: &mut String) -> Option<&'a str> {
    let mut rest = text;
    loop {
        let (plain, tail) = rest.split_at(plain_prefix(rest.as_bytes()));
        out.push_str(plain);
        let (byte, length) = match tail.as_bytes() {
            [] | [b'\t', ..] => return Some(tail),
            [b'\\', letter, ..] => (copy_letter(*letter)?, 2),
            [b'\\'] => return None,
            [byte, ..] => (*byte, 1),
        };
        push_escape(byte, out);
        rest = tail.get(length..)?;
    }
}

/// The character that a letter behind a backslash stands for in COPY text; `None` for
/// a digit, and for all that stands for itself there.
pub fn copy_letter(letter: u8) -> Option<u8> {
    Some(match letter {
        b'\\' => b'\\',
        b'n' => b'\n',
        b't' => b'\t',
        b'r' => b'\r',
        b'b' => 0x08,
        b'f' => 0x0c,
        b'v' => 0x0b,
        _ => return None,
    })
}

/// The length of the longest prefix without a byte that needs an escape.
///
/// Eight bytes at a time, since most text has none: this is the inner loop of
/// the whole gateway.
pub(super) fn plain_prefix(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let marks = first_special(u64::from_le_bytes(*word));
        if marks != 0 {
            return at * 8 + first_marked(marks);
        }
    }
    // The last bytes as one more word, filled up with what needs no escape.
    let mut last = [b' '; 8];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    let marks = first_special(u64::from_le_bytes(last));
    words.len() * 8 + first_marked(marks).min(rest.len())
}

/// The place of the lowest byte whose top bit is set; 8 if there is none.
fn first_marked(marks: u64) -> usize {
    // At most 8, which every integer holds.
    usize::try_from(marks.trailing_zeros() / 8).unwrap_or(8)
}

/// The top bit of the lowest special byte of a word, and perhaps of later
/// bytes; zero if and only if none is special. For each of the three conditions
/// the top bit of a byte gets set if the byte meets it, by subtraction with
/// borrow; a borrow can only run on from a byte that meets it itself, so the
/// lowest mark is exact.
const fn first_special(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = 0x8080_8080_8080_8080;
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    // 0x22 is the quote, 0x5c the backslash.
    let quotes = word ^ (ONES * 0x22);
    let quote = quotes.wrapping_sub(ONES) & !quotes;
    let slashes = word ^ (ONES * 0x5c);
    let slash = slashes.wrapping_sub(ONES) & !slashes;
    (control | quote | slash) & TOPS
}
