//! Which container of a pod is meant, and whether it has what is asked for.

use coracle_apimachinery::Value;
use coracle_apimachinery::field::quote;
use coracle_apimachinery::status::Status;

/// The container that is meant: the named one, or the only one.
pub(super) fn chosen(pod: &Value, named: &str) -> Result<String, Status> {
    let pod_name = pod.text_at(&["metadata", "name"]);
    let containers = pod.at(&["spec", "containers"]).map(Value::items).unwrap_or_default();
    if !named.is_empty() {
        let known = names(pod).any(|name| name == named);
        let refusal = || Status::bad_request(format!("container {named} is not valid for pod {pod_name}"));
        return known.then(|| named.to_owned()).ok_or_else(refusal);
    }
    match containers {
        [only] => Ok(only.text_at(&["name"]).to_owned()),
        [] => Err(Status::bad_request(format!("a container name must be specified for pod {pod_name}"))),
        _ => {
            let choice = names(pod).collect::<Vec<_>>().join(" ");
            let message = format!("a container name must be specified for pod {pod_name}, choose one of: [{choice}]");
            Err(Status::bad_request(message))
        }
    }
}

/// Names of all containers, in the order in which they start.
fn names(pod: &Value) -> impl Iterator<Item = &str> {
    let lists = ["initContainers", "containers", "ephemeralContainers"].into_iter();
    lists.flat_map(|list| pod.at(&["spec", list]).map(Value::items).unwrap_or_default()).map(|it| it.text_at(&["name"]))
}

/// Whether the container has a log, in the words of the kubelet.
pub(super) fn check_log(pod: &Value, container: &str, previous: bool) -> Result<(), Status> {
    let of = format!("container {} in pod {}", quote(container), quote(pod.text_at(&["metadata", "name"])));
    let refuse = |message: String| Err(Status::bad_request(message));
    let lists = ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"].into_iter();
    let mut all = lists.flat_map(|list| pod.at(&["status", list]).map(Value::items).unwrap_or_default());
    let Some(status) = all.find(|status| status.text_at(&["name"]) == container) else {
        return refuse(format!("{of} is not available"));
    };
    let ran = |path: [&str; 2]| status.at(&path).map(|ended| !ended.text_at(&["containerID"]).is_empty());
    let last = ran(["lastState", "terminated"]);
    if previous {
        return if last == Some(true) { Ok(()) } else { refuse(format!("previous terminated {of} not found")) };
    }
    if status.at(&["state", "running"]).is_some() {
        return Ok(());
    }
    match (ran(["state", "terminated"]), last) {
        (Some(true), _) | (_, Some(true)) => Ok(()),
        (Some(false), _) | (None, Some(false)) => refuse(format!("{of} is terminated")),
        (None, None) => match status.at(&["state", "waiting"]).map(|waiting| waiting.text_at(&["reason"])) {
            Some("ErrImagePull") => refuse(format!("{of} is waiting to start: image can't be pulled")),
            Some("ImagePullBackOff") => refuse(format!("{of} is waiting to start: trying and failing to pull image")),
            Some(reason) => refuse(format!("{of} is waiting to start: {reason}")),
            None => refuse(format!("{of} is waiting to start - no logs yet")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coracle_apimachinery::json;

    fn pod(spec: &str, status: &str) -> Value {
        let text = format!(r#"{{"metadata":{{"name":"p"}},"spec":{{{spec}}},"status":{{{status}}}}}"#);
        json::decode_any(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_container_is_chosen() {
        let two = r#""initContainers":[{"name":"i"}],"containers":[{"name":"a"},{"name":"b"}],"ephemeralContainers":[{"name":"e"}]"#;
        for (spec, named, expected) in [
            (r#""containers":[{"name":"a"}]"#, "", Ok("a")),
            (r#""initContainers":[{"name":"i"}],"containers":[{"name":"a"}]"#, "", Ok("a")),
            (two, "i", Ok("i")),
            (two, "e", Ok("e")),
            (two, "", Err("a container name must be specified for pod p, choose one of: [i a b e]")),
            (two, "x", Err("container x is not valid for pod p")),
            ("", "", Err("a container name must be specified for pod p")),
        ] {
            let found = chosen(&pod(spec, ""), named).map_err(|status| (status.code, status.message));
            assert_eq!(found, expected.map(str::to_owned).map_err(|text| (400, text.to_owned())), "{spec} {named}");
        }
    }

    #[test]
    fn a_log_is_there_or_not() {
        let last = r#""lastState":{"terminated":{"containerID":"c"}}"#;
        let waits = |reason: &str| format!(r#""state":{{"waiting":{{"reason":"{reason}"}}}}"#);
        for (status, previous, expected) in [
            (r#""state":{"running":{}}"#.to_owned(), false, ""),
            (r#""state":{"running":{}}"#.to_owned(), true, r#"previous terminated container "c" in pod "p" not found"#),
            (format!(r#""state":{{"running":{{}}}},{last}"#), true, ""),
            (r#""state":{"terminated":{"containerID":"c"}}"#.to_owned(), false, ""),
            (r#""state":{"terminated":{"exitCode":1}}"#.to_owned(), false, r#"container "c" in pod "p" is terminated"#),
            (format!(r#""state":{{"terminated":{{"exitCode":1}}}},{last}"#), false, ""),
            (format!("{},{last}", waits("CrashLoopBackOff")), false, ""),
            (
                format!(r#"{},"lastState":{{"terminated":{{"exitCode":1}}}}"#, waits("CrashLoopBackOff")),
                false,
                r#"container "c" in pod "p" is terminated"#,
            ),
            (waits("ContainerCreating"), false, r#"container "c" in pod "p" is waiting to start: ContainerCreating"#),
            (waits("ErrImagePull"), false, r#"container "c" in pod "p" is waiting to start: image can't be pulled"#),
            (
                waits("ImagePullBackOff"),
                false,
                r#"container "c" in pod "p" is waiting to start: trying and failing to pull image"#,
            ),
            (r#""ready":false"#.to_owned(), false, r#"container "c" in pod "p" is waiting to start - no logs yet"#),
        ] {
            for list in ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"] {
                let pod = pod("", &format!(r#""{list}":[{{"name":"other"}},{{"name":"c",{status}}}]"#));
                let found = check_log(&pod, "c", previous).map_or_else(|status| status.message, |()| String::new());
                assert_eq!(found, expected, "{status}");
            }
        }
        let found = check_log(&pod("", ""), "c", false).unwrap_err();
        assert_eq!((found.code, &*found.message), (400, r#"container "c" in pod "p" is not available"#));
    }
}
