//! The parser's part for CREATE VIEW and DROP VIEW.

use super::ast::{CreateView, Definition, DropView, Select, Statement};
use super::parser::Parser;
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
        if materialized && self.take_word("with") {
            self.history_option()?;
        }
        self.word("as")?;
        let (query, definition) = self.view_query()?;
        Ok(Statement::Define(Box::new(Definition::Create(
            CreateView {
                name,
                materialized,
                or_replace,
                if_not_exists,
                definition,
                query,
            },
        ))))
    }

    /// Passes `(RETAIN HISTORY FOR '...')`: all relations of the stand-in have
    /// one, of `limits::DEMO_HISTORY_TICKS`.
    fn history_option(&mut self) -> Result<(), SqlError> {
        self.symbol('(', "left parenthesis")?;
        self.word("retain")?;
        self.word("history")?;
        self.word("for")?;
        let TokenKind::Text(_) = &self.peek().kind else {
            return Err(self.expected("string"));
        };
        self.next += 1;
        self.symbol(')', "right parenthesis")
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
