//! Cases whose answers a kube-apiserver 1.37.2 gave.

use super::strategic_merge;
use crate::json;
use crate::schema;

/// The outcome as JSON, or code and message of the failure.
fn merged(api_version: &str, kind: &str, document: &str, patch: &str) -> String {
    let read = |text: &str| json::decode_any(text.as_bytes()).unwrap();
    match strategic_merge(schema::kind(api_version, kind).unwrap(), read(document), &read(patch)) {
        Ok(value) => String::from_utf8(json::encode_any(&value)).unwrap(),
        Err(status) => format!("{} {} {}", status.code, status.reason, status.message),
    }
}

const CONFIG_MAP: &str = r#"{"data":{"a":"1"},"metadata":{"finalizers":["a","b"],"name":"c"}}"#;

#[test]
fn objects_and_lists_of_scalars_merge_as_upstream_merges_them() {
    let metadata = |members: &str| format!(r#"{{"data":{{"a":"1"}},"metadata":{{{members}"name":"c"}}}}"#);
    let finalizers = |list: &str| metadata(&format!(r#""finalizers":{list},"#));
    let table = [
        (
            r#"{"data":{"b":"2","a":null}}"#,
            r#"{"data":{"b":"2"},"metadata":{"finalizers":["a","b"],"name":"c"}}"#.to_owned(),
        ),
        (
            r#"{"data":{"$patch":"replace","n":"1"}}"#,
            r#"{"data":{"n":"1"},"metadata":{"finalizers":["a","b"],"name":"c"}}"#.to_owned(),
        ),
        (r#"{"data":{"$patch":"delete"}}"#, r#"{"data":{},"metadata":{"finalizers":["a","b"],"name":"c"}}"#.to_owned()),
        (r#"{"$patch":"delete"}"#, "{}".to_owned()),
        (r#"{"data":{"$patch":"frob"}}"#, "500  unknown patch type: frob in map: map[$patch:frob]".to_owned()),
        (
            r#"{"data":{"$patch":"merge","n":"1"}}"#,
            "500  unknown patch type: merge in map: map[$patch:merge n:1]".to_owned(),
        ),
        (r#"{"metadata":{"finalizers":["c","a"]}}"#, finalizers(r#"["c","a","b"]"#)),
        (r#"{"metadata":{"finalizers":["c","c"]}}"#, finalizers(r#"["c","a","b"]"#)),
        (r#"{"metadata":{"finalizers":[]}}"#, finalizers(r#"["a","b"]"#)),
        (r#"{"metadata":{"finalizers":null}}"#, metadata("")),
        (
            r#"{"metadata":{"finalizers":[null]}}"#,
            "500  list element types are not identical: [[a b] [<nil>]]".to_owned(),
        ),
        (r#"{"metadata":{"finalizers":[1]}}"#, "500  list element types are not identical: [[a b] [1]]".to_owned()),
        (
            r#"{"metadata":{"finalizers":[["a"]]}}"#,
            "500  list element types are not identical: [[a b] [[a]]]".to_owned(),
        ),
        (
            r#"{"metadata":{"$setElementOrder/finalizers":["b","c","a"],"finalizers":["c"]}}"#,
            finalizers(r#"["b","c","a"]"#),
        ),
        (r#"{"metadata":{"$setElementOrder/finalizers":["b","a"]}}"#, finalizers(r#"["b","a"]"#)),
        (
            r#"{"metadata":{"$setElementOrder/finalizers":["b"],"finalizers":["c"]}}"#,
            "500  The order in patch list:\n[c]\n doesn't match $setElementOrder list:\n[b]\n".to_owned(),
        ),
        (
            r#"{"metadata":{"$deleteFromPrimitiveList/finalizers":["b"],"$setElementOrder/finalizers":["a"]}}"#,
            finalizers(r#"["a"]"#),
        ),
        (
            r#"{"metadata":{"$deleteFromPrimitiveList/finalizers":["a"],"finalizers":["c"]}}"#,
            finalizers(r#"["c","b"]"#),
        ),
        (r#"{"metadata":{"$deleteFromPrimitiveList/none":["a"]}}"#, CONFIG_MAP.to_owned()),
        (
            r#"{"metadata":{"$deleteFromPrimitiveListfinalizers":["b"]}}"#,
            "400 BadRequest invalid patch format of primitive list".to_owned(),
        ),
        (
            r#"{"metadata":{"$setElementOrder/none":["a"]}}"#,
            r#"500  unable to find api field in struct ObjectMeta for the json field "none""#.to_owned(),
        ),
        (
            r#"{"metadata":{"$setElementOrder/name":["a"]}}"#,
            "500  expected a []interface {}, but received a string".to_owned(),
        ),
        (
            r#"{"metadata":{"$setElementOrder/finalizers":5}}"#,
            "500  expected a []interface {}, but received a int64".to_owned(),
        ),
        (r#"{"$retainKeys":["data"],"data":{"x":"1"}}"#, r#"{"data":{"a":"1","x":"1"}}"#.to_owned()),
        (r#"{"$retainKeys":"data"}"#, "400 BadRequest invalid patch format of retainKeys".to_owned()),
        (r#"{"$retainKeys":["data"],"metadata":{}}"#, "400 BadRequest invalid patch format of retainKeys".to_owned()),
        (r#"{"metadata":{"labels":{"a":null,"b":"c"}}}"#, metadata(r#""finalizers":["a","b"],"labels":{"b":"c"},"#)),
        (r#"{"metadata":{"labels":{"$patch":"replace","b":"c"}}}"#, CONFIG_MAP.to_owned()),
    ];
    for (patch, expected) in table {
        assert_eq!(merged("v1", "ConfigMap", CONFIG_MAP, patch), expected, "{patch}");
    }
}

const POD: &str = r#"{"containers":[{"env":[{"name":"A","value":"1"},{"name":"B","value":"2"}],"image":"i","name":"web","ports":[{"containerPort":80,"protocol":"TCP"},{"containerPort":53,"protocol":"UDP"},{"containerPort":53,"protocol":"TCP"}],"volumeMounts":[{"mountPath":"/v","name":"v"}]},{"image":"i","name":"side"}],"tolerations":[{"key":"k","operator":"Exists"}],"volumes":[{"emptyDir":{},"name":"v"},{"configMap":{"defaultMode":420,"name":"c"},"name":"w"}]}"#;

#[test]
fn lists_of_objects_merge_as_upstream_merges_them() {
    let env = r#""env":[{"name":"A","value":"1"},{"name":"B","value":"2"}],"#;
    let ports = r#""ports":[{"containerPort":80,"protocol":"TCP"},{"containerPort":53,"protocol":"UDP"},{"containerPort":53,"protocol":"TCP"}],"#;
    let mounts = r#""volumeMounts":[{"mountPath":"/v","name":"v"}]"#;
    let volumes = r#"[{"emptyDir":{},"name":"v"},{"configMap":{"defaultMode":420,"name":"c"},"name":"w"}]"#;
    let tolerations = r#"[{"key":"k","operator":"Exists"}]"#;
    let container = |env: &str, ports: &str| format!(r#"{{{env}"image":"i","name":"web",{ports}{mounts}}}"#);
    let web = container(env, ports);
    let side = r#"{"image":"i","name":"side"}"#;
    let spec = |containers: &str, tolerations: &str, volumes: &str| {
        format!(r#"{{"containers":[{containers}],"tolerations":{tolerations},"volumes":{volumes}}}"#)
    };
    let containers = |list: &str| spec(list, tolerations, volumes);
    let table = [
        (r#"{"containers":[{"name":"n","image":"z"}]}"#, containers(&format!(r#"{{"image":"z","name":"n"}},{web},{side}"#))),
        (
            r#"{"containers":[{"name":"web","env":[{"name":"C","value":"3"},{"name":"A","value":"9"}]}]}"#,
            containers(&format!(
                "{},{side}",
                container(r#""env":[{"name":"C","value":"3"},{"name":"A","value":"9"},{"name":"B","value":"2"}],"#, ports)
            )),
        ),
        (
            r#"{"containers":[{"name":"web","ports":[{"containerPort":8080},{"containerPort":53,"name":"dns"}]}]}"#,
            containers(&format!(
                "{},{side}",
                container(env, r#""ports":[{"containerPort":8080},{"containerPort":80,"protocol":"TCP"},{"containerPort":53,"name":"dns","protocol":"UDP"},{"containerPort":53,"protocol":"TCP"}],"#)
            )),
        ),
        (
            r#"{"containers":[{"name":"web","ports":[{"containerPort":53,"$patch":"delete"}]}]}"#,
            containers(&format!("{},{side}", container(env, r#""ports":[{"containerPort":80,"protocol":"TCP"}],"#))),
        ),
        (r#"{"containers":[{"name":"web","$patch":"delete"}]}"#, containers(side)),
        (r#"{"containers":[{"$patch":"replace"},{"name":"n"}]}"#, containers(r#"{"name":"n"}"#)),
        (
            r#"{"volumes":[{"name":"w","emptyDir":{},"configMap":null}]}"#,
            spec(&format!("{web},{side}"), tolerations, r#"[{"emptyDir":{},"name":"v"},{"emptyDir":{},"name":"w"}]"#),
        ),
        (
            r#"{"volumes":[{"name":"w","$retainKeys":["name","emptyDir"],"emptyDir":{}}]}"#,
            spec(&format!("{web},{side}"), tolerations, r#"[{"emptyDir":{},"name":"v"},{"emptyDir":{},"name":"w"}]"#),
        ),
        (
            r#"{"tolerations":[{"key":"z","operator":"Exists"}]}"#,
            spec(&format!("{web},{side}"), r#"[{"key":"z","operator":"Exists"}]"#, volumes),
        ),
        (r#"{"$setElementOrder/containers":[{"name":"side"},{"name":"web"}]}"#, containers(&format!("{side},{web}"))),
        (
            r#"{"$setElementOrder/containers":[{"name":"new"},{"name":"side"}],"containers":[{"name":"new","image":"n"}]}"#,
            containers(&format!(r#"{{"image":"n","name":"new"}},{web},{side}"#)),
        ),
        (
            r#"{"$setElementOrder/containers":[],"containers":[{"name":"new"},{"name":"new2"}]}"#,
            containers(&format!(r#"{web},{side},{{"name":"new2"}},{{"name":"new"}}"#)),
        ),
        (
            r#"{"$setElementOrder/initContainers":[{"name":"a"},{"name":"b"}],"initContainers":[{"name":"a"},{"name":"b"}],"containers":[{"name":"web","$patch":"delete"}]}"#,
            format!(
                r#"{{"containers":[{side}],"initContainers":[{{"name":"a"}},{{"name":"b"}}],"tolerations":{tolerations},"volumes":{volumes}}}"#
            ),
        ),
        // A new item stands where a deleted one stood.
        (
            r#"{"$setElementOrder/containers":[{"name":"new"}],"containers":[{"name":"web","$patch":"delete"},{"name":"new"}]}"#,
            containers(&format!(r#"{side},{{"name":"new"}}"#)),
        ),
        (
            r#"{"$setElementOrder/containers":[{"name":"web"}],"containers":[{"name":"web"},{"$patch":"replace"}]}"#,
            "500  The order in patch list:\n[map[name:web] map[$patch:replace]]\n doesn't match $setElementOrder list:\n[map[name:web]]\n".to_owned(),
        ),
        // What is taken over as a whole keeps its null members in items that are new to a list.
        (
            r#"{"containers":[{"name":"n","image":null}]}"#,
            containers(&format!(r#"{{"image":null,"name":"n"}},{web},{side}"#)),
        ),
        (r#"{"containers":{"a":1}}"#, format!(r#"{{"containers":{{"a":1}},"tolerations":{tolerations},"volumes":{volumes}}}"#)),
        (r#"{"containers":[{"image":"z"}]}"#, "500  map: map[image:z] does not contain declared merge key: name".to_owned()),
        (r#"{"containers":[{"name":"web","$patch":"frob"}]}"#, "500  unknown patch type: frob in map: map[$patch:frob name:web]".to_owned()),
        (r#"{"containers":[{"name":"web","$patch":"merge"}]}"#, "500  merging lists cannot yet be specified in the patch".to_owned()),
        (r#"{"containers":[{"$patch":"delete"}]}"#, "500  map: map[$patch:delete] does not contain declared merge key: name".to_owned()),
        (
            r#"{"$setElementOrder/containers":[{"name":"side"}],"containers":[{"name":"new","image":"n"}]}"#,
            "500  The order in patch list:\n[map[image:n name:new]]\n doesn't match $setElementOrder list:\n[map[name:side]]\n".to_owned(),
        ),
        (r#"{"$setElementOrder/containers":["side"]}"#, "500  value for key 0 is not a map".to_owned()),
        (
            r#"{"$setElementOrder/containers":[{"x":"side"}]}"#,
            "500  map: map[x:side] does not contain declared merge key: name".to_owned(),
        ),
        // Upstream crashes here.
        (
            r#"{"containers":[{"name":{"a":1}}]}"#,
            "400 BadRequest invalid patch format: a merge key must be a scalar".to_owned(),
        ),
    ];
    for (patch, expected) in table {
        let wrapped = |spec: &str| format!(r#"{{"spec":{spec}}}"#);
        let expected = if expected.starts_with('{') { wrapped(&expected) } else { expected };
        assert_eq!(merged("v1", "Pod", &wrapped(POD), &wrapped(patch)), expected, "{patch}");
        // The same behind a link into another group.
        let template = |text: &str| format!(r#"{{"spec":{{"template":{text}}}}}"#);
        let deeper = if expected.starts_with('{') { template(&expected) } else { expected };
        let document = template(&wrapped(POD));
        assert_eq!(merged("apps/v1", "Deployment", &document, &template(&wrapped(patch))), deeper, "{patch}");
    }
}

#[test]
fn only_the_first_level_of_an_embedded_document_merges() {
    let document = r#"{"data":{"a":{"x":1},"b":1},"revision":1}"#;
    let table = [
        (r#"{"data":{"b":2}}"#, r#"{"data":{"a":{"x":1},"b":2},"revision":1}"#),
        (r#"{"data":{"c":{"y":1}}}"#, r#"{"data":{"a":{"x":1},"b":1,"c":{"y":1}},"revision":1}"#),
        (r#"{"data":{"a":null}}"#, r#"{"data":{"b":1},"revision":1}"#),
        (r#"{"data":{"a":{"y":1}}}"#, r#"500  unable to find api field in struct RawExtension for the json field "a""#),
    ];
    for (patch, expected) in table {
        assert_eq!(merged("apps/v1", "ControllerRevision", document, patch), expected, "{patch}");
    }
}

#[test]
fn long_lists_take_no_quadratic_time() {
    let list = |from: usize, count: usize| {
        let items: Vec<String> = (from..from + count).map(|at| format!(r#"{{"name":"n{at}"}}"#)).collect();
        items.join(",")
    };
    const COUNT: usize = 20_000;
    let spec = |members: &str| format!(r#"{{"spec":{{{members}}}}}"#);
    let document = spec(&format!(r#""containers":[{}]"#, list(0, COUNT)));
    let (new, all) = (list(COUNT, COUNT), list(0, 2 * COUNT));
    let expected = spec(&format!(r#""containers":[{new},{}]"#, list(0, COUNT)));
    let unordered = spec(&format!(r#""containers":[{new}]"#));
    assert!(merged("v1", "Pod", &document, &unordered) == expected);
    let ordered = spec(&format!(r#""$setElementOrder/containers":[{all}],"containers":[{new}]"#));
    assert!(merged("v1", "Pod", &document, &ordered) == spec(&format!(r#""containers":[{all}]"#)));
    let empty = spec(&format!(r#""$setElementOrder/containers":[],"containers":[{new}]"#));
    assert!(merged("v1", "Pod", &document, &empty) == spec(&format!(r#""containers":[{all}]"#)));
}
