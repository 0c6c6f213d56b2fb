//! A whole API over a store in a scratch directory.

use std::sync::{Arc, Mutex};

use coracle_apimachinery::status::Status;
use coracle_apimachinery::{Value, json};
use coracle_apiserver::allocate::Networks;
use coracle_apiserver::api::Api;
use coracle_apiserver::api::request::{Answer, Content, Context, Request};
use coracle_apiserver::audit::{Audit, Record};
use coracle_apiserver::tokens::Tokens;
use coracle_apiserver::{Object, StoredObjects, Terms, bootstrap};
use coracle_auth::pki::Authorities;
use coracle_auth::token::{self, ISSUER};
use coracle_auth::{Authenticator, Identity};
use coracle_store::{LocalStore, Options, Store};

/// Keeps the records of all requests.
#[derive(Debug, Default)]
pub(crate) struct Kept(pub(crate) Mutex<Vec<Record>>);

impl Audit for Kept {
    fn record(&self, record: Record) {
        self.0.lock().unwrap().push(record);
    }
}

/// An API that ends with its directory.
pub(crate) struct Cluster {
    pub(crate) api: Api,
    pub(crate) audit: Arc<Kept>,
    _directory: tempfile::TempDir,
}

impl Cluster {
    pub(crate) async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("db");
        std::fs::create_dir(&place).unwrap();
        let store: Arc<dyn Store> =
            Arc::new(LocalStore::open(&place, Options { indexer: Arc::new(Terms), ..Options::default() }).unwrap());
        let authorities = Authorities::open(directory.path()).unwrap();
        let issuer = || token::Tokens::new(Arc::clone(&authorities.service_keys), ISSUER, &[ISSUER]);
        let objects = Arc::new(StoredObjects::new(Arc::clone(&store)));
        let authenticator = Authenticator::new(&authorities, issuer(), objects).unwrap();
        let audit = Arc::new(Kept::default());
        let tokens = Arc::new(Tokens::new(authenticator, issuer()));
        let networks = Networks::parse("10.43.0.0/16").unwrap();
        let api = Api::new(store, Arc::clone(&audit) as Arc<dyn Audit>, networks, tokens);
        bootstrap::ensure(&api, 6443).await.unwrap();
        audit.0.lock().unwrap().clear();
        Self { api, audit, _directory: directory }
    }

    pub(crate) async fn ask(&self, who: &str, request: Request) -> Result<Answer, Status> {
        let mut identity = Identity::component(who);
        if who == "admin" {
            identity.groups.push("system:masters".to_owned());
        }
        self.api.execute(&Context::new(Arc::new(identity)), request).await
    }

    /// The tree of the object that an administrator's request answers with.
    pub(crate) async fn object(&self, request: Request) -> Value {
        match self.ask("admin", request).await.unwrap().content {
            Content::Object(_, object) => tree(&object),
            other => panic!("{other:?} is no object"),
        }
    }
}

/// The tree of an object.
pub(crate) fn tree(object: &Object) -> Value {
    json::decode_any(&object.json()).unwrap()
}
