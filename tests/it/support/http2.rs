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

/// A header as HPACK's literal without indexing (RFC 7541, 6.2.2); both texts
/// have less than 127 bytes.
pub fn literal(name: &str, value: &str) -> Vec<u8> {
    let text = |text: &str| {
        let length = u8::try_from(text.len()).expect("a short text");
        [&[length][..], text.as_bytes()].concat()
    };
    [vec![0], text(name), text(value)].concat()
}
