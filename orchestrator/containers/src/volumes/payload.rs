//! Which files stand in a volume that is made from objects of the API. Nothing in here does any input or output.

use std::collections::BTreeMap;
use std::sync::Arc;

use coracle_apimachinery::{Object, Value, base64};
use coracle_client::resources::{CONFIG_MAPS, SECRETS};
use coracle_client::{Resource, View, object};

use super::atomic::{File, Files};
use super::downward::{self, Allocatable};

/// What volumes are made from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sources<'a> {
    pub(super) view: &'a View,
    pub(super) pod: &'a Value,
    pub(super) node: &'a Allocatable,
    /// Tokens by their paths in the volume.
    pub(super) tokens: &'a BTreeMap<String, String>,
}

/// A kind of object that holds data by key.
#[derive(Debug)]
struct Bag {
    resource: &'static Resource,
    /// The member of a volume's source that names the object.
    name: &'static str,
    /// As messages name the kind.
    singular: &'static str,
    missing_key: &'static str,
    members: &'static [(&'static str, bool)],
}

static CONFIG_MAP: Bag = Bag {
    resource: &CONFIG_MAPS,
    name: "name",
    singular: "configmap",
    missing_key: "configmap references non-existent config key",
    members: &[("data", false), ("binaryData", true)],
};
static SECRET: Bag = Bag {
    resource: &SECRETS,
    name: "secretName",
    singular: "secret",
    missing_key: "references non-existent secret key",
    members: &[("data", true)],
};

/// Kinds of volumes that are made from objects, and whether their files stay in memory.
pub(super) const KINDS: [(&str, &str); 4] = [
    ("configMap", "kubernetes.io~configmap"),
    ("downwardAPI", "kubernetes.io~downward-api"),
    ("projected", "kubernetes.io~projected"),
    ("secret", "kubernetes.io~secret"),
];

/// The files of a volume of one of [`KINDS`].
///
/// # Errors
/// What it is made from is not there.
pub(super) fn files(sources: &Sources<'_>, volume: &Value) -> Result<Files, String> {
    let mode = |source: &Value| mode(source, "defaultMode");
    if let Some(source) = volume.at(&["configMap"]) {
        return bag(sources, &CONFIG_MAP, source, source.text_at(&[CONFIG_MAP.name]), mode(source));
    }
    if let Some(source) = volume.at(&["secret"]) {
        return bag(sources, &SECRET, source, source.text_at(&[SECRET.name]), mode(source));
    }
    if let Some(source) = volume.at(&["downwardAPI"]) {
        return downward(sources, source, mode(source));
    }
    let Some(projected) = volume.at(&["projected"]) else { return Ok(Files::new()) };
    let mode = mode(projected);
    let (mut files, mut failures) = (Files::new(), Vec::new());
    for source in object::items(projected, &["sources"]) {
        match projection(sources, source, mode) {
            Ok(more) => files.extend(more),
            Err(failure) => failures.push(failure),
        }
    }
    match failures.as_slice() {
        [] => Ok(files),
        [one] => Err(one.clone()),
        many => Err(format!("[{}]", many.join(", "))),
    }
}

fn projection(sources: &Sources<'_>, source: &Value, mode: u32) -> Result<Files, String> {
    if let Some(map) = source.at(&["configMap"]) {
        return bag(sources, &CONFIG_MAP, map, map.text_at(&["name"]), mode);
    }
    if let Some(secret) = source.at(&["secret"]) {
        return bag(sources, &SECRET, secret, secret.text_at(&["name"]), mode);
    }
    if let Some(source) = source.at(&["downwardAPI"]) {
        return downward(sources, source, mode);
    }
    if let Some(token) = source.at(&["serviceAccountToken"]) {
        let path = token.text_at(&["path"]);
        let content = sources.tokens.get(path).ok_or_else(|| "failed to fetch token".to_owned())?;
        let owner = owner(sources.pod);
        let fs_group = sources.pod.at(&["spec", "securityContext", "fsGroup"]).is_some();
        let mode = if owner.is_some() || fs_group { 0o600 } else { mode };
        return Ok(Files::from([(path.to_owned(), File { content: content.clone().into_bytes(), mode, owner })]));
    }
    let kind = source.as_object().and_then(|source| source.iter().next().map(|(kind, _)| kind.to_owned()));
    match kind {
        Some(kind) => Err(format!("this node does not support {kind} in projected volumes")),
        None => Ok(Files::new()),
    }
}

/// The user that all containers run as, if the pod says so.
fn owner(pod: &Value) -> Option<u32> {
    let lists = ["initContainers", "containers"].map(|list| object::items(pod, &["spec", list]));
    let mut users = lists.into_iter().flatten().map(|container| {
        let user = crate::spec::security::effective(pod, container, "runAsUser").and_then(Value::as_int);
        user.and_then(|user| u32::try_from(user).ok())
    });
    let first = users.next()??;
    users.all(|user| user == Some(first)).then_some(first)
}

fn mode(source: &Value, member: &str) -> u32 {
    source.at(&[member]).and_then(Value::as_int).and_then(|mode| u32::try_from(mode).ok()).unwrap_or(0o644)
}

fn bag(sources: &Sources<'_>, bag: &Bag, source: &Value, name: &str, mode: u32) -> Result<Files, String> {
    let optional = object::flag(source, &["optional"]);
    let found: Option<Arc<Value>> = sources.view.get(bag.resource, object::namespace(sources.pod), name);
    let found = match found {
        Some(found) => found,
        None if optional => return Ok(Files::new()),
        None => return Err(format!("{} {name:?} not found", bag.singular)),
    };
    let mut data = BTreeMap::new();
    for (member, encoded) in bag.members {
        for (key, value) in found.at(&[member]).and_then(Value::as_object).into_iter().flat_map(Object::iter) {
            let text = value.as_str().unwrap_or_default();
            let bytes = if *encoded { base64::decode(text).unwrap_or_default() } else { text.as_bytes().to_vec() };
            data.insert(key.to_owned(), bytes);
        }
    }
    let items = object::items(source, &["items"]);
    if items.is_empty() {
        let file = |content| File { content, mode, owner: None };
        return Ok(data.into_iter().map(|(key, content)| (key, file(content))).collect());
    }
    let mut files = Files::new();
    for item in items {
        let key = item.text_at(&["key"]);
        let Some(content) = data.get(key).cloned() else {
            if optional {
                continue;
            }
            return Err(format!("{}: {key}", bag.missing_key));
        };
        let mode = if item.at(&["mode"]).is_some() { self::mode(item, "mode") } else { mode };
        files.insert(item.text_at(&["path"]).to_owned(), File { content, mode, owner: None });
    }
    Ok(files)
}

fn downward(sources: &Sources<'_>, source: &Value, mode: u32) -> Result<Files, String> {
    let mut files = Files::new();
    for item in object::items(source, &["items"]) {
        let text = match (item.at(&["fieldRef"]), item.at(&["resourceFieldRef"])) {
            (Some(field), _) => downward::field(sources.pod, field.text_at(&["fieldPath"]))?,
            (None, Some(resource)) => downward::resource(sources.pod, resource, sources.node)?,
            (None, None) => continue,
        };
        let mode = if item.at(&["mode"]).is_some() { self::mode(item, "mode") } else { mode };
        files.insert(item.text_at(&["path"]).to_owned(), File { content: text.into_bytes(), mode, owner: None });
    }
    Ok(files)
}

/// Whether a volume is made from an object of this resource and name, or from the pod itself for an empty name.
pub(super) fn reads(volume: &Value, resource: &Resource, name: &str) -> bool {
    let of = |source: &Value, member: &str, secret_name: &str| {
        let bag = if resource.is(&CONFIG_MAPS) { ("configMap", "name") } else { ("secret", secret_name) };
        bag.0 == member && source.at(&[member]).is_some_and(|source| source.text_at(&[bag.1]) == name)
    };
    let any = |source: &Value, secret_name: &str| {
        if resource.is(&CONFIG_MAPS) || resource.is(&SECRETS) {
            ["configMap", "secret"].iter().any(|member| of(source, member, secret_name))
        } else {
            source.at(&["downwardAPI"]).is_some()
        }
    };
    any(volume, "secretName")
        || object::items(volume, &["projected", "sources"]).iter().any(|source| any(source, "name"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::tests::tree;
    use coracle_client::memory::Objects;
    use coracle_client::resources::PODS;

    fn view() -> View {
        Objects::new()
            .with_json(
                &CONFIG_MAPS,
                r#"{"metadata":{"namespace":"n","name":"m"},"data":{"a":"1","b":"2"},"binaryData":{"c":"AP8="}}"#,
            )
            .with_json(&SECRETS, r#"{"metadata":{"namespace":"n","name":"s"},"data":{"p":"aGk="}}"#)
            .view()
    }

    fn said(volume: &str, pod: &str) -> Result<String, String> {
        let (view, pod, node) = (view(), tree(pod), Allocatable::default());
        let tokens = BTreeMap::from([("token".to_owned(), "t".to_owned())]);
        let sources = Sources { view: &view, pod: &pod, node: &node, tokens: &tokens };
        let files = files(&sources, &tree(volume))?;
        let print = |(path, file): (String, File)| {
            let owner = file.owner.map(|owner| format!("@{owner}")).unwrap_or_default();
            format!("{path}={}:{:o}{owner}", file.content.escape_ascii(), file.mode)
        };
        Ok(files.into_iter().map(print).collect::<Vec<_>>().join(" "))
    }

    const POD: &str = r#"{"metadata":{"namespace":"n","name":"p","labels":{"x":"y"}},"spec":{"containers":[{}]}}"#;

    #[test]
    fn volumes_hold_files() {
        let cases = [
            (r#"{"configMap":{"name":"m","defaultMode":420}}"#, "a=1:644 b=2:644 c=\\x00\\xff:644"),
            (
                r#"{"configMap":{"name":"m","defaultMode":256,"items":[{"key":"a","path":"x/y","mode":511},{"key":"b","path":"z"}]}}"#,
                "x/y=1:777 z=2:400",
            ),
            (r#"{"configMap":{"name":"m","optional":true,"items":[{"key":"none","path":"z"}]}}"#, ""),
            (r#"{"configMap":{"name":"none","optional":true}}"#, ""),
            (r#"{"secret":{"secretName":"s"}}"#, "p=hi:644"),
            (
                r#"{"downwardAPI":{"items":[{"path":"l","fieldRef":{"fieldPath":"metadata.labels"}}]}}"#,
                "l=x=\\\"y\\\":644",
            ),
            (
                r#"{"projected":{"defaultMode":420,"sources":[{"serviceAccountToken":{"path":"token"}},{"secret":{"name":"s"}},
                    {"configMap":{"name":"m","items":[{"key":"a","path":"ca"}]}},
                    {"downwardAPI":{"items":[{"path":"n","fieldRef":{"fieldPath":"metadata.namespace"}}]}}]}}"#,
                "ca=1:644 n=n:644 p=hi:644 token=t:644",
            ),
        ];
        for (volume, want) in cases {
            assert_eq!(said(volume, POD).as_deref(), Ok(want), "{volume}");
        }
    }

    #[test]
    fn tokens_belong_to_who_reads_them() {
        let volume = r#"{"projected":{"defaultMode":420,"sources":[{"serviceAccountToken":{"path":"token"}}]}}"#;
        let cases = [
            (r#"{"securityContext":{"runAsUser":5},"containers":[{},{}]}"#, "token=t:600@5"),
            (r#"{"containers":[{"securityContext":{"runAsUser":5}},{}]}"#, "token=t:644"),
            (r#"{"securityContext":{"fsGroup":5},"containers":[{}]}"#, "token=t:600"),
        ];
        for (spec, want) in cases {
            assert_eq!(said(volume, &format!(r#"{{"spec":{spec}}}"#)).as_deref(), Ok(want), "{spec}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let cases = [
            (r#"{"configMap":{"name":"x"}}"#, r#"configmap "x" not found"#),
            (r#"{"secret":{"secretName":"x"}}"#, r#"secret "x" not found"#),
            (
                r#"{"configMap":{"name":"m","items":[{"key":"k","path":"z"}]}}"#,
                "configmap references non-existent config key: k",
            ),
            (
                r#"{"secret":{"secretName":"s","items":[{"key":"k","path":"z"}]}}"#,
                "references non-existent secret key: k",
            ),
            (
                r#"{"projected":{"sources":[{"secret":{"name":"x"}},{"configMap":{"name":"y"}}]}}"#,
                r#"[secret "x" not found, configmap "y" not found]"#,
            ),
            (
                r#"{"projected":{"sources":[{"clusterTrustBundle":{}}]}}"#,
                "this node does not support clusterTrustBundle in projected volumes",
            ),
        ];
        for (volume, want) in cases {
            assert_eq!(said(volume, POD).unwrap_err(), want, "{volume}");
        }
    }

    #[test]
    fn readers_are_found() {
        let cases = [
            (r#"{"configMap":{"name":"m"}}"#, &CONFIG_MAPS, "m", true),
            (r#"{"configMap":{"name":"m"}}"#, &CONFIG_MAPS, "o", false),
            (r#"{"configMap":{"name":"m"}}"#, &SECRETS, "m", false),
            (r#"{"secret":{"secretName":"m"}}"#, &SECRETS, "m", true),
            (r#"{"projected":{"sources":[{"secret":{"name":"m"}}]}}"#, &SECRETS, "m", true),
            (r#"{"projected":{"sources":[{"downwardAPI":{}}]}}"#, &PODS, "", true),
            (r#"{"emptyDir":{}}"#, &PODS, "", false),
        ];
        for (volume, resource, name, want) in cases {
            assert_eq!(reads(&tree(volume), resource, name), want, "{volume} {resource} {name}");
        }
    }
}
