use coracle_apimachinery::json::decode_any;

use super::*;

fn script(notes: &str, container: &str) -> Result<Script, String> {
    let spec = r#"{"containers":[{"name":"web"},{"name":"log"}],
        "initContainers":[{"name":"once"},{"name":"side","restartPolicy":"Always"}]}"#;
    let notes = notes.replace("~/", PREFIX);
    let pod = format!(r#"{{"metadata":{{"annotations":{{{notes}}}}},"spec":{spec}}}"#);
    Script::of(&decode_any(pod.as_bytes()).unwrap(), container)
}

#[test]
fn annotations_are_understood() {
    let plain = Script { ready_after: Some(Duration::ZERO), ..Script::default() };
    let exit = |after, code, oom| Some(Exit { after: Duration::from_secs(after), code, oom });
    let failure =
        |reason: &str, message: &str| Some(Failure { reason: reason.to_owned(), message: message.to_owned() });
    let cases = [
        (r#""other":"x""#, "web", plain.clone()),
        ("", "once", Script { exit: exit(0, 0, false), ..plain.clone() }),
        ("", "side", plain.clone()),
        (r#""~/exit-code":"3""#, "web", Script { exit: exit(0, 3, false), ..plain.clone() }),
        (r#""~/exit-code":"3""#, "once", Script { exit: exit(0, 0, false), ..plain.clone() }),
        (r#""~/exit-code.once":"3""#, "once", Script { exit: exit(0, 3, false), ..plain.clone() }),
        (r#""~/exit-code":"3""#, "side", plain.clone()),
        (r#""~/exit-code.log":"3""#, "web", plain.clone()),
        (r#""~/exit-after":"1m5s""#, "web", Script { exit: exit(65, 0, false), ..plain.clone() }),
        (r#""~/oom":"true","~/exit-after":"1s""#, "web", Script { exit: exit(1, 137, true), ..plain.clone() }),
        (r#""~/ready-after":"never""#, "web", Script { ready_after: None, ..plain.clone() }),
        (
            r#""~/image-failure":"InvalidImageName no such name""#,
            "once",
            Script {
                exit: exit(0, 0, false),
                image_failure: failure("InvalidImageName", "no such name"),
                ..plain.clone()
            },
        ),
        (
            r#""~/image-failure":"gone away""#,
            "web",
            Script { image_failure: failure("ErrImagePull", "gone away"), ..plain },
        ),
    ];
    for (notes, container, expected) in cases {
        assert_eq!(script(notes, container), Ok(expected), "{notes} {container}");
    }
}

#[test]
fn wrong_values_are_named() {
    let cases = [
        (r#""~/exit-after":"soon""#, "fake-runtime.coracle/exit-after: \"soon\" is no duration"),
        (r#""~/exit-after":"-1s""#, "fake-runtime.coracle/exit-after: \"-1s\" is no duration"),
        (r#""~/exit-code.web":"x""#, "fake-runtime.coracle/exit-code.web: \"x\" is no exit code"),
        (r#""~/oom":"yes""#, "fake-runtime.coracle/oom: \"yes\" is neither true nor false"),
        (r#""~/colour":"red""#, "fake-runtime.coracle/colour: there is no \"colour\""),
        (r#""~/oom.nobody":"true""#, "fake-runtime.coracle/oom.nobody: there is no such container"),
    ];
    for (notes, problem) in cases {
        assert_eq!(script(notes, "web"), Err(problem.to_owned()), "{notes}");
    }
}
