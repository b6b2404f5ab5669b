//! What the kernel tells of connections.

/// A row of the kernel's list of connections.
pub struct Connection {
    pub local: u16,
    pub remote: u16,
    /// Bytes sent and not acknowledged, or not sent yet.
    pub unacknowledged: u64,
    pub timer: String,
}

/// All TCP connections over IPv4.
pub fn connections() -> Vec<Connection> {
    let text = std::fs::read_to_string("/proc/net/tcp").expect("Linux");
    let port = |address: &str| {
        let (_, port) = address.split_once(':').expect("a port");
        u16::from_str_radix(port, 16).expect("hexadecimal")
    };
    let parse = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (sent, _) = words[4].split_once(':').expect("two queues");
        Connection {
            local: port(words[1]),
            remote: port(words[2]),
            unacknowledged: u64::from_str_radix(sent, 16).expect("hexadecimal"),
            timer: words[5].to_owned(),
        }
    };
    text.lines().skip(1).map(parse).collect()
}
