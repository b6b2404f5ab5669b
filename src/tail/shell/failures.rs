//! The client library's errors as plain data.

use std::error::Error;
use std::io;

use crate::connection::{ConnectError, chain};
use crate::tail::TailError;
use crate::tail::failure::{ConnectFailure, Failure, ServerAnswer};

/// What a question came to instead of an answer.
pub fn of_question(error: &postgres::Error) -> Failure {
    Failure {
        answer: error.as_db_error().map(|said| ServerAnswer {
            code: said.code().code().to_owned(),
            message: said.message().to_owned(),
        }),
        words: chain(error),
    }
}

/// What ended a COPY: the library hands its error on within one of I/O.
pub fn of_stream(error: &io::Error) -> Failure {
    let inner = error.get_ref().and_then(|it| it.downcast_ref());
    Failure {
        answer: inner.map(of_question).and_then(|it| it.answer),
        words: chain(error),
    }
}

/// What came instead of a connection.
pub fn of_connecting(error: &ConnectError) -> TailError {
    if error.is_without_files() {
        return TailError::Files {
            reason: chain(error),
            hint: error.hint().to_owned(),
        };
    }
    let inner = error.source().and_then(|it| it.downcast_ref());
    TailError::Connect(ConnectFailure {
        failure: Failure {
            answer: inner.map(of_question).and_then(|it| it.answer),
            words: chain(error),
        },
        hint: error.hint().to_owned(),
        is_refused_login: error.is_refused_login(),
        is_no_room: error.is_no_room(),
        is_without_password: error.is_without_password(),
    })
}
