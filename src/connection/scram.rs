//! The client's side of SCRAM-SHA-256 (RFC 5802 and 7677), as PostgreSQL speaks
//! it. The client library has one of its own, but takes no more than 100,000
//! iterations, and a Materialize asks for 600,000. No I/O: the messages come in
//! and go out as text.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac, pbkdf2};

use crate::limits::{SALTED_PASSWORDS_MAX, SCRAM_ITERATIONS_MAX};

/// Why there is no login by SCRAM.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScramError {
    /// No mechanism that is known here.
    #[error("the server offers no SASL mechanism that is known here")]
    NoMechanism,
    /// The address requires channel binding, and the server has none.
    #[error("the server does not bind the login to the TLS connection")]
    NoBinding,
    /// Something that SCRAM does not say.
    #[error("the server's part of the SCRAM login is malformed")]
    Malformed,
    /// Work that nobody asks for in good faith.
    #[error(
        "the server asks for {0} iterations of SCRAM-SHA-256, more than {SCRAM_ITERATIONS_MAX}"
    )]
    Iterations(u32),
    /// It does not know the password's salted form: somebody else's answer.
    #[error("the server does not prove that it knows the password")]
    Unproven,
    /// The server has said so.
    #[error("the server refuses the login: {0}")]
    Refused(String),
}

/// What binds a login to the TLS connection that it is made on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Binding {
    /// There is no TLS, or it is not to be bound.
    Unsupported,
    /// We could, and the server says that it cannot: it is told so, to notice
    /// if somebody in between has taken that offer away.
    Unoffered,
    /// The hash of the server's certificate.
    EndPoint(Vec<u8>),
}

impl Binding {
    fn header(&self) -> &'static str {
        match self {
            Binding::Unsupported => "n,,",
            Binding::Unoffered => "y,,",
            Binding::EndPoint(_) => "p=tls-server-end-point,,",
        }
    }
}

/// An exchange of which the first message is to be sent.
pub(super) struct Scram {
    binding: Binding,
    nonce: String,
}

/// What the server has to prove at the end.
pub(super) struct Proof {
    server_key: hmac::Key,
    exchanged: String,
}

impl Scram {
    /// `nonce` is drawn for this exchange: printable, without a comma.
    pub fn new(binding: Binding, nonce: String) -> Self {
        Scram { binding, nonce }
    }

    fn bare(&self) -> String {
        // The name is that of the session's beginning.
        format!("n=,r={}", self.nonce)
    }

    /// The client's first message.
    pub fn first(&self) -> String {
        format!("{}{}", self.binding.header(), self.bare())
    }

    /// The client's last message, and what the server must answer it with.
    pub fn last(
        &self,
        server_first: &[u8],
        password: &[u8],
        salted: &SaltedPasswords,
    ) -> Result<(String, Proof), ScramError> {
        let server_first = std::str::from_utf8(server_first).map_err(|_| ScramError::Malformed)?;
        let challenge = Challenge::parse(server_first, &self.nonce)?;
        let mut bound = self.binding.header().as_bytes().to_vec();
        if let Binding::EndPoint(hash) = &self.binding {
            bound.extend(hash);
        }
        let bound = STANDARD.encode(bound);
        let without_proof = format!("c={bound},r={}", challenge.nonce);
        let exchanged = format!("{},{server_first},{without_proof}", self.bare());

        let salted = salted.of(password, &challenge);
        let salted = hmac::Key::new(hmac::HMAC_SHA256, &salted);
        let client_key = hmac::sign(&salted, b"Client Key");
        let stored = digest::digest(&digest::SHA256, client_key.as_ref());
        let stored = hmac::Key::new(hmac::HMAC_SHA256, stored.as_ref());
        let signature = hmac::sign(&stored, exchanged.as_bytes());
        let pairs = client_key.as_ref().iter().zip(signature.as_ref());
        let proof: Vec<u8> = pairs.map(|(key, signature)| key ^ signature).collect();

        let server_key = hmac::sign(&salted, b"Server Key");
        let server_key = hmac::Key::new(hmac::HMAC_SHA256, server_key.as_ref());
        let last = format!("{without_proof},p={}", STANDARD.encode(proof));
        Ok((
            last,
            Proof {
                server_key,
                exchanged,
            },
        ))
    }
}

impl Proof {
    /// Takes the server's last message.
    pub fn check(&self, server_last: &[u8]) -> Result<(), ScramError> {
        let text = std::str::from_utf8(server_last).map_err(|_| ScramError::Malformed)?;
        let mut fields = text.split(',');
        match fields.next().and_then(|field| field.split_once('=')) {
            Some(("v", signature)) => {
                let signature = STANDARD.decode(signature);
                let signature = signature.map_err(|_| ScramError::Malformed)?;
                hmac::verify(&self.server_key, self.exchanged.as_bytes(), &signature)
                    .map_err(|_| ScramError::Unproven)
            }
            // A word of the standard, not the server's own.
            Some(("e", reason)) => Err(ScramError::Refused(reason.chars().take(64).collect())),
            _ => Err(ScramError::Malformed),
        }
    }
}

/// The server's first message.
#[derive(Debug, PartialEq, Eq)]
struct Challenge {
    nonce: String,
    salt: Vec<u8>,
    iterations: NonZeroU32,
}

impl Challenge {
    fn parse(text: &str, ours: &str) -> Result<Self, ScramError> {
        let mut fields = text.split(',');
        let mut field = |name: &str| {
            let (found, value) = fields.next()?.split_once('=')?;
            (found == name).then_some(value)
        };
        let (Some(nonce), Some(salt), Some(iterations)) = (field("r"), field("s"), field("i"))
        else {
            return Err(ScramError::Malformed);
        };
        let is_theirs = nonce
            .strip_prefix(ours)
            .is_some_and(|rest| !rest.is_empty());
        let salt = STANDARD.decode(salt).ok().filter(|_| is_theirs);
        let iterations = iterations.parse::<NonZeroU32>().ok();
        let (Some(salt), Some(iterations)) = (salt, iterations) else {
            return Err(ScramError::Malformed);
        };
        if iterations.get() > SCRAM_ITERATIONS_MAX {
            return Err(ScramError::Iterations(iterations.get()));
        }
        Ok(Challenge {
            nonce: nonce.to_owned(),
            salt,
            iterations,
        })
    }
}

/// Passwords that were salted before: it takes a good part of a second, and
/// after an outage each view of a gateway connects anew with the same one.
#[derive(Default)]
pub(super) struct SaltedPasswords(Mutex<VecDeque<Salted>>);

struct Salted {
    password: Vec<u8>,
    salt: Vec<u8>,
    iterations: NonZeroU32,
    salted: [u8; 32],
}

impl SaltedPasswords {
    /// The password salted as the server wants it. Whoever wants the same
    /// meanwhile waits for it.
    fn of(&self, password: &[u8], challenge: &Challenge) -> [u8; 32] {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_same = |one: &&Salted| {
            one.password == password
                && one.salt == challenge.salt
                && one.iterations == challenge.iterations
        };
        if let Some(found) = known.iter().find(is_same) {
            return found.salted;
        }
        let mut salted = [0; 32];
        pbkdf2::derive(
            pbkdf2::PBKDF2_HMAC_SHA256,
            challenge.iterations,
            &challenge.salt,
            &prepared(password),
            &mut salted,
        );
        if known.len() >= SALTED_PASSWORDS_MAX {
            known.pop_front();
        }
        known.push_back(Salted {
            password: password.to_vec(),
            salt: challenge.salt.clone(),
            iterations: challenge.iterations,
            salted,
        });
        salted
    }
}

/// The password as both sides write it; as it is, where it is no such text.
fn prepared(password: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(password).ok();
    let prepared = text.and_then(|text| stringprep::saslprep(text).ok());
    match prepared {
        Some(prepared) => prepared.into_owned().into_bytes(),
        None => password.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7677, section 3, but for the user's name, which
    /// PostgreSQL leaves out.
    const NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
    const SERVER_FIRST: &str = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
         s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

    fn exchange() -> Scram {
        Scram::new(Binding::Unsupported, NONCE.to_owned())
    }

    #[test]
    fn scram_salts_as_the_standard_says() {
        let challenge = Challenge::parse(SERVER_FIRST, NONCE).unwrap();
        let salted = SaltedPasswords::default();
        let once = salted.of(b"pencil", &challenge);
        let key = hmac::Key::new(hmac::HMAC_SHA256, &once);
        let server_key = hmac::sign(&key, b"Server Key");
        // As the RFC's example has it, with the user's name.
        let exchanged = format!(
            "n=user,r={NONCE},{SERVER_FIRST},c=biws,r=rOprNGfwEbeRWgbNEkqO\
             %hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
        );
        let server_key = hmac::Key::new(hmac::HMAC_SHA256, server_key.as_ref());
        let proof = Proof {
            server_key,
            exchanged,
        };
        let last = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
        assert_eq!(proof.check(last), Ok(()));
        // Known from now on.
        assert_eq!(salted.of(b"pencil", &challenge), once);
        assert_ne!(salted.of(b"pencils", &challenge), once);
        for n in 0..2 * SALTED_PASSWORDS_MAX {
            salted.of(n.to_string().as_bytes(), &challenge);
        }
        assert_eq!(salted.0.lock().unwrap().len(), SALTED_PASSWORDS_MAX);
    }

    #[test]
    fn scram_takes_no_challenge_that_is_none() {
        let too_many = SCRAM_ITERATIONS_MAX + 1;
        let many = format!("r={NONCE}x,s=AAAA,i={too_many}");
        for (text, error) in [
            (&*many, ScramError::Iterations(too_many)),
            ("", ScramError::Malformed),
            ("r=other,s=AAAA,i=1", ScramError::Malformed),
            (&format!("r={NONCE},s=AAAA,i=1"), ScramError::Malformed),
            (&format!("r={NONCE}x,s=?,i=1"), ScramError::Malformed),
            (&format!("r={NONCE}x,s=AAAA,i=0"), ScramError::Malformed),
            (&format!("r={NONCE}x,s=AAAA,i=x"), ScramError::Malformed),
            (&format!("m=x,r={NONCE}x,s=AAAA,i=1"), ScramError::Malformed),
        ] {
            let salted = SaltedPasswords::default();
            let answered = exchange().last(text.as_bytes(), b"", &salted);
            assert_eq!(answered.err(), Some(error), "{text}");
        }
    }

    #[test]
    fn scram_believes_only_a_server_that_knows_the_password() {
        let salted = SaltedPasswords::default();
        let (last, proof) = exchange()
            .last(SERVER_FIRST.as_bytes(), b"pencil", &salted)
            .unwrap();
        assert!(last.starts_with("c=biws,r=rOprNGfwEbeRWgbNEkqO%"), "{last}");
        for (said, error) in [
            ("v=AAAA", ScramError::Unproven),
            ("v=", ScramError::Unproven),
            ("v=?", ScramError::Malformed),
            ("", ScramError::Malformed),
            ("x=1", ScramError::Malformed),
            (
                "e=invalid-proof",
                ScramError::Refused("invalid-proof".to_owned()),
            ),
        ] {
            assert_eq!(proof.check(said.as_bytes()), Err(error), "{said}");
        }
    }

    #[test]
    fn scram_says_what_it_is_bound_to() {
        for (binding, header, bound) in [
            (Binding::Unsupported, "n,,", &b"n,,"[..]),
            (Binding::Unoffered, "y,,", b"y,,"),
            (
                Binding::EndPoint(vec![1, 2]),
                "p=tls-server-end-point,,",
                b"p=tls-server-end-point,,\x01\x02",
            ),
        ] {
            let scram = Scram::new(binding, NONCE.to_owned());
            assert_eq!(scram.first(), format!("{header}n=,r={NONCE}"));
            let salted = SaltedPasswords::default();
            let first = format!("r={NONCE}x,s=AAAA,i=1");
            let (last, _) = scram.last(first.as_bytes(), b"", &salted).unwrap();
            let start = format!("c={},r={NONCE}x,p=", STANDARD.encode(bound));
            assert!(last.starts_with(&start), "{last}");
        }
    }
}
