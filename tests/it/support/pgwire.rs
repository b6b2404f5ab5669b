//! The PostgreSQL protocol, version 3, as far as a scripted server needs it.

use std::io::{Error, ErrorKind, Read, Result};

/// How a connection begins.
pub enum Startup {
    /// Like any client, with these parameters.
    Session(Vec<(String, String)>),
    /// Only to cancel what this process does.
    Cancel(i32),
}

/// What a client says.
pub enum Frontend {
    /// A password, or a step of SASL.
    Password(Vec<u8>),
    /// A simple query.
    Query(String),
    /// A statement to prepare.
    Parse(String),
    /// Asks for parameters and columns.
    Describe,
    /// Binds no parameters.
    Bind,
    /// Runs what was prepared.
    Execute,
    /// The end of an extended query.
    Sync,
    /// Forgets a statement.
    Close,
    /// Wants answers.
    Flush,
    /// Leaves.
    Terminate,
}

const CANCEL_REQUEST: i32 = 80_877_102;
const SSL_REQUEST: i32 = 80_877_103;

fn read_i32(from: &mut impl Read) -> Result<i32> {
    let mut bytes = [0; 4];
    from.read_exact(&mut bytes)?;
    Ok(i32::from_be_bytes(bytes))
}

fn read_body(from: &mut impl Read) -> Result<Vec<u8>> {
    let length = read_i32(from)?;
    let mut body = vec![0; usize::try_from(length - 4).map_err(Error::other)?];
    from.read_exact(&mut body)?;
    Ok(body)
}

/// Reads the first message.
pub fn startup(socket: &mut (impl Read + std::io::Write)) -> Result<Startup> {
    loop {
        let body = read_body(socket)?;
        let code = i32::from_be_bytes(body[..4].try_into().map_err(Error::other)?);
        match code {
            SSL_REQUEST => socket.write_all(b"N")?,
            CANCEL_REQUEST => {
                let process = body[4..8].try_into().map_err(Error::other)?;
                return Ok(Startup::Cancel(i32::from_be_bytes(process)));
            }
            _ => return Ok(Startup::Session(parameters(&body[4..]))),
        }
    }
}

/// Names and values, each with a NUL after it.
fn parameters(body: &[u8]) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let texts: Vec<String> = body.split(|byte| *byte == 0).map(text).collect();
    let pairs = texts.chunks_exact(2).filter(|pair| !pair[0].is_empty());
    pairs
        .map(|pair| (pair[0].clone(), pair[1].clone()))
        .collect()
}

/// Reads a later message.
pub fn read(socket: &mut impl Read) -> Result<Frontend> {
    let mut kind = [0];
    socket.read_exact(&mut kind)?;
    let body = read_body(socket)?;
    if kind[0] == b'p' {
        return Ok(Frontend::Password(body));
    }
    let mut texts = body.split(|byte| *byte == 0);
    let mut text = || String::from_utf8_lossy(texts.next().unwrap_or_default()).into_owned();
    Ok(match kind[0] {
        b'Q' => Frontend::Query(text()),
        b'P' => {
            let _name = text();
            Frontend::Parse(text())
        }
        b'D' => Frontend::Describe,
        b'B' => Frontend::Bind,
        b'E' => Frontend::Execute,
        b'S' => Frontend::Sync,
        b'C' => Frontend::Close,
        b'H' => Frontend::Flush,
        b'X' => Frontend::Terminate,
        _ => return Err(ErrorKind::InvalidData.into()),
    })
}

/// What every server answers to the messages around a query that has neither
/// parameters nor columns: all but queries, what runs them, and the end.
pub fn formality(said: &Frontend) -> Vec<u8> {
    match said {
        Frontend::Parse(_) => message(b'1', &[]),
        Frontend::Describe => [message(b't', &[0, 0]), message(b'n', &[])].concat(),
        Frontend::Bind => message(b'2', &[]),
        Frontend::Sync => ready(),
        Frontend::Close => message(b'3', &[]),
        Frontend::Flush
        | Frontend::Password(_)
        | Frontend::Query(_)
        | Frontend::Execute
        | Frontend::Terminate => Vec::new(),
    }
}

/// One message to the client.
pub fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend(i32::try_from(body.len() + 4).unwrap().to_be_bytes());
    bytes.extend(body);
    bytes
}

/// What a session is told of its settings, if no test says otherwise.
pub fn settings() -> Vec<Vec<u8>> {
    let settings = ["client_encoding\0UTF8\0", "server_version\09.5.0\0"];
    settings.map(|it| it.as_bytes().to_vec()).to_vec()
}

/// Authentication is over, and the client's process id is this.
pub fn welcome(process: i32, settings: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = message(b'R', &0i32.to_be_bytes());
    for setting in settings {
        bytes.extend(message(b'S', setting));
    }
    let key = [process.to_be_bytes(), 7i32.to_be_bytes()].concat();
    bytes.extend(message(b'K', &key));
    bytes.extend(ready());
    bytes
}

/// Ready for the next query.
pub fn ready() -> Vec<u8> {
    message(b'Z', b"I")
}

/// The end of a command.
pub fn complete(tag: &str) -> Vec<u8> {
    message(b'C', format!("{tag}\0").as_bytes())
}

/// An error.
pub fn error(code: &str, text: &str) -> Vec<u8> {
    let body = format!("SERROR\0VERROR\0C{code}\0M{text}\0\0");
    message(b'E', body.as_bytes())
}

/// The beginning of a COPY in text with so many columns.
pub fn copy_out(columns: usize) -> Vec<u8> {
    let mut body = vec![0];
    body.extend(i16::try_from(columns).unwrap().to_be_bytes());
    body.extend(vec![0; columns * 2]);
    message(b'H', &body)
}

/// A whole answer of text columns.
pub fn rows(names: &[&str], rows: &[Vec<Option<String>>]) -> Vec<u8> {
    let mut body = i16::try_from(names.len()).unwrap().to_be_bytes().to_vec();
    for name in names {
        body.extend(name.as_bytes());
        body.push(0);
        // Table, column, type text, length, modifier, format.
        body.extend([0; 6]);
        body.extend(25i32.to_be_bytes());
        body.extend((-1i16).to_be_bytes());
        body.extend((-1i32).to_be_bytes());
        body.extend(0i16.to_be_bytes());
    }
    let mut bytes = message(b'T', &body);
    for row in rows {
        let mut body = i16::try_from(row.len()).unwrap().to_be_bytes().to_vec();
        for value in row {
            match value {
                Some(value) => {
                    body.extend(i32::try_from(value.len()).unwrap().to_be_bytes());
                    body.extend(value.as_bytes());
                }
                None => body.extend((-1i32).to_be_bytes()),
            }
        }
        bytes.extend(message(b'D', &body));
    }
    bytes.extend(complete(&format!("SELECT {}", rows.len())));
    bytes
}
