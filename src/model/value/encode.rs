//! How a value becomes JSON: the plain ones, and arrays, lists, maps and
//! records as Materialize prints them: `{1,NULL,"a,b",{2}}`, `{k=>v}`,
//! `(a,"b c",,2.5)`.

use super::kind::ColumnKind;
use super::number::{push_exact, push_float, push_small, small_integer_prefix};
use super::text::{COPY_NULL, push_copy_text, push_string};
use crate::model::json::is_one_value;

/// How deep braces may stand in each other; deeper ones stay text, since the
/// parser is a recursion. Nobody's schema nests this deep.
const DEPTH_MAX: usize = 64;

impl ColumnKind {
    /// Appends the JSON of a value that Materialize printed as `text`.
    pub fn push(&self, text: &str, out: &mut String) {
        match self {
            ColumnKind::Boolean => match text {
                "t" | "true" => out.push_str("true"),
                "f" | "false" => out.push_str("false"),
                _ => push_string(text, out),
            },
            ColumnKind::Integer => push_small(text, out),
            ColumnKind::Exact => push_exact(text, out),
            ColumnKind::Float => push_float(text, out),
            ColumnKind::Text => push_string(text, out),
            ColumnKind::Json => match is_one_value(text) {
                true => out.push_str(text),
                false => push_string(text, out),
            },
            ColumnKind::Array(_)
            | ColumnKind::List(_)
            | ColumnKind::Map(_)
            | ColumnKind::Record(_) => {
                let start = out.len();
                if push_nested(self, text, out).is_none() {
                    out.truncate(start);
                    push_string(text, out);
                }
            }
        }
    }
}

/// Appends the JSON of the value that begins `text`, raw COPY text, and hands
/// back what follows it: a tab and the next values, or nothing. `None` where
/// the value is not a plain one of the commonest kinds; `out` may then have
/// grown.
pub(super) fn push_raw<'a>(kind: &ColumnKind, text: &'a str, out: &mut String) -> Option<&'a str> {
    let is_end = |left: &&str| left.is_empty() || left.starts_with('\t');
    if let Some(left) = text.strip_prefix(COPY_NULL).filter(is_end) {
        out.push_str("null");
        return Some(left);
    }
    let left = match kind {
        ColumnKind::Text => {
            out.push('"');
            let left = push_copy_text(text, out)?;
            out.push('"');
            left
        }
        ColumnKind::Integer | ColumnKind::Exact => {
            let length = small_integer_prefix(text.as_bytes())?;
            let (number, left) = text.split_at_checked(length)?;
            out.push_str(number);
            left
        }
        ColumnKind::Boolean => match text.as_bytes().first()? {
            b't' => {
                out.push_str("true");
                text.get(1..)?
            }
            b'f' => {
                out.push_str("false");
                text.get(1..)?
            }
            _ => return None,
        },
        _ => return None,
    };
    Some(left).filter(is_end)
}

/// Appends the JSON of a nested value; `None` if the text is malformed, with
/// rubbish left in `out`.
fn push_nested(kind: &ColumnKind, text: &str, out: &mut String) -> Option<()> {
    let mut parser = Parser { rest: text };
    parser.container(kind, 0, out)?;
    parser.rest.is_empty().then_some(())
}

struct Parser<'a> {
    rest: &'a str,
}

/// One element's text.
enum Element<'a> {
    Plain(&'a str),
    Quoted(String),
}

impl<'a> Parser<'a> {
    fn take(&mut self, token: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(token)?;
        Some(())
    }

    fn container(&mut self, kind: &ColumnKind, depth: usize, out: &mut String) -> Option<()> {
        if depth >= DEPTH_MAX {
            return None;
        }
        match kind {
            // Another dimension of an array has the same elements.
            ColumnKind::Array(element) => self.sequence(element, kind, depth, out),
            ColumnKind::List(element) => match **element {
                // The type of the elements is not known from the wire, so
                // braces without quotes are taken for lists of text.
                ColumnKind::Text => self.sequence(element, kind, depth, out),
                _ => self.sequence(element, element, depth, out),
            },
            ColumnKind::Map(value) => self.map(value, depth, out),
            ColumnKind::Record(fields) => self.record(fields, out),
            _ => None,
        }
    }

    /// `{a,b,...}`; `inner` is what an unquoted brace begins.
    fn sequence(
        &mut self,
        element: &ColumnKind,
        inner: &ColumnKind,
        depth: usize,
        out: &mut String,
    ) -> Option<()> {
        self.take("{")?;
        out.push('[');
        if self.take("}").is_none() {
            loop {
                self.element(element, inner, depth, out)?;
                if self.take(",").is_none() {
                    break;
                }
                out.push(',');
            }
            self.take("}")?;
        }
        out.push(']');
        Some(())
    }

    /// `{k=>v,...}`
    fn map(&mut self, value: &ColumnKind, depth: usize, out: &mut String) -> Option<()> {
        self.take("{")?;
        out.push('{');
        if self.take("}").is_none() {
            loop {
                match self.quoted_or(|rest| rest.find("=>"))? {
                    Element::Plain(key) => push_string(key, out),
                    Element::Quoted(key) => push_string(&key, out),
                }
                self.take("=>")?;
                out.push(':');
                let unknown = ColumnKind::Map(Box::new(ColumnKind::Text));
                let inner = match value {
                    ColumnKind::Text => &unknown,
                    value => value,
                };
                self.element(value, inner, depth, out)?;
                if self.take(",").is_none() {
                    break;
                }
                out.push(',');
            }
            self.take("}")?;
        }
        out.push('}');
        Some(())
    }

    /// `(a,"b c",,2.5)`: nothing at all between commas is NULL.
    fn record(&mut self, fields: &[ColumnKind], out: &mut String) -> Option<()> {
        self.take("(")?;
        out.push('[');
        if self.take(")").is_none() {
            let mut kinds = fields.iter();
            loop {
                let kind = kinds.next().unwrap_or(&ColumnKind::Text);
                match self.quoted_or(|rest| rest.find([',', ')']))? {
                    Element::Plain("") => out.push_str("null"),
                    Element::Plain(text) => kind.push(text, out),
                    Element::Quoted(text) => kind.push(&text, out),
                }
                if self.take(",").is_none() {
                    break;
                }
                out.push(',');
            }
            self.take(")")?;
        }
        out.push(']');
        Some(())
    }

    fn element(
        &mut self,
        kind: &ColumnKind,
        inner: &ColumnKind,
        depth: usize,
        out: &mut String,
    ) -> Option<()> {
        if self.rest.starts_with('{') {
            return self.container(inner, depth + 1, out);
        }
        match self.quoted_or(|rest| rest.find([',', '}']))? {
            Element::Plain("") => return None,
            Element::Plain(text) if text.eq_ignore_ascii_case("null") => out.push_str("null"),
            Element::Plain(text) => kind.push(text, out),
            Element::Quoted(text) => kind.push(&text, out),
        }
        Some(())
    }

    /// A quoted text, or the plain one up to where `end` says.
    fn quoted_or(&mut self, end: impl Fn(&str) -> Option<usize>) -> Option<Element<'a>> {
        if self.take("\"").is_some() {
            return self.quoted().map(Element::Quoted);
        }
        let (text, rest) = self.rest.split_at_checked(end(self.rest)?)?;
        self.rest = rest;
        Some(Element::Plain(text))
    }

    /// The text up to the closing quote; both ways to escape are taken: a
    /// backslash (arrays, lists, maps) and a doubled quote (records).
    fn quoted(&mut self) -> Option<String> {
        let mut text = String::new();
        loop {
            let (plain, rest) = self.rest.split_at_checked(self.rest.find(['"', '\\'])?)?;
            text.push_str(plain);
            if let Some(rest) = rest.strip_prefix("\"\"") {
                text.push('"');
                self.rest = rest;
            } else if let Some(rest) = rest.strip_prefix('"') {
                self.rest = rest;
                return Some(text);
            } else {
                let mut characters = rest.chars();
                characters.next();
                text.push(characters.next()?);
                self.rest = characters.as_str();
            }
        }
    }
}
