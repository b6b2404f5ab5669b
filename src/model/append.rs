//! Texts that are written a part at a time.

/// Appends the rest of a text from a place on, until `out` has so many bytes;
/// whether that was all. Never ends within a character.
pub fn append(text: &str, from: &mut usize, full: usize, out: &mut Vec<u8>) -> bool {
    let room = full.saturating_sub(out.len());
    let mut end = from.saturating_add(room).min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let part = text.get(*from..end).unwrap_or_default();
    out.extend_from_slice(part.as_bytes());
    *from = end;
    end == text.len()
}
