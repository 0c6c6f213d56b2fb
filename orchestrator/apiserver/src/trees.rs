//! Parsed trees of stored objects, shared by all readers of a revision and dropped when room is needed.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use coracle_apimachinery::Value;
use coracle_apimachinery::status::Status;

use crate::registry::Row;
use crate::stored::Object;

/// Most trees kept. A pod's tree takes about 10 kB.
const CAPACITY: usize = 512;

/// Trees by row and revision; a revision is one object's unless a transaction wrote several, so the bytes decide.
#[derive(Debug, Default)]
pub(crate) struct Trees(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    trees: HashMap<Address, Tree>,
    order: VecDeque<Address>,
}

/// `apiVersion`, kind and revision.
type Address = (String, String, u64);
/// The stored bytes and what they read as.
type Tree = (coracle_store::Value, Arc<Value>);

impl Trees {
    /// The tree of an object.
    ///
    /// # Errors
    /// The stored bytes cannot be read.
    pub(crate) fn get(&self, row: &Row, object: &Object) -> Result<Arc<Value>, Status> {
        let address = (row.api_version.clone(), row.kind.to_string(), object.revision());
        // Run-time kinds change their defaults; what is not stored has no revision.
        if row.is_custom() || object.revision() == 0 {
            return row.tree(object).map(Arc::new);
        }
        if let Some((bytes, tree)) = self.lock().trees.get(&address)
            && bytes == object.store_value()
        {
            return Ok(Arc::clone(tree));
        }
        let tree = Arc::new(row.tree(object)?);
        let mut kept = self.lock();
        if kept.trees.insert(address.clone(), (object.store_value().clone(), Arc::clone(&tree))).is_none() {
            kept.order.push_back(address);
        }
        if kept.order.len() > CAPACITY
            && let Some(oldest) = kept.order.pop_front()
        {
            kept.trees.remove(&oldest);
        }
        Ok(tree)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
