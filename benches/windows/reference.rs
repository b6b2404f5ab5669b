//! The reference's role: a map from a customer to its sockets, and a write of
//! each change to those that want it. One thread, nothing else.

use std::collections::HashMap;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use crate::{Filling, Io};

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n\
                    cache-control: no-store\r\ntransfer-encoding: chunked\r\n\r\n";

fn chunk(event: &str, id: u64, data: &str) -> String {
    let text = format!("event: {event}\ndata: [{data}]\nid: {id}-5f3a9c01b2d4\n\n");
    format!("{:X}\r\n{text}\r\n", text.len())
}

/// `reference CUSTOMERS ROWS PAD SUBSCRIBERS FEED-PORT`: the bases of so many
/// customers are ready before anybody comes.
pub fn run(arguments: &[String]) -> Io<()> {
    let number = |at: usize| -> u64 { arguments[at].parse().unwrap() };
    let pad = Filling(usize::try_from(number(2)).unwrap());
    let row = |customer: u64, seq: u64, at: u64| {
        let pad = pad.of(if seq == 0 { at } else { seq });
        format!("{{\"seq\":{seq},\"at\":{at},\"customer\":{customer},\"pad\":\"{pad}\"}}")
    };
    let base = |customer: u64| {
        let rows: Vec<String> = (0..number(1)).map(|at| row(customer, 0, at)).collect();
        chunk("base", 1_700_000_000_000, &rows.join(","))
    };
    let bases: HashMap<u64, String> = (0..number(0)).map(|it| (it, base(it))).collect();
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("listening on http://{}", listener.local_addr()?);
    let mut feed = TcpStream::connect(("127.0.0.1", u16::try_from(number(4)).unwrap()))?;
    let mut sockets: HashMap<u64, Vec<TcpStream>> = HashMap::new();
    for _ in 0..number(3) {
        let (customer, socket) = accept(&listener, &bases)?;
        sockets.entry(customer).or_default().push(socket);
    }

    // Each customer's last order, which the next one takes the place of.
    let mut last: HashMap<u64, String> = HashMap::new();
    let mut buffer = vec![0; 64 * 1024];
    let mut filled = 0;
    loop {
        match feed.read(&mut buffer[filled..])? {
            0 => return Ok(()),
            length => filled += length,
        }
        let whole = filled - filled % 24;
        for record in buffer[..whole].chunks(24) {
            let word = |at: usize| u64::from_be_bytes(record[at..at + 8].try_into().unwrap());
            let (customer, seq, at) = (word(0), word(8), word(16));
            let Some(sockets) = sockets.get_mut(&customer) else {
                continue;
            };
            let row = row(customer, seq, at);
            let data = match last.get(&customer) {
                Some(last) => format!("{{\"delete\":{last}}},{{\"insert\":{row}}}"),
                None => format!("{{\"insert\":{row}}}"),
            };
            last.insert(customer, row);
            let event = chunk("delta", 1_700_000_000_000 + seq, &data);
            for socket in sockets {
                write(socket, event.as_bytes())?;
            }
        }
        buffer.copy_within(whole..filled, 0);
        filled -= whole;
    }
}

fn accept(listener: &TcpListener, bases: &HashMap<u64, String>) -> Io<(u64, TcpStream)> {
    let (mut socket, _) = listener.accept()?;
    socket.set_nodelay(true)?;
    let mut request = Vec::new();
    let mut buffer = [0; 1024];
    while !request.ends_with(b"\r\n\r\n") {
        let length = socket.read(&mut buffer)?;
        request.extend_from_slice(&buffer[..length]);
    }
    let request = String::from_utf8(request).unwrap();
    let (_, rest) = request.split_once("customer=eq.").unwrap();
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next().unwrap();
    let customer = digits.parse().unwrap();
    socket.write_all(HEAD.as_bytes())?;
    socket.write_all(bases[&customer].as_bytes())?;
    socket.set_nonblocking(true)?;
    Ok((customer, socket))
}

/// Its clients always have room: they read as fast as anybody can write.
fn write(socket: &mut TcpStream, mut bytes: &[u8]) -> Io<()> {
    while !bytes.is_empty() {
        match socket.write(bytes) {
            Ok(length) => bytes = &bytes[length..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
