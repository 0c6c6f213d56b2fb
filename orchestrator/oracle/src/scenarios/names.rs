//! What a server makes up and refers to again: uids, template hashes, suffixes of names. Each is replaced by a placeholder
//! that stays the same through a scenario, so that who owns what, and what survived a step, can still be compared.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The label whose value is a hash of a pod template.
const HASH: &str = "pod-template-hash";

/// Where a Deployment counts its revisions.
const REVISION: &str = "deployment.kubernetes.io/revision";

/// Characters of the suffixes that Kubernetes makes up, and their number.
const SUFFIX: (&str, usize) = ("bcdfghjklmnpqrstvwxz2456789", 5);

/// The placeholders of one scenario so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Names {
    hashes: BTreeMap<String, String>,
    uids: BTreeMap<String, String>,
    /// Generated names with their placeholders.
    generated: BTreeMap<String, String>,
    /// Starts of generated names.
    prefixes: BTreeSet<String>,
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

impl Names {
    /// Learns the names of objects that are there at the end of a step.
    pub(super) fn learn(&mut self, step: &str, objects: &[&Value]) {
        let mut fresh: Vec<(u64, &str, String, &str)> = Vec::new();
        for object in objects {
            let metadata = &object["metadata"];
            let hash = metadata["labels"][HASH].as_str().unwrap_or_default();
            if object["kind"] == "ReplicaSet" {
                self.prefixes.insert(format!("{}-", text(object, "/metadata/name")));
                if !hash.is_empty() && !self.hashes.contains_key(hash) {
                    let revision = metadata["annotations"][REVISION].as_str().and_then(|text| text.parse().ok());
                    let created = text(object, "/metadata/creationTimestamp");
                    fresh.push((revision.unwrap_or_default(), created, object["spec"].to_string(), hash));
                }
            }
        }
        // Of several that one step made, the Deployment's own count says which was first.
        fresh.sort();
        for (.., hash) in fresh {
            let number = self.hashes.len() + 1;
            self.hashes.entry(hash.to_owned()).or_insert_with(|| format!("<hash-{number}>"));
        }
        for object in objects {
            let name = text(object, "/metadata/name");
            let prefix = text(object, "/metadata/generateName");
            if let Some(suffix) = name.strip_prefix(prefix).filter(|_| !prefix.is_empty())
                && is_suffix(suffix)
                && !self.generated.contains_key(name)
            {
                let shown = self.hashed(prefix);
                self.generated.insert(name.to_owned(), format!("{shown}<{step}>"));
                self.prefixes.insert(prefix.to_owned());
            }
            let uid = text(object, "/metadata/uid");
            if !uid.is_empty() && !self.uids.contains_key(uid) {
                let shown = format!("<uid of {} {} of {step}>", text(object, "/kind"), self.replaced(name));
                self.uids.insert(uid.to_owned(), shown);
            }
        }
    }

    /// Replaces what is known in all strings of a tree, its keys included.
    pub(super) fn replace(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.replaced(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.replace(item)),
            Value::Object(items) => {
                let taken = std::mem::take(items);
                for (key, mut value) in taken {
                    self.replace(&mut value);
                    items.insert(self.replaced(&key), value);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// A text with placeholders for what is known.
    pub(super) fn replaced(&self, text: &str) -> String {
        if let Some(uid) = self.uids.get(text) {
            return uid.clone();
        }
        let mut text = text.to_owned();
        for (name, shown) in &self.generated {
            text = substituted(&text, name, |_| Some((0, shown.clone())));
        }
        // Objects that came and went within a step are known only by the start of their names.
        for prefix in &self.prefixes {
            text = substituted(&text, prefix, |rest| {
                let suffix: String = rest.chars().take_while(|next| is_word(*next)).collect();
                is_suffix(&suffix).then(|| (suffix.len(), format!("{prefix}<suffix>")))
            });
        }
        self.hashed(&text)
    }

    fn hashed(&self, text: &str) -> String {
        self.hashes
            .iter()
            .fold(text.to_owned(), |text, (hash, shown)| substituted(&text, hash, |_| Some((0, shown.clone()))))
    }
}

fn is_suffix(text: &str) -> bool {
    text.len() == SUFFIX.1 && text.chars().all(|symbol| SUFFIX.0.contains(symbol))
}

fn is_word(symbol: char) -> bool {
    symbol.is_ascii_alphanumeric()
}

/// Replaces `part` where it does not continue a word. `by` sees what follows and says how much of that goes, too.
fn substituted(text: &str, part: &str, by: impl Fn(&str) -> Option<(usize, String)>) -> String {
    let mut result = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(part).filter(|_| !part.is_empty()) {
        let (before, after) = (rest.get(..at).unwrap_or_default(), rest.get(at + part.len()..).unwrap_or_default());
        result.push_str(before);
        let whole = !result.ends_with(is_word) && (part.ends_with('-') || !after.starts_with(is_word));
        match by(after).filter(|_| whole) {
            Some((length, shown)) => {
                result.push_str(&shown);
                rest = after.get(length..).unwrap_or_default();
            }
            None => {
                result.push_str(part);
                rest = after;
            }
        }
    }
    result.push_str(rest);
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn replica_set(name: &str, hash: &str, revision: &str, uid: &str) -> Value {
        json!({"kind": "ReplicaSet", "metadata": {
            "name": name, "uid": uid, "labels": {HASH: hash}, "annotations": {REVISION: revision},
        }})
    }

    fn pod(name: &str, prefix: &str, uid: &str) -> Value {
        json!({"kind": "Pod", "metadata": {"name": name, "generateName": prefix, "uid": uid}})
    }

    fn names() -> Names {
        let mut names = Names::default();
        let old = replica_set("web-5fd8", "5fd8", "1", "u1");
        let new = replica_set("web-0abc", "0abc", "2", "u2");
        names.learn("first", &[&new, &old, &pod("web-5fd8-bcdfg", "web-5fd8-", "u3")]);
        names.learn(
            "second",
            &[&old, &pod("web-5fd8-bcdfg", "web-5fd8-", "u3"), &pod("web-5fd8-22222", "web-5fd8-", "u4")],
        );
        names
    }

    #[test]
    fn placeholders_tell_who_is_who() {
        let names = names();
        for (text, result) in [
            ("5fd8", "<hash-1>"),
            ("0abc", "<hash-2>"),
            ("x5fd8", "x5fd8"),
            ("web-5fd8", "web-<hash-1>"),
            ("web-5fd8-bcdfg", "web-<hash-1>-<first>"),
            ("web-5fd8-22222", "web-<hash-1>-<second>"),
            ("Created pod: web-5fd8-zzzzz", "Created pod: web-<hash-1>-<suffix>"),
            ("Created pod: web-5fd8-aaaaa", "Created pod: web-<hash-1>-aaaaa"),
            ("u1", "<uid of ReplicaSet web-<hash-1> of first>"),
            ("u3", "<uid of Pod web-<hash-1>-<first> of first>"),
            ("u5", "u5"),
        ] {
            assert_eq!(names.replaced(text), result, "{text}");
        }
    }

    #[test]
    fn another_owner_shows() {
        let names = names();
        let replaced = |uid: &str| {
            let mut value = json!({"ownerReferences": [{"name": "web-5fd8", "uid": uid}], "5fd8": 1});
            names.replace(&mut value);
            value
        };
        assert_eq!(replaced("u1")["ownerReferences"][0]["name"], "web-<hash-1>");
        assert_eq!(replaced("u1")["<hash-1>"], 1);
        assert_ne!(replaced("u1"), replaced("u2"));
        assert_ne!(replaced("u1"), replaced("u9"));
    }
}
