//! Files with a `kind: List`. kubectl itself checks their items, against the schema that it reads as protobuf.

use std::fs;
use std::path::Path;

use crate::common::{Server, kubectl, older_kubectl};

/// A list of two ConfigMaps; this member of the second holds its data.
fn list(data: &str, value: &str) -> String {
    format!(
        "apiVersion: v1\nkind: List\nitems:\n\
         - {{apiVersion: v1, kind: ConfigMap, metadata: {{name: one}}, data: {{a: '1'}}}}\n\
         - {{apiVersion: v1, kind: ConfigMap, metadata: {{name: two}}, {data}: {{b: '{value}'}}}}\n"
    )
}

fn lists(program: &Path) {
    let server = Server::start(&["--disable-controller-manager", "--disable-scheduler"]);
    let run = |arguments: &str| {
        let output = server.kubectl(program, arguments);
        let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        (output.status.success(), stdout, stderr)
    };
    let file = server.directory.path().join("list.yaml");
    let path = file.display();
    let names = "get configmap one two --ignore-not-found -o name";
    let value = "get configmap two -o jsonpath={.data.b}";

    for verb in ["create", "apply"] {
        fs::write(&file, list("dada", "2")).unwrap();
        let (done, stdout, stderr) = run(&format!("{verb} -f {path}"));
        assert!(!done && stdout.is_empty(), "{verb}: {stdout}");
        assert!(stderr.contains("unknown field \"dada\" in io.k8s.api.core.v1.ConfigMap"), "{verb}: {stderr}");
        assert_eq!(run(names).1, "", "{verb}");

        fs::write(&file, list("data", "2")).unwrap();
        let created = "configmap/one created\nconfigmap/two created\n".to_owned();
        assert_eq!(run(&format!("{verb} -f {path}")), (true, created, String::new()), "{verb}");
        assert_eq!(run(value).1, "2", "{verb}");
        if verb == "apply" {
            fs::write(&file, list("data", "3")).unwrap();
            let applied = "configmap/one unchanged\nconfigmap/two configured\n".to_owned();
            assert_eq!(run(&format!("apply -f {path}")), (true, applied, String::new()));
            assert_eq!(run(value).1, "3");
        }
        assert!(run(&format!("delete -f {path}")).0, "{verb}");
    }
    server.terminate();
}

#[test]
fn lists_with_kubectl_of_the_release() {
    lists(&kubectl());
}

#[test]
fn lists_with_debians_kubectl() {
    lists(&older_kubectl());
}
