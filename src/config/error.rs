//! Everything that can be wrong with a configuration, in words for whoever
//! wrote it.
//!
//! No text here ever repeats an upstream address: one that could not be parsed
//! cannot be masked either.

use std::path::PathBuf;

use super::access::error::AccessError;
use super::place::Place;
use super::upstream::files::FileProblem;
use super::views::problem::ViewProblem;
use crate::connection::tls::TlsError;
use crate::model::name::NameError;

/// One thing that is wrong with the configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A value that its setting does not accept.
    #[error("invalid value {given:?} for {place}")]
    Value {
        /// Where the value stands.
        place: Place,
        /// The value.
        given: String,
        /// What the setting accepts instead.
        accepts: String,
    },
    /// A value in the file whose type no setting accepts here.
    #[error("{found} given for {place}")]
    Type {
        /// Where the value stands.
        place: Place,
        /// What kind of value it is, with its article.
        found: &'static str,
        /// What the setting accepts instead.
        accepts: &'static str,
    },
    /// A setting that takes one value was given several.
    #[error("{place} given more than one value")]
    Several {
        /// Where the values stand.
        place: Place,
    },
    /// An environment variable that is not Unicode text.
    #[error("{place} is not valid Unicode")]
    NotUnicode {
        /// The variable.
        place: Place,
    },
    /// A key in the file that is no setting.
    #[error("unknown key \"{key}\" in {}, line {line}", path.display())]
    UnknownKey {
        /// The key as written.
        key: String,
        /// The file.
        path: PathBuf,
        /// Its line, from 1.
        line: usize,
        /// The setting that looks most like it.
        nearest: Option<&'static str>,
    },
    /// A variable that begins as ours do and is none of them.
    #[error("unknown variable {place}")]
    UnknownVariable {
        /// The variable.
        place: Place,
        /// The one that looks most like it.
        nearest: Option<String>,
    },
    /// A required setting that no layer gives.
    #[error("no {what} given")]
    Missing {
        /// What is missing.
        what: &'static str,
        /// How to give it.
        hint: &'static str,
    },
    /// Two settings that exclude each other.
    #[error("--{one} and --{other} given together")]
    Together {
        /// One of them.
        one: &'static str,
        /// The other one.
        other: &'static str,
        /// What to do.
        hint: &'static str,
    },
    /// An upstream address that cannot be read, or names no host.
    #[error("invalid address for {place}")]
    Upstream {
        /// Where the address stands.
        place: Place,
    },
    /// A parameter of an upstream address that would have to be ignored.
    #[error("parameter \"{key}\" of {place} is not supported")]
    Parameter {
        /// The parameter.
        key: &'static str,
        /// Where the address stands.
        place: Place,
    },
    /// An `sslmode` that is none, or too weak for what it goes with.
    #[error("invalid sslmode in {place}{}", if *weak { " for sslrootcert=system" } else { "" })]
    SslMode {
        /// It is one, but trusts more than `sslrootcert=system` allows.
        weak: bool,
        /// Where the address stands.
        place: Place,
    },
    /// An `sslmode` that allows to go on without TLS, where the server is not
    /// asked whether it has any.
    #[error("weak sslmode in {place} for sslnegotiation=direct")]
    WeakForDirect {
        /// Where the address stands.
        place: Place,
    },
    /// A client's certificate without its key, or the other way round.
    #[error("only one of sslcert and sslkey given in {place}")]
    HalfIdentity {
        /// Where the address stands.
        place: Place,
    },
    /// TLS that cannot be set up as asked for.
    #[error("TLS cannot be set up as {place} asks: {error}")]
    Tls {
        /// Where the address stands.
        place: Place,
        /// Why not.
        error: Box<TlsError>,
    },
    /// A file with a key, a certificate or a password.
    #[error("file {} given by {what} {problem}", path.display())]
    SecretFile {
        /// What it was given by.
        what: String,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: FileProblem,
    },
    /// Who may ask for what.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// A table of a view that makes none.
    #[error("{place} {problem}")]
    ViewTable {
        /// Where it stands.
        place: Place,
        /// Why not.
        problem: ViewProblem,
    },
    /// A view's name that SQL would not take.
    #[error("{error} in {place}")]
    Name {
        /// Where the name stands.
        place: Place,
        /// What is wrong with it.
        error: NameError,
    },
    /// A list of names with a quote that is never closed.
    #[error("a double quote in {place} is never closed")]
    UnclosedList {
        /// Where the list stands.
        place: Place,
    },
    /// One view named twice.
    #[error("view \"{name}\" given twice in {place}")]
    DuplicateView {
        /// The name as given the second time.
        name: String,
        /// Where it stands.
        place: Place,
    },
    /// More views than one gateway may tail.
    #[error("{given} views given in {place}, and {max} are the most")]
    TooManyViews {
        /// How many were given.
        given: usize,
        /// The limit.
        max: usize,
        /// Where they stand.
        place: Place,
    },
    /// A file that could not be read.
    #[error("configuration file {} could not be read: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        error: std::io::Error,
    },
    /// A file that is larger than a configuration can be.
    #[error("configuration file {} is larger than {max} bytes", path.display())]
    FileTooLarge {
        /// The file.
        path: PathBuf,
        /// The limit.
        max: u64,
    },
    /// A file that is not TOML.
    #[error("configuration file {} is not TOML, line {line}: {message}", path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// Its line, from 1.
        line: usize,
        /// What the parser expected.
        message: String,
        /// The lines of a list of views, and of a table of one, where there are both.
        both: Option<(usize, usize)>,
    },
}

impl ConfigError {
    /// What to do about it, in full sentences.
    pub fn hint(&self) -> String {
        match self {
            Self::Value { accepts, .. } => format!("Give {accepts}."),
            Self::Type { accepts, .. } => format!("Give {accepts}."),
            Self::Several { .. } => "Give one.".into(),
            Self::NotUnicode { .. } => "Set it to UTF-8 text.".into(),
            Self::UnknownKey { nearest, .. } => match nearest {
                Some(nearest) => format!("Did you mean \"{nearest}\"?"),
                None => "config/viewcast.example.toml shows every key.".into(),
            },
            Self::UnknownVariable { nearest, .. } => match nearest {
                Some(nearest) => format!("Did you mean {nearest}?"),
                None => "`viewcast --help-all` shows every variable.".into(),
            },
            Self::Missing { hint, .. } | Self::Together { hint, .. } => (*hint).into(),
            Self::Upstream { .. } => "Give a postgres URL with a host, e.g. \
                postgres://materialize@localhost:6875/materialize, or a string such as \
                \"host=localhost port=6875 user=materialize\"; percent-encode special \
                characters of a URL's password, or put the password into PGPASSWORD."
                .into(),
            Self::Parameter { .. } => {
                "Leave it out; TLS is ruled by sslmode, sslrootcert, sslcert and sslkey.".into()
            }
            Self::SslMode { weak: true, .. } => "Use sslmode=verify-full with it.".into(),
            Self::SslMode { .. } => {
                "Give disable, prefer, require, verify-ca or verify-full.".into()
            }
            Self::WeakForDirect { .. } => {
                "Use sslmode=require, verify-ca or verify-full with it.".into()
            }
            Self::HalfIdentity { .. } => "Give both, or none.".into(),
            Self::Tls { error, .. } => match **error {
                TlsError::NoPlatformRoots => {
                    "Install the machine's CA certificates, or give sslrootcert=FILE.".into()
                }
                _ => "Check the files of sslrootcert, sslcert and sslkey.".into(),
            },
            Self::SecretFile { problem, .. } => problem.hint().into(),
            Self::Access(error) => error.hint().into(),
            Self::ViewTable { problem, .. } => problem.hint().into(),
            Self::Name { error, .. } => error.hint().into(),
            Self::UnclosedList { .. } => {
                "Close it; inside a quoted name, write a double quote twice.".into()
            }
            Self::DuplicateView { .. } => {
                "Name each view once; without double quotes, upper and lower case are the same."
                    .into()
            }
            Self::TooManyViews { .. } => "Spread the views over several gateways.".into(),
            Self::File { .. } => "Check the path given by --config or VIEWCAST_CONFIG.".into(),
            Self::FileTooLarge { .. } => "Check that it is the file you mean.".into(),
            Self::Toml {
                both: Some((list, table)),
                ..
            } => format!(
                "`view` is a list in line {list}, and a table in line {table}: with tables, leave the list out."
            ),
            Self::Toml { .. } => {
                "Write one key = value a line, with texts in quotes, e.g. listen = \"127.0.0.1:8080\"."
                    .into()
            }
        }
    }
}

/// Everything that is wrong with a configuration: at least one error.
#[derive(Debug, thiserror::Error)]
#[error("invalid configuration")]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl ConfigErrors {
    /// The errors as a terminal shows them: each with its hint.
    pub fn report(&self) -> String {
        let lines = self
            .0
            .iter()
            .map(|error| format!("error: {error}\nhint: {}\n", error.hint()));
        lines.collect()
    }
}
