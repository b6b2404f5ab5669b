//! The environment: what a variable holds, and which of ours there are.

use std::ffi::OsString;

use super::error::ConfigError;
use super::place::Place;
use super::spelling::{is_surely, nearest_of};
use crate::cli::CONFIG_VARIABLE;
use crate::cli::settings::{self, ENVIRONMENT_PREFIX, Setting};

/// Where variables are looked up; an argument so that tests need not touch the
/// environment of their process.
pub trait Environment {
    /// What the variable of this name holds.
    fn value(&self, name: &str) -> Option<OsString>;

    /// The names of all variables, as far as they can be listed.
    fn names(&self) -> Vec<OsString>;
}

/// A function alone looks up and lists nothing.
impl<F: Fn(&str) -> Option<OsString>> Environment for F {
    fn value(&self, name: &str) -> Option<OsString> {
        self(name)
    }

    fn names(&self) -> Vec<OsString> {
        Vec::new()
    }
}

/// The environment of this process.
#[derive(Clone, Copy, Debug)]
pub struct OfProcess;

impl Environment for OfProcess {
    fn value(&self, name: &str) -> Option<OsString> {
        std::env::var_os(name)
    }

    fn names(&self) -> Vec<OsString> {
        std::env::vars_os().map(|(name, _)| name).collect()
    }
}

/// A variable's value; one that is set to nothing counts as not set, as
/// compose files and unit files leave them.
pub fn variable(environment: &dyn Environment, name: &str) -> Option<OsString> {
    environment.value(name).filter(|value| !value.is_empty())
}

/// The variables that begin as ours do, are set, and mean nothing: each as an
/// error, with the setting that was surely meant.
pub fn unknown(environment: &dyn Environment) -> Vec<(ConfigError, Option<&'static str>)> {
    let mut names: Vec<String> = environment
        .names()
        .iter()
        .filter_map(|name| name.to_str())
        .filter(|name| name.starts_with(ENVIRONMENT_PREFIX))
        .map(str::to_owned)
        .collect();
    names.sort();
    let unknown = names.into_iter().filter_map(|name| {
        let value = variable(environment, &name)?;
        let is_known =
            name == CONFIG_VARIABLE || settings::all().any(|setting| setting.variable() == name);
        let is_foreign = is_of_kubernetes(&name, &value.to_string_lossy());
        (!is_known && !is_foreign).then_some(name)
    });
    let judged = unknown.map(|name| {
        let key = name.trim_start_matches(ENVIRONMENT_PREFIX);
        let keys = settings::all().map(|setting| setting.key);
        let nearest = nearest_of(key, keys.chain(["config"]));
        let meant = nearest.map(|key| format!("{ENVIRONMENT_PREFIX}{}", key.to_uppercase()));
        let error = ConfigError::UnknownVariable {
            place: Place::Environment(name.clone()),
            nearest: meant,
        };
        (error, nearest.filter(|meant| is_surely(key, meant)))
    });
    judged.collect()
}

/// Whether Kubernetes has put it there: it tells each container of every
/// Service of its namespace, and one called "viewcast" begins as ours do.
fn is_of_kubernetes(name: &str, value: &str) -> bool {
    let words: Vec<&str> = name.split('_').collect();
    // VIEWCAST_SERVICE_HOST, VIEWCAST_SERVICE_PORT, VIEWCAST_SERVICE_PORT_HTTP
    let is_service = words
        .windows(2)
        .any(|pair| matches!(pair, ["SERVICE", "HOST" | "PORT"]));
    // VIEWCAST_PORT_80_TCP, VIEWCAST_PORT_80_TCP_ADDR
    let is_number = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit());
    let is_port = words.windows(3).any(|words| match words {
        ["PORT", number, "TCP" | "UDP" | "SCTP"] => is_number(number),
        _ => false,
    });
    // VIEWCAST_PORT=tcp://10.0.0.1:80
    let is_address = name.ends_with("_PORT") && value.contains("://");
    is_service || is_port || is_address
}

/// The variables of all settings that are set, each with its text or what is
/// wrong with it.
pub fn given(
    environment: &dyn Environment,
) -> impl Iterator<Item = (Setting, Result<String, ConfigError>, Place)> {
    settings::all().filter_map(|setting| {
        let name = setting.variable();
        let value = variable(environment, &name)?;
        let place = Place::Environment(name);
        let text = value.into_string().map_err(|_| ConfigError::NotUnicode {
            place: place.clone(),
        });
        Some((setting, text, place))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Listed(Vec<(&'static str, &'static str)>);

    impl Environment for Listed {
        fn value(&self, name: &str) -> Option<OsString> {
            let found = self.0.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| value.into())
        }

        fn names(&self) -> Vec<OsString> {
            self.0.iter().map(|(name, _)| name.into()).collect()
        }
    }

    #[test]
    fn variables_that_mean_nothing_are_found_with_what_was_meant() {
        let table = [
            ("VIEWCAST_VEIW", "a", Some(Some("VIEWCAST_VIEW"))),
            ("VIEWCAST_VIEWS", "a", Some(Some("VIEWCAST_VIEW"))),
            ("VIEWCAST_HARTBEAT", "1s", Some(Some("VIEWCAST_HEARTBEAT"))),
            ("VIEWCAST_CONFG", "x", Some(Some("VIEWCAST_CONFIG"))),
            ("VIEWCAST_ZZZ", "1", Some(None)),
            ("VIEWCAST_", "1", Some(None)),
            ("VIEWCAST_PORT", "8080", Some(None)),
            ("VIEWCAST_ZZZ", "", None),
            ("VIEWCAST_VIEW", "a", None),
            ("VIEWCAST_CONFIG", "a", None),
            ("VIEWCAST", "a", None),
            ("OTHER_VIEWCAST_VIEWS", "a", None),
            // What a Service of Kubernetes puts there.
            ("VIEWCAST_SERVICE_HOST", "10.0.0.1", None),
            ("VIEWCAST_SERVICE_PORT", "80", None),
            ("VIEWCAST_SERVICE_PORT_HTTP", "80", None),
            ("VIEWCAST_WEB_SERVICE_HOST", "10.0.0.1", None),
            ("VIEWCAST_PORT", "tcp://10.0.0.1:80", None),
            ("VIEWCAST_PORT_80_TCP", "tcp://10.0.0.1:80", None),
            ("VIEWCAST_PORT_80_TCP_PROTO", "tcp", None),
            ("VIEWCAST_PORT_80_TCP_PORT", "80", None),
            ("VIEWCAST_PORT_80_TCP_ADDR", "10.0.0.1", None),
        ];
        for (name, value, expected) in table {
            let found = unknown(&Listed(vec![(name, value)]));
            let nearest = found.first().map(|(error, _)| match error {
                ConfigError::UnknownVariable { nearest, .. } => nearest.as_deref(),
                other => panic!("{other}"),
            });
            assert_eq!(nearest, expected, "{name}={value}");
        }
    }
}
