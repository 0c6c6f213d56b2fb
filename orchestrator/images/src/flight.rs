//! Work that is done once although several pulls ask for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use coracle_image_layout::Digest;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard, OwnedRwLockReadGuard, RwLock};

/// Locks by digest.
#[derive(Debug, Default)]
pub(crate) struct Flights(Mutex<HashMap<Digest, Weak<AsyncMutex<()>>>>);

/// Keeps collection of garbage away while content is brought in.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gate(Arc<RwLock<()>>);

/// Shown by who brings content in.
#[derive(Debug, Clone)]
pub(crate) struct Pass(#[expect(dead_code, reason = "it counts as long as it lives")] Arc<OwnedRwLockReadGuard<()>>);

/// The right to bring one digest in. It travels with the blocking work, because that outlives who waits for it.
#[derive(Debug)]
#[expect(dead_code, reason = "it counts as long as it lives")]
pub(crate) struct Held(OwnedMutexGuard<()>, Pass);

impl Flights {
    /// Waits until nobody else works on `digest`.
    pub(crate) async fn enter(&self, digest: Digest, pass: &Pass) -> Held {
        let lock = {
            let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            locks.retain(|_, lock| lock.strong_count() > 0);
            match locks.get(&digest).and_then(Weak::upgrade) {
                Some(lock) => lock,
                None => {
                    let lock = Arc::new(AsyncMutex::new(()));
                    locks.insert(digest, Arc::downgrade(&lock));
                    lock
                }
            }
        };
        Held(lock.lock_owned().await, pass.clone())
    }
}

impl Gate {
    /// Waits until no collection runs.
    pub(crate) async fn enter(&self) -> Pass {
        Pass(Arc::new(Arc::clone(&self.0).read_owned().await))
    }

    /// Closes the gate, unless somebody is inside.
    pub(crate) fn close(&self) -> Option<tokio::sync::OwnedRwLockWriteGuard<()>> {
        Arc::clone(&self.0).try_write_owned().ok()
    }
}
