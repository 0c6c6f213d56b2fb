//! The generic verbs over the store: one path for every kind, for HTTP and for callers in this process.

pub(crate) mod commit;
mod create;
mod delete;
mod documents;
pub mod list;
mod patch;
mod read;
pub mod request;
mod subresource;
mod update;
pub mod watch;

pub(crate) use update::is_done;

use std::sync::Arc;

use coracle_apimachinery::Value;
use coracle_apimachinery::selector::field;
use coracle_apimachinery::status::Status;
use coracle_auth::authorise::{self, Attributes, Resource, Target};
use coracle_node_connection::Nodes;
use coracle_store::{Key, Store};
use tokio::sync::watch as channel;

use crate::admission::{self, Plugin};
use crate::allocate::Networks;
use crate::audit::{Audit, Record};
use crate::facts::StoredFacts;
use crate::http::path;
use crate::registry::{Registry, Row};
use crate::stored::Object;
use crate::streams::Streams;
use crate::tokens::Tokens;
use crate::trees::Trees;
use request::{Answer, Body, Content, Context, Request, Verb};

/// The API of one server.
#[derive(Debug, Clone)]
pub struct Api(Arc<Parts>);

/// What the verbs work with.
#[derive(Debug)]
pub struct Parts {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) registry: channel::Sender<Arc<Registry>>,
    pub(crate) admission: Vec<Box<dyn Plugin>>,
    pub(crate) audit: Arc<dyn Audit>,
    pub(crate) trees: Trees,
    pub(crate) networks: Networks,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) streams: Streams,
    /// Why nothing can be written, if nothing can.
    pub(crate) refuses_writes: std::sync::OnceLock<String>,
}

impl Api {
    /// An API over a store. Its run-time kinds are those of the CustomResourceDefinitions in the store.
    pub fn new(store: Arc<dyn Store>, audit: Arc<dyn Audit>, networks: Networks, tokens: Arc<Tokens>) -> Self {
        let registry = channel::Sender::new(Arc::new(Registry::built_in()));
        let admission = admission::plugins();
        let api = Self(Arc::new(Parts {
            store,
            registry,
            admission,
            audit,
            trees: Trees::default(),
            networks,
            tokens,
            streams: Streams::default(),
            refuses_writes: std::sync::OnceLock::new(),
        }));
        crate::definitions::refresh(&api);
        api
    }

    pub(crate) fn parts(&self) -> &Parts {
        &self.0
    }

    /// The rows at this moment.
    #[must_use]
    pub fn registry(&self) -> Arc<Registry> {
        Arc::clone(&self.0.registry.borrow())
    }

    /// The rows, and a signal when they change.
    #[must_use]
    pub fn registry_changes(&self) -> channel::Receiver<Arc<Registry>> {
        self.0.registry.subscribe()
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.0.store
    }

    /// The nodes that logs, commands and forwarded ports go to; whoever can reach a node lets it join.
    #[must_use]
    pub fn nodes(&self) -> &Nodes {
        &self.0.streams.nodes
    }

    /// How many streams to nodes are open.
    #[must_use]
    pub fn open_streams(&self) -> usize {
        self.0.streams.open()
    }

    /// Refuses every write from now on, because what is written now would not be kept.
    pub fn refuse_writes(&self, reason: String) {
        // A second reason adds nothing.
        let _ = self.0.refuses_writes.set(reason);
    }

    /// Does a request: authorises it, does it, and audits it with exactly one record.
    ///
    /// # Errors
    /// The failure as clients see it.
    pub async fn execute(&self, context: &Context, request: Request) -> Result<Answer, Status> {
        let mut record = Record::of(context, &request);
        let result = self.authorised(context, request).await;
        record.code = match &result {
            Ok(answer) => answer.code,
            Err(status) => status.code,
        };
        self.0.audit.record(record);
        result
    }

    async fn authorised(&self, context: &Context, request: Request) -> Result<Answer, Status> {
        self.authorise(context, request.verb, &request.target(), &request.options.fields)?;
        if let (Some(reason), false) = (self.0.refuses_writes.get(), request.verb.reads()) {
            return Err(Status::internal(reason));
        }
        let registry = self.registry();
        let row = registry.row(&request.group, &request.version, &request.resource).cloned();
        let row = row.ok_or_else(Status::unknown_resource)?;
        if let Some(warning) = row.deprecation() {
            context.warn(warning);
        }
        if row.namespaced && request.namespace.is_empty() && !request.name.is_empty() {
            return Err(Status::unknown_resource());
        }
        if !request.subresource.is_empty() {
            return subresource::execute(self, context, &row, request).await;
        }
        if let (Verb::Create, Some(answer)) = (request.verb, documents::review(self, context, &row, &request)) {
            return answer;
        }
        if !row.verbs.iter().any(|verb| verb == request.verb.as_str()) {
            return Err(Status::method_not_allowed());
        }
        match request.verb {
            Verb::Get => {
                let object = self.get(&row, &request.namespace, &request.name)?;
                Ok(Answer::new(context, 200, Content::Object(row, object)))
            }
            Verb::List => {
                let list = list::list(self, &row, &request.namespace, &request.options)?;
                Ok(Answer::new(context, 200, Content::List(row, list)))
            }
            Verb::Watch => {
                let events = watch::watch(self, &row, &request.namespace, &request.options)?;
                Ok(Answer::new(context, 200, Content::Watch(row, Box::new(events))))
            }
            Verb::Create => self.create(context, &row, request).await,
            Verb::Update => self.replace(context, &row, request).await,
            Verb::Patch => self.patch(context, &row, request).await,
            Verb::Delete => self.delete(context, &row, request).await,
            Verb::DeleteCollection => self.delete_collection(context, &row, request).await,
        }
    }

    /// Whether the identity may do this. The equalities of a field selector count, as upstream has it: a node may list
    /// what names it.
    ///
    /// # Errors
    /// It may not.
    pub(crate) fn authorise(
        &self,
        context: &Context,
        verb: Verb,
        target: &path::Resource,
        fields: &field::Selector,
    ) -> Result<(), Status> {
        let path::Resource { group, version, namespace, resource, name, subresource, .. } = target;
        let equal: Vec<(&str, &str)> = fields
            .requirements()
            .iter()
            .filter(|requirement| requirement.equal)
            .map(|requirement| (requirement.field.as_str(), requirement.value.as_str()))
            .collect();
        let named = equal.iter().find(|(field, _)| *field == "metadata.name").map_or("", |(_, value)| *value);
        let name = if name.is_empty() && verb.is_of_many() { named } else { name.as_str() };
        let target =
            Target::Resource(Resource { group, version, resource, subresource, namespace, name, fields: &equal });
        let attributes = Attributes { identity: &context.identity, verb: verb.as_str(), target };
        let decision = authorise::authorise(&attributes, &StoredFacts(self));
        if decision.is_allowed() { Ok(()) } else { Err(authorise::forbidden_message(&attributes, &decision)) }
    }

    /// The key of an object.
    pub(crate) fn key(row: &Row, namespace: &str, name: &str) -> Result<Key, Status> {
        let namespace = if row.namespaced { namespace } else { "" };
        row.storage.key(namespace, name).map_err(|_| row.not_found(name))
    }

    /// The tree of an object, shared between its readers.
    pub(crate) fn tree(&self, row: &Row, object: &Object) -> Result<Arc<Value>, Status> {
        self.0.trees.get(row, object)
    }
}

impl Answer {
    /// An answer with the warnings gathered so far.
    pub(crate) fn new(context: &Context, code: u16, content: Content) -> Self {
        Self { code, warnings: context.take_warnings(), content }
    }
}

impl Request {
    /// What it is for, as paths name it.
    fn target(&self) -> path::Resource {
        path::Resource {
            group: self.group.clone(),
            version: self.version.clone(),
            namespace: self.namespace.clone(),
            resource: self.resource.clone(),
            name: self.name.clone(),
            subresource: self.subresource.clone(),
            ..path::Resource::default()
        }
    }

    /// The tree of its body, read as an object of the row.
    pub(crate) fn object(&self, context: &Context, row: &Row) -> Result<Value, Status> {
        match &self.body {
            Body::None | Body::Stream(_) => Err(Status::bad_request("the request has no body")),
            Body::Bytes(media, bytes) => row.decode(context, *media, bytes, self.options.field_validation),
            Body::Tree(value) => {
                let mut value = value.clone();
                crate::registry::check_type(&mut value, &row.api_version, &row.kind)?;
                Ok(value)
            }
        }
    }
}
