//! What a definition gets when it is written.

use coracle_apimachinery::{Object, Value};

/// Sets the defaults of a definition.
pub fn default(crd: &mut Value) {
    let Value::Object(object) = crd else { return };
    let spec = object.object_mut("spec");
    let names = spec.object_mut("names");
    let kind = names.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
    let is_missing = |names: &Object, name: &str| names.get(name).is_none_or(Value::is_empty);
    if is_missing(names, "singular") && !kind.is_empty() {
        names.insert("singular".into(), Value::text(kind.to_lowercase()));
    }
    if is_missing(names, "listKind") && !kind.is_empty() {
        names.insert("listKind".into(), Value::text(format!("{kind}List")));
    }
    spec.insert_default("conversion", || {
        Value::Object([("strategy".into(), Value::text("None"))].into_iter().collect())
    });
    if let Some(Value::Object(conversion)) = spec.get_mut("conversion")
        && let Some(Value::Object(webhook)) = conversion.get_mut("webhook")
        && let Some(Value::Object(client)) = webhook.get_mut("clientConfig")
        && let Some(Value::Object(service)) = client.get_mut("service")
    {
        service.insert_default("port", || Value::Int(443));
    }
    if crd.at(&["status", "storedVersions"]).is_none_or(Value::is_empty) {
        store_version(crd);
    }
}

/// Makes a new definition ready to be stored: nobody but the server says what was accepted.
pub fn prepare_create(crd: &mut Value) {
    if let Value::Object(object) = crd {
        object.insert("status".into(), Value::Object(Object::new()));
        object.object_mut("metadata").insert("generation".into(), Value::Int(1));
    }
    store_version(crd);
}

/// Makes a changed definition ready to replace the old one: status stays, a new storage version joins those that may be
/// in the store, and the generation grows with the spec.
pub fn prepare_update(crd: &mut Value, old: &Value) {
    let changed = crd.at(&["spec"]) != old.at(&["spec"]);
    if let Value::Object(object) = crd {
        match old.at(&["status"]) {
            Some(status) => object.insert("status".into(), status.clone()),
            None => object.remove("status"),
        };
        let generation = old.at(&["metadata", "generation"]).and_then(Value::as_int).unwrap_or(0);
        let generation = generation.saturating_add(i64::from(changed));
        if generation != 0 {
            object.object_mut("metadata").insert("generation".into(), Value::Int(generation));
        }
    }
    store_version(crd);
}

/// Makes a definition that the status endpoint received ready to replace the old one: the spec stays. Metadata is taken
/// over, which is what upstream does too, although it means not to.
pub fn prepare_status_update(crd: &mut Value, old: &Value) {
    if let Value::Object(object) = crd {
        match old.at(&["spec"]) {
            Some(spec) => object.insert("spec".into(), spec.clone()),
            None => object.remove("spec"),
        };
    }
}

/// Notes the storage version among those that may be in the store.
fn store_version(crd: &mut Value) {
    let versions = crd.at(&["spec", "versions"]).map(Value::items).unwrap_or_default();
    let storage = versions.iter().find(|version| crate::structural::truth(version, "storage"));
    let Some(name) = storage.map(|version| version.text_at(&["name"]).to_owned()) else { return };
    let stored = crd.at(&["status", "storedVersions"]).map(Value::items).unwrap_or_default();
    if stored.iter().any(|stored| stored.as_str() == Some(&name)) {
        return;
    }
    let mut stored = stored.to_vec();
    stored.push(Value::text(name));
    if let Value::Object(object) = crd {
        object.object_mut("status").insert("storedVersions".into(), Value::List(stored));
    }
}
