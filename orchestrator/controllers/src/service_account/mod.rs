//! Gives every namespace its default ServiceAccount.
//!
//! Source: kubernetes v1.37.2, pkg/controller/serviceaccount/serviceaccounts_controller.go.

use coracle_client::resources::{NAMESPACES, SERVICE_ACCOUNTS};
use coracle_client::{Change, View, Write};

use crate::compose;
use crate::controller::{Controller, Key, Plan, Round, Step, Watches, itself};

/// The accounts that every namespace has.
const NAMES: [&str; 1] = ["default"];

/// Keeps the ServiceAccount `default` in every active namespace. Its keys are names of namespaces.
#[derive(Debug, Clone, Copy, Default)]
pub struct ServiceAccounts;

impl Controller for ServiceAccounts {
    fn name(&self) -> &'static str {
        "service-account-controller"
    }

    fn watches(&self) -> Watches {
        Watches::Only(vec![(&NAMESPACES, itself), (&SERVICE_ACCOUNTS, deleted)])
    }

    fn plan(&self, view: &View, key: &Key, _: &Round<'_>) -> Plan {
        let mut plan = Plan::nothing();
        if !is_active(view, &key.name) {
            return plan;
        }
        for name in NAMES.into_iter().filter(|name| view.get(&SERVICE_ACCOUNTS, &key.name, name).is_none()) {
            let account = compose::named(&SERVICE_ACCOUNTS, &key.name, name, []);
            plan.step(Step::new(Write::create(&SERVICE_ACCOUNTS, account)).fine(&["AlreadyExists", "NotFound"]));
        }
        plan
    }
}

/// Whether a namespace is there and takes new objects.
pub(crate) fn is_active(view: &View, namespace: &str) -> bool {
    view.get(&NAMESPACES, "", namespace).is_some_and(|object| object.text_at(&["status", "phase"]) == "Active")
}

fn deleted(_: &View, change: &Change) -> Vec<Key> {
    let concerned = change.new.is_none() && NAMES.contains(&change.name());
    concerned.then(|| Key::new("", change.namespace())).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use coracle_apimachinery::json;
    use coracle_apimachinery::time::Instant;
    use coracle_client::Operation;
    use coracle_client::memory::Objects;

    use super::*;
    use crate::controller::Action;

    fn made(namespace: &str, account: &str) -> Vec<String> {
        let view = Objects::new().with_json(&NAMESPACES, namespace).with_json(&SERVICE_ACCOUNTS, account).view();
        let round = Round { now: Instant { seconds: 0, micros: 0 }, failure: None };
        let plan = ServiceAccounts.plan(&view, &Key::new("", "a"), &round);
        let text = |action: &Action| match action {
            Action::Do(step) => match &step.write.operation {
                Operation::Create(tree) => String::from_utf8(json::encode_any(tree)).unwrap(),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        };
        plan.actions.iter().map(text).collect()
    }

    #[test]
    fn an_active_namespace_gets_what_it_lacks() {
        let active = r#"{"metadata":{"name":"a"},"status":{"phase":"Active"}}"#;
        let ending = r#"{"metadata":{"name":"a"},"status":{"phase":"Terminating"}}"#;
        let other = r#"{"metadata":{"name":"b"},"status":{"phase":"Active"}}"#;
        let own = r#"{"metadata":{"namespace":"a","name":"default"}}"#;
        let foreign = r#"{"metadata":{"namespace":"b","name":"default"}}"#;
        let account =
            r#"{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"default","namespace":"a"}}"#.to_owned();
        let table = [
            (active, foreign, vec![account]),
            (active, own, vec![]),
            (ending, foreign, vec![]),
            (other, foreign, vec![]),
        ];
        for (namespace, present, wanted) in table {
            assert_eq!(made(namespace, present), wanted, "{namespace} {present}");
        }
    }

    #[test]
    fn only_the_deletion_of_a_kept_account_matters() {
        let view = Objects::new().view();
        let object = |name: &str| {
            let text = format!(r#"{{"metadata":{{"namespace":"a","name":"{name}"}}}}"#);
            Some(Arc::new(json::decode_any(text.as_bytes()).unwrap()))
        };
        let table = [
            (object("default"), None, vec![Key::new("", "a")]),
            (object("default"), object("default"), vec![]),
            (object("web"), None, vec![]),
        ];
        for (old, new, wanted) in table {
            let change = Change { resource: Arc::new(SERVICE_ACCOUNTS.clone()), old, new };
            assert_eq!(deleted(&view, &change), wanted, "{change:?}");
        }
    }
}
