//! The beginning of a session, before the client library takes over.
//!
//! The library's own SCRAM refuses what a Materialize asks for (see `scram`). So
//! the session is begun here: where the server wants SCRAM, it is answered, and
//! all else is handed to the library as it came. The library then begins the
//! session once more, for itself; what it sends for that is left out.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use postgres::Config;
use postgres::config::ChannelBinding as Wanted;
use postgres::tls::{ChannelBinding, TlsStream};
use ring::digest;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::der::oid::db::rfc5912::{
    ECDSA_WITH_SHA_256, ECDSA_WITH_SHA_384, ECDSA_WITH_SHA_512, SHA_1_WITH_RSA_ENCRYPTION,
    SHA_256_WITH_RSA_ENCRYPTION, SHA_384_WITH_RSA_ENCRYPTION, SHA_512_WITH_RSA_ENCRYPTION,
};

use crate::limits::LOGIN_MESSAGE_BYTES_MAX;

use super::joining::Joining;
use super::scram::{Binding, SaltedPasswords, Scram, ScramError};
use super::wire::Wire;

const SCRAM: &str = "SCRAM-SHA-256";
const SCRAM_PLUS: &str = "SCRAM-SHA-256-PLUS";
/// Version 3.0 of the protocol.
const PROTOCOL: i32 = 3 << 16;
/// Kinds of messages on authentication.
const SASL: i32 = 10;
const SASL_CONTINUE: i32 = 11;
const SASL_FINAL: i32 = 12;

/// What a session is begun with.
#[derive(Clone)]
pub(super) struct Login {
    startup: Vec<u8>,
    password: Option<Vec<u8>>,
    wanted: Wanted,
    salted: Arc<SaltedPasswords>,
}

impl Login {
    /// That of a host's configuration.
    pub fn of(host: &Config, salted: &Arc<SaltedPasswords>) -> Self {
        Login {
            startup: startup(host),
            password: host.get_password().map(<[u8]>::to_vec),
            wanted: host.get_channel_binding(),
            salted: Arc::clone(salted),
        }
    }

    /// Begins the session. What goes wrong is told to whoever reads first: it is
    /// no error of TLS.
    pub async fn begin(&self, mut wire: Wire) -> Begun {
        let (wire, replay) = match self.talk(&mut wire).await {
            Ok(replay) => (wire, replay),
            Err(error) => (Wire::Broken(Some(error)), Vec::new()),
        };
        Begun {
            wire,
            replay,
            replayed: 0,
            left_out: LeftOut::Length([0; 4], 0),
            joining: Joining::default(),
        }
    }

    /// Talks to the server until the library can go on; what of the server's
    /// words is left for it.
    async fn talk(&self, wire: &mut Wire) -> Result<Vec<u8>, io::Error> {
        wire.write_all(&self.startup).await?;
        wire.flush().await?;
        let message = read(wire).await?;
        match (&self.password, message.authentication()) {
            (Some(password), Some((SASL, mechanisms))) => {
                self.answer(wire, mechanisms, password).await
            }
            // The password is sent as it is, or none is wanted.
            (_, Some((kind, _))) if self.wanted == Wanted::Require && kind != SASL => {
                Err(io::Error::other(ScramError::NoBinding))
            }
            _ => Ok(message.bytes),
        }
    }

    /// Answers SCRAM; what of the server's words is left for the library.
    async fn answer(
        &self,
        wire: &mut Wire,
        mechanisms: &[u8],
        password: &[u8],
    ) -> Result<Vec<u8>, io::Error> {
        let (mechanism, binding) =
            choose(mechanisms, wire, self.wanted).map_err(io::Error::other)?;
        let scram = Scram::new(binding, nonce()?);
        let first = scram.first();
        let length = i32::try_from(first.len()).map_err(io::Error::other)?;
        let length = length.to_be_bytes();
        send(
            wire,
            &[mechanism.as_bytes(), b"\0", &length, first.as_bytes()],
        )
        .await?;
        let message = read(wire).await?;
        let Some((SASL_CONTINUE, challenge)) = message.authentication() else {
            return Ok(message.bytes);
        };
        let answer = scram.last(challenge, password, &self.salted);
        let (last, proof) = answer.map_err(io::Error::other)?;
        send(wire, &[last.as_bytes()]).await?;
        let message = read(wire).await?;
        let Some((SASL_FINAL, verdict)) = message.authentication() else {
            return Ok(message.bytes);
        };
        proof.check(verdict).map_err(io::Error::other)?;
        // That all is well comes next, for the library.
        Ok(Vec::new())
    }
}

/// What the session begins with, as the library would have it.
fn startup(host: &Config) -> Vec<u8> {
    let mut body = PROTOCOL.to_be_bytes().to_vec();
    for (key, value) in [
        ("client_encoding", Some("UTF8")),
        ("user", host.get_user()),
        ("database", host.get_dbname()),
        ("options", host.get_options()),
        ("application_name", host.get_application_name()),
    ] {
        if let Some(value) = value {
            for text in [key, value] {
                body.extend(text.bytes());
                body.push(0);
            }
        }
    }
    body.push(0);
    with_length(body)
}

/// A message's body behind its length, which counts itself.
fn with_length(body: Vec<u8>) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    let length = length.saturating_add(4).to_be_bytes();
    [&length[..], &body].concat()
}

/// The mechanism to take of those that are offered, and what binds it.
fn choose(
    mechanisms: &[u8],
    wire: &Wire,
    wanted: Wanted,
) -> Result<(&'static str, Binding), ScramError> {
    let offers = |name: &str| {
        let mut offered = mechanisms.split(|byte| *byte == 0);
        offered.any(|offered| offered == name.as_bytes())
    };
    let end_point = wire.certificate().and_then(|it| end_point(it));
    let end_point = end_point.filter(|_| wanted != Wanted::Disable);
    match end_point {
        Some(hash) if offers(SCRAM_PLUS) => Ok((SCRAM_PLUS, Binding::EndPoint(hash))),
        _ if !offers(SCRAM) => Err(ScramError::NoMechanism),
        _ if wanted == Wanted::Require => Err(ScramError::NoBinding),
        Some(_) => Ok((SCRAM, Binding::Unoffered)),
        None => Ok((SCRAM, Binding::Unsupported)),
    }
}

/// The hash of a certificate that a login is bound to (RFC 5929): made as its
/// signature was, and never by less than SHA-256. `None` where that names no
/// hash, as Ed25519 does.
fn end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    let parsed = Certificate::from_der(certificate).ok()?;
    let hash = match parsed.signature_algorithm.oid {
        SHA_1_WITH_RSA_ENCRYPTION | SHA_256_WITH_RSA_ENCRYPTION | ECDSA_WITH_SHA_256 => {
            &digest::SHA256
        }
        SHA_384_WITH_RSA_ENCRYPTION | ECDSA_WITH_SHA_384 => &digest::SHA384,
        SHA_512_WITH_RSA_ENCRYPTION | ECDSA_WITH_SHA_512 => &digest::SHA512,
        _ => return None,
    };
    Some(digest::digest(hash, certificate).as_ref().to_vec())
}

/// Eighteen random bytes as text without a comma.
fn nonce() -> Result<String, io::Error> {
    let mut bytes = [0; 18];
    let drawn = SystemRandom::new().fill(&mut bytes);
    drawn.map_err(|_| io::Error::other("the system gives no random numbers"))?;
    Ok(STANDARD.encode(bytes))
}

/// A message of the server, whole.
struct Message {
    bytes: Vec<u8>,
}

impl Message {
    /// The kind of an authentication message, and what it holds.
    fn authentication(&self) -> Option<(i32, &[u8])> {
        let rest = self.bytes.strip_prefix(b"R")?.get(4..)?;
        let (kind, body) = rest.split_first_chunk::<4>()?;
        Some((i32::from_be_bytes(*kind), body))
    }
}

async fn read(wire: &mut Wire) -> Result<Message, io::Error> {
    let mut head = [0; 5];
    wire.read_exact(&mut head).await?;
    let [_, length @ ..] = head;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    let body = length.checked_sub(4);
    let Some(body) = body.filter(|body| *body <= LOGIN_MESSAGE_BYTES_MAX) else {
        return Err(io::Error::other(
            "the server does not speak PostgreSQL's protocol",
        ));
    };
    let mut bytes = head.to_vec();
    bytes.resize(5 + body, 0);
    if let Some(body) = bytes.get_mut(5..) {
        wire.read_exact(body).await?;
    }
    Ok(Message { bytes })
}

async fn send(wire: &mut Wire, parts: &[&[u8]]) -> Result<(), io::Error> {
    wire.write_all(b"p").await?;
    wire.write_all(&with_length(parts.concat())).await?;
    wire.flush().await
}

/// A connection on which a session has begun.
pub(super) struct Begun {
    wire: Wire,
    /// What the server has said and the library is still to hear.
    replay: Vec<u8>,
    replayed: usize,
    left_out: LeftOut,
    joining: Joining,
}

/// How much of the library's own beginning was left out.
enum LeftOut {
    /// So many bytes of its length are there.
    Length([u8; 4], usize),
    /// So many bytes are still to come.
    Body(usize),
    /// All of it.
    Whole,
}

impl LeftOut {
    /// Takes the next bytes; how many of them belong to it.
    fn take(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        for byte in bytes {
            match self {
                LeftOut::Length(length, seen) => {
                    if let Some(place) = length.get_mut(*seen) {
                        *place = *byte;
                    }
                    *seen += 1;
                    if *seen == 4 {
                        let length = u32::from_be_bytes(*length);
                        let left = usize::try_from(length).unwrap_or(usize::MAX);
                        *self = LeftOut::Body(left.saturating_sub(4));
                    }
                }
                LeftOut::Body(left) => *left = left.saturating_sub(1),
                LeftOut::Whole => return taken,
            }
            taken += 1;
            if matches!(self, LeftOut::Body(0)) {
                *self = LeftOut::Whole;
            }
        }
        taken
    }
}

impl Begun {
    /// A connection on which nothing was said.
    pub fn untouched(wire: Wire) -> Self {
        Begun {
            wire,
            replay: Vec::new(),
            replayed: 0,
            left_out: LeftOut::Whole,
            joining: Joining::default(),
        }
    }
}

impl AsyncRead for Begun {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let rest = this.replay.get(this.replayed..).unwrap_or_default();
        if rest.is_empty() {
            let before = buffer.filled().len();
            ready!(Pin::new(&mut this.wire).poll_read(context, buffer))?;
            let came = buffer.filled_mut().get_mut(before..).unwrap_or_default();
            let left = this.joining.join(came);
            buffer.set_filled(before + left);
            return Poll::Ready(Ok(()));
        }
        let (now, _) = rest.split_at(rest.len().min(buffer.remaining()));
        buffer.put_slice(now);
        this.replayed += now.len();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Begun {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.left_out.take(bytes) {
            0 => Pin::new(&mut self.wire).poll_write(context, bytes),
            left_out => Poll::Ready(Ok(left_out)),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_shutdown(context)
    }
}

impl TlsStream for Begun {
    fn channel_binding(&self) -> ChannelBinding {
        let end_point = self.wire.certificate().and_then(|it| end_point(it));
        end_point.map_or_else(ChannelBinding::none, ChannelBinding::tls_server_end_point)
    }
}
