//! The name of a view, as people write it and as SQL needs it.
//!
//! Names follow SQL: parts joined by dots, an unquoted part is folded to lower
//! case, a part in double quotes is taken as it stands (`""` is one quote).
//! What reaches the server is always quoted, so a name can never be more than
//! a name.

use std::fmt;

/// A view's name: one to three parts (`name`, `schema.name` or
/// `database.schema.name`) and the text it was given as.
///
/// Two names are equal when their parts are, however they were written.
#[derive(Clone, Debug)]
pub struct ViewName {
    parts: Vec<String>,
    text: String,
}

/// Why a text is not a view's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text, or a part between two dots, has no character.
    #[error("view name \"{text}\" has an empty part")]
    Empty {
        /// The text as given.
        text: String,
    },
    /// A character that only a quoted part may hold.
    #[error("view name \"{text}\" holds {found:?} outside double quotes")]
    Character {
        /// The text as given.
        text: String,
        /// The first such character.
        found: char,
    },
    /// A quoted part that is not closed.
    #[error("view name \"{text}\" has a double quote that is never closed")]
    Unclosed {
        /// The text as given.
        text: String,
    },
    /// More than database, schema and name.
    #[error("view name \"{text}\" has more than three parts")]
    TooManyParts {
        /// The text as given.
        text: String,
    },
    /// Every relation of every schema, the system's among them.
    #[error("view name \"*\" means every schema")]
    Everything,
    /// A NUL, which no SQL text can carry.
    #[error("view name holds a NUL character")]
    Nul,
}

impl NameError {
    /// What to write instead, as a full sentence.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Empty { .. } | Self::TooManyParts { .. } => {
                "Write name, schema.name or database.schema.name."
            }
            Self::Character { .. } => {
                "Put that part in double quotes, as in SQL, e.g. public.\"my view\"."
            }
            Self::Unclosed { .. } => {
                "Close the quoted part; inside it, write a double quote twice."
            }
            Self::Everything => "Name the schema, e.g. public.*.",
            Self::Nul => "Remove the character.",
        }
    }
}

impl ViewName {
    /// Parses a name as SQL would; blanks around it are ignored.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let text = text.trim();
        if text.contains('\0') {
            return Err(NameError::Nul);
        }
        let mut parts = Vec::new();
        let mut rest = text;
        loop {
            let (part, after) = match rest.strip_prefix('"') {
                Some(quoted) => quoted_part(quoted, text)?,
                None => bare_part(rest, text)?,
            };
            if part.is_empty() {
                return Err(NameError::Empty { text: text.into() });
            }
            parts.push(part);
            let mut following = after.chars();
            match following.next() {
                None => break,
                Some('.') => rest = following.as_str(),
                Some(found) => {
                    let text = text.into();
                    return Err(NameError::Character { text, found });
                }
            }
        }
        if parts.len() > 3 {
            return Err(NameError::TooManyParts { text: text.into() });
        }
        let text = text.into();
        Ok(Self { parts, text })
    }

    /// The name of these parts, one to three, none empty; as text, quoted
    /// where SQL wants it.
    pub fn of_parts(parts: Vec<String>) -> Self {
        let written = |part: &String| match ViewName::parse(part) {
            Ok(name) if name.parts == [part.as_str()] => part.clone(),
            _ => format!("\"{}\"", part.replace('"', "\"\"")),
        };
        let texts: Vec<String> = parts.iter().map(written).collect();
        let text = texts.join(".");
        Self { parts, text }
    }

    /// The parts from the outermost to the view itself: one to three, none empty.
    pub fn parts(&self) -> &[String] {
        &self.parts
    }

    /// The name as given: what stands in the view's URL.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The name for a SQL statement, every part in double quotes.
    pub fn to_sql(&self) -> String {
        let quoted: Vec<String> = self
            .parts
            .iter()
            .map(|part| format!("\"{}\"", part.replace('"', "\"\"")))
            .collect();
        quoted.join(".")
    }
}

impl PartialEq for ViewName {
    fn eq(&self, other: &Self) -> bool {
        self.parts == other.parts
    }
}

impl Eq for ViewName {}

impl fmt::Display for ViewName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Takes an unquoted part off the front; answers the part and what follows it.
fn bare_part<'t>(rest: &'t str, text: &str) -> Result<(String, &'t str), NameError> {
    let end = rest
        .char_indices()
        .find(|&(at, c)| !is_bare(c, at == 0))
        .map_or(rest.len(), |(at, _)| at);
    let (part, after) = rest.split_at(end);
    match after.chars().next() {
        // A dot ends the part; anything else would have needed quotes.
        None | Some('.') => Ok((part.to_lowercase(), after)),
        Some(found) => Err(NameError::Character {
            text: text.into(),
            found,
        }),
    }
}

/// Takes a quoted part off the front, its opening quote already gone.
fn quoted_part<'t>(quoted: &'t str, text: &str) -> Result<(String, &'t str), NameError> {
    let mut part = String::new();
    let mut chars = quoted.chars();
    while let Some(c) = chars.next() {
        if c != '"' {
            part.push(c);
            continue;
        }
        match chars.as_str().strip_prefix('"') {
            Some(after_pair) => {
                part.push('"');
                chars = after_pair.chars();
            }
            None => return Ok((part, chars.as_str())),
        }
    }
    Err(NameError::Unclosed { text: text.into() })
}

/// Whether SQL takes the character in an unquoted identifier.
fn is_bare(c: char, first: bool) -> bool {
    c == '_'
        || !c.is_ascii()
        || c.is_ascii_alphabetic()
        || (!first && (c.is_ascii_digit() || c == '$'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, sql: &str) {
        let name = ViewName::parse(text).expect(text);
        assert_eq!(name.to_sql(), sql, "{text}");
        assert_eq!(name.text(), text.trim());
        let again = ViewName::parse(sql).expect(sql);
        assert_eq!(again, name, "quoting keeps the parts");
    }

    #[test]
    fn name_of_each_form_is_quoted_for_sql() {
        check("top10", "\"top10\"");
        check(" top10 ", "\"top10\"");
        check("Top10", "\"top10\"");
        check("\"Top10\"", "\"Top10\"");
        check(
            "mz_internal.mz_frontiers",
            "\"mz_internal\".\"mz_frontiers\"",
        );
        check("db.public.v$1", "\"db\".\"public\".\"v$1\"");
        check("public.\"my.view\"", "\"public\".\"my.view\"");
        check("\"say \"\"hi\"\"\"", "\"say \"\"hi\"\"\"");
        check("\"; DROP TABLE t --\"", "\"; DROP TABLE t --\"");
        check("größe", "\"größe\"");
    }

    #[test]
    fn name_that_sql_would_not_take_is_refused() {
        let bad = [
            ("", "view name \"\" has an empty part"),
            (".a", "view name \".a\" has an empty part"),
            ("a.", "view name \"a.\" has an empty part"),
            ("\"\"", "view name \"\"\"\" has an empty part"),
            ("a.b.c.d", "view name \"a.b.c.d\" has more than three parts"),
            (
                "my-view",
                "view name \"my-view\" holds '-' outside double quotes",
            ),
            ("1st", "view name \"1st\" holds '1' outside double quotes"),
            ("a b", "view name \"a b\" holds ' ' outside double quotes"),
            ("a;b", "view name \"a;b\" holds ';' outside double quotes"),
            (
                "\"a\"b",
                "view name \"\"a\"b\" holds 'b' outside double quotes",
            ),
            (
                "a\"b\"",
                "view name \"a\"b\"\" holds '\"' outside double quotes",
            ),
            (
                "\"a",
                "view name \"\"a\" has a double quote that is never closed",
            ),
            ("a\0b", "view name holds a NUL character"),
        ];
        for (text, expected) in bad {
            let error = ViewName::parse(text).expect_err(text);
            assert_eq!(error.to_string(), expected);
            assert!(error.hint().ends_with('.'));
        }
    }
}
