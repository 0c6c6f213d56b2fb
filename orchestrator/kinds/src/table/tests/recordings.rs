//! The rows of the recorded tables, made of the objects that the script had created.

use super::{asked, assert_columns, group, now, object, recording};
use crate::table::Printer;
use coracle_apimachinery::Value;

/// When each object was created, five seconds ago.
const CREATED: &str = "2001-02-03T04:59:55Z";
const UID: &str = "6ac1a044-6d27-4723-97c6-fb5da6db8e03";

/// The objects of the script with what the server had set; `$` stands for the creation time as a member.
const OBJECTS: [&str; 13] = [
    r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"bound","labels":{"app":"x"},$},"spec":{"nodeName":"node-a",
    "containers":[{"name":"main","image":"registry.example.com/app:1"}]},"status":{"phase":"Running","hostIP":"192.0.2.7",
    "podIP":"10.42.0.9","podIPs":[{"ip":"10.42.0.9"}],"conditions":[{"type":"Ready","status":"True"}],
    "containerStatuses":[{"name":"main","ready":true,"restartCount":2,"started":true,"image":"i","imageID":"x",
    "state":{"running":{"startedAt":"2001-02-03T04:05:06Z"}},"lastState":{}}]}}"#,
    r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"pending",$},"spec":{"containers":[{"name":"main"}],
    "readinessGates":[{"conditionType":"example.com/gate"}],"initContainers":[{"name":"first","image":"i:1"}]},
    "status":{"phase":"Pending","qosClass":"BestEffort"}}"#,
    r#"{"apiVersion":"v1","kind":"Node","metadata":{"name":"node-a","labels":{"node-role.kubernetes.io/control-plane":"",
    "kubernetes.io/hostname":"node-a"},$},"spec":{"podCIDR":"10.42.0.0/24"},"status":{"addresses":[
    {"type":"InternalIP","address":"192.0.2.7"},{"type":"Hostname","address":"node-a"}],"conditions":[{"type":"Ready",
    "status":"True"}],"nodeInfo":{"kernelVersion":"6.12.0","osImage":"Test OS","containerRuntimeVersion":"fake://1",
    "kubeletVersion":"v1.37.2","operatingSystem":"linux","architecture":"amd64"}}}"#,
    r#"{"apiVersion":"v1","kind":"Service","metadata":{"name":"svc",$},"spec":{"type":"NodePort","clusterIP":"10.43.0.80",
    "clusterIPs":["10.43.0.80"],"selector":{"app":"x"},"ports":[{"name":"http","port":80,"protocol":"TCP",
    "nodePort":30080},{"name":"dns","port":53,"protocol":"UDP","nodePort":30053}]},"status":{"loadBalancer":{}}}"#,
    r#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","labels":{"app":"web"},$},"spec":{"replicas":2,
    "selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[
    {"name":"web","image":"registry.example.com/web:1","ports":[{"containerPort":80}]}]}}}}"#,
    r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c",$},"data":{"a":"1","b":"2"}}"#,
    r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a",$},"data":{"n":"1"}}"#,
    r#"{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s",$},"type":"kubernetes.io/basic-auth","data":{
    "username":"dQ==","password":"cA=="}}"#,
    r#"{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"j",$},"spec":{"completions":3,"parallelism":1,
    "suspend":true,"selector":{"matchLabels":{"batch.kubernetes.io/controller-uid":
    "6ac1a044-6d27-4723-97c6-fb5da6db8e03"}},"template":{"spec":{"restartPolicy":"Never","containers":[{"name":"j",
    "image":"i:1"}]}}},"status":{}}"#,
    r#"{"apiVersion":"batch/v1","kind":"CronJob","metadata":{"name":"cj",$},"spec":{"schedule":"*/5 * * * *",
    "timeZone":"Etc/UTC","suspend":false,"jobTemplate":{"spec":{"template":{"spec":{"restartPolicy":"Never",
    "containers":[{"name":"j","image":"i:1"}]}}}}},"status":{}}"#,
    r#"{"apiVersion":"v1","kind":"Event","metadata":{"name":"e",$},"involvedObject":{"kind":"Pod","name":"bound",
    "namespace":"oracle-table","apiVersion":"v1"},"reason":"Started","message":"started it","type":"Normal","source":{
    "component":"kubelet"},"firstTimestamp":"2001-02-03T04:59:55Z","lastTimestamp":"2001-02-03T04:59:55Z","count":3}"#,
    r#"{"apiVersion":"networking.k8s.io/v1","kind":"Ingress","metadata":{"name":"i",$},"spec":{"ingressClassName":"x",
    "tls":[{"hosts":["a.example.com"]}],"rules":[{"host":"a.example.com","http":{"paths":[{"path":"/","pathType":"Prefix",
    "backend":{"service":{"name":"svc","port":{"number":80}}}}]}}]},"status":{"loadBalancer":{}}}"#,
    r#"{"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":"pvc",$},"spec":{"accessModes":[
    "ReadWriteOnce"],"resources":{"requests":{"storage":"1Gi"}},"volumeMode":"Filesystem"},"status":{"phase":"Pending"}}"#,
];

fn created(name: &str, resource: &str) -> Value {
    let objects = OBJECTS.map(|json| object(&json.replace('$', &format!(r#""creationTimestamp":"{CREATED}""#))));
    let found = objects.into_iter().find(|object| {
        let kind = object.text_at(&["kind"]).to_lowercase();
        object.text_at(&["metadata", "name"]) == name && resource.starts_with(&kind)
    });
    found.unwrap_or_else(|| panic!("no {resource} {name}"))
}

/// A cell as a recording holds it.
fn normalised(cell: &Value, heading: &str) -> Value {
    match (cell.as_str(), heading) {
        (Some("5s"), _) => Value::text("<age>"),
        (Some(_), "Cluster-IP") => Value::text("<address>"),
        (Some(text), _) => Value::text(text.replace(UID, "<uid>")),
        (None, _) => cell.clone(),
    }
}

fn cells(printer: &Printer, object: &Value) -> Vec<Value> {
    let cells = printer.cells(object, now());
    cells.iter().zip(printer.columns()).map(|(cell, column)| normalised(cell, column.name)).collect()
}

#[test]
fn rows_of_the_recorded_tables() {
    for (name, objects) in [
        ("table-pods", &["bound", "pending"][..]),
        ("table-pods-object", &["bound"]),
        ("table-pods-none", &["bound", "pending"]),
        ("table-pod", &["bound"]),
        ("table-v1beta1", &["bound", "pending"]),
        ("table-nodes", &["node-a"]),
        ("table-services", &["svc"]),
        ("table-deployments", &["web"]),
        ("table-secrets", &["s"]),
        ("table-jobs", &["j"]),
        ("table-cronjobs", &["cj"]),
        ("table-ingresses", &["i"]),
        ("table-persistentvolumeclaims", &["pvc"]),
    ] {
        let recording = recording(name);
        let (group, resource) = asked(&recording);
        let printer = Printer::of(&group, &resource);
        let table = recording.at(&["answer", "http", "body", "json"]).unwrap();
        assert_columns(printer, table, name);
        let rows = table.at(&["rows"]).unwrap().items();
        assert_eq!(rows.len(), objects.len(), "{name}");
        for (row, of) in rows.iter().zip(objects) {
            let object = created(of, &resource);
            assert_eq!(cells(printer, &object), row.at(&["cells"]).unwrap().items(), "{name}");
            assert_eq!(printer.conditions(&object), row.at(&["conditions"]).map_or(&[][..], Value::items), "{name}");
        }
    }
}

#[test]
fn rows_of_a_recorded_watch() {
    let recording = recording("watch-list-table");
    let first = &recording.at(&["answer", "http", "body", "events"]).unwrap().items()[0];
    let table = first.at(&["object"]).unwrap();
    let printer = Printer::of("", "configmaps");
    assert_columns(printer, table, "watch-list-table");
    let row = table.at(&["rows"]).unwrap().items()[0].at(&["cells"]).unwrap();
    assert_eq!(cells(printer, &created("a", "configmaps")), row.items());
}

/// What kubectl prints for some rows, each line as its texts: it leaves out columns of priority 1 unless asked for them.
fn printed(resource: &str, objects: &[&str], wide: bool) -> Vec<Vec<String>> {
    let objects: Vec<Value> = objects.iter().map(|name| created(name, resource)).collect();
    let printer = Printer::of(group(&objects[0]), resource);
    let shown = |index: usize| wide || printer.columns()[index].priority == 0;
    let headings = printer.columns().iter().map(|column| column.name.to_uppercase());
    let mut lines: Vec<Vec<String>> = vec![headings.enumerate().filter(|(i, _)| shown(*i)).map(|(_, h)| h).collect()];
    for object in &objects {
        let cells = cells(printer, object).into_iter().enumerate().filter(|(index, _)| shown(*index));
        lines.push(
            cells
                .map(|(_, cell)| cell.as_str().map_or_else(|| cell.as_int().unwrap().to_string(), str::to_owned))
                .collect(),
        );
    }
    lines
}

#[test]
fn lines_of_the_recorded_kubectl() {
    for (name, parts, wide) in [
        ("table-kubectl-pods", &[("pods", &["bound", "pending"][..])][..], false),
        ("table-kubectl-pods-sorted", &[("pods", &["bound", "pending"])], false),
        ("table-kubectl-pods-wide", &[("pods", &["bound", "pending"])], true),
        ("table-kubectl-field-selector", &[("pods", &["bound"])], false),
        ("table-kubectl-nodes-wide", &[("nodes", &["node-a"])], true),
        ("table-kubectl-events", &[("events", &["e"])], false),
        (
            "table-kubectl-several",
            &[("deployments", &["web"]), ("services", &["svc"]), ("configmaps", &["c"]), ("secrets", &["s"])],
            false,
        ),
    ] {
        let recording = recording(name);
        let lines = recording.at(&["answer", "kubectl", "stdout"]).unwrap().items();
        let lines = lines.iter().filter_map(Value::as_str).filter(|line| !line.is_empty());
        // Columns are three blanks apart at least. Names of several kinds stand behind their kind.
        let mut theirs: Vec<Vec<String>> = lines
            .map(|line| line.split("   ").map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned).collect())
            .collect();
        for line in &mut theirs {
            if name.ends_with("-several")
                && let Some((_, of)) = line[0].split_once('/')
            {
                line[0] = of.to_owned();
            }
            // Labels are put behind the row by kubectl itself.
            if name.ends_with("-pods-wide") {
                line.pop();
            }
        }
        let ours: Vec<_> = parts.iter().flat_map(|(resource, objects)| printed(resource, objects, wide)).collect();
        assert_eq!(ours, theirs, "{name}");
    }
}
