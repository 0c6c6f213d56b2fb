//! What upstream has and this version has not. Nothing of it is ignored silently: the server refuses what is listed.

use crate::structural::MAX_DEPTH;
use coracle_apimachinery::Value;
use coracle_apimachinery::field::Path;

const CONVERSION: &str = "conversion by webhook is not supported by this version of the server; all versions have to share one schema (None)";
const RULES: &str = "CEL rules are not supported by this version of the server; they will be once it has CEL";

/// The places of a definition that this version cannot do what they ask for, with the reason.
#[must_use]
pub fn unsupported(crd: &Value) -> Vec<(Path, String)> {
    let mut found = Vec::new();
    let spec = Path::new("spec");
    if crd.text_at(&["spec", "conversion", "strategy"]) == "Webhook" {
        found.push((spec.child("conversion").child("strategy"), CONVERSION.to_owned()));
    }
    let versions = crd.at(&["spec", "versions"]).map(Value::items).unwrap_or_default();
    for (index, version) in versions.iter().enumerate() {
        if let Some(schema) = version.at(&["schema", "openAPIV3Schema"]) {
            let path = spec.child("versions").index(index).child("schema").child("openAPIV3Schema");
            rules(schema, &path, 0, &mut found);
        }
    }
    found
}

/// Schemas nested too deeply are refused as such. Rules stand only where schemas stand; a property or a default may well have their name.
fn rules(schema: &Value, path: &Path, depth: usize, found: &mut Vec<(Path, String)>) {
    if schema.at(&["x-kubernetes-validations"]).is_some_and(|rules| !rules.items().is_empty()) {
        found.push((path.child("x-kubernetes-validations"), RULES.to_owned()));
    }
    for (inner, path) in super::openapi::inner_schemas(schema, path) {
        if depth < MAX_DEPTH {
            rules(inner, &path, depth + 1, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::unsupported;
    use coracle_apimachinery::json;

    #[test]
    fn what_is_missing_is_named() {
        let table = [
            (r#"{"spec":{"conversion":{"strategy":"None"},"versions":[]}}"#, vec![]),
            (r#"{"spec":{"conversion":{"strategy":"Webhook"}}}"#, vec!["spec.conversion.strategy"]),
            (
                r#"{"spec":{"versions":[{"schema":{"openAPIV3Schema":{"properties":{
                    "x-kubernetes-validations":{"type":"array"},
                    "l":{"items":{"x-kubernetes-validations":[{"rule":"true"}]}}}}}}]}}"#,
                vec!["spec.versions[0].schema.openAPIV3Schema.properties[l].items.x-kubernetes-validations"],
            ),
        ];
        for (text, expected) in table {
            let found = unsupported(&json::decode_any(text.as_bytes()).unwrap());
            assert_eq!(found.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(), expected);
        }
    }
}
