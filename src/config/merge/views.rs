//! The merge of what is said of views: which are streamed, what the file's
//! tables say of them, and which columns they may be filtered by.

use super::{Given, Merge};
use crate::cli::settings::serve;
use crate::config::error::ConfigError;
use crate::config::place::Place;
use crate::config::value::toml_text;
use crate::config::views::filter::{self, Filter};
use crate::config::views::problem::ViewProblem;
use crate::config::views::{self, ViewChoice};
use crate::limits;

/// What is streamed if no layer says it.
#[derive(Clone, Copy, Default)]
pub struct DefaultViews {
    /// The views.
    pub names: &'static [&'static str],
    /// Columns of them as `--filter` has them. What is of a view that is not
    /// streamed counts for nothing.
    pub filters: &'static [&'static str],
}

impl Merge<'_> {
    /// The views, at least one.
    pub fn views(&mut self, defaults: DefaultViews) -> Option<Vec<ViewChoice>> {
        let given = self.several(serve::view, defaults.names)?;
        let place = given.place.clone();
        let names = self.names(given)?;
        let mut views = self.chosen(&names, &place)?;
        if views.len() > limits::VIEWS_MAX {
            let (given, max) = (views.len(), limits::VIEWS_MAX);
            self.errors
                .push(ConfigError::TooManyViews { given, max, place });
            return None;
        }
        if views.is_empty() {
            self.missing("view", "Name at least one, e.g. --view top10.");
            return None;
        }
        let filter = self.several(serve::filter, &[])?;
        let filter = match filter.place {
            Place::Default(_) => default_filter(&views, defaults.filters),
            _ => filter,
        };
        let from = filter.place.clone();
        let filters = self.filters(filter, &mut views)?;
        self.entry(serve::view, Some(views::to_toml(&views)), place, "");
        let show = |it: &Filter| Some(filter::show(&views.get(it.view)?.name, &it.column));
        let shown: Vec<String> = filters
            .iter()
            .filter_map(|it| Some(toml_text(&show(it)?)))
            .collect();
        self.entry(
            serve::filter,
            Some(format!("[{}]", shown.join(", "))),
            from,
            "",
        );
        for filter in filters {
            if let Some(view) = views.get_mut(filter.view) {
                view.filter.push(filter.column);
            }
        }
        self.check_columns(&views)?;
        Some(views)
    }

    /// The views of these names, no two the same; `None` after an error.
    fn chosen(&mut self, names: &[String], place: &Place) -> Option<Vec<ViewChoice>> {
        let mut views: Vec<ViewChoice> = Vec::new();
        let before = self.errors.len();
        let mut is_whole = true;
        for name in names {
            match self.choice(name, place) {
                None => is_whole = false,
                Some(Err(error)) => self.errors.push(error),
                Some(Ok(view)) => {
                    let twice =
                        |other: &ViewChoice| other.name == view.name || other.is_same_stream(&view);
                    match views.iter().any(twice) {
                        true => self.errors.push(ConfigError::DuplicateView {
                            name: view.name,
                            place: place.clone(),
                        }),
                        false => views.push(view),
                    }
                }
            }
        }
        (self.errors.len() == before && is_whole).then_some(views)
    }

    /// The view of a name: as the file's table of that name says, if there is
    /// one; `None` if what is wrong with that was told already.
    fn choice(&self, name: &str, place: &Place) -> Option<Result<ViewChoice, ConfigError>> {
        let mut tables = self.tables.iter();
        match tables.find(|table| table.key == name.trim()) {
            Some(table) if table.is_spoilt => None,
            Some(table) => Some(table.choice()),
            None => Some(ViewChoice::parse(name).map_err(|error| ConfigError::Name {
                place: place.clone(),
                error,
            })),
        }
    }

    /// What the list of filters says of these views. Of a view that it names,
    /// it counts in place of what the view's table says, which is forgotten.
    fn filters(&mut self, given: Given, views: &mut [ViewChoice]) -> Option<Vec<Filter>> {
        let place = given.place.clone();
        // What follows a comma is of the view before it, and what follows another
        // flag is not.
        let mut filters = Vec::new();
        for value in &given.values {
            let part = Given {
                values: vec![value.clone()],
                ..given.clone()
            };
            let items = self.names(part)?;
            if let Err((given, accepts)) = filter::read(&items, views, &mut filters) {
                self.errors.push(ConfigError::Value {
                    place,
                    given,
                    accepts,
                });
                return None;
            }
        }
        for filter in &filters {
            let Some(view) = views.get_mut(filter.view) else {
                continue;
            };
            if !view.filter.is_empty() && matches!(place, Place::File { .. }) {
                let name = view.name.clone();
                self.view_problem(&name, ViewProblem::FilterTwice);
                return None;
            }
            view.filter.clear();
        }
        Some(filters)
    }

    /// Rows may be chosen only by what is shown.
    fn check_columns(&mut self, views: &[ViewChoice]) -> Option<()> {
        let hidden = views.iter().find(|view| view.hidden().is_some());
        match hidden {
            None => Some(()),
            Some(view) => {
                self.view_problem(&view.name, ViewProblem::Hidden);
                None
            }
        }
    }

    /// Records what is wrong with the table of the view of this name.
    pub fn view_problem(&mut self, name: &str, problem: ViewProblem) {
        let mut tables = self.tables.iter();
        let table = tables.find(|table| table.choice().is_ok_and(|choice| choice.name == name));
        let place = table.and_then(|table| table.place.clone());
        let place = place.or_else(|| self.place(serve::view));
        self.errors.push(ConfigError::ViewTable {
            place: place.unwrap_or(Place::Default(None)),
            problem,
        });
    }
}

/// Those of the default columns whose view is streamed.
fn default_filter(views: &[ViewChoice], items: &[&str]) -> Given {
    let is_streamed = |item: &&&str| {
        let view = item.split(':').next();
        views.iter().any(|it| Some(it.name.as_str()) == view)
    };
    let values = items.iter().filter(is_streamed).map(ToString::to_string);
    Given {
        values: values.collect(),
        separated: false,
        place: Place::Default(None),
    }
}
