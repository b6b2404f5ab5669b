//! The parser's part for SELECT.

use super::ast::{Expression, Filter, Items, Operand, Select, SortKey, Statement};
use super::parser::Parser;
use super::sql_error::SqlError;
use super::token::TokenKind;

/// Functions that are called without parentheses.
const BARE_CALLS: [&str; 5] = [
    "current_user",
    "current_role",
    "session_user",
    "current_catalog",
    "current_database",
];

impl Parser<'_> {
    /// What follows SELECT.
    pub(super) fn select_or_constants(&mut self) -> Result<Statement, SqlError> {
        if self.take_symbol('*') {
            return self.select(Items::All);
        }
        let start = self.next;
        if self.take_word("count") && self.take_symbol('(') && self.take_symbol('*') {
            self.symbol(')', "right parenthesis")?;
            return self.select(Items::Count);
        }
        self.next = start;
        let mut items = Vec::new();
        loop {
            let expression = self.expression()?;
            let alias = self
                .take_word("as")
                .then(|| self.identifier())
                .transpose()?;
            items.push((expression, alias));
            if !self.take_symbol(',') {
                break;
            }
        }
        if !matches!(&self.peek().kind, TokenKind::Word(word) if word == "from") {
            return constants(items);
        }
        let columns = items
            .into_iter()
            .map(|(item, alias)| match item {
                Item::Name(name) => Ok((name, alias)),
                Item::Expression(_) => Err(SqlError::unsupported(
                    "expressions over a relation are not supported by the demo's stand-in"
                        .to_owned(),
                )),
            })
            .collect::<Result<_, _>>()?;
        self.select(Items::Columns(columns))
    }

    fn expression(&mut self) -> Result<Item, SqlError> {
        let item = match self.peek().kind.clone() {
            TokenKind::Number(text) => Item::Expression(Expression::Number(
                text.parse().map_err(|_| self.expected("a whole number"))?,
            )),
            TokenKind::Text(text) => Item::Expression(Expression::Text(text)),
            _ => {
                let mut name = self.name()?;
                // A column may be qualified by its relation, a function by its schema.
                let name = name.pop().unwrap_or_default();
                if self.take_symbol('(') {
                    self.symbol(')', "right parenthesis")?;
                    return Ok(Item::Expression(Expression::Call(name)));
                }
                return Ok(Item::Name(name));
            }
        };
        self.next += 1;
        Ok(item)
    }

    fn select(&mut self, items: Items) -> Result<Statement, SqlError> {
        self.word("from")?;
        let relation = self.reference()?;
        self.alias()?;
        let mut filters = Vec::new();
        if self.take_word("where") {
            filters.push(self.filter()?);
            while self.take_word("and") {
                filters.push(self.filter()?);
            }
        }
        let mut order = Vec::new();
        if self.take_word("order") {
            self.word("by")?;
            loop {
                order.push(self.sort_key()?);
                if !self.take_symbol(',') {
                    break;
                }
            }
        }
        let mut limit = None;
        if self.take_word("limit") {
            let TokenKind::Number(text) = &self.peek().kind else {
                return Err(self.expected("a number"));
            };
            limit = Some(text.parse().map_err(|_| self.expected("a whole number"))?);
            self.next += 1;
        }
        let as_of = self.as_of()?;
        Ok(Statement::Select(Select {
            items,
            relation,
            filters,
            order,
            limit,
            as_of,
        }))
    }

    /// An alias is accepted and needs no memory: there is one relation only.
    fn alias(&mut self) -> Result<(), SqlError> {
        const CLAUSES: [&str; 5] = ["where", "order", "limit", "as", "join"];
        if let TokenKind::Word(word) = &self.peek().kind
            && !CLAUSES.contains(&word.as_str())
        {
            self.next += 1;
        }
        if self.peek().kind == TokenKind::Symbol(',') || self.take_word("join") {
            return Err(SqlError::unsupported(
                "joins are not supported by the demo's stand-in".to_owned(),
            ));
        }
        Ok(())
    }

    fn filter(&mut self) -> Result<Filter, SqlError> {
        let column = self.name()?.pop().unwrap_or_default();
        if self.take_word("in") {
            self.symbol('(', "left parenthesis")?;
            let mut operands = vec![self.operand()?];
            while self.take_symbol(',') {
                operands.push(self.operand()?);
            }
            self.symbol(')', "right parenthesis")?;
            return Ok(Filter {
                column,
                equal: true,
                operands,
            });
        }
        let equal = self.take_symbol('=');
        let unequal = !equal && self.take_symbol('<') && self.take_symbol('>');
        if !equal && !unequal {
            return Err(SqlError::unsupported(
                "conditions other than =, <> and IN are not supported by the demo's stand-in"
                    .to_owned(),
            ));
        }
        Ok(Filter {
            column,
            equal,
            operands: vec![self.operand()?],
        })
    }

    fn operand(&mut self) -> Result<Operand, SqlError> {
        let operand = match self.peek().kind.clone() {
            TokenKind::Text(text) | TokenKind::Number(text) => Operand::Literal(text),
            TokenKind::Word(word) if word == "true" => Operand::Literal("t".to_owned()),
            TokenKind::Word(word) if word == "false" => Operand::Literal("f".to_owned()),
            TokenKind::Parameter(number) => Operand::Parameter(number - 1),
            _ => return Err(self.expected("a literal")),
        };
        self.next += 1;
        Ok(operand)
    }

    fn sort_key(&mut self) -> Result<(SortKey, bool), SqlError> {
        let key = if let TokenKind::Number(text) = &self.peek().kind {
            let position = text.parse().map_err(|_| self.expected("a whole number"))?;
            self.next += 1;
            SortKey::Position(position)
        } else {
            SortKey::Name(self.name()?.pop().unwrap_or_default())
        };
        let descending = self.take_word("desc");
        if !descending {
            self.take_word("asc");
        }
        Ok((key, descending))
    }
}

/// One item of a SELECT before it is known whether a FROM follows.
enum Item {
    Name(String),
    Expression(Expression),
}

fn constants(items: Vec<(Item, Option<String>)>) -> Result<Statement, SqlError> {
    let constants = items.into_iter().map(|(item, alias)| match item {
        Item::Expression(expression) => Ok((expression, alias)),
        Item::Name(name) if BARE_CALLS.contains(&name.as_str()) => {
            Ok((Expression::Call(name), alias))
        }
        Item::Name(name) => Err(SqlError::unknown_column(&name)),
    });
    Ok(Statement::Constants(constants.collect::<Result<_, _>>()?))
}
