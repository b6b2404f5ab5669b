//! What a server says of itself and of a role, for who is about to stream from it.

use std::time::Duration;

use postgres::Client;

use crate::connection::Connector;
use crate::model::name::ViewName;
use crate::tail::TailError;
use crate::tail::dialect::VERSION_SQL;

use super::failures;
use super::questions::{ask, first, literal, readable, tolerant};

/// What a server says; what it does not tell is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// In its own words.
    pub version: String,
    /// The role that is logged in.
    pub role: Option<String>,
    /// The cluster that computes what is streamed.
    pub cluster: Option<String>,
    /// How many replicas it has.
    pub replicas: Option<String>,
}

/// A connection that asks.
pub struct Checkup(Client);

impl Checkup {
    /// Connects; no answer is waited for longer than this.
    pub fn connect(connector: &Connector, limit: Duration) -> Result<Self, TailError> {
        let client = connector.completed(limit).connect();
        let client = client.map_err(|error| failures::of_connecting(&error))?;
        Ok(Checkup(client))
    }

    /// Asks for the server.
    pub fn server(&mut self) -> Result<Server, TailError> {
        let version = ask(&mut self.0, VERSION_SQL, "its version")?;
        let version = first(&version).ok_or(TailError::Answer {
            what: "its version",
        })?;
        let cluster = self.told("SHOW cluster", "its cluster")?;
        let replicas = match &cluster {
            Some(cluster) => {
                let sql = format!(
                    "SELECT count(*) FROM mz_catalog.mz_cluster_replicas AS r \
                     JOIN mz_catalog.mz_clusters AS c ON c.id = r.cluster_id WHERE c.name = {}",
                    literal(cluster)
                );
                self.told(&sql, "the cluster's replicas")?
            }
            None => None,
        };
        Ok(Server {
            version: version.to_owned(),
            role: self.told("SELECT current_user", "the role")?,
            cluster,
            replicas,
        })
    }

    /// Whether the role may read a relation.
    pub fn readable(&mut self, relation: &ViewName) -> Result<(), TailError> {
        readable(&mut self.0, relation)
    }

    fn told(&mut self, sql: &str, what: &'static str) -> Result<Option<String>, TailError> {
        let rows = tolerant(&mut self.0, sql, what)?.unwrap_or_default();
        Ok(first(&rows).map(str::to_owned))
    }
}
