//! Which names a definition gets, and whether it is established.

use crate::structural::texts;
use coracle_apimachinery::field::quote;
use coracle_apimachinery::{Key, Object, Value};
use std::collections::BTreeSet;

/// Names that other definitions of the same group hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NamesInUse {
    resources: BTreeSet<String>,
    kinds: BTreeSet<String>,
}

impl NamesInUse {
    /// Notes the accepted names of another definition of the group.
    pub fn add(&mut self, crd: &Value) {
        let accepted = |name: &str| crd.text_at(&["status", "acceptedNames", name]).to_owned();
        self.resources.extend([accepted("plural"), accepted("singular")]);
        self.kinds.extend([accepted("kind"), accepted("listKind")]);
        if let Some(names) = crd.at(&["status", "acceptedNames"]) {
            self.resources.extend(texts(names, "shortNames").into_iter().map(String::from));
        }
    }
}

/// Whether a condition of a definition is true.
#[must_use]
pub fn is_true(crd: &Value, kind: &str) -> bool {
    let conditions = crd.at(&["status", "conditions"]).map(Value::items).unwrap_or_default();
    conditions.iter().any(|known| known.text_at(&["type"]) == kind && known.text_at(&["status"]) == "True")
}

/// A name that may be taken, or why not.
fn fresh(wanted: &str, accepted: &str, used: &BTreeSet<String>) -> Result<(), String> {
    let free = wanted == accepted || !used.contains(wanted);
    if free { Ok(()) } else { Err(format!("{} is already in use", quote(wanted))) }
}

/// The status of a definition: the names that it gets, and the conditions `NamesAccepted` and `Established`. Established
/// once, it stays so. `now` is the time of conditions that change.
#[must_use]
pub fn conditions(crd: &Value, used: &NamesInUse, now: &str) -> Value {
    let mut status = crd.at(&["status"]).and_then(Value::as_object).cloned().unwrap_or_default();
    let wanted = crd.at(&["spec", "names"]).cloned().unwrap_or(Value::Null);
    let accepted = status.get("acceptedNames").cloned().unwrap_or_else(|| Value::Object(Object::new()));
    let mut names = accepted.as_object().cloned().unwrap_or_default();
    let mut conflict: Option<(&str, String)> = None;
    let mut take = |names: &mut Object, name: &'static str, used: &BTreeSet<String>, reason: &'static str| match fresh(
        wanted.text_at(&[name]),
        accepted.text_at(&[name]),
        used,
    ) {
        Ok(()) => put(names, name, wanted.at(&[name])),
        Err(problem) => conflict = Some((reason, problem)),
    };
    take(&mut names, "plural", &used.resources, "PluralConflict");
    take(&mut names, "singular", &used.resources, "SingularConflict");
    let own = texts(&accepted, "shortNames");
    let short = texts(&wanted, "shortNames");
    let problems: Vec<String> = short
        .iter()
        .filter(|name| !own.contains(name))
        .filter_map(|name| fresh(name, "", &used.resources).err())
        .collect();
    let short_conflict = match problems.as_slice() {
        [] => None,
        [one] => Some(one.clone()),
        many => Some(format!("[{}]", many.join(", "))),
    };
    take(&mut names, "kind", &used.kinds, "KindConflict");
    take(&mut names, "listKind", &used.kinds, "ListKindConflict");
    // The last conflict found is the one that is told; short names come before the kinds.
    match short_conflict {
        None => put(&mut names, "shortNames", wanted.at(&["shortNames"])),
        Some(problem) => {
            if conflict.as_ref().is_none_or(|(reason, _)| !reason.contains("Kind")) {
                conflict = Some(("ShortNamesConflict", problem));
            }
        }
    }
    put(&mut names, "categories", wanted.at(&["categories"]));
    status.insert("acceptedNames".into(), Value::Object(names));
    let mut list = status.get("conditions").map(Value::items).unwrap_or_default().to_vec();
    let was_established = is_true(crd, "Established");
    match &conflict {
        None => set(&mut list, "NamesAccepted", "True", "NoConflicts", "no conflicts found", now),
        Some((reason, problem)) => set(&mut list, "NamesAccepted", "False", reason, problem, now),
    }
    match (was_established, &conflict) {
        (true, _) => {}
        (false, None) => {
            let message = "the initial names have been accepted";
            set(&mut list, "Established", "True", "InitialNamesAccepted", message, now);
        }
        (false, Some(_)) => {
            let known = list.iter().any(|known| known.text_at(&["type"]) == "Established");
            if !known {
                set(&mut list, "Established", "False", "NotAccepted", "not all names are accepted", now);
            }
        }
    }
    status.insert("conditions".into(), Value::List(list));
    Value::Object(status)
}

fn put(names: &mut Object, name: &'static str, value: Option<&Value>) {
    match value {
        Some(value) => names.insert(name.into(), value.clone()),
        None => names.remove(name),
    };
}

fn set(list: &mut Vec<Value>, kind: &str, status: &str, reason: &str, message: &str, now: &str) {
    let known = list.iter_mut().find(|known| known.text_at(&["type"]) == kind);
    let since = known.as_deref().filter(|known| known.text_at(&["status"]) == status);
    let since = since.map(|known| known.text_at(&["lastTransitionTime"])).filter(|since| !since.is_empty());
    let members: [(Key, &str); 5] = [
        ("type".into(), kind),
        ("status".into(), status),
        ("lastTransitionTime".into(), since.unwrap_or(now)),
        ("reason".into(), reason),
        ("message".into(), message),
    ];
    let condition = Value::Object(members.into_iter().map(|(name, text)| (name, Value::text(text))).collect());
    match known {
        Some(known) => *known = condition,
        None => list.push(condition),
    }
}

#[cfg(test)]
mod tests {
    use super::{NamesInUse, conditions};
    use coracle_apimachinery::{Value, json};

    fn crd(plural: &str, kind: &str, short: &str) -> Value {
        let names = format!(
            r#"{{"plural":"{plural}","singular":"{kind}-{short}","kind":"{kind}","listKind":"{kind}List","shortNames":["{short}"]}}"#
        );
        json::decode_any(format!(r#"{{"spec":{{"names":{names}}}}}"#).as_bytes()).unwrap()
    }

    #[test]
    fn names_are_taken_once() {
        let mut first = crd("as", "A", "a");
        let status = conditions(&first, &NamesInUse::default(), "t1");
        first.as_object_mut().unwrap().insert("status".into(), status.clone());
        assert_eq!(conditions(&first, &NamesInUse::default(), "t2"), status, "nothing changes a second time");
        let mut used = NamesInUse::default();
        used.add(&first);
        let table = [
            (crd("bs", "B", "b"), "True", "NoConflicts", "no conflicts found", "InitialNamesAccepted"),
            (crd("as", "B", "b"), "False", "PluralConflict", r#""as" is already in use"#, "NotAccepted"),
            (crd("bs", "B", "a"), "False", "ShortNamesConflict", r#""a" is already in use"#, "NotAccepted"),
            (crd("bs", "A", "a"), "False", "ListKindConflict", r#""AList" is already in use"#, "NotAccepted"),
        ];
        for (crd, state, reason, message, established) in table {
            let status = conditions(&crd, &used, "t");
            let list = status.at(&["conditions"]).unwrap().items();
            assert_eq!(list[0].text_at(&["status"]), state);
            assert_eq!(list[0].text_at(&["reason"]), reason);
            assert_eq!(list[0].text_at(&["message"]), message);
            assert_eq!(list[1].text_at(&["reason"]), established);
        }
    }
}
