//! The operations of a group-version, by the verbs of its resources.

use super::facts::RETURN_DELETED;
use super::model::Model;
use super::names::{custom_model, identifier, operation, tag};
use super::operation::{
    ALL, ANY, Body, BodyUse, CUSTOM_PATCHES, GroupVersionKind, Items, LOG, Operation, PATCHES, STREAMED, TEXTUAL, add,
};
use super::parameters::{Parameter, meta_options, options};
use crate::group::{GroupVersion, Types};
use coracle_apimachinery::schema::Resource;

/// Statuses of reading, of replacing and patching, of creating, and of deleting.
const READ: &[&str] = &["200"];
const WRITE: &[&str] = &["200", "201"];
const CREATE: &[&str] = &["200", "201", "202"];
const DELETE: &[&str] = &["200", "202"];

/// Methods that reach the other end of a connection, and whether every connection has them; a proxy has all.
const CONNECT: [(&str, bool); 7] = [
    ("get", true),
    ("post", true),
    ("delete", false),
    ("head", false),
    ("options", false),
    ("patch", false),
    ("put", false),
];

/// Collects the operations of one resource or subresource.
struct Builder<'a> {
    group_version: &'a GroupVersion,
    resource: &'a Resource,
    /// Kind of the resource itself, also for its subresources: it names their operations.
    kind: &'a str,
    /// The subresource, capitalised as operations name it.
    suffix: String,
    items: &'a mut Items,
}

/// All operations of a group-version but the list of its resources.
pub(super) fn collect(group_version: &GroupVersion, items: &mut Items) {
    for resource in group_version.resources.iter() {
        let (top, subresource) = match resource.name.split_once('/') {
            Some((top, subresource)) => (top, Some(subresource)),
            None => (resource.name.as_ref(), None),
        };
        let Some(parent) = group_version.resources.iter().find(|candidate| candidate.name == top) else { continue };
        let suffix = subresource.map(|name| identifier(name, true)).unwrap_or_default();
        let mut builder = Builder { group_version, resource, kind: &parent.kind, suffix, items };
        match subresource {
            None => builder.resource(top),
            Some(name) => builder.subresource(&format!("{}/{top}/{{name}}/{name}", builder.base("")), name),
        }
    }
}

impl Builder<'_> {
    fn custom(&self) -> bool {
        self.group_version.is_custom()
    }

    /// Where the objects are, below an element such as `/watch`.
    fn base(&self, below: &str) -> String {
        let namespace = if self.resource.namespaced { "/namespaces/{namespace}" } else { "" };
        format!("{}{below}{namespace}", self.group_version.path())
    }

    fn model(&self, list: bool) -> Option<Model> {
        let group = self.resource.group.as_deref().unwrap_or(&self.group_version.group);
        let version = self.resource.version.as_deref().unwrap_or(&self.group_version.version);
        match &self.group_version.types {
            Types::Custom(kinds) if self.resource.version.is_none() => {
                let found = kinds.iter().find(|candidate| candidate.kind == self.resource.kind)?;
                let kind = if list { &found.list_kind } else { &found.kind };
                Some(Model::Custom(custom_model(group, version, kind)))
            }
            _ if list => Model::kind(group, version, &format!("{}List", self.resource.kind)),
            _ => Model::kind(group, version, &self.resource.kind),
        }
    }

    /// An operation named VERB GROUP-VERSION [Namespaced] KIND SUBRESOURCE.
    fn operation(&self, method: &'static str, verb: &str, action: &'static str, name: &str) -> Operation {
        let (group, version) = (&self.group_version.group, &self.group_version.version);
        // Subresources of custom kinds are all announced under the kind itself.
        let own = self.custom();
        let kind = GroupVersionKind {
            group: self.resource.group.as_deref().filter(|_| !own).unwrap_or(group).to_owned(),
            version: self.resource.version.as_deref().filter(|_| !own).unwrap_or(version).to_owned(),
            kind: if own { self.kind } else { self.resource.kind.as_ref() }.to_owned(),
        };
        Operation {
            method,
            id: operation(verb, group, version, name),
            tag: tag(group, version),
            action: Some((action, kind)),
            parameters: vec![Parameter::pretty()],
            body: None,
            consumes: if own { TEXTUAL } else { ANY },
            produces: if own { TEXTUAL } else { ALL },
            answer: self.model(false),
            statuses: READ,
        }
    }

    fn named(&self) -> String {
        let namespaced = if self.resource.namespaced { "Namespaced" } else { "" };
        format!("{namespaced}{}{}", self.kind, self.suffix)
    }

    fn add(&mut self, path: &str, operation: Operation) {
        add(self.items, path.to_owned(), operation);
    }

    fn resource(&mut self, name: &str) {
        let collection = format!("{}/{name}", self.base(""));
        let object = format!("{collection}/{{name}}");
        for verb in &self.resource.verbs {
            match verb.as_ref() {
                "list" => self.list(&collection, name),
                "watch" if !self.custom() => self.watch(name),
                "deletecollection" => self.delete_collection(&collection),
                "create" => self.create(&collection),
                verb => self.object(&object, verb),
            }
        }
    }

    fn subresource(&mut self, path: &str, name: &str) {
        if self.resource.kind.ends_with("Options") {
            self.connect(path, "");
            if name == "proxy" {
                self.connect(&format!("{path}/{{path}}"), "WithPath");
            }
            return;
        }
        for verb in &self.resource.verbs {
            match verb.as_ref() {
                "create" => self.create(path),
                "get" if self.resource.name == "pods/log" => self.log(path),
                verb => self.object(path, verb),
            }
        }
    }

    fn create(&mut self, path: &str) {
        let mut operation = self.operation("post", "create", "post", &self.named());
        operation.parameters.extend(meta_options("CreateOptions"));
        operation.body = self.model(false).map(|model| Body { model, use_of: BodyUse::Object });
        operation.statuses = CREATE;
        self.add(path, operation);
    }

    /// Operations on one object.
    fn object(&mut self, path: &str, verb: &str) {
        let named = self.named();
        let operation = match verb {
            "get" => {
                let mut operation = self.operation("get", "read", "get", &named);
                if self.custom() {
                    operation.parameters.extend(meta_options("GetOptions"));
                }
                operation
            }
            "update" => {
                let mut operation = self.operation("put", "replace", "put", &named);
                operation.parameters.extend(meta_options("UpdateOptions"));
                operation.body = self.model(false).map(|model| Body { model, use_of: BodyUse::Object });
                operation.statuses = WRITE;
                operation
            }
            "patch" => {
                let mut operation = self.operation("patch", "patch", "patch", &named);
                operation.parameters.extend(meta_options("PatchOptions"));
                operation.body = Model::meta("Patch").map(|model| Body { model, use_of: BodyUse::Patch });
                operation.consumes = if self.custom() { CUSTOM_PATCHES } else { PATCHES };
                operation.statuses = if self.custom() { READ } else { WRITE };
                operation
            }
            "delete" => {
                let mut operation = self.operation("delete", "delete", "delete", &named);
                operation.parameters.extend(meta_options("DeleteOptions"));
                operation.body =
                    Model::meta("DeleteOptions").map(|model| Body { model, use_of: BodyUse::DeleteOptions });
                let group = self.group_version.group.as_ref();
                let deleted = RETURN_DELETED.iter().any(|(of, kinds)| *of == group && kinds.contains(&self.kind));
                if !deleted {
                    operation.answer = Model::meta("Status");
                }
                operation.statuses = DELETE;
                operation
            }
            _ => return,
        };
        self.add(path, operation);
    }

    fn list(&mut self, collection: &str, name: &str) {
        let mut operation = self.operation("get", "list", "list", &self.named());
        operation.parameters.extend(meta_options("ListOptions"));
        operation.answer = self.model(true);
        if !self.custom() {
            operation.produces = STREAMED;
        }
        if self.resource.namespaced {
            let (group, version) = (&self.group_version.group, &self.group_version.version);
            let everywhere = Operation {
                id: super::names::operation("list", group, version, &format!("{}ForAllNamespaces", self.kind)),
                ..operation.clone()
            };
            self.add(&format!("{}/{name}", self.group_version.path()), everywhere);
        }
        self.add(collection, operation);
    }

    fn delete_collection(&mut self, path: &str) {
        let mut operation =
            self.operation("delete", "delete", "deletecollection", &format!("Collection{}", self.named()));
        operation.parameters.extend(meta_options("ListOptions"));
        if !self.custom() {
            operation.parameters.retain(|parameter| !matches!(parameter.name, "allowWatchBookmarks" | "watch"));
            operation.parameters.extend(meta_options("DeleteOptions"));
            operation.body = Model::meta("DeleteOptions").map(|model| Body { model, use_of: BodyUse::DeleteOptions });
        }
        operation.answer = Model::meta("Status");
        self.add(path, operation);
    }

    /// The paths below `/watch`, from before a list could be watched itself.
    fn watch(&mut self, name: &str) {
        let collection = format!("{}/{name}", self.base("/watch"));
        let named = self.named();
        let mut paths = vec![
            (collection.clone(), "watchlist", format!("{named}List")),
            (format!("{collection}/{{name}}"), "watch", named),
        ];
        if self.resource.namespaced {
            let everywhere = format!("{}/watch/{name}", self.group_version.path());
            paths.push((everywhere, "watchlist", format!("{}ListForAllNamespaces", self.kind)));
        }
        for (path, action, name) in paths {
            let mut operation = self.operation("get", "watch", action, &name);
            operation.parameters.extend(meta_options("ListOptions"));
            operation.answer = Model::meta("WatchEvent");
            operation.produces = STREAMED;
            self.add(&path, operation);
        }
    }

    fn log(&mut self, path: &str) {
        let mut operation = self.operation("get", "read", "get", &self.named());
        operation.parameters.extend(options("core/v1", "PodLogOptions"));
        operation.answer = None;
        operation.produces = LOG;
        self.add(path, operation);
    }

    fn connect(&mut self, path: &str, ending: &str) {
        let std::borrow::Cow::Borrowed(kind) = self.resource.kind else { return };
        let proxy = self.resource.name.ends_with("/proxy");
        for (method, _) in CONNECT.iter().filter(|(_, always)| *always || proxy) {
            let name = format!("{}{}{ending}", identifier(method, true), self.named());
            let mut operation = self.operation(method, "connect", "connect", &name);
            operation.parameters = options("core/v1", kind);
            operation.answer = None;
            operation.produces = ANY;
            self.add(path, operation);
        }
    }
}
