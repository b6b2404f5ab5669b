//! `viewcast check-config --connect`: asks the server what a gateway of this
//! configuration would ask it, and says what it would not get.

use crate::config::Config;
use crate::config::views::{ViewChoice, What};
use crate::model::window::Layout;
use crate::tail::{Checkup, Describer, Server, TailError};

use super::patterns;
use super::start::{dialect, tail_view};
use super::types::listed;

/// What was found, a line each, and how much of it is wrong.
pub struct Findings {
    /// The lines.
    pub lines: Vec<String>,
    /// Those that a gateway could not do with.
    pub wrong: usize,
}

impl Findings {
    fn note(&mut self, line: String) {
        self.lines.push(line);
    }

    fn fault(&mut self, line: String) {
        self.wrong = self.wrong.saturating_add(1);
        self.lines.push(format!("WRONG: {line}"));
    }
}

/// Asks the server of this configuration.
pub fn checkup(config: &Config) -> Findings {
    let mut findings = Findings {
        lines: Vec::new(),
        wrong: 0,
    };
    let connector = config.upstream.connector(config.session.clone());
    let asked = Checkup::connect(&connector, config.upstream_timeout);
    let asked = asked.and_then(|mut checkup| Ok((checkup.server()?, checkup)));
    let (server, mut checkup) = match asked {
        Ok(asked) => asked,
        Err(error) => {
            findings.fault(told(&format!("{}", config.upstream), &error));
            return findings;
        }
    };
    of_server(config, &server, &mut findings);
    let mut describer = Describer::new(&connector, dialect(config), config.upstream_timeout);
    for view in chosen(config, &mut findings) {
        of_view(config, &view, &mut checkup, &mut describer, &mut findings);
    }
    findings
}

fn of_server(config: &Config, server: &Server, findings: &mut Findings) {
    let unknown = || "unknown".to_owned();
    findings.note(format!(
        "{} is {}, and the role there is {}",
        config.upstream,
        server.version,
        server.role.clone().unwrap_or_else(unknown)
    ));
    match (&server.cluster, server.replicas.as_deref()) {
        (Some(cluster), Some("0")) => findings.fault(format!(
            "cluster {cluster} is not there or has no replica: nothing would be streamed"
        )),
        (Some(cluster), Some(replicas)) => {
            findings.note(format!("cluster {cluster} has replicas: {replicas}"));
        }
        (Some(cluster), None) => findings.note(format!("cluster {cluster}")),
        (None, _) => {}
    }
}

/// The views that would be served.
fn chosen(config: &Config, findings: &mut Findings) -> Vec<ViewChoice> {
    let is_pattern = |view: &&ViewChoice| matches!(view.what, What::Pattern(_));
    let mut views: Vec<_> = config
        .views
        .iter()
        .filter(|it| !is_pattern(it))
        .cloned()
        .collect();
    match listed(config) {
        Ok(names) => {
            for name in names {
                if !views.iter().any(|view| view.name == name.text()) {
                    views.push(patterns::choice(config, &name));
                }
            }
        }
        Err(error) => findings.fault(error.to_string()),
    }
    if views.is_empty() {
        findings.fault("the patterns name no view that the role may read".to_owned());
    }
    views
}

fn of_view(
    config: &Config,
    view: &ViewChoice,
    checkup: &mut Checkup,
    describer: &mut Describer,
    findings: &mut Findings,
) {
    let columns = match describer.columns(tail_view(config, view)) {
        Ok(columns) => columns,
        Err(error) => return findings.fault(told(&view.name, &error)),
    };
    if let What::Relation(relation) = &view.what
        && let Err(error) = checkup.readable(relation)
    {
        return findings.fault(told(&view.name, &error));
    }
    findings.note(format!(
        "{}: {} columns, may be read",
        view.name,
        columns.len()
    ));
    let layout = Layout::new(&columns);
    let rules = view.rows.iter().map(|rule| &rule.column);
    for column in view.filter.iter().chain(rules) {
        match layout.find(column) {
            None => findings.fault(format!("{}: there is no column {column}", view.name)),
            Some(found) if !layout.is_comparable(found) => findings.fault(format!(
                "{}: values of column {column} cannot be compared, so nobody can ask by it",
                view.name
            )),
            Some(_) => {}
        }
    }
}

fn told(what: &str, error: &TailError) -> String {
    match error.hint() {
        Some(hint) => format!("{what}: {} ({hint})", error.chain()),
        None => format!("{what}: {}", error.chain()),
    }
}
