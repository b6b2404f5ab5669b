//! The files that an upstream is connected to with: keys, certificates,
//! passwords.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::limits;

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum FileProblem {
    /// It cannot be read.
    #[error("could not be read: {0}")]
    Read(#[from] io::Error),
    /// It is not what it is taken for.
    #[error("is larger than {max} bytes")]
    TooLarge {
        /// The limit.
        max: u64,
    },
    /// It holds nothing.
    #[error("is empty")]
    Empty,
    /// A password is text.
    #[error("is not UTF-8 text")]
    NotText,
    /// A password is one line.
    #[error("has more than one line")]
    SeveralLines,
    /// Others may read a secret.
    #[error("can be read by others than its owner")]
    Exposed,
    /// It holds something else.
    #[error("holds no {what} in PEM form")]
    NoPem {
        /// What is missing.
        what: &'static str,
    },
}

impl FileProblem {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Read(_) => "Check the path, and that this user may read the file.",
            Self::TooLarge { .. } => "Check that it is the file you mean.",
            Self::Empty | Self::NotText | Self::SeveralLines => {
                "Write the password, and nothing else, into it, as one line of UTF-8 text."
            }
            Self::Exposed => "Take the others' rights away, e.g. by chmod 0600.",
            Self::NoPem { .. } => {
                "Give a file of lines between -----BEGIN ...----- and -----END ...-----; a key \
                 must not be encrypted."
            }
        }
    }
}

/// The bytes of a small file.
fn read(path: &Path) -> Result<Vec<u8>, FileProblem> {
    read_open(File::open(path)?)
}

fn read_open(file: File) -> Result<Vec<u8>, FileProblem> {
    let max = limits::SECRET_FILE_BYTES_MAX;
    let mut bytes = Vec::new();
    file.take(max.saturating_add(1)).read_to_end(&mut bytes)?;
    match u64::try_from(bytes.len()).is_ok_and(|length| length > max) {
        true => Err(FileProblem::TooLarge { max }),
        false => Ok(bytes),
    }
}

/// The bytes of a file that only its owner may read; or root's, if only its
/// group may, too, and `group_may` says that this will do.
fn read_secret(path: &Path, group_may: bool) -> Result<Vec<u8>, FileProblem> {
    let file = File::open(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let about = file.metadata()?;
        let others = match group_may && about.uid() == 0 {
            true => 0o027,
            false => 0o077,
        };
        // A device or a pipe is no place where a secret is kept.
        if about.is_file() && about.mode() & others != 0 {
            return Err(FileProblem::Exposed);
        }
    }
    read_open(file)
}

/// The certificates of a file.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, FileProblem> {
    let none = || FileProblem::NoPem {
        what: "certificate",
    };
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(path)?).collect();
    let found = found.map_err(|_| none())?;
    match found.is_empty() {
        true => Err(none()),
        false => Ok(found),
    }
}

/// The private key of a file, by libpq's rule for who may read it.
pub fn key(path: &Path) -> Result<PrivateKeyDer<'static>, FileProblem> {
    let none = |_| FileProblem::NoPem {
        what: "private key",
    };
    PrivateKeyDer::from_pem_slice(&read_secret(path, true)?).map_err(none)
}

/// The password in a file that holds nothing else.
pub fn password(path: &Path) -> Result<String, FileProblem> {
    password_of(read(path)?)
}

/// Whether it can be read again: a pipe holds nothing more, or is waited for.
pub fn is_lasting(path: &Path) -> bool {
    // One that is not there is missed when it is read.
    path.metadata().map_or(true, |about| about.is_file())
}

/// The password that these bytes are.
pub fn password_of(bytes: Vec<u8>) -> Result<String, FileProblem> {
    let text = String::from_utf8(bytes).map_err(|_| FileProblem::NotText)?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    match line {
        "" => Err(FileProblem::Empty),
        line if line.contains('\n') => Err(FileProblem::SeveralLines),
        line => Ok(line.to_owned()),
    }
}

/// What a password file says for a server; see [`find`].
pub fn passfile(path: &Path) -> Result<String, FileProblem> {
    String::from_utf8(read_secret(path, false)?).map_err(|_| FileProblem::NotText)
}

/// The password in the first line of a password file whose other fields are
/// these, or `*`: `host:port:database:user:password`, in which `\:` is a colon
/// and `\\` a backslash.
pub fn find(passfile: &str, wanted: [&str; 4]) -> Option<String> {
    passfile.lines().find_map(|line| {
        if line.starts_with('#') {
            return None;
        }
        let mut rest = line;
        for value in wanted {
            let (field, after) = field(rest)?;
            if field.0 != value && field.1 != "*" {
                return None;
            }
            rest = after;
        }
        let password = field_to_end(rest);
        (!password.is_empty()).then_some(password)
    })
}

/// The field up to the next colon, unescaped and as it stands; and what is
/// after the colon.
fn field(text: &str) -> Option<((String, &str), &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
            ':' => {
                let (raw, after) = text.split_at(at);
                return Some(((value, raw), after.get(1..)?));
            }
            c => value.push(c),
        }
    }
    None
}

/// The last field: the rest of the line, unescaped.
fn field_to_end(text: &str) -> String {
    let mut value = String::new();
    let mut chars = text.trim_end_matches('\r').chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => value.extend(chars.next()),
            // A colon in a password need not be escaped at the end.
            c => value.push(c),
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passfile_first_line_that_fits_wins() {
        let text = "# mine: all of it\n\
            db:6875:mz:me:plain\n\
            db:6875:mz:*:any\\:one\\\\\n\
            *:*:*:root:r:o:o:t\n\
            odd\\:host:1:*:me:odd\r\n\
            short:1:me\n\
            \\*:1:d:star:no\n\
            empty:1:d:u:\n\
            empty:1:d:u:late\n";
        for (wanted, expected) in [
            (["db", "6875", "mz", "me"], Some("plain")),
            (["db", "6875", "mz", "you"], Some("any:one\\")),
            (["elsewhere", "1", "x", "root"], Some("r:o:o:t")),
            (["odd:host", "1", "d", "me"], Some("odd")),
            (["db", "6876", "mz", "me"], None),
            (["short", "1", "d", "me"], None),
            // An escaped star is a star, not everything.
            (["h", "1", "d", "star"], None),
            (["*", "1", "d", "star"], Some("no")),
            (["empty", "1", "d", "u"], Some("late")),
        ] {
            let found = find(text, wanted);
            assert_eq!(found.as_deref(), expected, "{wanted:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn secret_that_others_may_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        std::fs::write(&path, "*:*:*:*:x").unwrap();
        for (mode, refused) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true)] {
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            let exposed = matches!(passfile(&path), Err(FileProblem::Exposed));
            assert_eq!(exposed, refused, "{mode:o}");
        }
    }

    #[test]
    fn password_file_is_one_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("password");
        for (text, expected) in [
            ("secret", Some("secret")),
            ("secret\n", Some("secret")),
            (" sec ret \r\n", Some(" sec ret ")),
            ("", None),
            ("\n", None),
            ("a\nb\n", None),
        ] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(password(&path).ok().as_deref(), expected, "{text:?}");
        }
    }
}
