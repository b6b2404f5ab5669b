//! Questions as SQL, and the rows of their answers as plain data.

use postgres::Client;

use crate::tail::TailError;
use crate::tail::conversation::{Answer, Question};

mod definition;
mod describe;
mod environment;
mod names;
mod query;
mod relations;
mod session;
mod text;

pub use relations::readable;
pub use text::{ask, first, literal, tolerant};

pub use session::Session;

/// Asks a server a question.
pub fn answer(
    client: &mut Client,
    session: &mut Session,
    question: &Question,
) -> Result<Answer, TailError> {
    Ok(match question {
        Question::Dialect => Answer::Dialect(text::dialect(client)?),
        Question::Describe(view) => Answer::Found(Box::new(describe::describe(client, view)?)),
        Question::StillExists(id) => Answer::Exists(names::still_exists(client, id)?),
        Question::Now => Answer::Now(describe::now(client)?),
        Question::Count { relation, as_of } => {
            let (rows, at) = describe::count(client, relation, *as_of)?;
            Answer::Count(rows, at)
        }
        Question::Object(view) => Answer::Object(describe::object(client, view)?),
        Question::Names(names) => Answer::Names(names::load_all(client, session, names)?),
        Question::Name(parts) => Answer::Name(names::load(client, session, parts)?),
        Question::Relations { pattern, dialect } => {
            Answer::Relations(relations::relations(client, session, pattern, *dialect)?)
        }
        Question::Readable(relation) => {
            relations::readable(client, relation)?;
            Answer::Readable
        }
        Question::Granted(parts) => {
            relations::granted(client, session, parts)?;
            Answer::Readable
        }
        Question::ResultLimit => Answer::ResultLimit(session::result_limit(client)?),
    })
}
