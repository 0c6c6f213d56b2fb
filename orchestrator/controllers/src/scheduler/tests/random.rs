//! Whatever pods come, what is bound keeps the rules.

use super::super::amounts::{Amounts, CPU, MEMORY, PODS as COUNT};
use super::super::requests::requests;
use super::*;

/// A small generator whose numbers are the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn text<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        let count = u64::try_from(choices.len()).unwrap();
        choices[usize::try_from(self.below(count)).unwrap()]
    }
}

fn some_node(dice: &mut Dice, at: usize) -> Value {
    let zone = dice.text(&["x", "y"]);
    let spec = dice.text(&["", "", "", r#""unschedulable":true"#, r#""taints":[{"key":"k","effect":"NoSchedule"}]"#]);
    node(&format!("n{at}"), &format!(r#","zone":"{zone}""#), spec)
}

fn some_pod(dice: &mut Dice, at: usize) -> Value {
    let app = dice.text(&["a", "b"]);
    let far = r#","affinity":{"podAntiAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":[{"topologyKey":"kubernetes.io/hostname","labelSelector":{"matchLabels":{"app":"a"}}}]}}"#;
    let spread = r#","topologySpreadConstraints":[{"maxSkew":1,"topologyKey":"zone","whenUnsatisfiable":"DoNotSchedule","labelSelector":{"matchLabels":{"app":"b"}}}]"#;
    let more = dice.text(&[
        "",
        "",
        "",
        far,
        spread,
        r#","nodeSelector":{"zone":"x"}"#,
        r#","tolerations":[{"key":"k","operator":"Exists"}]"#,
    ]);
    let (cpu, memory) = (dice.below(1500), dice.below(3000));
    let port = dice.text(&["", "", r#","ports":[{"hostPort":80}]"#]);
    let container =
        format!(r#"{{"name":"c","resources":{{"requests":{{"cpu":"{cpu}m","memory":"{memory}Mi"}}}}{port}}}"#);
    labelled(&format!("p{at}"), &format!(r#""app":"{app}""#), &format!(r#","containers":[{container}]{more}"#))
}

fn check(nodes: &[Value], placed: &[(Value, String)]) {
    for node in nodes {
        let name = node.text_at(&["metadata", "name"]);
        let here: Vec<&Value> = placed.iter().filter(|(_, on)| on == name).map(|(pod, _)| pod).collect();
        let mut sum = Amounts::default();
        here.iter().for_each(|pod| sum.add(&requests(pod)));
        let room = Amounts::of(node.at(&["status", "allocatable"]));
        assert!([CPU, MEMORY].iter().all(|resource| sum.get(resource) <= room.get(resource)), "{name}: {sum:?}");
        assert!(i64::try_from(here.len()).unwrap() <= room.get(COUNT), "{name}");
        let text = |pod: &Value| format!("{pod:?}");
        let count = |part: &str| here.iter().filter(|pod| text(pod).contains(part)).count();
        assert!(count("hostPort") <= 1, "{name}");
        for pod in &here {
            let wanted = pod.text_at(&["spec", "nodeSelector", "zone"]);
            assert!(wanted.is_empty() || wanted == node.text_at(&["metadata", "labels", "zone"]));
            assert!(node.at(&["spec", "unschedulable"]).is_none());
            assert!(node.at(&["spec", "taints"]).is_none() || pod.at(&["spec", "tolerations"]).is_some());
            let of_a = |pod: &&&Value| pod.text_at(&["metadata", "labels", "app"]) == "a";
            let others = here.iter().filter(|other| *other != pod);
            assert!(!text(pod).contains("podAntiAffinity") || others.filter(of_a).count() == 0, "{name}");
        }
    }
}

/// A pod with a rule goes where its zone has at most as many pods as the other one.
fn check_spread(nodes: &[Value], placed: &[(Value, String)], pod: &Value, on: &str) {
    if pod.at(&["spec", "topologySpreadConstraints"]).is_none() {
        return;
    }
    let zone_of = |name: &str| {
        let node = nodes.iter().find(|node| node.text_at(&["metadata", "name"]) == name).unwrap();
        node.text_at(&["metadata", "labels", "zone"])
    };
    let is_b = |pod: &Value| pod.text_at(&["metadata", "labels", "app"]) == "b";
    let count = |zone: &str| placed.iter().filter(|(pod, node)| is_b(pod) && zone_of(node) == zone).count();
    let both =
        ["x", "y"].iter().all(|zone| nodes.iter().any(|node| node.text_at(&["metadata", "labels", "zone"]) == *zone));
    let least = if both { count("x").min(count("y")) } else { count(zone_of(on)) };
    assert!(count(zone_of(on)) + usize::from(is_b(pod)) <= least + 1);
}

#[test]
fn what_is_bound_keeps_the_rules() {
    let mut bound = 0;
    for seed in 0..25 {
        let mut dice = Dice(seed);
        let nodes: Vec<Value> = (0..5).map(|at| some_node(&mut dice, at)).collect();
        let mut placed: Vec<(Value, String)> = Vec::new();
        for at in 0..30 {
            let pod = some_pod(&mut dice, at);
            let mut objects = nodes.iter().fold(Objects::new(), |objects, node| objects.with(&NODES, node.clone()));
            for (pod, node) in &placed {
                let mut pod = pod.clone();
                pod.as_object_mut().unwrap().object_mut("spec").insert("nodeName".into(), Value::text(node.as_str()));
                objects = objects.with(&PODS, pod);
            }
            if let Ok(node) = place(objects, &pod) {
                check_spread(&nodes, &placed, &pod, &node);
                placed.push((pod, node));
            }
        }
        check(&nodes, &placed);
        bound += placed.len();
    }
    // The rules are kept although much is placed.
    assert!(bound > 200, "{bound}");
}
