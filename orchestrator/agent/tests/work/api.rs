//! An API in memory, as far as a node needs one.

mod following;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::looks::tree;
use coracle_agent::work::Clock;
use coracle_apimachinery::patch::merge_patch;
use coracle_apimachinery::status::Status;
use coracle_apimachinery::time::Precision;
use coracle_apimachinery::{Key, Object, Value};
use coracle_client::memory::Objects;
use coracle_client::{Changes, Client, Interest, Operation, PatchKind, Pending, Resource, View, Write, object};
use following::Following;
use tokio::sync::watch;

type Place = (String, String, String);
type Held = BTreeMap<Place, (Resource, Arc<Value>)>;

/// The API.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    state: Arc<Mutex<State>>,
    revision: watch::Sender<u64>,
    clock: Clock,
}

#[derive(Debug, Default)]
struct State {
    objects: Held,
    written: Vec<Write>,
    revision: u64,
    /// How many writes of what resource are to fail.
    failures: Vec<(&'static str, usize)>,
    /// How many reports about pods somebody else comes before.
    disturbances: usize,
    /// Whether the API drops what nodes say of their boot and pods of their host.
    forgetful: bool,
}

impl Api {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { state: Arc::default(), revision: watch::Sender::new(0), clock }
    }

    /// All writes until now.
    pub(crate) fn written(&self) -> Vec<Write> {
        self.state.lock().unwrap().written.clone()
    }

    /// Lets the next writes of a resource fail.
    pub(crate) fn fail(&self, plural: &'static str, times: usize) {
        self.state.lock().unwrap().failures.push((plural, times));
    }

    /// Lets somebody else label the pod just before each of its next reports.
    pub(crate) fn disturb(&self, times: usize) {
        self.state.lock().unwrap().disturbances = times;
    }

    /// Lets the API keep reports in other words than they were made.
    pub(crate) fn forget(&self) {
        self.state.lock().unwrap().forgetful = true;
    }

    /// Takes an object away, as if somebody had forced its deletion.
    pub(crate) fn take_away(&self, of: &Resource, namespace: &str, name: &str) {
        let mut state = self.state.lock().unwrap();
        state.objects.remove(&place(of, namespace, name)).unwrap();
        self.changed(&mut state);
    }

    pub(crate) fn get(&self, of: &Resource, namespace: &str, name: &str) -> Option<Arc<Value>> {
        let state = self.state.lock().unwrap();
        state.objects.get(&place(of, namespace, name)).map(|(_, object)| Arc::clone(object))
    }

    /// Waits until an object is as wanted.
    pub(crate) async fn until<T>(&self, found: impl Fn(&Self) -> Option<T>) -> T {
        let mut revision = self.revision.subscribe();
        let waiting = async {
            loop {
                revision.mark_unchanged();
                if let Some(answer) = found(self) {
                    return answer;
                }
                revision.changed().await.unwrap();
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(3600), waiting).await.expect("not within an hour")
    }

    fn changed(&self, state: &mut State) -> u64 {
        state.revision += 1;
        self.revision.send_replace(state.revision);
        state.revision
    }

    fn apply(&self, write: Write) -> Result<Arc<Value>, Status> {
        let mut state = self.state.lock().unwrap();
        state.written.push(write.clone());
        if let Some(failure) = state.failures.iter_mut().find(|(of, left)| *of == write.resource.plural && *left > 0) {
            failure.1 -= 1;
            return Err(Status::internal("no luck"));
        }
        let place = place(&write.resource, &write.namespace, &write.name);
        if write.subresource == "status" && write.resource.plural == "pods" && state.disturbances > 0 {
            state.disturbances -= 1;
            let revision = Value::text(self.changed(&mut state).to_string());
            let (_, pod) = state.objects.get_mut(&place).unwrap();
            let labels = Object::from_iter([("disturbed".into(), revision.clone())]);
            *pod = Arc::new(with(pod, &[("labels", Value::Object(labels)), ("resourceVersion", revision)]));
        }
        let there = state.objects.get(&place).map(|(_, object)| Arc::clone(object));
        let (group, plural) = (&write.resource.group, &write.resource.plural);
        let missing = || Status::not_found(group, plural, &write.name);
        let stale = || Status::modified(group, plural, &write.name);
        let new = match (write.operation, there) {
            (Operation::Create(_), Some(_)) => return Err(Status::already_exists(group, plural, &write.name)),
            (Operation::Create(object), None) => {
                let uid = Value::text(format!("{plural}-{}-{}", write.name, state.revision));
                with(&object, &[("uid", uid)])
            }
            (_, None) => return Err(missing()),
            (Operation::Update(object), Some(there)) => {
                if differs(&object, &there) {
                    return Err(stale());
                }
                object
            }
            (Operation::Patch(kind, patch), Some(there)) => {
                assert_eq!(kind, PatchKind::Merge);
                if differs(&patch, &there) {
                    return Err(stale());
                }
                merge_patch(Value::clone(&there), &patch)
            }
            (Operation::Delete { grace_seconds, uid, .. }, Some(there)) => {
                if !uid.is_empty() && uid != object::uid(&there) {
                    return Err(stale());
                }
                let own = object::int(&there, &["spec", "terminationGracePeriodSeconds"], 30);
                let bound = plural == "pods" && !there.text_at(&["spec", "nodeName"]).is_empty();
                let grace = grace_seconds.unwrap_or(own);
                if !bound || grace == 0 {
                    state.objects.remove(&place);
                    self.changed(&mut state);
                    return Ok(there);
                }
                let mut end = self.clock.now();
                end.seconds += grace;
                let end = Value::text(end.print(Precision::Seconds));
                with(&there, &[("deletionGracePeriodSeconds", Value::Int(grace)), ("deletionTimestamp", end)])
            }
        };
        let new = if state.forgetful {
            merge_patch(new, &tree(r#"{"status":{"hostIP":null,"nodeInfo":{"bootID":null}}}"#))
        } else {
            new
        };
        let revision = self.changed(&mut state);
        let new = Arc::new(with(&new, &[("resourceVersion", Value::text(revision.to_string()))]));
        state.objects.insert(place, (write.resource.into_owned(), Arc::clone(&new)));
        Ok(new)
    }
}

fn place(of: &Resource, namespace: &str, name: &str) -> Place {
    (of.plural.to_string(), namespace.to_owned(), name.to_owned())
}

fn with(object: &Value, members: &[(&'static str, Value)]) -> Value {
    let mut object = object.as_object().unwrap().clone();
    for (name, value) in members {
        object.object_mut("metadata").insert(Key::Borrowed(name), value.clone());
    }
    Value::Object(object)
}

/// Whether a write is for another version than that which is there.
fn differs(write: &Value, there: &Value) -> bool {
    ["uid", "resourceVersion"].iter().any(|name| {
        let (wanted, has) = (write.text_at(&["metadata", name]), there.text_at(&["metadata", name]));
        !wanted.is_empty() && wanted != has
    })
}

impl Client for Api {
    fn view(&self) -> View {
        let state = self.state.lock().unwrap();
        let objects = state.objects.values();
        objects.fold(Objects::new(), |all, (of, object)| all.with(of, Value::clone(object))).view()
    }

    fn subscribe(&self, to: Interest<'_>) -> Box<dyn Changes> {
        let Interest::Only(resources) = to else { panic!("{to:?}") };
        let resources = resources.iter().map(|&resource| resource.clone()).collect();
        let revision = self.revision.subscribe();
        Box::new(Following { api: self.clone(), revision, resources, seen: Held::new(), first: true })
    }

    fn write(&self, write: Write) -> Pending<'_, Result<Arc<Value>, Status>> {
        Box::pin(async move { self.apply(write) })
    }
}
