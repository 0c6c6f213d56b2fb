//! Prints what the codec costs: CPU time per operation on upstream's golden Pod (each field set) and a plain one, and the
//! memory of each parsed table. Run with `--release` on a quiet machine; it asserts nothing.

#![expect(clippy::unwrap_used, reason = "a measurement stops at the first thing that is wrong")]

use coracle_apimachinery::json::{self, FieldValidation};
use coracle_apimachinery::{at_rest::AtRest, protobuf, schema, yaml};
use schema_generator::modules::{Modules, default_cache};
use std::hint::black_box;

const PLAIN: &str = r#"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"web-5d9c7","namespace":"default","uid":"a0b1c2d3-0000-4000-8000-000000000000","generation":1,"creationTimestamp":"2026-01-01T00:00:00Z","labels":{"app":"web","pod-template-hash":"5d9c7"},"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web","uid":"b0b1c2d3-0000-4000-8000-000000000000","controller":true,"blockOwnerDeletion":true}]},"spec":{"volumes":[{"name":"token","projected":{"sources":[{"serviceAccountToken":{"expirationSeconds":3607,"path":"token"}}],"defaultMode":420}}],"containers":[{"name":"web","image":"registry.example/web:1","ports":[{"containerPort":8080,"protocol":"TCP"}],"env":[{"name":"MODE","value":"fast"}],"resources":{"limits":{"cpu":"500m","memory":"128Mi"},"requests":{"cpu":"100m","memory":"64Mi"}},"volumeMounts":[{"name":"token","readOnly":true,"mountPath":"/var/run/secrets"}],"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File","imagePullPolicy":"IfNotPresent"}],"restartPolicy":"Always","terminationGracePeriodSeconds":30,"dnsPolicy":"ClusterFirst","serviceAccountName":"default","nodeName":"n1","schedulerName":"default-scheduler","tolerations":[{"key":"node.kubernetes.io/not-ready","operator":"Exists","effect":"NoExecute","tolerationSeconds":300}]},"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True","lastProbeTime":null,"lastTransitionTime":"2026-01-01T00:00:01Z"}],"podIP":"10.42.0.5","startTime":"2026-01-01T00:00:00Z"}}"#;
const ROUNDS: u32 = 2_000;

/// CPU time of this process in microseconds, from the kernel's own account in ticks of 10 ms.
fn cpu_micros() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    ticks * 10_000
}

fn cost<T>(what: &str, mut work: impl FnMut() -> T) {
    let from = cpu_micros();
    for _ in 0..ROUNDS {
        black_box(work());
    }
    let spent = cpu_micros() - from;
    println!("  {what:<24} {:>8} CPU-µs", spent / u64::from(ROUNDS));
}

fn main() {
    let pod = schema::kind("v1", "Pod").unwrap();
    let modules = Modules::open(&default_cache().unwrap()).unwrap();
    let full = modules.bytes("k8s.io/api", "testdata/HEAD/core.v1.Pod.json").unwrap();
    for (name, text) in [("plain", PLAIN.as_bytes()), ("every field set", &full)] {
        let value = json::decode(pod, text, FieldValidation::Report).unwrap().value;
        let canonical = json::encode(pod, &value);
        let message = protobuf::encode(pod, &value);
        println!("Pod, {name}: {} bytes JSON, {} bytes protobuf", canonical.len(), message.len());
        cost("JSON decode", || json::decode(pod, &canonical, FieldValidation::Report).unwrap());
        cost("JSON encode", || json::encode(pod, &value));
        cost("at rest", || AtRest::encode(pod, &value).unwrap());
        cost("protobuf decode", || protobuf::decode(pod, &message).unwrap());
        cost("protobuf encode", || protobuf::encode(pod, &value));
        cost("YAML decode (of JSON)", || yaml::decode(pod, &canonical, FieldValidation::Report).unwrap());
    }
    let mut total = (0, 0);
    for table in schema::all() {
        let heap = table.schema().unwrap().heap_bytes();
        total = (total.0 + table.text.len(), total.1 + heap);
        println!("{:<45} {:>7} bytes of table, {:>7} bytes parsed", table.name, table.text.len(), heap);
    }
    println!("{:<45} {:>7} bytes of table, {:>7} bytes parsed", "all", total.0, total.1);
}
