//! What a session is set to once it is connected.

use postgres::Client;

use super::ConnectError;

/// Settings of the session; empty ones are left to the server's defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    /// The cluster that computes what is streamed.
    pub cluster: Option<String>,
    /// The replica of it: introspection relations differ from one to another.
    pub cluster_replica: Option<String>,
    /// The schemas in which a name without one is looked for, in order.
    pub search_path: Vec<String>,
}

impl Session {
    /// Sets them, by statements rather than by startup options: a refusal then
    /// says which.
    pub(super) fn apply(&self, client: &mut Client) -> Result<(), ConnectError> {
        for (parameter, sql) in self.statements() {
            client
                .batch_execute(&sql)
                .map_err(|source| ConnectError::Session { parameter, source })?;
        }
        Ok(())
    }

    fn statements(&self) -> Vec<(&'static str, String)> {
        let one = |name: &'static str, value: &Option<String>| {
            let value = value.as_ref()?;
            Some((name, format!("SET {name} = {}", literal(value))))
        };
        let path: Vec<String> = self.search_path.iter().map(|name| literal(name)).collect();
        let path = (!path.is_empty()).then(|| {
            (
                "search_path",
                format!("SET search_path = {}", path.join(", ")),
            )
        });
        [
            one("cluster", &self.cluster),
            one("cluster_replica", &self.cluster_replica),
            path,
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// A string literal: only quotes need doubling, these servers take backslashes
/// as they are.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_statements_quote_every_name() {
        assert_eq!(Session::default().statements(), []);
        let session = Session {
            cluster: Some("it's".into()),
            cluster_replica: Some("r1".into()),
            search_path: vec!["Sales".into(), "public".into()],
        };
        let listed: Vec<_> = session.statements().into_iter().map(|one| one.1).collect();
        assert_eq!(
            listed,
            [
                "SET cluster = 'it''s'",
                "SET cluster_replica = 'r1'",
                "SET search_path = 'Sales', 'public'",
            ]
        );
    }
}
