//! The columns of views, for who wants to know nothing else of them.

use std::sync::Arc;
use std::time::Duration;

use crate::connection::Connector;
use crate::model::row::Column;
use crate::tail::TailError;
use crate::tail::conversation::{Answer, Question};
use crate::tail::dialect::Dialect;
use crate::tail::settings::TailView;

use super::asker::Asker;

/// Asks a Materialize what views are, one after the other.
pub struct Describer {
    asker: Asker,
    /// What the server speaks, once that is known.
    dialect: Option<Dialect>,
    /// How long an answer is waited for.
    limit: Duration,
}

impl Describer {
    /// One that connects at its first question; without a `dialect` it asks the
    /// server for it.
    pub fn new(connector: &Connector, dialect: Option<Dialect>, limit: Duration) -> Self {
        Describer {
            asker: Asker::new(connector.completed(limit)),
            dialect,
            limit,
        }
    }

    /// The columns of a view that are shown, in its order, if the server can
    /// stream it.
    pub fn columns(&mut self, view: TailView) -> Result<Vec<Column>, TailError> {
        view.streamed_by(self.dialect()?)?;
        match self.ask(Question::Describe(Arc::new(view)))? {
            Answer::Found(found) => Ok(found.description.columns),
            _ => Err(TailError::Answer {
                what: "the view's columns",
            }),
        }
    }

    fn dialect(&mut self) -> Result<Dialect, TailError> {
        if let Some(known) = self.dialect {
            return Ok(known);
        }
        match self.ask(Question::Dialect)? {
            Answer::Dialect(found) => Ok(*self.dialect.insert(found)),
            _ => Err(TailError::Answer {
                what: "its version",
            }),
        }
    }

    fn ask(&mut self, question: Question) -> Result<Answer, TailError> {
        let answer = self.asker.ask(question, self.limit, false);
        answer.unwrap_or(Err(TailError::Silent {
            seconds: self.limit.as_secs(),
        }))
    }
}
