//! The parser's part for what clients may change beside views.

use super::ast::{Change, CreateView, Definition, Name, Statement};
use super::column::Column;
use super::kind::Kind;
use super::parser::Parser;
use super::sql_error::SqlError;
use super::token::TokenKind;
use super::value::ColumnType;

fn changing(change: Change) -> Statement {
    Statement::Define(Box::new(Definition::Change(change)))
}

impl Parser<'_> {
    /// What follows CREATE, if it is no view.
    pub(super) fn create_other(&mut self) -> Result<Option<Statement>, SqlError> {
        let change = if self.take_word("schema") {
            let if_not_exists = self.if_exists(true)?;
            let name = self.identifier()?;
            Change::CreateSchema {
                name,
                if_not_exists,
            }
        } else if self.take_word("table") {
            let name = self.name()?;
            self.symbol('(', "left parenthesis")?;
            let mut columns = vec![self.column()?];
            while self.take_symbol(',') {
                columns.push(self.column()?);
            }
            self.symbol(')', "right parenthesis")?;
            Change::CreateTable { name, columns }
        } else if self.take_word("role") {
            self.identifier()?;
            Change::CreateRole
        } else if self.take_word("replacement") {
            self.replacement()?
        } else {
            return Ok(None);
        };
        Ok(Some(changing(change)))
    }

    fn replacement(&mut self) -> Result<Change, SqlError> {
        self.word("materialized")?;
        self.word("view")?;
        let name = self.name()?;
        self.word("for")?;
        let target = self.name()?;
        self.word("as")?;
        let (query, definition) = self.view_query()?;
        let view = CreateView {
            name,
            materialized: true,
            or_replace: false,
            if_not_exists: false,
            refresh: None,
            definition,
            query,
        };
        Ok(Change::CreateReplacement { target, view })
    }

    /// What follows DROP, if it is no view.
    pub(super) fn drop_other(&mut self) -> Result<Option<Statement>, SqlError> {
        let is_schema = self.take_word("schema");
        if !is_schema && !self.take_word("table") {
            return Ok(None);
        }
        let if_exists = self.if_exists(false)?;
        let position = self.peek().position;
        let mut name = self.name()?;
        let cascade = self.take_word("cascade");
        if !cascade {
            self.take_word("restrict");
        }
        let change = match (is_schema, name.len()) {
            (false, _) => Change::DropTable {
                name,
                if_exists,
                cascade,
            },
            (true, 1) => Change::DropSchema {
                name: name.pop().unwrap_or_default(),
                if_exists,
                cascade,
            },
            (true, _) => {
                let message = "Expected a schema's name alone".to_owned();
                return Err(SqlError::syntax(message, position));
            }
        };
        Ok(Some(changing(change)))
    }

    /// Passes IF [NOT] EXISTS; whether it came.
    fn if_exists(&mut self, not: bool) -> Result<bool, SqlError> {
        if !self.take_word("if") {
            return Ok(false);
        }
        if not {
            self.word("not")?;
        }
        self.word("exists")?;
        Ok(true)
    }

    fn column(&mut self) -> Result<Column, SqlError> {
        let name = self.identifier()?;
        let position = self.peek().position;
        let kind = match self.identifier()?.as_str() {
            "int" | "integer" | "int4" => ColumnType::Int,
            "bigint" | "int8" => ColumnType::BigInt,
            "text" => ColumnType::Text,
            "bool" | "boolean" => ColumnType::Bool,
            other => {
                let message = format!("the demo's stand-in has no tables with a column of {other}");
                return Err(SqlError {
                    position: Some(position),
                    ..SqlError::unsupported(message)
                });
            }
        };
        Ok(Column {
            nullable: true,
            ..Column::new(&name, kind)
        })
    }

    /// What follows INSERT.
    pub(super) fn insert(&mut self) -> Result<Statement, SqlError> {
        self.word("into")?;
        let table = self.name()?;
        self.word("values")?;
        let mut rows = Vec::new();
        loop {
            self.symbol('(', "left parenthesis")?;
            let mut row = vec![self.value()?];
            while self.take_symbol(',') {
                row.push(self.value()?);
            }
            self.symbol(')', "right parenthesis")?;
            rows.push(row);
            if !self.take_symbol(',') {
                break;
            }
        }
        Ok(changing(Change::Insert { table, rows }))
    }

    fn value(&mut self) -> Result<Option<String>, SqlError> {
        let is_negative = self.take_symbol('-');
        let value = match self.peek().kind.clone() {
            TokenKind::Number(text) if is_negative => Some(format!("-{text}")),
            TokenKind::Number(text) => Some(text),
            TokenKind::Text(text) if !is_negative => Some(text),
            TokenKind::Word(word) if word == "null" => None,
            TokenKind::Word(word) if word == "true" => Some("t".to_owned()),
            TokenKind::Word(word) if word == "false" => Some("f".to_owned()),
            _ => return Err(self.expected("a literal")),
        };
        self.next += 1;
        Ok(value)
    }

    /// What follows ALTER.
    pub(super) fn alter(&mut self) -> Result<Statement, SqlError> {
        let word = self.identifier()?;
        let kind = match word.as_str() {
            "schema" => {
                let one = self.identifier()?;
                self.word("swap")?;
                self.word("with")?;
                return Ok(changing(Change::SwapSchemas(one, self.identifier()?)));
            }
            "table" => Kind::Table,
            "view" => Kind::View,
            "materialized" => {
                self.word("view")?;
                Kind::MaterializedView
            }
            other => return Err(SqlError::unsupported_statement(&format!("alter {other}"))),
        };
        let relation = self.name()?;
        Ok(changing(self.alteration(relation, kind)?))
    }

    fn alteration(&mut self, relation: Name, kind: Kind) -> Result<Change, SqlError> {
        if kind == Kind::MaterializedView && self.take_word("apply") {
            self.word("replacement")?;
            return Ok(Change::ApplyReplacement {
                target: relation,
                replacement: self.name()?,
            });
        }
        if kind == Kind::Table && self.take_word("add") {
            self.word("column")?;
            return Ok(Change::AddColumn {
                table: relation,
                column: self.column()?,
            });
        }
        self.word("rename")?;
        self.word("to")?;
        Ok(Change::Rename {
            relation,
            kind,
            to: self.identifier()?,
        })
    }

    /// What follows GRANT or REVOKE.
    pub(super) fn privilege(&mut self, is_granted: bool) -> Result<Statement, SqlError> {
        let is_of_rows = self.take_word("select");
        if !is_of_rows {
            self.word("usage")?;
        }
        self.word("on")?;
        let mut relation = None;
        if is_of_rows {
            self.take_word("table");
            relation = Some(self.name()?);
        } else {
            // Of schemas and clusters, which keep nobody out here.
            self.identifier()?;
            self.name()?;
        }
        self.word(if is_granted { "to" } else { "from" })?;
        Ok(changing(Change::Privilege {
            is_granted,
            relation,
            role: self.identifier()?,
        }))
    }
}
