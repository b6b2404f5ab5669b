//! What recorded servers answered when asked what there is, in the words that
//! the gateway uses, given to it as they came: answers, refusals and silence.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::replayed::{generation, server_of};
use crate::support::gateway::{Gateway, Process};
use crate::support::http::get;
use crate::support::materialize::{Failure, Generation, Materialize, row};
use crate::support::sse::Stream;
use crate::transcripts::claims::{Claim, claimed};
use crate::transcripts::{Exchange, GENERATIONS};

fn names(exchange: &Exchange) -> Vec<String> {
    let text = |value: &Option<Vec<u8>>| String::from_utf8(value.clone().unwrap()).unwrap();
    let mut names: Vec<String> = exchange.rows().iter().map(|row| text(&row[0])).collect();
    names.sort();
    names
}

/// A relation that a file describes: its columns, as the answers say.
struct Relation {
    view: String,
    /// Name and type, sorted.
    columns: Vec<(String, String)>,
    answers: [Vec<u8>; 2],
}

/// All relations whose types were answered, with the names from the same file
/// or, where nobody asked for those, from the list of types.
fn relations(folder: &'static str) -> Vec<Relation> {
    let answers = claimed(folder, Claim::Answer);
    let mut relations = Vec::new();
    for (exchange, file) in &answers {
        let Some(name) = exchange.sql.strip_prefix("SHOW COLUMNS FROM ") else {
            continue;
        };
        let asked = format!("SELECT * FROM {name} LIMIT 0");
        let described = file
            .iter()
            .find(|it| it.sql == asked && it.error().is_none());
        let text = |value: &Option<Vec<u8>>| String::from_utf8(value.clone().unwrap()).unwrap();
        let rows = exchange.rows();
        let mut columns: Vec<_> = rows
            .iter()
            .map(|row| (text(&row[0]), text(&row[2])))
            .collect();
        let names = match described {
            Some(described) => described.wire(),
            None => {
                let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
                crate::support::pgwire::rows(&names, &[])
            }
        };
        columns.sort();
        relations.push(Relation {
            view: format!("{}_{}", exchange.file, exchange.line).to_lowercase(),
            columns,
            answers: [names, exchange.wire()],
        });
    }
    relations
}

/// What objects there are, if that was asked for.
fn objects(folder: &'static str) -> Option<Exchange> {
    let answers = claimed(folder, Claim::Answer).into_iter();
    let mut answers = answers.map(|(it, _)| it);
    answers.find(|it| it.sql == "SHOW OBJECTS" && names(it).contains(&"mv".to_owned()))
}

#[test]
fn replayed_answers_describe_every_relation() {
    for (folder, least) in [("0.7", 30), ("0.26", 3), ("26.17", 30), ("26.35", 4)] {
        let server = server_of(folder);
        let relations = relations(folder);
        assert!(relations.len() >= least, "{folder}: {}", relations.len());
        let url = server.url();
        let mut arguments = vec!["--upstream", &url];
        for relation in &relations {
            let columns: Vec<(&str, &str)> = (relation.columns.iter())
                .map(|(name, sql_type)| (name.as_str(), sql_type.as_str()))
                .collect();
            server.create_view(&relation.view, &columns);
            server.describe_as(&relation.view, relation.answers.clone());
            arguments.extend(["--view", &relation.view]);
        }
        let gateway = Gateway::start(&arguments);
        gateway.await_ready();
        let list = get(gateway.address, "/views").json();
        let told: BTreeMap<String, Vec<(String, String)>> = (list["views"].as_array().unwrap())
            .iter()
            .map(|view| {
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                let column = |it: &Value| (text(&it["name"]), text(&it["type"]));
                let columns = view["columns"].as_array().unwrap().iter().map(column);
                let mut columns: Vec<_> = columns.collect();
                columns.sort();
                (text(&view["name"]), columns)
            })
            .collect();
        for relation in &relations {
            assert_eq!(told[&relation.view], relation.columns, "{}", relation.view);
        }
    }
}

#[test]
fn replayed_answers_to_a_name_that_is_not_there_end_the_program_with_the_nearest() {
    for folder in GENERATIONS {
        // Where that was not recorded, another server of the kind says it.
        let of_kind = match generation(folder) {
            Generation::Old => "0.7",
            Generation::Modern => "26.17",
        };
        let objects = objects(folder).or_else(|| objects(of_kind));
        let objects = objects.expect("recorded");
        let refusals = claimed(folder, Claim::RefusedAnswer);
        let unknown = refusals
            .iter()
            .filter(|(it, _)| it.error().unwrap().1.starts_with("unknown"));
        let mut played = 0;
        for (refusal, _) in unknown {
            let server = server_of(folder);
            server.create_view("mvv", &[("n", "integer")]);
            server.answer("SHOW OBJECTS", objects.wire(), usize::MAX);
            for view in [server.by_id("mvv"), "\"mvv\"".to_owned()] {
                let question = format!("SELECT * FROM {view} LIMIT 0");
                server.answer(&question, refusal.wire(), usize::MAX);
            }
            let url = server.url();
            let arguments = [
                "--upstream",
                &url,
                "--view",
                "mvv",
                "--listen",
                "127.0.0.1:0",
            ];
            let mut process = Process::start(&arguments);
            process.await_log("error: unknown view \"mvv\"");
            process.await_log("Similar names are \"mv\"");
            assert_eq!(process.await_exit().code(), Some(1), "{}", refusal.sql);
            played += 1;
        }
        assert!(played >= 3, "{played}");
    }
}

#[test]
fn replayed_refusals_of_questions_are_told_and_asked_again() {
    for folder in GENERATIONS {
        let refusals = claimed(folder, Claim::RefusedAnswer);
        let others = refusals
            .iter()
            .filter(|(it, _)| !it.error().unwrap().1.starts_with("unknown"));
        let server = server_of(folder);
        let url = server.url();
        let mut views = Vec::new();
        for (refusal, _) in others {
            let view = format!("{}_{}", refusal.file, refusal.line).to_lowercase();
            server.create_view(&view, &[("n", "integer")]);
            server.commit(&view, vec![(row(["1"]), 1)]);
            // Refused once by the id and by the name, then answered.
            for asked in [server.by_id(&view), format!("\"{view}\"")] {
                let question = format!("SELECT * FROM {asked} LIMIT 0");
                server.answer(&question, refusal.wire(), 1);
            }
            views.push((view, refusal.error().unwrap().1.to_owned()));
        }
        assert!(!views.is_empty());
        let mut arguments = vec!["--upstream", &url];
        for (view, _) in &views {
            arguments.extend(["--view", view]);
        }
        let gateway = Gateway::start(&arguments);
        for (view, message) in &views {
            let line = gateway
                .process
                .await_log(&format!("view \"{view}\" at position none: asking"));
            assert!(
                line.contains("ERROR viewcast::tail") && line.contains(message.as_str()),
                "{line}"
            );
            let mut stream = Stream::open(gateway.address, &format!("/{view}/stream"));
            let base = loop {
                let event = stream.next().expect("the stream goes on");
                if event.name == "base" {
                    break event;
                }
            };
            let rows: Value = serde_json::from_str(&base.data).unwrap();
            assert_eq!(rows, json!([{ "n": 1 }]), "{view}");
        }
    }
}

#[test]
fn replayed_silence_of_a_question_is_given_up_and_asked_again() {
    let silent = claimed("26.17", Claim::Silence);
    assert_eq!(silent.len(), 2);
    let server = Materialize::start(Generation::Modern);
    let url = server.url();
    let mut arguments = vec!["--upstream", &url, "--upstream-timeout", "300ms"];
    let views = ["one", "two"];
    for (view, (exchange, _)) in views.iter().zip(&silent) {
        server.create_view(view, &[("n", "integer")]);
        let (question, _) = exchange.sql.rsplit_once(' ').unwrap();
        let question = format!("{question} {}", server.by_id(view));
        server.fail_next_query(&question, Failure::Silence);
        arguments.extend(["--view", view]);
    }
    let gateway = Gateway::start(&arguments);
    for view in views {
        let line = gateway
            .process
            .await_log(&format!("view \"{view}\" at position none"));
        assert!(line.contains("Materialize was silent for"), "{line}");
    }
    gateway.await_ready();
}
