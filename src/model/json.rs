//! Whether a text is one JSON value on one line.

/// What may come next.
#[derive(Clone, Copy, PartialEq)]
enum Expect {
    /// A value.
    Value,
    /// A value, or the end of an array that just began.
    FirstElement,
    /// A key, or the end of an object that just began.
    FirstKey,
    /// A key.
    Key,
    /// A comma or the end of what is open; at the top, the end of the text.
    Next,
}

/// Whether `text` is exactly one JSON value that can stand in a frame as it
/// is: valid, and without raw line breaks or other control characters.
///
/// A loop with a stack of its own, since a recursion would let a deeply nested
/// value end the process. Digits are looked at, never converted.
pub fn is_one_value(text: &str) -> bool {
    scan(text.as_bytes()).is_some()
}

fn scan(mut rest: &[u8]) -> Option<()> {
    // One entry per open bracket: whether it is an object.
    let mut open: Vec<bool> = Vec::new();
    let mut expect = Expect::Value;
    loop {
        while let [b' ', tail @ ..] = rest {
            rest = tail;
        }
        let Some((&byte, tail)) = rest.split_first() else {
            return (open.is_empty() && expect == Expect::Next).then_some(());
        };
        rest = tail;
        expect = match (byte, expect) {
            (b'{', Expect::Value | Expect::FirstElement) => {
                open.push(true);
                Expect::FirstKey
            }
            (b'[', Expect::Value | Expect::FirstElement) => {
                open.push(false);
                Expect::FirstElement
            }
            (b'}', Expect::FirstKey | Expect::Next) if open.last() == Some(&true) => {
                open.pop();
                Expect::Next
            }
            (b']', Expect::FirstElement | Expect::Next) if open.last() == Some(&false) => {
                open.pop();
                Expect::Next
            }
            (b',', Expect::Next) => match open.last()? {
                true => Expect::Key,
                false => Expect::Value,
            },
            (b'"', Expect::FirstKey | Expect::Key) => {
                rest = colon(string(rest)?)?;
                Expect::Value
            }
            (b'"', Expect::Value | Expect::FirstElement) => {
                rest = string(rest)?;
                Expect::Next
            }
            (first, Expect::Value | Expect::FirstElement) => {
                rest = scalar(first, rest)?;
                Expect::Next
            }
            _ => return None,
        };
    }
}

fn colon(mut rest: &[u8]) -> Option<&[u8]> {
    while let [b' ', tail @ ..] = rest {
        rest = tail;
    }
    rest.strip_prefix(b":")
}

/// What follows a string whose opening quote was taken.
fn string(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        let (&byte, tail) = rest.split_first()?;
        rest = tail;
        match byte {
            b'"' => return Some(rest),
            b'\\' => {
                let (&escape, tail) = rest.split_first()?;
                rest = tail;
                match escape {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                    b'u' => {
                        let (digits, tail) = rest.split_at_checked(4)?;
                        if !digits.iter().all(u8::is_ascii_hexdigit) {
                            return None;
                        }
                        rest = tail;
                    }
                    _ => return None,
                }
            }
            0..0x20 => return None,
            _ => {}
        }
    }
}

/// What follows a literal or a number that begins with `first`.
fn scalar(first: u8, rest: &[u8]) -> Option<&[u8]> {
    match first {
        b't' => rest.strip_prefix(b"rue"),
        b'f' => rest.strip_prefix(b"alse"),
        b'n' => rest.strip_prefix(b"ull"),
        b'-' => match rest.split_first()? {
            (&digit, rest) => number(digit, rest),
        },
        digit => number(digit, rest),
    }
}

fn number(first: u8, rest: &[u8]) -> Option<&[u8]> {
    let mut rest = match first {
        b'0' => rest,
        b'1'..=b'9' => skip_digits(rest),
        _ => return None,
    };
    if let [b'.', fraction @ ..] = rest {
        rest = some_digits(fraction)?;
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        rest = match exponent {
            [b'+' | b'-', digits @ ..] => some_digits(digits)?,
            digits => some_digits(digits)?,
        };
    }
    Some(rest)
}

fn some_digits(rest: &[u8]) -> Option<&[u8]> {
    rest.first()?.is_ascii_digit().then(|| skip_digits(rest))
}

fn skip_digits(mut rest: &[u8]) -> &[u8] {
    while let [b'0'..=b'9', tail @ ..] = rest {
        rest = tail;
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_value_on_one_line_is_accepted() {
        for text in [
            "null",
            "true",
            "false",
            "0",
            "-0",
            "1.0",
            "1e+999",
            "-12.5E-3",
            "\"\"",
            "\"\\ud800 \\u0000 \\/\"",
            "[]",
            "{}",
            "[ ]",
            "[1, [2], {\"a\": []}]",
            "{\"a\":1,\"a\":2}",
            "\"é\u{2028}\"",
        ] {
            assert!(is_one_value(text), "{text}");
        }
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        assert!(is_one_value(&deep));
    }

    #[test]
    fn json_malformed_or_on_several_lines_is_refused() {
        for text in [
            "",
            " ",
            "nul",
            "nullx",
            "01",
            "+1",
            ".5",
            "5.",
            "1e",
            "-",
            "NaN",
            "[",
            "]",
            "[1,]",
            "[,1]",
            "{",
            "{\"a\"}",
            "{\"a\":}",
            "{a:1}",
            "{\"a\":1,}",
            "[1}",
            "{\"a\":1]",
            "1 2",
            "\"",
            "\"\\x\"",
            "\"\\u12\"",
            "\"a\nb\"",
            "[1,\n2]",
            "'a'",
            "{\"a\":1}}",
        ] {
            assert!(!is_one_value(text), "{text}");
        }
    }
}
