//! The nodes that are connected, by name.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::{Error, Node};

type Table = Mutex<BTreeMap<String, Arc<dyn Node>>>;

/// The nodes that are connected, by name. All clones are one table.
#[derive(Clone, Default)]
pub struct Nodes(Arc<Table>);

/// A node's place in the table; dropping it takes the node out.
#[must_use = "the node leaves when this is dropped"]
pub struct Membership {
    table: Arc<Table>,
    name: String,
    node: Arc<dyn Node>,
}

impl Nodes {
    /// Puts a node into the table. One that had the name loses its place: it has connected anew.
    pub fn join(&self, name: impl Into<String>, node: Arc<dyn Node>) -> Membership {
        let name = name.into();
        locked(&self.0).insert(name.clone(), Arc::clone(&node));
        Membership { table: Arc::clone(&self.0), name, node }
    }

    /// The node of a name.
    ///
    /// # Errors
    /// It is not connected.
    pub fn get(&self, name: &str) -> Result<Arc<dyn Node>, Error> {
        locked(&self.0).get(name).map(Arc::clone).ok_or_else(|| Error::Unavailable(name.to_owned()))
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        let mut table = locked(&self.table);
        if table.get(&self.name).is_some_and(|present| Arc::ptr_eq(present, &self.node)) {
            table.remove(&self.name);
        }
    }
}

impl fmt::Debug for Nodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(locked(&self.0).keys()).finish()
    }
}

impl fmt::Debug for Membership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Membership").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The table; a holder that panicked has left it whole, as every change is one call.
fn locked(table: &Table) -> std::sync::MutexGuard<'_, BTreeMap<String, Arc<dyn Node>>> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Answer, Bytes, Connection, ExecRequest, ExecSession, LogQuery, Pod};

    /// Answers with its name as the log.
    struct Named(&'static str);

    impl Node for Named {
        fn logs(&self, _: LogQuery) -> Answer<'_, Bytes> {
            Box::pin(async { Ok(Box::new(self.0.as_bytes()) as Bytes) })
        }

        fn exec(&self, _: ExecRequest) -> Answer<'_, ExecSession> {
            Box::pin(async { Err(Error::Failed(String::new())) })
        }

        fn port_forward(&self, _: Pod, _: u16) -> Answer<'_, Connection> {
            Box::pin(async { Err(Error::Failed(String::new())) })
        }
    }

    async fn log(nodes: &Nodes, name: &str) -> Result<String, Error> {
        let mut text = String::new();
        let mut log = nodes.get(name)?.logs(LogQuery::default()).await?;
        tokio::io::AsyncReadExt::read_to_string(&mut log, &mut text).await.unwrap();
        Ok(text)
    }

    #[tokio::test]
    async fn a_node_is_there_from_joining_to_leaving() {
        let nodes = Nodes::default();
        let error = Error::Unavailable("n".to_owned());
        let gone = Err(error.clone());
        assert_eq!(log(&nodes, "n").await, gone);
        let first = nodes.join("n", Arc::new(Named("first")));
        assert_eq!(log(&nodes.clone(), "n").await, Ok("first".to_owned()));
        let second = nodes.join("n", Arc::new(Named("second")));
        // The connection before ends later than the new one begins.
        drop(first);
        assert_eq!(log(&nodes, "n").await, Ok("second".to_owned()));
        drop(second);
        assert_eq!(log(&nodes, "n").await, gone);
        assert_eq!(error.to_string(), "error dialing backend: node \"n\" is not connected");
    }
}
