//! The PostgreSQL wire protocol in front of the database, on loopback, without
//! authentication.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use futures::sink::Sink;
use pgwire::api::auth::{
    ServerParameterProvider, StartupHandler, finish_authentication, protocol_negotiation,
    save_startup_parameters_to_metadata,
};
use pgwire::api::cancel::{CancelHandler, DefaultCancelHandler};
use pgwire::api::portal::{Format, Portal};
use pgwire::api::query::{ExtendedQueryHandler, SimpleQueryHandler};
use pgwire::api::results::{FieldInfo, Response, Tag};
use pgwire::api::stmt::QueryParser;
use pgwire::api::store::PortalStore;
use pgwire::api::{
    ClientInfo, ClientPortalStore, ConnectionGuard, ConnectionHandle, ConnectionManager,
    PgWireServerHandlers, PidSecretKeyGenerator, RandomPidSecretKeyGenerator, Type,
};
use pgwire::error::{PgWireError, PgWireResult};
use pgwire::messages::response::TransactionStatus;
use pgwire::messages::{PgWireBackendMessage, PgWireFrontendMessage};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use super::ast::Statement;
use super::parser::parse;
use super::session::{Database, Reply};
use super::sql_error::SqlError;
use super::subscription::copy_table;
use super::wire::{fields, query_response};
use crate::limits;

/// What the server says of its PostgreSQL dialect; Materialize says the same.
pub(super) const SERVER_VERSION: &str = "9.5.0";

/// Accepts connections until `stop` changes or its sender is gone.
pub(super) async fn serve(
    listener: TcpListener,
    database: Arc<Database>,
    mut stop: watch::Receiver<bool>,
) {
    let handlers = Arc::new(Handlers {
        front: Arc::new(Front {
            database,
            connections: Arc::new(ConnectionManager::new()),
            keys: RandomPidSecretKeyGenerator::default(),
        }),
    });
    let permits = Arc::new(Semaphore::new(limits::DEMO_CONNECTIONS_MAX));
    let mut connections = tokio::task::JoinSet::new();
    let accept_all = async {
        loop {
            // The semaphore is never closed.
            let Ok(permit) = Arc::clone(&permits).acquire_owned().await else {
                return;
            };
            while connections.try_join_next().is_some() {}
            match listener.accept().await {
                Ok((socket, _)) => {
                    let handlers = Arc::clone(&handlers);
                    connections.spawn(async move {
                        let _permit = permit;
                        if let Err(error) =
                            pgwire::tokio::process_socket(socket, None, handlers).await
                        {
                            // A client that went away is no one's concern here.
                            log::debug!("a connection to the stand-in ended: {error}");
                        }
                    });
                }
                Err(error) => {
                    // Out of file descriptors, most likely: let some be closed.
                    log::warn!("the stand-in cannot accept a connection: {error}");
                    tokio::time::sleep(limits::DEMO_ACCEPT_PAUSE).await;
                }
            }
        }
    };
    tokio::select! {
        () = accept_all => {}
        _ = stop.changed() => {}
    }
    // Ends every connection as a server does that is shut down: plain EOF.
    connections.shutdown().await;
}

struct Handlers {
    front: Arc<Front>,
}

impl PgWireServerHandlers for Handlers {
    fn simple_query_handler(&self) -> Arc<impl SimpleQueryHandler> {
        Arc::clone(&self.front)
    }

    fn extended_query_handler(&self) -> Arc<impl ExtendedQueryHandler> {
        Arc::clone(&self.front)
    }

    fn startup_handler(&self) -> Arc<impl StartupHandler> {
        Arc::clone(&self.front)
    }

    fn cancel_handler(&self) -> Arc<impl CancelHandler> {
        Arc::new(DefaultCancelHandler::new(Arc::clone(
            &self.front.connections,
        )))
    }
}

/// Handles all messages of all connections.
struct Front {
    database: Arc<Database>,
    connections: Arc<ConnectionManager>,
    keys: RandomPidSecretKeyGenerator,
}

impl ServerParameterProvider for Front {
    fn server_parameters<C: ClientInfo>(&self, client: &C) -> Option<HashMap<String, String>> {
        let mut parameters: HashMap<String, String> = [
            ("server_version", SERVER_VERSION),
            ("server_encoding", "UTF8"),
            ("client_encoding", "UTF8"),
            ("DateStyle", "ISO, MDY"),
            ("TimeZone", "UTC"),
            ("integer_datetimes", "on"),
            ("standard_conforming_strings", "on"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        parameters.insert("mz_version".to_owned(), self.database.version());
        if let Some(name) = client.metadata().get("application_name") {
            parameters.insert("application_name".to_owned(), name.clone());
        }
        Some(parameters)
    }
}

#[async_trait]
impl StartupHandler for Front {
    async fn on_startup<C>(
        &self,
        client: &mut C,
        message: PgWireFrontendMessage,
    ) -> PgWireResult<()>
    where
        C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        if let PgWireFrontendMessage::Startup(startup) = &message {
            protocol_negotiation(client, startup).await?;
            save_startup_parameters_to_metadata(client, startup);
            let (pid, key) = self.keys.generate(client);
            client.set_pid_and_secret_key(pid, key.clone());
            let (handle, guard) = self.connections.register(pid, key);
            client
                .session_extensions()
                .insert::<Arc<ConnectionHandle>>(handle);
            client.session_extensions().insert::<ConnectionGuard>(guard);
            finish_authentication(client, self).await?;
        }
        Ok(())
    }
}

impl Front {
    /// Carries out one statement; what COPY sends, it sends itself.
    async fn carry_out<C>(
        &self,
        client: &mut C,
        statement: &Statement,
        parameters: &[Option<String>],
        format: &Format,
    ) -> PgWireResult<Response>
    where
        C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let ends = matches!(statement, Statement::Commit | Statement::Rollback);
        let failed = client.transaction_status() == TransactionStatus::Error;
        if failed && !ends {
            return Err(SqlError::transaction_failed().into());
        }
        if let Statement::Define(definition) = statement
            && client.transaction_status() == TransactionStatus::Transaction
        {
            let tag = definition.tag(self.database.dialect());
            return Err(SqlError::in_transaction(tag).into());
        }
        let copied = |lines| Response::Execution(Tag::new("COPY").with_rows(lines));
        let role = client.metadata().get("user").cloned().unwrap_or_default();
        let reply = self.database.answer(statement, parameters, &role);
        Ok(match reply.await? {
            Reply::Rows(table) => Response::Query(query_response(table, format)),
            Reply::CopyRows(table) => copied(copy_table(client, &table).await?),
            Reply::CopySubscription(subscription) => copied(subscription.run(client).await?),
            Reply::Command(tag) => Response::Execution(Tag::new(tag)),
            Reply::Inserted(rows) => {
                Response::Execution(Tag::new("INSERT").with_oid(0).with_rows(rows))
            }
            Reply::Begin => Response::TransactionStart(Tag::new("BEGIN")),
            // A failed transaction can only be rolled back.
            Reply::End(_) if failed => Response::TransactionEnd(Tag::new("ROLLBACK")),
            Reply::End(tag) => Response::TransactionEnd(Tag::new(tag)),
        })
    }
}

#[async_trait]
impl SimpleQueryHandler for Front {
    async fn do_query<C>(&self, client: &mut C, query: &str) -> PgWireResult<Vec<Response>>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let statements = parse(query)?;
        if statements.is_empty() {
            return Ok(vec![Response::EmptyQuery]);
        }
        // A COPY sends its messages at once, the rest is sent after all have
        // run: fine as long as a COPY stands alone.
        let copies =
            |s: &Statement| matches!(s, Statement::CopySelect(_) | Statement::CopySubscribe(_));
        if statements.len() > 1 && statements.iter().any(copies) {
            let message =
                "COPY together with other statements is not supported by the demo's stand-in";
            return Err(SqlError::unsupported(message.to_owned()).into());
        }
        let mut responses = Vec::with_capacity(statements.len());
        for statement in &statements {
            let format = Format::UnifiedText;
            responses.push(self.carry_out(client, statement, &[], &format).await?);
        }
        Ok(responses)
    }
}

/// Parses for the extended protocol, which also asks for types beforehand.
struct Parser {
    database: Arc<Database>,
}

#[async_trait]
impl QueryParser for Parser {
    type Statement = Statement;

    async fn parse_sql<C>(
        &self,
        _client: &C,
        sql: &str,
        _types: &[Option<Type>],
    ) -> PgWireResult<Option<Statement>>
    where
        C: ClientInfo + Unpin + Send + Sync,
    {
        let mut statements = parse(sql)?;
        let statement = statements.pop();
        if !statements.is_empty() {
            let message = "cannot insert multiple commands into a prepared statement".to_owned();
            return Err(SqlError::syntax(message, 1).into());
        }
        if let Some(statement) = &statement {
            // Errors of meaning are told at once, as the real servers do.
            self.database.columns(statement)?;
        }
        Ok(statement)
    }

    fn get_parameter_types(&self, statement: &Statement) -> PgWireResult<Vec<Type>> {
        Ok(vec![Type::TEXT; statement.parameters()])
    }

    fn get_result_schema(
        &self,
        statement: &Statement,
        column_format: Option<&Format>,
    ) -> PgWireResult<Vec<FieldInfo>> {
        let columns = self.database.columns(statement)?;
        Ok(fields(
            &columns,
            column_format.unwrap_or(&Format::UnifiedText),
        ))
    }
}

#[async_trait]
impl ExtendedQueryHandler for Front {
    type Statement = Statement;
    type QueryParser = Parser;

    fn query_parser(&self) -> Arc<Parser> {
        Arc::new(Parser {
            database: Arc::clone(&self.database),
        })
    }

    async fn do_query<C>(
        &self,
        client: &mut C,
        portal: &Portal<Statement>,
        _max_rows: usize,
    ) -> PgWireResult<Response>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Statement>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let statement = &portal.statement.statement;
        // Text is the same in both formats.
        let parameters = (0..statement.parameters())
            .map(|index| portal.parameter::<String>(index, &Type::TEXT))
            .collect::<PgWireResult<Vec<_>>>()?;
        self.carry_out(client, statement, &parameters, &portal.result_column_format)
            .await
    }
}
