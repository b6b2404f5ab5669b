//! What of a view a request is shown: what it asks for, within what its token
//! and the operator's rules let it see (docs/PROTOCOL.md, W1 to W10).
//!
//! A view is opened here and nowhere else, so that no way to its rows can
//! forget the rules.

use std::cell::RefCell;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::rc::Rc;
use std::sync::Arc;

use crate::access::rows::Required;
use crate::model::window::{Fault, Layout, Test, Wanted, What, Window, WindowError};
use crate::relay::shared_view::{SharedView, Status};
use crate::relay::thread::seat::Choose;
use crate::relay::thread::thread_view::ThreadView;

use super::error::HttpError;
use super::refused::Refused;
use super::rules::Rules;

/// What a token and the operator require of the rows that its bearer sees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sees {
    /// By the operator's rules.
    pub by_rules: Vec<Required>,
    /// By the token itself.
    pub by_token: Vec<Required>,
}

impl Sees {
    /// Whether every row is seen.
    pub fn is_whole(&self) -> bool {
        self.by_rules.is_empty() && self.by_token.is_empty()
    }

    /// The SQL of a view, if the operator shows it and every row is seen.
    pub fn sql(&self, status: &Status) -> Option<Arc<str>> {
        status.sql.clone().filter(|_| self.is_whole())
    }
}

/// What of a view a stream shows, for as long as it is served.
#[derive(Clone)]
pub struct Shown {
    /// The view's name.
    pub name: String,
    /// What the operator says of its rows.
    pub rules: Arc<Rules>,
    /// Which rows the token lets be seen.
    pub sees: Sees,
}

/// A view that may be seen, by who sees perhaps not all of it.
pub struct Seen {
    local: Rc<RefCell<ThreadView>>,
    rules: Arc<Rules>,
    sees: Sees,
}

/// A view with what of it is shown.
pub struct Opened {
    /// The view on this thread.
    pub local: Rc<RefCell<ThreadView>>,
    /// Which window of it; `None` for the view as it is.
    pub choose: Option<Choose>,
    /// Stands for the window among others of the view: equal for equal ones,
    /// once the columns are known.
    pub key: Option<u64>,
}

impl Opened {
    /// A view without any window of it.
    pub fn whole(local: Rc<RefCell<ThreadView>>) -> Self {
        Opened {
            local,
            choose: None,
            key: None,
        }
    }

    /// What all threads have in common of it.
    pub fn shared(&self) -> Arc<SharedView> {
        Arc::clone(&self.local.borrow().shared)
    }
}

impl Seen {
    /// A view that may be seen, but perhaps not all of its rows.
    pub fn new(local: Rc<RefCell<ThreadView>>, rules: Arc<Rules>, sees: Sees) -> Self {
        Seen { local, rules, sees }
    }

    /// What a stream of it will show.
    pub fn shown(&self) -> Shown {
        Shown {
            name: self.shared().name.clone(),
            rules: Arc::clone(&self.rules),
            sees: self.sees.clone(),
        }
    }

    /// The view, which alone shows no row.
    pub fn shared(&self) -> Arc<SharedView> {
        Arc::clone(&self.local.borrow().shared)
    }

    /// The view on this thread.
    pub fn local(&self) -> Rc<RefCell<ThreadView>> {
        Rc::clone(&self.local)
    }

    /// Whether every row of it is seen.
    pub fn is_whole(&self) -> bool {
        self.sees.is_whole()
    }

    /// The SQL that it is computed by, if that is shown to who sees this much.
    pub fn sql(&self) -> Option<Arc<str>> {
        self.sees.sql(&self.shared().status())
    }

    /// Its columns, once they are known.
    fn columns(&self) -> Option<Arc<Layout>> {
        let shared = self.shared();
        let columns = shared.log().map(|log| Arc::clone(&log.layout));
        columns.or_else(|| {
            let columns = shared.status().columns;
            (!columns.is_empty()).then(|| Arc::new(Layout::new(&columns)))
        })
    }

    /// The columns that rows may be asked for by, once they are known.
    pub fn filterable(&self) -> Option<Vec<String>> {
        let columns = self.columns()?;
        Some(self.rules.filterable(&self.shared().name, &columns))
    }

    /// Opens what is asked for of it, or says why that cannot be had, as far as
    /// it is known already.
    pub fn open(self, asked: Wanted) -> Result<Opened, Refused> {
        let mut opened = Opened::whole(Rc::clone(&self.local));
        if asked.is_all() && self.sees.is_whole() {
            return Ok(opened);
        }
        let columns = self.columns();
        let asked = Asked::new(asked, &self);
        let window = columns.map(|columns| asked.resolve(&columns)).transpose()?;
        let mut hasher = DefaultHasher::new();
        match &window {
            // What comes to the whole view is the view.
            Some(window) if window.is_all() => return Ok(opened),
            Some(window) => window.hash(&mut hasher),
            None => format!("{:?}", asked.wanted).hash(&mut hasher),
        }
        opened.key = Some(hasher.finish());
        opened.choose = Some(Rc::new(move |columns| {
            asked.resolve(columns).map_err(|refused| refused.words())
        }));
        Ok(opened)
    }
}

/// What is asked for of a view, and required of it.
struct Asked {
    view: String,
    rules: Arc<Rules>,
    /// What the operator's rules require.
    by_rules: Wanted,
    /// The same and what the token requires.
    required: Wanted,
    /// All of it and what the client asks for.
    wanted: Wanted,
}

impl Asked {
    fn new(client: Wanted, seen: &Seen) -> Self {
        let mut by_rules = Wanted::default();
        require(&mut by_rules, &seen.sees.by_rules);
        let mut required = by_rules.clone();
        require(&mut required, &seen.sees.by_token);
        let mut wanted = client;
        require(&mut wanted, &seen.sees.by_rules);
        require(&mut wanted, &seen.sees.by_token);
        Asked {
            view: seen.shared().name.clone(),
            rules: Arc::clone(&seen.rules),
            by_rules,
            required,
            wanted,
        }
    }

    /// The window of a view with these columns.
    ///
    /// Rules that cannot be enforced show nothing to anybody: who is to blame is
    /// found out by judging the operator's, then the token's, then the client's.
    fn resolve(&self, columns: &Arc<Layout>) -> Result<Window, Refused> {
        let is_value =
            |error: &WindowError| matches!(error.fault, Fault::NotOfType | Fault::TooManyValues);
        if let Err(error) = self.by_rules.resolve(columns, &[]) {
            if is_value(&error) {
                return Err(HttpError::RowClaim.into());
            }
            self.rules.are_broken(&self.view, &error);
            return Err(HttpError::RowRules.into());
        }
        self.rules.are_whole();
        if self.required.resolve(columns, &[]).is_err() {
            return Err(HttpError::RowClaim.into());
        }
        let filterable = self.rules.filterable(&self.view, columns);
        let window = self.wanted.resolve(columns, &filterable);
        window.map_err(|error| Refused::new(error.to_string(), error.hint()))
    }
}

/// Adds what is required to what is wanted.
fn require(wanted: &mut Wanted, required: &[Required]) {
    for required in required {
        let what = What::In(required.values.clone());
        wanted.require(&required.column, Test { not: false, what });
    }
}
