//! UUIDs in canonical form.

/// Hexadecimal digits of a UUID.
const DIGITS: usize = 32;

/// As Materialize prints it, from any spelling that SQL takes: either case,
/// braces around it, a hyphen behind any four digits.
pub(super) fn parse(text: &str) -> Option<String> {
    let bare = match text.strip_prefix('{') {
        Some(open) => open.strip_suffix('}')?,
        None => text,
    };
    let mut out = String::with_capacity(DIGITS + 4);
    let (mut digits, mut may_part) = (0usize, false);
    for character in bare.chars() {
        if character == '-' {
            if !may_part || digits == DIGITS {
                return None;
            }
            may_part = false;
            continue;
        }
        if !character.is_ascii_hexdigit() || digits == DIGITS {
            return None;
        }
        if matches!(digits, 8 | 12 | 16 | 20) {
            out.push('-');
        }
        out.push(character.to_ascii_lowercase());
        digits += 1;
        may_part = digits.is_multiple_of(4);
    }
    // A hyphen at the end parts nothing.
    (digits == DIGITS && may_part).then_some(out)
}
