//! Any pod comes to rest: driven against the model, with failures on the way that later end, every pod reaches a state
//! in which a plan asks for nothing more, and a deleted pod is gone.

use proptest::prelude::*;

use super::model::Model;

#[derive(Debug, Clone)]
struct Shape {
    policy: &'static str,
    /// Restart policy of its own, how long it runs and with which code it ends, whether it has hooks and probes.
    mains: Vec<Part>,
    inits: Vec<Part>,
    deadline: Option<i64>,
    failing: Vec<&'static str>,
    trouble_ms: u64,
    restarts_agent: bool,
    loses_sandbox: bool,
}

type Part = (Option<&'static str>, Option<(u64, i32)>, bool, bool);

fn part(own: &'static [&'static str]) -> impl Strategy<Value = Part> {
    let own = prop::option::of(prop::sample::select(own.to_vec()));
    (own, prop::option::of((0..30_000_u64, 0..3_i32)), any::<bool>(), any::<bool>())
}

fn shape() -> impl Strategy<Value = Shape> {
    (
        prop::sample::select(vec!["Always", "OnFailure", "Never"]),
        prop::collection::vec(part(&["Always", "OnFailure", "Never"]), 1..4),
        prop::collection::vec(part(&["Always"]), 0..4),
        prop::option::of(1..100_i64),
        prop::collection::vec(prop::sample::select(vec!["volumes", "sandbox", "pull", "start", "hook", "probe"]), 0..3),
        0..60_000_u64,
        any::<[bool; 2]>(),
    )
        .prop_map(|(policy, mains, inits, deadline, failing, trouble_ms, [restarts_agent, loses_sandbox])| Shape {
            policy,
            mains,
            inits,
            deadline,
            failing,
            trouble_ms,
            restarts_agent,
            // A pod that is never restarted is not begun anew either, and may wait for ever.
            loses_sandbox: loses_sandbox && policy != "Never",
        })
}

fn model(shape: &Shape) -> Model {
    let part = |prefix: &str, at: usize, (own, _, hooks, probes): &Part| {
        let own = own.map(|own| format!(r#","restartPolicy":"{own}""#)).unwrap_or_default();
        let may_have = prefix == "m" || !own.is_empty();
        let hooks =
            if *hooks && may_have { r#","lifecycle":{"postStart":{"exec":{}},"preStop":{"exec":{}}}"# } else { "" };
        let probes = if *probes && may_have {
            r#","livenessProbe":{"periodSeconds":7},"readinessProbe":{},"startupProbe":{"periodSeconds":3}"#
        } else {
            ""
        };
        format!(r#"{{"name":"{prefix}{at}","image":"i:1"{own}{hooks}{probes}}}"#)
    };
    let list = |prefix: &str, parts: &[Part]| {
        parts.iter().enumerate().map(|(at, item)| part(prefix, at, item)).collect::<Vec<_>>().join(",")
    };
    let deadline = shape.deadline.map(|deadline| format!(r#","activeDeadlineSeconds":{deadline}"#)).unwrap_or_default();
    let spec = format!(
        r#"{{"terminationGracePeriodSeconds":30,"restartPolicy":"{}"{deadline},"containers":[{}],"initContainers":[{}]}}"#,
        shape.policy,
        list("m", &shape.mains),
        list("i", &shape.inits),
    );
    let mut model = Model::new(&spec);
    for (prefix, parts) in [("m", &shape.mains), ("i", &shape.inits)] {
        for (at, (own, behaviour, ..)) in parts.iter().enumerate() {
            // An init container that never ends keeps its pod waiting, which is no rest to speak of.
            let plain_init = prefix == "i" && own.is_none();
            let behaviour = if plain_init { behaviour.or(Some((100, 0))) } else { *behaviour };
            model.behaviours.insert(format!("{prefix}{at}"), behaviour);
        }
    }
    model
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_pod_comes_to_rest(shape in shape()) {
        let mut model = model(&shape);
        for kind in &shape.failing {
            model = model.fails(kind, "", "trouble");
        }
        model.pass(shape.trouble_ms);
        model.failures.clear();
        if shape.restarts_agent {
            model.memory = crate::pod::Memory::default();
        }
        if shape.loses_sandbox && let Some(sandbox) = &mut model.observed.sandbox {
            sandbox.ready = false;
            let running: Vec<String> = model.observed.running().map(|container| container.id.clone()).collect();
            running.iter().for_each(|id| model.end(id, 137));
        }
        // From now on nothing ends by itself any more, except plain init containers, which have to, with success.
        for (name, behaviour) in &mut model.behaviours {
            let at: usize = name[1..].parse().unwrap();
            let plain_init = name.starts_with('i') && shape.inits[at].0.is_none();
            *behaviour = plain_init.then_some((100, 0));
        }
        model.pass(700_000);
        let phase = model.status(&["phase"]);
        prop_assert!(
            ["\"Running\"", "\"Succeeded\"", "\"Failed\""].contains(&phase.as_str()),
            "{phase} {:#?}", model.log
        );
        if shape.deadline.is_some() {
            prop_assert_ne!(phase.as_str(), "\"Running\"");
        }
        model.take_log();
        model.pass(60_000);
        let noise: Vec<_> = model.take_log().into_iter().filter(|line| !line.starts_with("probe ")).collect();
        prop_assert!(noise.is_empty(), "{noise:#?}");
        model.delete(30);
        model.pass(120_000);
        prop_assert!(model.deleted);
        prop_assert!(model.observed.is_gone());
    }

    #[test]
    fn any_pod_can_be_deleted_at_any_time(shape in shape(), at in 0..100_000_u64, hanging in any::<bool>()) {
        let mut model = model(&shape);
        model.pass(at);
        if hanging {
            model.hanging = vec!["pull", "start", "hook", "stop", "sandbox", "volumes"];
            model.pass(1_000);
        }
        model.delete(10);
        model.settle();
        model.release();
        model.pass(120_000);
        prop_assert!(model.deleted, "{:#?}", model.log);
    }
}
