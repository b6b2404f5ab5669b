//! How the scripted server asks for a password: in clear text, by MD5 or by
//! SCRAM-SHA-256 (RFC 5802 and 7677), whose server's side is written here.

use std::io::Write as _;
use std::net::TcpStream;

use sha2::{Digest, Sha256};

use super::super::pgwire::{self, Frontend};
use super::Io;

/// The user of every URL of the tests.
const USER: &str = "materialize";
const SALT: [u8; 4] = [7, 1, 250, 3];
/// What PostgreSQL asks for.
const ITERATIONS: u32 = 4096;
const PLAIN: &str = "SCRAM-SHA-256";
const BOUND: &str = "SCRAM-SHA-256-PLUS";

/// The way in which a password is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    Cleartext,
    Md5,
    Scram,
    /// The same with so many iterations.
    ScramOf(u32),
    /// The same, bound to the TLS connection by this hash of its certificate;
    /// who has no TLS need not.
    ScramBound([u8; 32]),
}

/// Asks for the password; whether it was right.
pub(super) fn demand(socket: &mut TcpStream, auth: Auth, password: &str) -> Io<bool> {
    let right = match auth {
        Auth::Cleartext => {
            socket.write_all(&request(3, &[]))?;
            let given = answer(socket)?;
            given == [password.as_bytes(), b"\0"].concat()
        }
        Auth::Md5 => {
            socket.write_all(&request(5, &SALT))?;
            let given = answer(socket)?;
            let hash = postgres_protocol::authentication::md5_hash(
                USER.as_bytes(),
                password.as_bytes(),
                SALT,
            );
            given == [hash.as_bytes(), b"\0"].concat()
        }
        Auth::Scram => scram(socket, password, ITERATIONS, None)?,
        Auth::ScramOf(iterations) => scram(socket, password, iterations, None)?,
        Auth::ScramBound(hash) => scram(socket, password, ITERATIONS, Some(hash))?,
    };
    if !right {
        let text = format!("password authentication failed for user \"{USER}\"");
        socket.write_all(&pgwire::error("28P01", &text))?;
    }
    Ok(right)
}

fn request(kind: i32, rest: &[u8]) -> Vec<u8> {
    pgwire::message(b'R', &[&kind.to_be_bytes(), rest].concat())
}

fn answer(socket: &mut TcpStream) -> Io<Vec<u8>> {
    match pgwire::read(socket)? {
        Frontend::Password(body) => Ok(body),
        _ => Err(std::io::ErrorKind::InvalidData.into()),
    }
}

fn scram(
    socket: &mut TcpStream,
    password: &str,
    iterations: u32,
    hash: Option<[u8; 32]>,
) -> Io<bool> {
    let offered = match hash {
        Some(_) => format!("{BOUND}\0{PLAIN}\0\0"),
        None => format!("{PLAIN}\0\0"),
    };
    socket.write_all(&request(10, offered.as_bytes()))?;
    let first = answer(socket)?;
    let end = first.iter().position(|byte| *byte == 0);
    let end = end.ok_or(std::io::ErrorKind::InvalidData)?;
    let mechanism = String::from_utf8_lossy(&first[..end]).into_owned();
    // The mechanism's name, and the length of what follows it.
    let first = String::from_utf8_lossy(&first[end + 5..]).into_owned();
    let (header, bare) = first.split_at(first.match_indices(',').nth(1).expect("a header").0 + 1);
    let (_, client_nonce) = bare.split_once("r=").expect("a nonce");
    let nonce = format!("{client_nonce}of-the-server");
    let ours = format!("r={nonce},s={},i={iterations}", base64(&SALT));
    socket.write_all(&request(11, ours.as_bytes()))?;
    let last = String::from_utf8_lossy(&answer(socket)?).into_owned();
    let (without_proof, proof) = last.split_once(",p=").expect("a proof");
    let mut bound = header.as_bytes().to_vec();
    if mechanism == BOUND {
        assert_eq!(header, "p=tls-server-end-point,,");
        bound.extend(hash.expect("it was offered"));
    }
    if without_proof != format!("c={},r={nonce}", base64(&bound)) {
        return Ok(false);
    }
    let exchanged = format!("{bare},{ours},{without_proof}");
    let salted = salted(password.as_bytes(), iterations);
    let client_key = hmac(&salted, b"Client Key");
    let signature = hmac(&Sha256::digest(client_key), exchanged.as_bytes());
    let expected: Vec<u8> = client_key
        .iter()
        .zip(signature)
        .map(|(a, b)| a ^ b)
        .collect();
    if base64(&expected) != proof {
        return Ok(false);
    }
    let verdict = hmac(&hmac(&salted, b"Server Key"), exchanged.as_bytes());
    let verdict = format!("v={}", base64(&verdict));
    socket.write_all(&request(12, verdict.as_bytes()))?;
    Ok(true)
}

/// PBKDF2 of one block; of many iterations by the library, which has the time.
fn salted(password: &[u8], iterations: u32) -> [u8; 32] {
    if iterations > ITERATIONS {
        let mut salted = [0; 32];
        let count = std::num::NonZeroU32::new(iterations).expect("some");
        ring::pbkdf2::derive(
            ring::pbkdf2::PBKDF2_HMAC_SHA256,
            count,
            &SALT,
            password,
            &mut salted,
        );
        return salted;
    }
    let mut last = hmac(password, &[&SALT[..], &[0, 0, 0, 1]].concat());
    let mut sum = last;
    for _ in 1..iterations {
        last = hmac(password, &last);
        sum.iter_mut()
            .zip(last)
            .for_each(|(sum, last)| *sum ^= last);
    }
    sum
}

fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key);
    let padded = |with: u8| block.map(|byte| byte ^ with);
    let inner = Sha256::digest([&padded(0x36), text].concat());
    Sha256::digest([&padded(0x5c)[..], &inner].concat()).into()
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let at = |place: usize| u32::from(chunk.get(place).copied().unwrap_or(0));
        let number = at(0) << 16 | at(1) << 8 | at(2);
        for digit in 0..4 {
            let value = number >> (18 - 6 * digit) & 63;
            text.push(if digit <= chunk.len() {
                char::from(DIGITS[usize::try_from(value).unwrap()])
            } else {
                '='
            });
        }
    }
    text
}
