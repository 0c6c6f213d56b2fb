//! The recorded answers of the real server to objects that break rules.

use super::{create, update};
use coracle_apimachinery::status::Status;
use coracle_apimachinery::{Value, json};

fn recording(name: &str) -> Value {
    let path = format!("{}/../oracle/recordings/{name}.json", env!("CARGO_MANIFEST_DIR"));
    json::decode_any(&std::fs::read(path).unwrap()).unwrap()
}

fn answer(recording: &Value) -> &Value {
    recording.at(&["answer", "http", "body", "json"]).unwrap()
}

/// The object that was sent.
fn question(recording: &Value) -> Value {
    json::decode_any(recording.text_at(&["question", "http", "body"]).as_bytes()).unwrap()
}

/// Merges a patch into an object; enough of RFC 7386 for what defaulting and patching do here.
fn merge(object: &mut Value, patch: &Value) {
    let (Some(members), Some(patch)) = (object.as_object_mut(), patch.as_object()) else {
        *object = patch.clone();
        return;
    };
    for (name, value) in patch.iter() {
        match members.get_mut(name) {
            Some(member) => merge(member, value),
            None => {
                members.insert(name.to_owned().into(), value.clone());
            }
        }
    }
}

fn parsed(text: &str) -> Value {
    json::decode_any(text.as_bytes()).unwrap()
}

fn with(mut object: Value, patch: &str) -> Value {
    merge(&mut object, &parsed(patch));
    object
}

const IN_NAMESPACE: &str = r#"{"metadata":{"namespace":"n"}}"#;

/// Sets what defaulting sets in a pod.
fn defaulted_pod(mut pod: Value, at: &[&str]) -> Value {
    let mut spec = &mut pod;
    for name in at {
        spec = spec.as_object_mut().unwrap().get_mut(name).unwrap();
    }
    let mut defaults = parsed(
        r#"{"restartPolicy":"Always","dnsPolicy":"ClusterFirst","terminationGracePeriodSeconds":30,"schedulerName":"default-scheduler","securityContext":{}}"#,
    );
    merge(&mut defaults, spec);
    *spec = defaults;
    for container in spec.as_object_mut().unwrap().get_mut("containers").unwrap().items_mut().unwrap() {
        let mut defaults = parsed(
            r#"{"imagePullPolicy":"IfNotPresent","terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File"}"#,
        );
        merge(&mut defaults, container);
        *container = defaults;
        for port in container.as_object_mut().unwrap().get_mut("ports").and_then(Value::items_mut).into_iter().flatten()
        {
            port.as_object_mut().unwrap().insert_default("protocol", || Value::text("TCP"));
        }
    }
    pod
}

/// Compares the whole answer.
fn check_create(name: &str, group: &str, kind: &str, object: &Value) {
    let errors = create(group, kind, object);
    let status = Status::invalid(group, kind, object.text_at(&["metadata", "name"]), &errors);
    assert_eq!(encoded(&status.to_value()), encoded(answer(&recording(name))), "{name}");
}

fn encoded(value: &Value) -> String {
    String::from_utf8(json::encode_any(value)).unwrap()
}

fn check_update(name: &str, group: &str, kind: &str, new: &Value, old: &Value) {
    assert_eq!(update(group, kind, old, old), [], "{name}");
    let errors = update(group, kind, new, old);
    let status = Status::invalid(group, kind, new.text_at(&["metadata", "name"]), &errors);
    assert_eq!(encoded(&status.to_value()), encoded(answer(&recording(name))), "{name}");
}

#[test]
fn config_maps_are_refused_as_recorded() {
    for name in ["error-invalid-name", "error-no-name", "error-invalid-metadata"] {
        check_create(name, "", "ConfigMap", &with(question(&recording(name)), IN_NAMESPACE));
    }
}

#[test]
fn pods_are_refused_as_recorded() {
    for name in ["error-invalid-pod-empty", "error-invalid-pod-many"] {
        let mut pod = defaulted_pod(with(question(&recording(name)), IN_NAMESPACE), &["spec"]);
        if name.ends_with("many") {
            // Preparing the pod for storage makes a negative grace period one second; limits become requests.
            pod = with(pod, r#"{"spec":{"terminationGracePeriodSeconds":1}}"#);
        }
        check_create(name, "", "Pod", &pod);
    }
}

#[test]
fn kubectl_prints_the_causes_as_recorded() {
    let pod = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","namespace":"n"},"spec":{"restartPolicy":"Sometimes","containers":[{"name":"a"}]}}"#;
    let errors = create("", "Pod", &defaulted_pod(parsed(pod), &["spec"]));
    let recording = recording("error-kubectl-invalid");
    let lines = recording.at(&["answer", "kubectl", "stderr"]).unwrap().items();
    let recorded: Vec<&str> =
        lines.iter().filter_map(Value::as_str).filter_map(|line| line.strip_prefix("* ")).collect();
    let found: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(found, recorded);
}

#[test]
fn services_are_refused_as_recorded() {
    let name = "error-invalid-service";
    let mut service = with(
        question(&recording(name)),
        r#"{"metadata":{"namespace":"n"},"spec":{"sessionAffinity":"None","internalTrafficPolicy":"Cluster"}}"#,
    );
    let ports = service.as_object_mut().unwrap().object_mut("spec").get_mut("ports").unwrap().items_mut().unwrap();
    for port in ports {
        let port = port.as_object_mut().unwrap();
        let number = port.get("port").cloned();
        port.insert_default("protocol", || Value::text("TCP"));
        port.insert_default("targetPort", || number.unwrap());
    }
    check_create(name, "", "Service", &service);
}

const DEPLOYMENT: &str = r#"{"metadata":{"namespace":"n"},"spec":{"strategy":{"type":"RollingUpdate","rollingUpdate":{"maxSurge":"25%","maxUnavailable":"25%"}},"revisionHistoryLimit":10,"progressDeadlineSeconds":600}}"#;

#[test]
fn deployments_are_refused_as_recorded() {
    let name = "error-invalid-selector";
    let object = with(question(&recording(name)), DEPLOYMENT);
    check_create(name, "apps", "Deployment", &defaulted_pod(object, &["spec", "template", "spec"]));

    let old = r#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"n","uid":"u","resourceVersion":"1"},"spec":{"replicas":1,"selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"web","image":"i"}]}}}}"#;
    let old = defaulted_pod(with(parsed(old), DEPLOYMENT), &["spec", "template", "spec"]);
    let name = "error-immutable-selector";
    let new = with(old.clone(), recording(name).text_at(&["question", "http", "body"]));
    check_update(name, "apps", "Deployment", &new, &old);
}

#[test]
fn changes_of_config_maps_are_refused_as_recorded() {
    let meta = r#"{"metadata":{"namespace":"n","uid":"u","resourceVersion":"1"}}"#;
    let old = with(parsed(r#"{"metadata":{"name":"fixed"},"data":{"a":"1"},"immutable":true}"#), meta);
    let name = "error-immutable";
    check_update(name, "", "ConfigMap", &with(question(&recording(name)), meta), &old);

    let old = with(parsed(r#"{"metadata":{"name":"c"},"data":{"a":"1"}}"#), meta);
    let name = "patch-invalid-result";
    let new = with(old.clone(), recording(name).text_at(&["question", "http", "body"]));
    check_update(name, "", "ConfigMap", &new, &old);
}
