//! The API for components in this process: views are the store's replica, writes go through the verbs.

mod changes;
mod view;
mod write;

use std::sync::Arc;

use coracle_apimachinery::Value;
use coracle_apimachinery::status::Status;
use coracle_auth::Identity;
use coracle_client::{Changes, Client, Interest, Pending, View, Write};

use crate::api::Api;
use changes::LocalChanges;
use view::LocalView;

/// The API for one component in this process, with the rights of its identity.
#[derive(Debug, Clone)]
pub struct LocalClient {
    api: Api,
    identity: Arc<Identity>,
}

impl LocalClient {
    /// The API as an identity sees it. Reads are not limited by its rights; writes are.
    #[must_use]
    pub fn new(api: Api, identity: Identity) -> Self {
        Self { api, identity: Arc::new(identity) }
    }
}

impl Client for LocalClient {
    fn view(&self) -> View {
        View::new(Arc::new(LocalView::new(&self.api)))
    }

    fn subscribe(&self, to: Interest<'_>) -> Box<dyn Changes> {
        Box::new(LocalChanges::new(&self.api, to))
    }

    fn write(&self, write: Write) -> Pending<'_, Result<Arc<Value>, Status>> {
        Box::pin(write::execute(&self.api, &self.identity, write))
    }
}
