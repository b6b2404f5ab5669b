//! One setting, whatever it sets.

use super::defaults::DefaultValue;

/// What all environment variables begin with.
pub const ENVIRONMENT_PREFIX: &str = "VIEWCAST_";

/// One setting: a key, and what it is when nobody gives it.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Key in the configuration file, in snake case.
    pub key: &'static str,
    /// What holds when no layer gives a value.
    pub default: fn() -> DefaultValue,
}

impl Setting {
    /// The flag without its dashes.
    pub fn flag(&self) -> String {
        self.key.replace('_', "-")
    }

    /// The environment variable.
    pub fn variable(&self) -> String {
        format!("{ENVIRONMENT_PREFIX}{}", self.key.to_uppercase())
    }

    /// Whether it is on or off, and its flag alone means on.
    pub fn is_switch(&self) -> bool {
        matches!((self.default)(), DefaultValue::Text(text) if text == "false" || text == "true")
    }
}
