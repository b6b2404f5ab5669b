//! Frames of HTTP/2, written by hand: a peer that does what no library would.

/// A frame: its kind, flags, stream and payload (RFC 9113, 4.1).
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a small frame");
    let mut bytes = length.to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// The beginning of a connection whose streams may be sent so many bytes each.
pub fn preface(window: u32) -> Vec<u8> {
    let mut settings = 4_u16.to_be_bytes().to_vec();
    settings.extend(window.to_be_bytes());
    [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        frame(4, 0, 0, &settings),
    ]
    .concat()
}

/// A header as HPACK's literal without indexing (RFC 7541, 6.2.2).
pub fn literal(name: &str, value: &str) -> Vec<u8> {
    let text = |text: &str| [&length(text.len())[..], text.as_bytes()].concat();
    [vec![0], text(name), text(value)].concat()
}

/// The length of a text that is not compressed (5.1): in seven bits, and what
/// is more than they hold in the next bytes, the low bits first.
fn length(bytes: usize) -> Vec<u8> {
    let byte = |number: usize| u8::try_from(number).expect("a byte");
    let Some(mut rest) = bytes.checked_sub(127) else {
        return vec![byte(bytes)];
    };
    let mut out = vec![127];
    while rest > 127 {
        out.push(byte(rest % 128 + 128));
        rest /= 128;
    }
    out.push(byte(rest));
    out
}
