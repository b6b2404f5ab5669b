//! The tokens of a SQL text.

use std::fmt;

use super::sql_error::SqlError;
use crate::limits;

/// A token and where it begins, in characters from 1 as error messages count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    /// What it is.
    pub(super) kind: TokenKind,
    /// Where it begins.
    pub(super) position: usize,
}

/// What a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// A keyword or plain identifier, in lower case.
    Word(String),
    /// A quoted identifier.
    Quoted(String),
    /// A string.
    Text(String),
    /// A number.
    Number(String),
    /// `$n`, from 1.
    Parameter(usize),
    /// Any other character.
    Symbol(char),
    /// The end of the text.
    End,
}

impl fmt::Display for TokenKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(name) | Self::Quoted(name) => write!(f, "identifier \"{name}\""),
            Self::Text(text) => write!(f, "string literal \"{text}\""),
            Self::Number(text) => write!(f, "number \"{text}\""),
            Self::Parameter(number) => write!(f, "parameter \"${number}\""),
            Self::Symbol('(') => f.write_str("left parenthesis"),
            Self::Symbol(')') => f.write_str("right parenthesis"),
            Self::Symbol(';') => f.write_str("semicolon"),
            Self::Symbol(symbol) => write!(f, "operator \"{symbol}\""),
            Self::End => f.write_str("EOF"),
        }
    }
}

/// Cuts a text into tokens.
pub(super) struct Lexer {
    characters: Vec<char>,
    next: usize,
    too_long: bool,
}

impl Lexer {
    /// A lexer at the start of `text`.
    pub(super) fn new(text: &str) -> Self {
        let too_long = text.len() > limits::DEMO_SQL_BYTES_MAX;
        let characters = if too_long {
            Vec::new()
        } else {
            text.chars().collect()
        };
        Self {
            characters,
            next: 0,
            too_long,
        }
    }

    fn peek(&self) -> Option<char> {
        self.characters.get(self.next).copied()
    }

    fn second(&self) -> Option<char> {
        self.characters.get(self.next + 1).copied()
    }

    fn take_while(&mut self, accept: impl Fn(char) -> bool) -> String {
        let start = self.next;
        while self.peek().is_some_and(&accept) {
            self.next += 1;
        }
        // `start` and `next` both were valid places of the text.
        self.characters[start..self.next].iter().collect()
    }

    /// All tokens; the last one is [`TokenKind::End`].
    pub(super) fn tokens(mut self) -> Result<Vec<Token>, SqlError> {
        if self.too_long {
            return Err(SqlError::too_long());
        }
        let mut tokens = Vec::new();
        loop {
            self.skip_blank()?;
            let position = self.next + 1;
            let kind = self.token(position)?;
            let ended = kind == TokenKind::End;
            tokens.push(Token { kind, position });
            if ended {
                return Ok(tokens);
            }
        }
    }

    fn skip_blank(&mut self) -> Result<(), SqlError> {
        loop {
            self.take_while(char::is_whitespace);
            match (self.peek(), self.second()) {
                (Some('-'), Some('-')) => {
                    self.take_while(|character| character != '\n');
                }
                (Some('/'), Some('*')) => {
                    let position = self.next + 1;
                    self.next += 2;
                    while (self.peek(), self.second()) != (Some('*'), Some('/')) {
                        if self.peek().is_none() {
                            return Err(SqlError::syntax("unterminated comment".into(), position));
                        }
                        self.next += 1;
                    }
                    self.next += 2;
                }
                _ => return Ok(()),
            }
        }
    }

    fn token(&mut self, position: usize) -> Result<TokenKind, SqlError> {
        let Some(first) = self.peek() else {
            return Ok(TokenKind::End);
        };
        Ok(match first {
            '\'' => TokenKind::Text(self.quoted('\'', position)?),
            '"' => TokenKind::Quoted(self.quoted('"', position)?),
            '0'..='9' => TokenKind::Number(self.take_while(|c| c.is_ascii_digit())),
            '$' if self.second().is_some_and(|c| c.is_ascii_digit()) => {
                self.next += 1;
                let digits = self.take_while(|c| c.is_ascii_digit());
                match digits.parse() {
                    // The wire protocol counts parameters in 16 bits.
                    Ok(number @ 1..=65_535) => TokenKind::Parameter(number),
                    _ => {
                        return Err(SqlError::syntax(
                            "invalid parameter number".into(),
                            position,
                        ));
                    }
                }
            }
            _ if first.is_alphabetic() || first == '_' => {
                let word = self.take_while(|c| c.is_alphanumeric() || c == '_' || c == '$');
                TokenKind::Word(word.to_lowercase())
            }
            symbol => {
                self.next += 1;
                TokenKind::Symbol(symbol)
            }
        })
    }

    /// A string or identifier between quotes, which stand for themselves if doubled.
    fn quoted(&mut self, quote: char, position: usize) -> Result<String, SqlError> {
        self.next += 1;
        let mut text = String::new();
        loop {
            match (self.peek(), self.second()) {
                (None, _) => {
                    let what = if quote == '"' { "identifier" } else { "string" };
                    let message = format!("unterminated quoted {what}");
                    return Err(SqlError::syntax(message, position));
                }
                (Some(one), Some(two)) if one == quote && two == quote => {
                    text.push(quote);
                    self.next += 2;
                }
                (Some(one), _) => {
                    self.next += 1;
                    if one == quote {
                        return Ok(text);
                    }
                    text.push(one);
                }
            }
        }
    }
}
