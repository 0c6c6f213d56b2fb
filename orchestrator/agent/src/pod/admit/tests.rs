use super::admit;
use crate::pod::tests::tree;

/// Pod's spec, node's other members, specs of the pods that run there, reason and message.
type Case = (&'static str, &'static str, &'static [&'static str], &'static str, &'static str);

#[test]
fn admission() {
    const CPU: &str = r#"{"containers":[{"resources":{"requests":{"cpu":"600m"}}}]}"#;
    let cases: [Case; 14] = [
        (CPU, "{}", &[], "", ""),
        (
            CPU,
            "{}",
            &[CPU],
            "OutOfcpu",
            "Node didn't have enough resource: cpu, requested: 600, used: 600, capacity: 1000",
        ),
        (
            "{}",
            "{}",
            &["{}", "{}"],
            "OutOfpods",
            "Node didn't have enough resource: pods, requested: 1, used: 2, capacity: 2",
        ),
        (
            r#"{"containers":[{"resources":{"requests":{"memory":"2Gi"}}}]}"#,
            "{}",
            &[],
            "OutOfmemory",
            "Node didn't have enough resource: memory, requested: 2147483648, used: 0, capacity: 1073741824",
        ),
        (r#"{"containers":[{"resources":{"requests":{"example.com/x":"1"}}}]}"#, "{}", &[], "", ""),
        (r#"{"nodeSelector":{"a":"b"}}"#, r#"{"metadata":{"name":"n","labels":{"a":"b"}}}"#, &[], "", ""),
        (
            r#"{"nodeSelector":{"a":"b"}}"#,
            "{}",
            &[],
            "NodeAffinity",
            "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
        ),
        (
            r#"{"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[
                {"matchExpressions":[{"key":"a","operator":"NotIn","values":["b"]}]}]}}}}"#,
            r#"{"metadata":{"name":"n","labels":{"a":"b"}}}"#,
            &[],
            "NodeAffinity",
            "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
        ),
        (
            r#"{"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[
                {},{"matchFields":[{"key":"metadata.name","operator":"In","values":["n"]}]}]}}}}"#,
            "{}",
            &[],
            "",
            "",
        ),
        (
            r#"{"nodeName":"m"}"#,
            "{}",
            &[],
            "NodeName",
            "Predicate NodeName failed: node(s) didn't match the requested node name",
        ),
        (
            r#"{"containers":[{"ports":[{"hostPort":80}]}]}"#,
            "{}",
            &[r#"{"containers":[{"ports":[{"hostPort":80,"hostIP":"1.2.3.4","protocol":"TCP"}]}]}"#],
            "NodePorts",
            "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports",
        ),
        (
            r#"{"containers":[{"ports":[{"hostPort":80,"protocol":"UDP"}]}]}"#,
            "{}",
            &[r#"{"containers":[{"ports":[{"hostPort":80,"protocol":"TCP"}]}]}"#],
            "",
            "",
        ),
        (
            "{}",
            r#"{"spec":{"taints":[{"key":"a","effect":"NoExecute"}]}}"#,
            &[],
            "TaintToleration",
            "Predicate TaintToleration failed: node(s) had taints that the pod didn't tolerate",
        ),
        (
            r#"{"tolerations":[{"operator":"Exists"}]}"#,
            r#"{"spec":{"taints":[{"key":"a","effect":"NoExecute"},{"key":"b","effect":"NoSchedule"}]}}"#,
            &[],
            "",
            "",
        ),
    ];
    for (spec, node, others, reason, message) in cases {
        let pod = tree(&format!(r#"{{"spec":{spec}}}"#));
        let mut node_tree = tree(node);
        let status = tree(r#"{"allocatable":{"cpu":"1","memory":"1Gi","pods":"2"}}"#);
        let members = node_tree.as_object_mut().unwrap();
        members.insert("status".into(), status);
        members.insert_default("metadata", || tree(r#"{"name":"n"}"#));
        let others: Vec<_> = others.iter().map(|spec| tree(&format!(r#"{{"spec":{spec}}}"#))).collect();
        let answer = admit(&pod, &node_tree, &others.iter().collect::<Vec<_>>());
        let (got, said) = answer.err().map(|no| (no.reason, no.message)).unwrap_or_default();
        assert_eq!((got.as_str(), said.as_str()), (reason, message), "{spec} {node}");
    }
}
