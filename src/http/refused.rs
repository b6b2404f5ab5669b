//! An answer in place of what was asked for, in words that depend on the view.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use serde_json::json;

use super::error::HttpError;
use super::query::Misread;

/// Why a request for some rows of a view is refused.
#[derive(Debug)]
pub enum Refused {
    /// For what any request may be refused for.
    Http(HttpError),
    /// For what it asks of a view: what is wrong, and what there is to ask for.
    Asked {
        /// What is wrong, which repeats nothing of the request.
        error: String,
        /// What to do about it, in full sentences.
        hint: String,
    },
}

impl Refused {
    /// What is asked for cannot be had.
    pub fn new(error: String, hint: String) -> Self {
        Refused::Asked { error, hint }
    }

    /// A parameter cannot be read. What there is to ask for of each view is told
    /// as far as it is known.
    pub fn misread(misread: Misread, filterable: &[Option<Vec<String>>]) -> Self {
        let mut hint = misread.problem.hint().to_owned();
        for (columns, number) in filterable.iter().zip(1..) {
            let of = match filterable.len() {
                1 => String::new(),
                _ => format!(" of view number {number}"),
            };
            match columns.as_deref() {
                None => {}
                Some([]) => hint.push_str(&format!(" There are no filterable columns{of}.")),
                Some(names) => {
                    let names = names.join(", ");
                    hint.push_str(&format!(" Filterable columns{of}: {names}."));
                }
            }
        }
        Refused::new(misread.to_string(), hint)
    }

    /// The same of a view that stands at this place among several, from one.
    pub fn of_number(self, number: usize) -> Self {
        match self {
            Refused::Asked { error, hint } => {
                let error = format!("{error}: view number {number} of those asked for");
                Refused::new(error, hint)
            }
            refused @ Refused::Http(_) => refused,
        }
    }

    /// What a stream that has begun already is told.
    pub fn words(&self) -> String {
        match self {
            Refused::Http(error) => error.to_string(),
            Refused::Asked { error, hint } => format!("{error}. {hint}"),
        }
    }
}

impl From<HttpError> for Refused {
    fn from(error: HttpError) -> Self {
        Refused::Http(error)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::Http(error) => error.fmt(f),
            Refused::Asked { error, .. } => f.write_str(error),
        }
    }
}

impl ResponseError for Refused {
    fn status_code(&self) -> StatusCode {
        match self {
            Refused::Http(error) => error.status_code(),
            Refused::Asked { .. } => StatusCode::BAD_REQUEST,
        }
    }

    fn error_response(&self) -> HttpResponse {
        match self {
            Refused::Http(error) => error.error_response(),
            Refused::Asked { error, hint } => HttpResponse::build(self.status_code())
                .json(json!({ "error": error, "hint": hint })),
        }
    }
}
