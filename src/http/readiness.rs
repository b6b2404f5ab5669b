//! Whether the gateway is ready, and what keeps it from being so.

use serde_json::{Value, json};

use crate::model::upstream::{Upstream, Word};

use super::standing::standing;

/// What is known of one view.
#[derive(Debug)]
pub struct Known<'a> {
    /// Its name.
    pub name: &'a str,
    /// How it stands with its upstream.
    pub upstream: Upstream,
    /// Whether no stream of it begins any more.
    pub is_closing: bool,
}

/// How the gateway stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Every view has a base, and streams are welcome.
    Ready,
    /// Something is waited for.
    Loading,
    /// The gateway is going away.
    Closing,
}

impl Readiness {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Readiness::Ready => "ready",
            Readiness::Loading => "loading",
            Readiness::Closing => "closing",
        }
    }
}

/// How the gateway stands, and what is told of it.
#[derive(Debug)]
pub struct Report {
    /// How it stands, by all of its views.
    pub readiness: Readiness,
    /// The views that are waited for.
    waiting: Vec<Value>,
    /// Those that are served and not as they should be.
    impaired: Vec<Value>,
}

impl Report {
    /// Of a gateway that can, or cannot, verify the tokens it asks for.
    pub fn new(can_verify: bool) -> Self {
        let readiness = match can_verify {
            true => Readiness::Ready,
            false => Readiness::Loading,
        };
        Report {
            readiness,
            waiting: Vec::new(),
            impaired: Vec::new(),
        }
    }

    /// Adds a view. It counts in any case, and is named only if the client may
    /// see it.
    pub fn add(&mut self, view: &Known<'_>, may_be_seen: bool) {
        let is_waited_for = is_waited_for(&view.upstream);
        if view.is_closing {
            self.readiness = Readiness::Closing;
        } else if is_waited_for {
            self.wait();
        }
        if view.upstream.is_fresh() || !may_be_seen {
            return;
        }
        let mut told = json!({ "view": view.name });
        standing(&mut told, &view.upstream);
        match is_waited_for {
            true => self.waiting.push(told),
            false => self.impaired.push(told),
        }
    }

    /// Adds that the catalog, which stands so, has yet to say which views there
    /// are.
    pub fn await_catalog(&mut self, catalog: &Upstream) {
        self.wait();
        let mut told = json!({ "view": "*" });
        standing(&mut told, catalog);
        if let Some(reason) = told.get_mut("reason") {
            let why = catalog.reason().unwrap_or_default();
            *reason = json!(format!("the catalog has not been read yet: {why}"));
        }
        self.waiting.push(told);
    }

    /// Something is waited for; a gateway that is going away still is.
    fn wait(&mut self) {
        if self.readiness == Readiness::Ready {
            self.readiness = Readiness::Loading;
        }
    }

    /// What whoever asks is told.
    pub fn into_json(self) -> Value {
        json!({
            "status": self.readiness.word(),
            "waiting": self.waiting,
            "impaired": self.impaired,
        })
    }
}

/// Whether a view keeps the gateway from being ready. One that is gone does not:
/// its streams say so, and another gateway could serve it no better.
fn is_waited_for(upstream: &Upstream) -> bool {
    upstream.word() == Word::Loading
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::reason::Cause;
    use crate::model::upstream::Event;

    fn view(event: Option<Event>, is_closing: bool) -> Known<'static> {
        let mut upstream = Upstream::new(0);
        if let Some(event) = event {
            let _ = upstream.handle(event, 0);
        }
        Known {
            name: "v",
            upstream,
            is_closing,
        }
    }

    #[test]
    fn readiness_is_that_of_the_least_ready_view_and_closing_before_all() {
        let rows = [
            (vec![], true, Readiness::Ready),
            (vec![], false, Readiness::Loading),
            (
                vec![view(Some(Event::Current), false)],
                true,
                Readiness::Ready,
            ),
            (
                vec![view(Some(Event::Current), false), view(None, false)],
                true,
                Readiness::Loading,
            ),
            (
                vec![view(None, false), view(Some(Event::Current), true)],
                true,
                Readiness::Closing,
            ),
            (
                vec![view(None, true), view(None, false)],
                false,
                Readiness::Closing,
            ),
        ];
        for (views, can_verify, expected) in rows {
            let mut report = Report::new(can_verify);
            views.iter().for_each(|view| report.add(view, true));
            assert_eq!(report.readiness, expected, "{views:?}");
        }
    }

    #[test]
    fn readiness_names_a_view_only_to_who_may_see_it() {
        let mut report = Report::new(true);
        report.add(&view(None, false), false);
        assert_eq!(report.readiness, Readiness::Loading);
        let told = report.into_json();
        assert_eq!(told["waiting"], json!([]));
        let mut report = Report::new(true);
        report.add(&view(None, false), true);
        let mut catalog = Upstream::new(7_000);
        let _ = catalog.handle(Event::Failed(Cause::LoginRefused.into()), 9_000);
        report.await_catalog(&catalog);
        let told = report.into_json();
        let reason = told["waiting"][1]["reason"].as_str().unwrap();
        assert!(reason.ends_with(Cause::LoginRefused.words()), "{reason}");
        assert_eq!(told["waiting"][1]["since"], "1970-01-01T00:00:07Z");
        let names: Vec<&Value> = told["waiting"].as_array().unwrap().iter().collect();
        let names: Vec<&Value> = names.iter().map(|view| &view["view"]).collect();
        assert_eq!(names, [&json!("v"), &json!("*")]);
    }
}
