//! Answers other than the one hoped for, as `HttpError` gives them.

use std::collections::BTreeMap;

use actix_web::ResponseError as _;
use actix_web::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use serde_json::{Map, Value, json};

use crate::access::denied::Unmet;
use crate::http::error::HttpError;
use crate::http::query::{Misread, Problem};

/// Any request may be one of these.
const ANY: &[HttpError] = &[
    HttpError::MalformedRequest,
    HttpError::MalformedHost,
    HttpError::MalformedPath,
    HttpError::SlowHead,
    HttpError::HeadTooLarge,
];

/// What is not for monitoring is not answered under a strange host's name.
const HOST: &[HttpError] = &[HttpError::Host];

/// Where a token is asked for.
const TOKEN: &[HttpError] = &[
    HttpError::AmbiguousToken,
    HttpError::NoToken,
    HttpError::BadToken,
    HttpError::ExpiredToken,
    HttpError::NoKeys,
];

/// Where a view is looked for by its name.
const GRANTED: &[HttpError] = &[
    HttpError::Forbidden,
    HttpError::Rows(Unmet::Missing),
    HttpError::Rows(Unmet::Kind),
    HttpError::Rows(Unmet::Many),
];

/// Where its rows are shown.
const ROWS: &[HttpError] = &[HttpError::RowClaim, HttpError::RowRules];

/// What a path may be answered with in place of what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errors {
    /// Answers always.
    Probe,
    /// Tells of no view.
    Page,
    /// One of several files.
    File,
    /// Tells of views.
    Views,
    /// The figures, which a token must grant.
    Figures,
    /// The SQL of a view.
    Sql,
    /// A view's dictionary.
    Dictionary,
    /// A newer token for a stream.
    Renewal,
    /// The rows of a view.
    Rows,
    /// The stream of a view.
    Stream,
    /// The stream of several.
    Joint,
}

impl Errors {
    /// All of them.
    fn list(self) -> Vec<HttpError> {
        let unknown = [HttpError::UnknownView];
        let busy = [HttpError::OverLimit, HttpError::Closing];
        let of_kind: Vec<&[HttpError]> = match self {
            Errors::Probe => vec![],
            Errors::Page => vec![HOST],
            Errors::File => vec![HOST, &[HttpError::UnknownAsset]],
            Errors::Views => vec![HOST, TOKEN],
            Errors::Figures => vec![TOKEN, &[HttpError::Forbidden]],
            Errors::Dictionary => vec![
                HOST,
                TOKEN,
                GRANTED,
                &unknown,
                &[HttpError::NoDictionary, HttpError::NotLoaded],
            ],
            Errors::Sql => vec![HOST, TOKEN, GRANTED, &unknown, &[HttpError::NoSql]],
            Errors::Renewal => {
                let own = &[
                    HttpError::NoStream,
                    HttpError::OtherRows,
                    HttpError::OftenRenewed,
                ];
                vec![HOST, TOKEN, GRANTED, own]
            }
            Errors::Rows => {
                let unready = &[HttpError::NotLoaded, HttpError::ManySnapshots];
                vec![HOST, TOKEN, GRANTED, ROWS, &unknown, unready]
            }
            Errors::Stream => vec![HOST, TOKEN, GRANTED, ROWS, &unknown, &busy],
            Errors::Joint => {
                let names = &[
                    HttpError::NoViews,
                    HttpError::ManyViews,
                    HttpError::RepeatedView(2),
                    HttpError::MalformedName,
                    HttpError::UnknownViewAt(2),
                ];
                vec![HOST, TOKEN, GRANTED, ROWS, &busy, names]
            }
        };
        [ANY]
            .into_iter()
            .chain(of_kind)
            .flatten()
            .copied()
            .collect()
    }

    /// The answers by their status.
    pub fn described(self) -> Map<String, Value> {
        let mut answers: BTreeMap<String, Answer> = BTreeMap::new();
        for error in self.list() {
            let status = error.status_code().as_str().to_owned();
            answers.entry(status).or_default().add(error);
        }
        let takes_conditions = matches!(self, Errors::Rows | Errors::Stream | Errors::Joint);
        if let Some(answer) = answers.get_mut("400").filter(|_| takes_conditions) {
            let number = 1;
            let problem = Problem::Condition;
            let error = Misread { number, problem }.to_string();
            answer.add_words(error, problem.hint());
        }
        let answers = answers.into_iter();
        answers
            .map(|(status, answer)| (status, answer.described()))
            .collect()
    }
}

/// All errors of one status.
#[derive(Default)]
struct Answer {
    words: Vec<String>,
    headers: Map<String, Value>,
    examples: Map<String, Value>,
}

impl Answer {
    fn add(&mut self, error: HttpError) {
        self.add_words(error.to_string(), error.hint());
        let response = error.error_response();
        let headers = response
            .headers()
            .keys()
            .filter(|name| **name != CONTENT_TYPE);
        let headers = headers.map(|name| (title(name.as_str()), header(name.as_str())));
        self.headers.extend(headers);
    }

    fn add_words(&mut self, error: String, hint: &str) {
        let name = error.replace(|letter: char| !letter.is_ascii_alphanumeric(), "_");
        let example = json!({ "dataValue": { "error": error, "hint": hint } });
        self.examples.insert(name, example);
        self.words.push(error);
    }

    fn described(self) -> Value {
        json!({
            "description": self.words.join("; "),
            "headers": self.headers,
            "content": { "application/json": {
                "schema": { "$ref": "#/components/schemas/Error" },
                "examples": self.examples,
            } },
        })
    }
}

/// A header's name as it is usually written.
fn title(name: &str) -> String {
    if name == WWW_AUTHENTICATE.as_str() {
        return "WWW-Authenticate".to_owned();
    }
    let words = name.split('-').map(|word| {
        let (first, rest) = word.split_at_checked(1).unwrap_or((word, ""));
        first.to_ascii_uppercase() + rest
    });
    words.collect::<Vec<_>>().join("-")
}

fn header(name: &str) -> Value {
    let (description, kind) = match name {
        _ if name == RETRY_AFTER.as_str() => ("Seconds after which to try again.", "integer"),
        _ if name == WWW_AUTHENTICATE.as_str() => ("What token is asked for (RFC 6750).", "string"),
        _ => ("", "string"),
    };
    json!({ "description": description, "schema": { "type": kind } })
}
