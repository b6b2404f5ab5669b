//! TLS to an upstream, from the parameters of its address and their files.

use std::path::{Path, PathBuf};

use super::files::{self, FileProblem};
use super::parameters::value_of;
use crate::config::error::ConfigError;
use crate::config::place::Place;
use crate::connection::tls::{Roots, SslMode, Tls};

/// The value of `sslrootcert` that means the machine's own roots.
const SYSTEM_ROOTS: &str = "system";

/// TLS as the parameters ask for it.
pub(super) fn read(
    ours: &[(&'static str, String)],
    direct: bool,
    place: &Place,
) -> Result<Tls, ConfigError> {
    let problem = |key: &'static str, path: &str| {
        let (place, path) = (place.clone(), PathBuf::from(path));
        move |problem: FileProblem| ConfigError::SecretFile {
            what: format!("{key} of {place}"),
            path,
            problem,
        }
    };
    let system = value_of(ours, "sslrootcert") == Some(SYSTEM_ROOTS);
    let mode = match value_of(ours, "sslmode") {
        Some(given) => SslMode::ALL
            .into_iter()
            .find_map(|(name, mode)| (name == given).then_some(mode)),
        // As libpq does: who trusts all the world's CAs must look at the name.
        None if system => Some(SslMode::VerifyFull),
        None => Some(SslMode::Prefer),
    };
    let weak = system && mode != Some(SslMode::VerifyFull);
    let Some(mode) = mode.filter(|_| !weak) else {
        let place = place.clone();
        return Err(ConfigError::SslMode { weak, place });
    };
    if direct && matches!(mode, SslMode::Disable | SslMode::Prefer) {
        // Whoever leaves the question out can be answered by TLS alone.
        let place = place.clone();
        return Err(ConfigError::WeakForDirect { place });
    }
    let roots = match value_of(ours, "sslrootcert") {
        None => None,
        Some(SYSTEM_ROOTS) => Some(Roots::Platform),
        Some(path) => {
            let found = files::certificates(Path::new(path));
            Some(Roots::Given(found.map_err(problem("sslrootcert", path))?))
        }
    };
    let identity = match (value_of(ours, "sslcert"), value_of(ours, "sslkey")) {
        (None, None) => None,
        (Some(certificate), Some(key)) => {
            let certificates = files::certificates(Path::new(certificate))
                .map_err(problem("sslcert", certificate))?;
            let key = files::key(Path::new(key)).map_err(problem("sslkey", key))?;
            Some((certificates, key))
        }
        _ => {
            let place = place.clone();
            return Err(ConfigError::HalfIdentity { place });
        }
    };
    Tls::new(mode, roots, identity, direct).map_err(|error| ConfigError::Tls {
        place: place.clone(),
        error: Box::new(error),
    })
}
