//! The parser's part for CREATE VIEW and DROP VIEW.

use std::num::NonZeroU64;

use super::ast::{CreateView, Definition, DropView, Select, Statement};
use super::parser::Parser;
use super::refresh::Every;
use super::sql_error::SqlError;
use super::token::TokenKind;

impl Parser<'_> {
    /// What follows CREATE.
    pub(super) fn create(&mut self) -> Result<Statement, SqlError> {
        if let Some(statement) = self.create_other()? {
            return Ok(statement);
        }
        let or_replace = self.take_word("or");
        if or_replace {
            self.word("replace")?;
        }
        let materialized = self.view_keyword("create")?;
        // A view cannot both be replaced and be left alone.
        let if_not_exists = !or_replace && self.take_word("if");
        if if_not_exists {
            self.word("not")?;
            self.word("exists")?;
        }
        let name = self.name()?;
        if self.peek().kind == TokenKind::Symbol('(') {
            return Err(SqlError::unsupported(
                "a list of columns is not supported by the demo's stand-in: name them with AS"
                    .to_owned(),
            ));
        }
        let refresh = match materialized && self.take_word("with") {
            true => self.options()?,
            false => None,
        };
        self.word("as")?;
        let (query, definition) = self.view_query()?;
        Ok(Statement::Define(Box::new(Definition::Create(
            CreateView {
                name,
                materialized,
                or_replace,
                if_not_exists,
                refresh,
                definition,
                query,
            },
        ))))
    }

    /// `(option, ...)` of a materialized view; how often it is refreshed.
    fn options(&mut self) -> Result<Option<Every>, SqlError> {
        let mut refresh = None;
        self.symbol('(', "left parenthesis")?;
        loop {
            if self.take_word("refresh") {
                self.take_symbol('=');
                refresh = self.refresh_option()?;
            } else {
                // All relations of the stand-in have a history, of
                // `limits::DEMO_HISTORY_TICKS`.
                self.word("retain")?;
                self.word("history")?;
                self.take_symbol('=');
                self.word("for")?;
                self.string()?;
            }
            if !self.take_symbol(',') {
                self.symbol(')', "right parenthesis")?;
                return Ok(refresh);
            }
        }
    }

    /// What follows REFRESH: `ON COMMIT` or `EVERY '...'`.
    fn refresh_option(&mut self) -> Result<Option<Every>, SqlError> {
        if self.take_word("on") {
            self.word("commit")?;
            return Ok(None);
        }
        self.word("every")?;
        let text = self.string()?;
        let time = humantime::parse_duration(&text).ok();
        let ms = time.and_then(|time| u64::try_from(time.as_millis()).ok());
        match ms.and_then(NonZeroU64::new) {
            Some(ms) => Ok(Some(Every { ms, text })),
            None => Err(SqlError::unsupported(format!(
                "REFRESH EVERY '{text}' is not supported by the demo's stand-in: name a time \
                 such as '30 seconds' or '1 minute'"
            ))),
        }
    }

    /// A string.
    fn string(&mut self) -> Result<String, SqlError> {
        let TokenKind::Text(text) = &self.peek().kind else {
            return Err(self.expected("string"));
        };
        let text = text.clone();
        self.next += 1;
        Ok(text)
    }

    /// A view's query, parsed and as it was written.
    pub(super) fn view_query(&mut self) -> Result<(Select, String), SqlError> {
        let position = self.peek().position;
        self.word("select")?;
        let Statement::Select(query) = self.select_or_constants()? else {
            return Err(SqlError::unsupported(
                "a view of constants is not supported by the demo's stand-in".to_owned(),
            ));
        };
        if query.as_of.is_some() {
            return Err(SqlError::unsupported(
                "AS OF is not supported in a view".to_owned(),
            ));
        }
        if query.parameters() > 0 {
            return Err(SqlError::parameter_in_view());
        }
        Ok((query, self.text_from(position)))
    }

    /// What follows DROP.
    pub(super) fn drop_view(&mut self) -> Result<Statement, SqlError> {
        let materialized = self.view_keyword("drop")?;
        let if_exists = self.take_word("if");
        if if_exists {
            self.word("exists")?;
        }
        let mut names = vec![self.name()?];
        while self.take_symbol(',') {
            names.push(self.name()?);
        }
        let cascade = self.take_word("cascade");
        if !cascade {
            self.take_word("restrict");
        }
        Ok(Statement::Define(Box::new(Definition::Drop(DropView {
            names,
            materialized,
            if_exists,
            cascade,
        }))))
    }

    /// Passes `[MATERIALIZED] VIEW`; the stand-in creates and drops nothing else.
    fn view_keyword(&mut self, verb: &str) -> Result<bool, SqlError> {
        let materialized = self.take_word("materialized");
        if self.take_word("view") {
            return Ok(materialized);
        }
        match &self.peek().kind {
            TokenKind::Word(word) if !materialized => {
                Err(SqlError::unsupported_statement(&format!("{verb} {word}")))
            }
            _ => Err(self.expected("VIEW")),
        }
    }
}
