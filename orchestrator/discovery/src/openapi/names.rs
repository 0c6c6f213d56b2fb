//! Names in OpenAPI documents: of models, of operations and of tags.

/// The name before the types of a group-version, from the name of its table (`core/v1`) or a custom `group/version`.
pub(super) fn model_package(table: &str) -> String {
    let (group, version) = table.split_once('/').unwrap_or((table, ""));
    match group {
        "meta.k8s.io" => format!("io.k8s.apimachinery.pkg.apis.meta.{version}"),
        "apiextensions.k8s.io" => format!("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.{version}"),
        "apiregistration.k8s.io" => format!("io.k8s.kube-aggregator.pkg.apis.apiregistration.{version}"),
        "internal.apiserver.k8s.io" => format!("io.k8s.api.apiserverinternal.{version}"),
        _ => format!("io.k8s.api.{}.{version}", group.split('.').next().unwrap_or(group)),
    }
}

/// The model name of a custom kind: its group backwards, as host names of packages are.
pub(super) fn custom_model(group: &str, version: &str, kind: &str) -> String {
    let reversed: Vec<&str> = group.rsplit('.').collect();
    format!("{}.{version}.{kind}", reversed.join("."))
}

/// A text as part of an identifier: what is neither letter nor digit goes, and the letter after it becomes a capital.
pub(super) fn identifier(text: &str, capital: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut capital = capital;
    for (at, letter) in text.char_indices() {
        if letter.is_alphabetic() || letter == '_' || (at != 0 && letter.is_numeric()) {
            if capital {
                out.extend(letter.to_uppercase());
            } else {
                out.push(letter);
            }
            capital = false;
        } else {
            capital = true;
        }
    }
    out
}

/// The group as identifiers name it: `core` for the core group, without the ending that upstream's groups share.
pub(super) fn short_group(group: &str) -> &str {
    if group.is_empty() { "core" } else { group.strip_suffix(".k8s.io").unwrap_or(group) }
}

/// The identifier of an operation, from its verb, its group-version and the rest of its name.
pub(super) fn operation(verb: &str, group: &str, version: &str, rest: &str) -> String {
    format!("{verb}{}{}{rest}", identifier(short_group(group), true), identifier(version, true))
}

/// The tag of the operations of a group-version.
pub(super) fn tag(group: &str, version: &str) -> String {
    format!("{}_{}", identifier(short_group(group), false), identifier(version, false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (made, name) in [
            (model_package("core/v1"), "io.k8s.api.core.v1"),
            (model_package("rbac.authorization.k8s.io/v1"), "io.k8s.api.rbac.v1"),
            (custom_model("disc.example.com", "v1", "Gear"), "com.example.disc.v1.Gear"),
            (operation("read", "rbac.authorization.k8s.io", "v1", "Role"), "readRbacAuthorizationV1Role"),
            (operation("list", "", "v1", "NamespacedPod"), "listCoreV1NamespacedPod"),
            (tag("disc.example-x.com", "v1beta1"), "discExampleXCom_v1beta1"),
            (tag("", "v1"), "core_v1"),
        ] {
            assert_eq!(made, name);
        }
    }
}
