//! The one merge: for each setting the first layer that gives it, else its
//! default; every error is kept, so that all are reported at once.

use super::environment::Environment;
use super::error::{ConfigError, ConfigErrors};
use super::layer::{Given, Layer};
use super::layers::layers;
use super::password;
use super::place::Place;
use super::upstream::Upstream;
use super::value::{self, Kind};
use super::views::table::ViewTable;
use crate::cli::Flags;
use crate::cli::settings::{DefaultValue, Setting};

pub mod views;

/// One line of the merged configuration, for `check-config`.
pub struct Entry {
    /// The setting's key.
    pub key: &'static str,
    /// Its value as TOML, secrets masked; `None` when it has none.
    pub toml: Option<String>,
    /// Where the value came from.
    pub place: Place,
    /// What else there is to say about where it came from.
    pub note: &'static str,
}

/// What the layers have for a setting.
enum Found {
    /// This, be it the default.
    Given(Given),
    /// Something that an error was told about already, or may have been: it is
    /// neither another error nor the default.
    Spoilt,
    /// Nothing, and there is no default.
    Nothing,
}

/// A merge under way: the layers, and what was read from them so far.
pub struct Merge<'e> {
    environment: &'e dyn Environment,
    layers: Vec<Layer>,
    /// What the file says of single views, whichever layer names them.
    tables: Vec<ViewTable>,
    errors: Vec<ConfigError>,
    entries: Vec<Entry>,
}

impl<'e> Merge<'e> {
    /// Reads the layers.
    pub fn new(flags: &Flags, environment: &'e dyn Environment) -> Self {
        let (layers, tables, errors) = layers(flags, environment);
        Self {
            environment,
            layers,
            tables,
            errors,
            entries: Vec::new(),
        }
    }

    /// A setting of one value; `None` after an error.
    pub fn one<T>(&mut self, setting: Setting, kind: Kind<T>) -> Option<T> {
        let Found::Given(given) = self.find(setting) else {
            return None;
        };
        let text = self.single(&given)?;
        let Some(value) = (kind.parse)(&text) else {
            self.errors.push(ConfigError::Value {
                place: given.place,
                given: text,
                accepts: kind.accepts,
            });
            return None;
        };
        self.entry(setting, Some((kind.show)(&value)), given.place, "");
        Some(value)
    }

    /// What is given for a list, or else its defaults.
    fn several(&self, setting: Setting, defaults: &[&str]) -> Option<Given> {
        match self.find(setting) {
            Found::Given(given) => Some(given),
            Found::Spoilt => None,
            Found::Nothing => Some(Given {
                values: defaults.iter().map(ToString::to_string).collect(),
                separated: false,
                place: Place::Default(None),
            }),
        }
    }

    /// A setting of any number of values, `max` at the most; none if no layer
    /// gives any.
    pub fn list<T>(&mut self, setting: Setting, kind: Kind<T>, max: usize) -> Option<Vec<T>> {
        let given = self.several(setting, &[])?;
        let place = given.place.clone();
        let before = self.errors.len();
        let mut values = Vec::new();
        for text in self.names(given)? {
            match (kind.parse)(&text) {
                Some(value) if values.len() < max => values.push(value),
                _ => self.errors.push(ConfigError::Value {
                    place: place.clone(),
                    given: text,
                    accepts: kind.accepts.clone(),
                }),
            }
        }
        if self.errors.len() > before {
            return None;
        }
        let shown: Vec<_> = values.iter().map(kind.show).collect();
        self.entry(setting, Some(format!("[{}]", shown.join(", "))), place, "");
        Some(values)
    }

    /// Where a setting is given, if it is.
    pub fn place(&self, setting: Setting) -> Option<Place> {
        self.given(setting).map(|given| given.place)
    }

    /// Records what is wrong.
    pub fn error(&mut self, error: ConfigError) {
        self.errors.push(error);
    }

    /// The upstream: `Some(None)` if no layer gives one, `None` after an error.
    pub fn upstream(
        &mut self,
        setting: Setting,
        [password_file, password_command]: [Setting; 2],
    ) -> Option<Option<Upstream>> {
        let given = match self.find(setting) {
            Found::Given(given) => given,
            Found::Spoilt => return None,
            Found::Nothing => {
                self.entry(setting, None, Place::Default(None), "");
                self.optional(password_file, value::text())?;
                self.optional(password_command, value::text())?;
                return Some(None);
            }
        };
        let text = self.single(&given)?;
        let (file, command) = (self.given(password_file), self.given(password_command));
        if file.is_some() && command.is_some() {
            self.together(
                "password_file",
                "password_command",
                "One of them gives the password: leave the other out.",
            );
            return None;
        }
        let upstream = Upstream::parse(&text, &given.place, self.environment)
            .and_then(|upstream| password::complete(upstream, file, command, self.environment));
        match upstream {
            Err(error) => {
                self.errors.push(error);
                None
            }
            Ok(_) if self.is_spoilt(password_file) || self.is_spoilt(password_command) => None,
            Ok((upstream, note)) => {
                let shown = value::toml_text(&upstream.to_string());
                self.entry(setting, Some(shown), given.place, note);
                self.optional(password_file, value::text());
                self.optional(password_command, value::text());
                Some(Some(upstream))
            }
        }
    }

    fn is_spoilt(&self, setting: Setting) -> bool {
        matches!(self.find(setting), Found::Spoilt)
    }

    /// A setting of one value that may be left out: `Some(None)` if no layer
    /// gives it, `None` after an error.
    pub fn optional<T>(&mut self, setting: Setting, kind: Kind<T>) -> Option<Option<T>> {
        if let Found::Nothing = self.find(setting) {
            self.entry(setting, None, Place::Default(None), "");
            return Some(None);
        }
        self.one(setting, kind).map(Some)
    }

    /// Records that something required is in no layer.
    pub fn missing(&mut self, what: &'static str, hint: &'static str) {
        self.errors.push(ConfigError::Missing { what, hint });
    }

    /// Records that two settings exclude each other.
    pub fn together(&mut self, one: &'static str, other: &'static str, hint: &'static str) {
        self.errors.push(ConfigError::Together { one, other, hint });
    }

    /// Leaves settings out of what is shown.
    pub fn leave_out(&mut self, settings: &[Setting]) {
        let is_in = |entry: &Entry| settings.iter().any(|setting| setting.key == entry.key);
        self.entries.retain(|entry| !is_in(entry));
    }

    /// The configuration and its entries, or every error there was.
    pub fn finish<T>(self, config: Option<T>) -> Result<(T, Vec<Entry>), ConfigErrors> {
        match config {
            Some(config) if self.errors.is_empty() => Ok((config, self.entries)),
            _ => Err(ConfigErrors(self.errors)),
        }
    }

    /// What the winning layer gives; the default's text if none does.
    fn given(&self, setting: Setting) -> Option<Given> {
        match self.find(setting) {
            Found::Given(given) => Some(given),
            Found::Spoilt | Found::Nothing => None,
        }
    }

    fn find(&self, setting: Setting) -> Found {
        let mut layers = self.layers.iter();
        if let Some(found) = layers.find_map(|layer| layer.given.get(setting.key)) {
            return found.clone().map_or(Found::Spoilt, Found::Given);
        }
        if self.layers.iter().any(|layer| layer.is_doubtful) {
            return Found::Spoilt;
        }
        let (text, note) = match (setting.default)() {
            DefaultValue::None | DefaultValue::Empty => return Found::Nothing,
            DefaultValue::Text(text) => (text, None),
            DefaultValue::Computed(text, note) => (text, Some(note)),
        };
        Found::Given(Given {
            values: vec![text],
            separated: false,
            place: Place::Default(note),
        })
    }

    /// The only value of a setting that takes one.
    fn single(&mut self, given: &Given) -> Option<String> {
        match given.values.as_slice() {
            [text] => Some(text.clone()),
            _ => {
                let place = given.place.clone();
                self.errors.push(ConfigError::Several { place });
                None
            }
        }
    }

    /// The names of a list, split where its layer separates them by commas.
    fn names(&mut self, given: Given) -> Option<Vec<String>> {
        if !given.separated {
            return Some(given.values);
        }
        let lists: Option<Vec<_>> = given
            .values
            .iter()
            .map(|list| value::split_names(list))
            .collect();
        if lists.is_none() {
            let place = given.place;
            self.errors.push(ConfigError::UnclosedList { place });
        }
        lists.map(|lists| lists.concat())
    }

    fn entry(&mut self, setting: Setting, toml: Option<String>, place: Place, note: &'static str) {
        let key = setting.key;
        self.entries.push(Entry {
            key,
            toml,
            place,
            note,
        });
    }
}
