//! The settings of access: hosts, origins, tokens.

use std::path::{Path, PathBuf};

use super::error::ConfigError;
use super::merge::Merge;
use super::place::Place;
use super::value::{self, Kind};
use crate::access::certificate::certified;
use crate::access::cors::{AllowedHeader, AllowedOrigin};
use crate::access::host::AllowedHost;
use crate::access::key::{Key, KeyError, KeySet};
use crate::access::presented::Places;
use crate::access::token::Rules;
use crate::cli::settings::{Setting, serve};
use crate::limits;

pub mod error;
mod renewal;

use error::AccessError;
use renewal::key_file;
pub use renewal::renewed_key;

/// Who may ask for what.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// Hosts that requests may name, beside our own.
    pub hosts: Vec<AllowedHost>,
    /// Origins whose pages may read.
    pub origins: Vec<AllowedOrigin>,
    /// Headers that these pages may send, beside the usual.
    pub headers: Vec<AllowedHeader>,
    /// How tokens are judged; `None` lets everybody see everything.
    pub tokens: Option<Tokens>,
    /// What is shown to browsers over TLS; `None` serves without it.
    pub certificate: Option<CertificateFiles>,
}

/// The files of a certificate, which were good when they were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate and those in between.
    pub chain: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// How tokens are judged.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// The key of `--jwt-key-file`, as it was read.
    pub key: Option<Key>,
    /// Where it was read, to be read anew.
    pub key_file: Option<PathBuf>,
    /// Where the issuer's key set is.
    pub jwks: Option<Jwks>,
    /// What tokens must say.
    pub rules: Rules,
    /// Where they may be.
    pub places: Places,
}

/// Where a key set is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Jwks {
    /// A file, which may hold secrets, too.
    File(PathBuf),
    /// A URL: https, or http on this machine.
    Url(String),
}

/// Whether tokens are asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Auth {
    None,
    Jwt,
}

/// Reads all of them, so that every error is found.
pub(super) fn merge(merge: &mut Merge<'_>) -> Option<Access> {
    let hosts = merge.list(serve::allow_host, host(), limits::ALLOWED_MAX);
    let origins = merge.list(serve::allow_origin, origin(), limits::ALLOWED_MAX);
    let headers = merge.list(serve::allow_header, value::header(), limits::ALLOWED_MAX);
    let certificate = certificate(merge);
    let auth = merge.optional(serve::auth, auth());
    let key = merge.optional(serve::jwt_key_file, value::text());
    let jwks = merge.optional(serve::jwt_jwks, jwks());
    let issuer = merge.optional(serve::jwt_issuer, value::text());
    let audience = merge.optional(serve::jwt_audience, value::text());
    let cookie = merge.one(serve::jwt_cookie, cookie());
    let url = merge.one(serve::allow_url_token, value::switch());
    let (key, jwks, issuer, audience) = (key?, jwks?, issuer?, audience?);
    let tokens = match auth?.unwrap_or(Auth::None) {
        Auth::None => {
            // A value that makes no sense was told already.
            let cookie = cookie.is_some().then_some(serve::jwt_cookie);
            let url = (url == Some(true)).then_some(serve::allow_url_token);
            refuse_unused(merge, [cookie, url]);
            None
        }
        Auth::Jwt => {
            let key_file = key.clone().map(PathBuf::from);
            let (key, jwks) = keys(merge, key, jwks)?;
            let rules = rules(merge, issuer, audience)?;
            let places = Places {
                cookie: cookie?,
                url: url?,
            };
            Some(Tokens {
                key,
                key_file,
                jwks,
                rules,
                places,
            })
        }
    };
    Some(Access {
        hosts: hosts?,
        origins: origins?,
        headers: headers?,
        tokens,
        certificate: certificate?,
    })
}

/// The files of a certificate: both, or `Some(None)` for neither.
fn certificate(merge: &mut Merge<'_>) -> Option<Option<CertificateFiles>> {
    let chain = merge.optional(serve::tls_cert, value::text());
    let key = merge.optional(serve::tls_key, value::text());
    let (chain, key) = match (chain?, key?) {
        (None, None) => return Some(None),
        (Some(chain), Some(key)) => (PathBuf::from(chain), PathBuf::from(key)),
        (given, _) => {
            let (here, there) = match given {
                Some(_) => (serve::tls_cert, serve::tls_key),
                None => (serve::tls_key, serve::tls_cert),
            };
            let (place, other) = (merge.place(here)?, there.flag());
            merge.error(ConfigError::Access(AccessError::Half { place, other }));
            return None;
        }
    };
    let chain_text = read(merge, serve::tls_cert, &chain);
    let key_text = read(merge, serve::tls_key, &key);
    if let Err(error) = certified(&chain_text?, &key_text?) {
        merge.error(ConfigError::Access(AccessError::Certificate { error }));
        return None;
    }
    Some(Some(CertificateFiles { chain, key }))
}

/// Whoever sets a key counts on its being used; `places` are those settings of
/// where a token may be that mean something.
fn refuse_unused(merge: &mut Merge<'_>, places: [Option<Setting>; 2]) {
    let used = [
        serve::jwt_key_file,
        serve::jwt_jwks,
        serve::jwt_issuer,
        serve::jwt_audience,
    ];
    let used = used.into_iter().chain(places.into_iter().flatten());
    let is_given = |place: &Place| !matches!(place, Place::Default(_));
    let mut given = used.filter_map(|setting| merge.place(setting).filter(is_given));
    // One thing is missing, however many settings wait for it.
    if let Some(place) = given.next() {
        merge.error(ConfigError::Access(AccessError::Unused { place }));
    }
    // Nobody asks for them, so they are not in force.
    merge.leave_out(&[serve::jwt_cookie, serve::allow_url_token]);
}

/// The key of a file, and where a set is: one of them at least.
fn keys(
    merge: &mut Merge<'_>,
    key: Option<String>,
    jwks: Option<Jwks>,
) -> Option<(Option<Key>, Option<Jwks>)> {
    if key.is_none() && jwks.is_none() {
        incomplete(
            merge,
            "a key",
            "Give --jwt-key-file or --jwt-jwks, of whoever issues the tokens.",
        );
    }
    let key = key.map(|path| read_key(merge, &path));
    if let Some(Jwks::File(path)) = &jwks {
        check_jwks(merge, path);
    }
    Some((key.flatten(), jwks))
}

/// A token for somebody else, or of somebody else, must not do.
fn rules(merge: &mut Merge<'_>, issuer: Option<String>, audience: Option<String>) -> Option<Rules> {
    if issuer.is_none() {
        incomplete(
            merge,
            "an issuer",
            "Give --jwt-issuer, the \"iss\" that tokens must have.",
        );
    }
    if audience.is_none() {
        incomplete(
            merge,
            "an audience",
            "Give --jwt-audience, the \"aud\" that tokens must have.",
        );
    }
    Some(Rules {
        issuer: issuer?,
        audience: audience?,
    })
}

fn incomplete(merge: &mut Merge<'_>, what: &'static str, hint: &'static str) {
    merge.error(ConfigError::Access(AccessError::Incomplete { what, hint }));
}

fn read_key(merge: &mut Merge<'_>, path: &str) -> Option<Key> {
    let text = read(merge, serve::jwt_key_file, Path::new(path))?;
    judged(merge, serve::jwt_key_file, Key::from_file(&text))
}

/// The set is read again later, but a wrong file is better known now.
fn check_jwks(merge: &mut Merge<'_>, path: &Path) {
    if let Some(text) = read(merge, serve::jwt_jwks, path) {
        judged(merge, serve::jwt_jwks, KeySet::from_jwks(&text, true));
    }
}

fn judged<T>(merge: &mut Merge<'_>, setting: Setting, key: Result<T, KeyError>) -> Option<T> {
    let place = merge.place(setting)?;
    let failed = |error| merge.error(ConfigError::Access(AccessError::Key { place, error }));
    key.map_err(failed).ok()
}

/// A file that a setting names; a larger one than any key is cut off, and then
/// no key.
fn read(merge: &mut Merge<'_>, setting: Setting, path: &Path) -> Option<Vec<u8>> {
    let place = merge.place(setting)?;
    match key_file(path) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            let path = path.to_owned();
            merge.error(ConfigError::Access(AccessError::Read {
                place,
                path,
                error,
            }));
            None
        }
    }
}

fn host() -> Kind<AllowedHost> {
    Kind {
        accepts: "a host, with or without a port, e.g. example.com or example.com:8443, or *"
            .into(),
        parse: Box::new(AllowedHost::parse),
        show: |host| value::toml_text(&host.text()),
    }
}

fn origin() -> Kind<AllowedOrigin> {
    Kind {
        accepts: "an origin without a path, e.g. https://example.com, or *".into(),
        parse: Box::new(AllowedOrigin::parse),
        show: |origin| value::toml_text(origin.text()),
    }
}

fn auth() -> Kind<Auth> {
    Kind {
        accepts: "none or jwt".into(),
        parse: Box::new(|given| match given.trim() {
            "none" => Some(Auth::None),
            "jwt" => Some(Auth::Jwt),
            _ => None,
        }),
        show: |auth| {
            value::toml_text(match auth {
                Auth::None => "none",
                Auth::Jwt => "jwt",
            })
        },
    }
}

fn jwks() -> Kind<Jwks> {
    Kind {
        accepts: "the path of a file, or an https URL without a password (http for this machine \
                  alone: whoever can change the answer on its way can issue tokens)"
            .into(),
        parse: Box::new(|given| {
            let given = given.trim();
            let Some((scheme, rest)) = given.split_once("://") else {
                return (!given.is_empty()).then(|| Jwks::File(given.into()));
            };
            let plain = given.bytes().all(|byte| byte.is_ascii_graphic());
            let authority = rest.split(['/', '?', '#']).next()?;
            let AllowedHost::Named { name, .. } = AllowedHost::parse(authority)? else {
                return None;
            };
            let here = ["localhost", "127.0.0.1", "[::1]"].contains(&name.as_str());
            let good = plain && (scheme == "https" || (scheme == "http" && here));
            good.then(|| Jwks::Url(given.to_owned()))
        }),
        show: |jwks| {
            value::toml_text(&match jwks {
                Jwks::File(path) => path.display().to_string(),
                Jwks::Url(url) => url.clone(),
            })
        },
    }
}

/// A cookie's name, as RFC 6265 has it.
fn cookie() -> Kind<String> {
    Kind {
        accepts: "the name of a cookie, e.g. viewcast_token".into(),
        parse: Box::new(|given| {
            let given = given.trim();
            let other =
                |byte: u8| !byte.is_ascii_graphic() || b"()<>@,;:\\\"/[]?={}".contains(&byte);
            let good = !given.is_empty() && !given.bytes().any(other);
            good.then(|| given.to_owned())
        }),
        show: |name| value::toml_text(name),
    }
}
