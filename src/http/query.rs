//! What the query of a request asks for: which rows of a view, and which
//! columns of them (docs/PROTOCOL.md, W1 to W4).
//!
//! Pure. What a column's values are is not known here: a value stays text
//! until it is compared with the view's columns. What cannot be read is told
//! by the number of its parameter, and nothing of the request is repeated.

use std::borrow::Cow;

use percent_encoding::percent_decode;

use crate::access::presented;
use crate::limits::JOINT_VIEWS_MAX;
use crate::model::window::{CONDITIONS_MAX, Test, VALUES_MAX, Wanted, What};

/// The parameters that may hold the last id that a client has seen.
pub const LAST_EVENT_ID_PARAMETERS: [&str; 3] = ["last-event-id", "last_event_id", "lastEventId"];

/// The parameter that names a view of a stream of several.
pub const VIEW: &str = "view";

/// The parameter that names the columns that are shown.
pub const SELECT: &str = "select";

/// Stands before a column whose name is that of a parameter.
const COLUMN: &str = "column.";

/// What other servers take and this one does not: a window has all rows that
/// meet its conditions, in no order.
const NOT_SUPPORTED: [&str; 7] = ["limit", "offset", "order", "and", "or", "not.and", "not.or"];

/// A parameter that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("parameter number {number} of the query {problem}")]
pub struct Misread {
    /// Which one, from one.
    pub number: usize,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Not as forms encode.
    #[error("is not percent-encoded UTF-8")]
    Encoding,
    /// No condition, and none of our own parameters.
    #[error("is no condition")]
    Condition,
    /// What others have and we have not.
    #[error("asks for what is not supported")]
    NotSupported,
    /// A list that does not end, or holds what must be quoted.
    #[error("has a list that cannot be read")]
    List,
    /// More values than one condition may have.
    #[error("has more than {VALUES_MAX} values")]
    ManyValues,
    /// One condition more than there may be.
    #[error("is one condition too many: {CONDITIONS_MAX} are the most")]
    ManyConditions,
    /// Columns to show, for the second time.
    #[error("names the columns to show again")]
    SelectTwice,
    /// No column to show.
    #[error("names no column to show")]
    SelectNone,
    /// A view, where the path names it.
    #[error("names a view, which the path does already")]
    View,
    /// A condition that no view of the stream is named before.
    #[error("belongs to no view of the stream")]
    NoView,
}

impl Problem {
    /// What to do about it, as a full sentence.
    pub fn hint(self) -> &'static str {
        match self {
            Problem::Encoding => {
                "Encode names and values as forms do: URLSearchParams, or curl --data-urlencode."
            }
            Problem::Condition => {
                "A condition is COLUMN=eq.VALUE, COLUMN=in.(A,B), COLUMN=is.null, is.true or \
                 is.false, each also with not. before it."
            }
            Problem::NotSupported => {
                "There is no limit, offset, order, and, or: a window has all rows that meet each \
                 of its conditions."
            }
            Problem::List => {
                "Separate values by commas, put those that hold , ( ) or \" in double quotes, \
                 and a backslash before \" and \\ inside them."
            }
            Problem::ManyValues | Problem::ManyConditions => "Ask for less, or by another column.",
            Problem::SelectTwice => "Name all of them in one parameter, separated by commas.",
            Problem::SelectNone => "Name at least one, or leave the parameter out.",
            Problem::View => "Several views are at /stream?view=a&view=b.",
            Problem::NoView => "Name the view before the column, as VIEW.COLUMN=eq.VALUE.",
        }
    }
}

/// Why no views can be read from a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoNames {
    /// None is named.
    None,
    /// More are than one stream may show.
    Many,
    /// One is not percent-encoded UTF-8.
    Encoding,
}

/// What is asked for of the view that the path names.
pub fn of_one(query: &str) -> Result<Wanted, Misread> {
    let mut asked = Asked::default();
    for parameter in parameters(query) {
        let name = parameter.name()?;
        match &*name {
            VIEW => return Err(parameter.is(Problem::View)),
            own if is_own(own) => {}
            name => parameter.add_to(&mut asked, name)?,
        }
    }
    Ok(asked.wanted)
}

/// The views that the query of a stream of several names, in its order.
pub fn names(query: &str) -> Result<Vec<String>, NoNames> {
    let mut names = Vec::new();
    for parameter in parameters(query) {
        // What else cannot be read is told when the views are known.
        if parameter.name().is_ok_and(|name| name == VIEW) {
            let value = parameter.value().map_err(|_| NoNames::Encoding)?;
            names.push(value.into_owned());
        }
    }
    match names.len() {
        0 => Err(NoNames::None),
        count if count > JOINT_VIEWS_MAX => Err(NoNames::Many),
        _ => Ok(names),
    }
}

/// What is asked for of each of these views, as `names` has found them.
///
/// A parameter belongs to the view with the longest name that stands before it.
pub fn of_several(query: &str, names: &[String]) -> Result<Vec<Wanted>, Misread> {
    let mut asked: Vec<Asked> = names.iter().map(|_| Asked::default()).collect();
    for parameter in parameters(query) {
        let name = parameter.name()?;
        if *name == *VIEW || is_own(&name) {
            continue;
        }
        let fitting = names.iter().zip(&mut asked).filter_map(|(view, asked)| {
            let rest = name.strip_prefix(view.as_str())?.strip_prefix('.')?;
            Some((view.len(), rest, asked))
        });
        match fitting.max_by_key(|(length, ..)| *length) {
            Some((_, rest, asked)) => parameter.add_to(asked, rest)?,
            None => return Err(parameter.is(Problem::NoView)),
        }
    }
    Ok(asked.into_iter().map(|asked| asked.wanted).collect())
}

/// Whether a parameter is read elsewhere, whatever its value is.
fn is_own(name: &str) -> bool {
    name == presented::PARAMETER || LAST_EVENT_ID_PARAMETERS.contains(&name)
}

/// What was read so far of what is asked for of one view.
#[derive(Default)]
struct Asked {
    wanted: Wanted,
    conditions: usize,
    selects: bool,
}

/// One parameter as it came.
#[derive(Clone, Copy)]
struct Parameter<'q> {
    number: usize,
    name: &'q str,
    value: &'q str,
}

/// The parameters of a query; what is empty between two `&` is none.
fn parameters(query: &str) -> impl Iterator<Item = Parameter<'_>> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs.zip(1..).map(|(pair, number)| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Parameter {
            number,
            name,
            value,
        }
    })
}

impl<'q> Parameter<'q> {
    fn is(self, problem: Problem) -> Misread {
        Misread {
            number: self.number,
            problem,
        }
    }

    fn name(self) -> Result<Cow<'q, str>, Misread> {
        decode(self.name).ok_or(self.is(Problem::Encoding))
    }

    fn value(self) -> Result<Cow<'q, str>, Misread> {
        decode(self.value).ok_or(self.is(Problem::Encoding))
    }

    /// Adds it to what is asked for of a view; `name` is what stands behind the
    /// view's.
    fn add_to(self, asked: &mut Asked, name: &str) -> Result<(), Misread> {
        let value = self.value()?;
        if name == SELECT {
            if std::mem::replace(&mut asked.selects, true) {
                return Err(self.is(Problem::SelectTwice));
            }
            if let Some(names) = select(&value).map_err(|problem| self.is(problem))? {
                asked.wanted.select(names);
            }
            return Ok(());
        }
        let test = test(&value).map_err(|problem| {
            let is_known = problem == Problem::Condition && NOT_SUPPORTED.contains(&name);
            self.is(match is_known {
                true => Problem::NotSupported,
                false => problem,
            })
        })?;
        asked.conditions = asked.conditions.saturating_add(1);
        if asked.conditions > CONDITIONS_MAX {
            return Err(self.is(Problem::ManyConditions));
        }
        let column = name.strip_prefix(COLUMN).unwrap_or(name);
        asked.wanted.and(column, test);
        Ok(())
    }
}

/// A name or a value as forms encode it: `+` is a space, `%` begins an escape,
/// and all of it is UTF-8. It is decoded once: `%2525` is the text `%25`.
///
/// Browsers take a `%` without two digits behind it for itself; here it is
/// refused, since whoever wrote it has encoded nothing, and `100%25` would be
/// another value from `100%` by chance alone.
fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains(['+', '%']) {
        return Some(Cow::Borrowed(text));
    }
    let digits = |rest: &str| {
        let digits = rest.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if !text.split('%').skip(1).all(digits) {
        return None;
    }
    // An escaped `+` is one.
    let spaced = text.replace('+', " ");
    let decoded = percent_decode(spaced.as_bytes()).decode_utf8().ok()?;
    Some(Cow::Owned(decoded.into_owned()))
}

/// The test that a value spells.
fn test(value: &str) -> Result<Test, Problem> {
    let (not, rest) = match value.strip_prefix("not.") {
        Some(rest) => (true, rest),
        None => (false, value),
    };
    let what = if let Some(value) = rest.strip_prefix("eq.") {
        What::In(vec![value.to_owned()])
    } else if let Some(list) = rest.strip_prefix("in.") {
        let list = list
            .strip_prefix('(')
            .and_then(|list| list.strip_suffix(')'));
        What::In(values(list.ok_or(Problem::List)?, VALUES_MAX)?)
    } else {
        match rest {
            "is.null" => What::Null,
            "is.true" => What::True,
            "is.false" => What::False,
            _ => return Err(Problem::Condition),
        }
    };
    Ok(Test { not, what })
}

/// The columns to show; `*` alone is all of them.
fn select(value: &str) -> Result<Option<Vec<String>>, Problem> {
    if value == "*" {
        return Ok(None);
    }
    match values(value, usize::MAX)? {
        names if names.is_empty() => Err(Problem::SelectNone),
        names => Ok(Some(names)),
    }
}

/// The values of a list. Nothing at all is a list of none, and `""` one of one
/// empty text.
fn values(list: &str, max: usize) -> Result<Vec<String>, Problem> {
    let mut values = Vec::new();
    let mut rest = Some(list).filter(|list| !list.is_empty());
    while let Some(list) = rest {
        if values.len() >= max {
            return Err(Problem::ManyValues);
        }
        let (value, behind) = match list.strip_prefix('"') {
            Some(quoted) => unquoted(quoted).ok_or(Problem::List)?,
            None => {
                let (value, _) = list.split_once(',').unwrap_or((list, ""));
                if value.contains(['(', ')', '"']) {
                    return Err(Problem::List);
                }
                (value.to_owned(), list.get(value.len()..).unwrap_or(""))
            }
        };
        values.push(value);
        rest = match behind {
            "" => None,
            behind => Some(behind.strip_prefix(',').ok_or(Problem::List)?),
        };
    }
    Ok(values)
}

/// What stands up to the closing quote, without its backslashes, and what
/// follows the quote; `None` if it is never closed.
fn unquoted(quoted: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = quoted.chars();
    loop {
        match characters.next()? {
            '"' => return Some((value, characters.as_str())),
            '\\' => value.push(characters.next()?),
            other => value.push(other),
        }
    }
}

#[cfg(test)]
mod tests;
