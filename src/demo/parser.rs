//! The parser of the few statements that the stand-in understands.

use super::ast::{AsOf, Reference, Show, Statement, Subscribe};
use super::sql_error::SqlError;
use super::token::{Lexer, Token, TokenKind};

/// Parses all statements of a text; empty ones are left out.
pub(super) fn parse(text: &str) -> Result<Vec<Statement>, SqlError> {
    let mut parser = Parser {
        tokens: Lexer::new(text).tokens()?,
        next: 0,
        text,
    };
    let mut statements = Vec::new();
    loop {
        while parser.take_symbol(';') {}
        if parser.peek().kind == TokenKind::End {
            return Ok(statements);
        }
        statements.push(parser.statement()?);
        if !matches!(parser.peek().kind, TokenKind::End | TokenKind::Symbol(';')) {
            return Err(parser.expected("end of statement"));
        }
    }
}

/// Tokens, and how far they have been read.
pub(super) struct Parser<'t> {
    tokens: Vec<Token>,
    /// Index of the token to come.
    pub(super) next: usize,
    /// What was cut into tokens.
    text: &'t str,
}

impl Parser<'_> {
    /// The token to come.
    pub(super) fn peek(&self) -> &Token {
        // The lexer ends every list with End, and `advance` never passes it.
        &self.tokens[self.next.min(self.tokens.len() - 1)]
    }

    /// The text from a token's position up to the token to come.
    pub(super) fn text_from(&self, position: usize) -> String {
        let length = self.peek().position.saturating_sub(position);
        let from = self.text.chars().skip(position.saturating_sub(1));
        from.take(length).collect::<String>().trim_end().to_owned()
    }

    fn advance(&mut self) -> Token {
        let token = self.peek().clone();
        if token.kind != TokenKind::End {
            self.next += 1;
        }
        token
    }

    /// The error for a token that is not `what`.
    pub(super) fn expected(&self, what: &str) -> SqlError {
        let token = self.peek();
        SqlError::syntax(
            format!("Expected {what}, found {}", token.kind),
            token.position,
        )
    }

    /// Passes a symbol if it comes.
    pub(super) fn take_symbol(&mut self, symbol: char) -> bool {
        let found = self.peek().kind == TokenKind::Symbol(symbol);
        self.next += usize::from(found);
        found
    }

    /// Passes a keyword if it comes.
    pub(super) fn take_word(&mut self, word: &str) -> bool {
        let found = matches!(&self.peek().kind, TokenKind::Word(text) if text == word);
        self.next += usize::from(found);
        found
    }

    /// Passes a symbol, which must come.
    pub(super) fn symbol(&mut self, symbol: char, name: &str) -> Result<(), SqlError> {
        if self.take_symbol(symbol) {
            Ok(())
        } else {
            Err(self.expected(name))
        }
    }

    /// Passes a keyword, which must come.
    pub(super) fn word(&mut self, word: &str) -> Result<(), SqlError> {
        if self.take_word(word) {
            Ok(())
        } else {
            Err(self.expected(&word.to_uppercase()))
        }
    }

    /// Passes an identifier, quoted or not.
    pub(super) fn identifier(&mut self) -> Result<String, SqlError> {
        match self.peek().kind.clone() {
            TokenKind::Word(name) | TokenKind::Quoted(name) => {
                self.next += 1;
                Ok(name)
            }
            _ => Err(self.expected("identifier")),
        }
    }

    /// Passes a name of one or more parts.
    pub(super) fn name(&mut self) -> Result<Vec<String>, SqlError> {
        let mut parts = vec![self.identifier()?];
        while self.take_symbol('.') {
            parts.push(self.identifier()?);
        }
        Ok(parts)
    }

    /// Passes what names a relation; whether it may be named by its id depends
    /// on the dialect, which is for the session to say.
    pub(super) fn reference(&mut self) -> Result<Reference, SqlError> {
        let position = self.peek().position;
        if !self.take_symbol('[') {
            return Ok(Reference::Name(self.name()?));
        }
        let id = self.identifier()?;
        self.word("as")?;
        self.name()?;
        self.symbol(']', "right square bracket")?;
        Ok(Reference::Id { id, position })
    }

    fn statement(&mut self) -> Result<Statement, SqlError> {
        let first = self.advance();
        let TokenKind::Word(word) = &first.kind else {
            return Err(SqlError::syntax(
                format!(
                    "Expected a keyword at the beginning of a statement, found {}",
                    first.kind
                ),
                first.position,
            ));
        };
        match word.as_str() {
            "select" => self.select_or_constants(),
            "show" => self.show(),
            "copy" => self.copy(),
            "tail" | "subscribe" => Ok(Statement::Subscribe(self.subscribe(word == "tail")?)),
            "create" => self.create(),
            "drop" => match self.drop_other()? {
                Some(statement) => Ok(statement),
                None => self.drop_view(),
            },
            "insert" => self.insert(),
            "alter" => self.alter(),
            "grant" | "revoke" => self.privilege(word == "grant"),
            "set" => self.set(),
            "discard" => self.rest(Statement::Discard),
            "begin" | "start" => self.rest(Statement::Begin),
            "commit" | "end" => self.rest(Statement::Commit),
            "rollback" | "abort" => self.rest(Statement::Rollback),
            "update" | "delete" | "explain" | "declare" | "fetch" | "close" | "prepare"
            | "execute" | "deallocate" | "reset" | "with" | "values" | "table" => {
                Err(SqlError::unsupported_statement(word))
            }
            _ => Err(SqlError::syntax(
                format!(
                    "Expected a keyword at the beginning of a statement, found {}",
                    first.kind
                ),
                first.position,
            )),
        }
    }

    /// Accepts whatever modes follow, e.g. `BEGIN READ ONLY`.
    fn rest(&mut self, statement: Statement) -> Result<Statement, SqlError> {
        while !matches!(self.peek().kind, TokenKind::End | TokenKind::Symbol(';')) {
            self.advance();
        }
        Ok(statement)
    }

    fn set(&mut self) -> Result<Statement, SqlError> {
        let _ = self.take_word("session") || self.take_word("local");
        let name = self.identifier()?;
        self.rest(Statement::Set(name))
    }

    fn show(&mut self) -> Result<Statement, SqlError> {
        let word = self.identifier()?;
        let show = match word.as_str() {
            "views" => Show::Views,
            "materialized" => {
                self.word("views")?;
                Show::MaterializedViews
            }
            "tables" => Show::Tables,
            "objects" => Show::Objects,
            "databases" => Show::Databases,
            "schemas" => Show::Schemas,
            "columns" => {
                self.word("from")?;
                Show::Columns(self.reference()?)
            }
            "create" => {
                let materialized = self.take_word("materialized");
                self.word("view")?;
                let relation = self.reference()?;
                Show::Create {
                    materialized,
                    relation,
                }
            }
            "transaction" => {
                self.word("isolation")?;
                self.word("level")?;
                Show::Parameter("transaction_isolation".to_owned())
            }
            _ => Show::Parameter(word),
        };
        Ok(Statement::Show(show))
    }

    fn copy(&mut self) -> Result<Statement, SqlError> {
        if !self.take_symbol('(') {
            return Err(SqlError::internal(
                "named with COPY TO STDOUT unsupported".to_owned(),
            ));
        }
        let statement = if self.take_word("select") {
            match self.select_or_constants()? {
                Statement::Select(select) => Statement::CopySelect(select),
                _ => {
                    return Err(SqlError::unsupported(
                        "COPY of a SELECT without FROM is not supported by the demo's stand-in"
                            .to_owned(),
                    ));
                }
            }
        } else if self.take_word("tail") {
            Statement::CopySubscribe(self.subscribe(true)?)
        } else {
            self.word("subscribe")?;
            Statement::CopySubscribe(self.subscribe(false)?)
        };
        self.symbol(')', "right parenthesis")?;
        self.word("to")?;
        self.word("stdout")?;
        if self.take_word("with") {
            self.symbol('(', "left parenthesis")?;
            self.word("format")?;
            let format = self.identifier()?;
            if format != "text" {
                return Err(SqlError::unsupported(format!(
                    "COPY TO format {format} is not supported by the demo's stand-in"
                )));
            }
            self.symbol(')', "right parenthesis")?;
        }
        Ok(statement)
    }

    fn subscribe(&mut self, tail: bool) -> Result<Subscribe, SqlError> {
        if tail {
            // Left to the session: whether TAIL is known depends on the dialect.
        } else {
            self.take_word("to");
        }
        let relation = self.reference()?;
        let mut subscribe = Subscribe {
            relation,
            snapshot: true,
            progress: false,
            as_of: None,
            up_to: None,
            tail,
        };
        if self.take_word("with") {
            self.symbol('(', "left parenthesis")?;
            loop {
                self.subscribe_option(&mut subscribe)?;
                if !self.take_symbol(',') {
                    break;
                }
            }
            self.symbol(')', "right parenthesis")?;
        }
        subscribe.as_of = match self.as_of() {
            Err(error) if tail && error.position.is_none() => {
                let message = "can't use text as a timestamp for AS OF";
                return Err(SqlError::internal(message.to_owned()));
            }
            other => other?,
        };
        if self.take_word("up") {
            self.word("to")?;
            subscribe.up_to = Some(self.timestamp()?);
        }
        Ok(subscribe)
    }

    fn subscribe_option(&mut self, subscribe: &mut Subscribe) -> Result<(), SqlError> {
        let (name, position) = (self.identifier()?, self.peek().position);
        let target = match name.as_str() {
            "snapshot" => &mut subscribe.snapshot,
            "progress" => &mut subscribe.progress,
            _ if subscribe.tail => {
                return Err(SqlError::internal("unexpected options".to_owned()));
            }
            _ => {
                let found =
                    format!("Expected one of PROGRESS or SNAPSHOT, found identifier \"{name}\"");
                return Err(SqlError::syntax(found, position));
            }
        };
        *target = true;
        if !self.take_symbol('=') {
            return Ok(());
        }
        let value = self.advance().kind;
        *target = match value {
            TokenKind::Word(word) if word == "true" || word == "on" => true,
            TokenKind::Word(word) if word == "false" || word == "off" => false,
            _ if subscribe.tail => return Err(SqlError::internal("expected bool".to_owned())),
            _ => {
                let name = name.to_uppercase();
                let text = format!("invalid {name}: cannot use value as boolean");
                return Err(SqlError::internal(text));
            }
        };
        Ok(())
    }

    /// Passes `AS OF [AT LEAST] t` if it comes.
    pub(super) fn as_of(&mut self) -> Result<Option<AsOf>, SqlError> {
        if !self.take_word("as") {
            return Ok(None);
        }
        self.word("of")?;
        let at_least = self.take_word("at");
        if at_least {
            self.word("least")?;
        }
        Ok(Some(AsOf {
            timestamp: self.timestamp()?,
            at_least,
        }))
    }

    fn timestamp(&mut self) -> Result<u64, SqlError> {
        let text = match self.advance().kind {
            TokenKind::Number(text) | TokenKind::Text(text) => text,
            _ => String::new(),
        };
        text.parse().map_err(|_| {
            SqlError::internal(
                "AS OF or UP TO should be castable to a (non-null) mz_timestamp value".to_owned(),
            )
        })
    }
}
