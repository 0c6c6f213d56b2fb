//! Checks of a whole definition, in the order and words of k8s.io/apiextensions-apiserver,
//! pkg/apis/apiextensions/validation.
//!
//! Upstream checks an older form of the type in which what all versions share stands in the spec itself; paths in messages
//! are those of that form, so a single version's schema is `spec.validation.openAPIV3Schema`.

use super::{columns, defaults, internal, openapi, selectable, status, structure};
use crate::gotext;
use crate::names;
use crate::structural::{Structural, Unreadable, texts, truth};
use coracle_apimachinery::Value;
use coracle_apimachinery::field::{Error, Path};

const APPROVAL: &str = "api-approved.kubernetes.io";

/// Members that the root of a schema may have when status has an endpoint of its own: the names of upstream's message and
/// those of the JSON form.
const ROOT: [(&str, &str); 22] = [
    ("Description", "description"),
    ("Type", "type"),
    ("Format", "format"),
    ("Title", "title"),
    ("Maximum", "maximum"),
    ("ExclusiveMaximum", "exclusiveMaximum"),
    ("Minimum", "minimum"),
    ("ExclusiveMinimum", "exclusiveMinimum"),
    ("MaxLength", "maxLength"),
    ("MinLength", "minLength"),
    ("Pattern", "pattern"),
    ("MaxItems", "maxItems"),
    ("MinItems", "minItems"),
    ("UniqueItems", "uniqueItems"),
    ("MultipleOf", "multipleOf"),
    ("Required", "required"),
    ("Items", "items"),
    ("Properties", "properties"),
    ("ExternalDocs", "externalDocs"),
    ("Example", "example"),
    ("XPreserveUnknownFields", "x-kubernetes-preserve-unknown-fields"),
    ("XValidations", "x-kubernetes-validations"),
];

/// Checks a definition with its defaults, new or in the place of an old one. The metadata that all objects have is
/// checked elsewhere, except for the name.
#[must_use]
pub fn validate(crd: &Value, old: Option<&Value>) -> Vec<Error> {
    let mut errors = too_deep(crd);
    if !errors.is_empty() {
        return errors;
    }
    if old.is_none() {
        name(crd, &mut errors);
    }
    spec(crd, &mut errors);
    if let Some(old) = old {
        immutable(crd, old, &mut errors);
    }
    let null = Value::Null;
    let accepted = crd.at(&["status", "acceptedNames"]).unwrap_or(&null);
    of_names(accepted, &Path::new("status").child("acceptedNames"), &mut errors);
    stored_versions(crd, &mut errors);
    approval(crd, old, &mut errors);
    let preserves = |crd: &Value| crd.at(&["spec", "preserveUnknownFields"]) == Some(&Value::Bool(true));
    if preserves(crd) && !old.is_some_and(preserves) {
        let detail =
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead";
        errors.push(Error::invalid_value(&Path::new("spec").child("preserveUnknownFields"), true, detail));
    }
    errors
}

fn too_deep(crd: &Value) -> Vec<Error> {
    let path = Path::new("spec").child("versions");
    let schemas = versions(crd).iter().enumerate();
    let schemas = schemas.filter_map(|(index, version)| Some((index, version.at(&["schema", "openAPIV3Schema"])?)));
    let refuse = |(index, _): (usize, &Value)| {
        let place = path.index(index).child("schema").child("openAPIV3Schema");
        Error::invalid(&place, "", Unreadable::TooDeep.to_string())
    };
    schemas.filter(|(_, schema)| openapi::too_deep(schema)).map(refuse).collect()
}

fn name(crd: &Value, errors: &mut Vec<Error>) {
    let name = crd.text_at(&["metadata", "name"]);
    let path = Path::new("metadata").child("name");
    if name.is_empty() {
        return errors.push(Error::required(&path, "name or generateName is required"));
    }
    for problem in names::subdomain_problems(name) {
        errors.push(Error::invalid(&path, name, problem));
    }
    let wanted = format!("{}.{}", crd.text_at(&["spec", "names", "plural"]), crd.text_at(&["spec", "group"]));
    if name != wanted {
        errors.push(Error::invalid(&path, name, "must be spec.names.plural+\".\"+spec.group"));
    }
}

fn versions(crd: &Value) -> &[Value] {
    crd.at(&["spec", "versions"]).map(Value::items).unwrap_or_default()
}

/// Whether all versions say the same under a name; then it is checked once, as part of the spec.
pub(super) fn shared(crd: &Value, name: &str) -> bool {
    let mut values = versions(crd)
        .iter()
        .map(|version| version.at(&[name]).filter(|value| !matches!(value, Value::List(l) if l.is_empty())));
    let first = values.next();
    values.all(|value| Some(value) == first)
}

fn spec(crd: &Value, errors: &mut Vec<Error>) {
    let path = Path::new("spec");
    let group = crd.text_at(&["spec", "group"]);
    let of_group = path.child("group");
    let problems = names::subdomain_problems(group);
    if group.is_empty() {
        errors.push(Error::required(&of_group, ""));
    } else if !problems.is_empty() {
        errors.push(Error::invalid(&of_group, group, problems.join(",")));
    } else if !group.contains('.') {
        errors.push(Error::invalid(&of_group, group, "should be a domain with at least one dot"));
    }
    one_of(crd.text_at(&["spec", "scope"]), &["Cluster", "Namespaced"], &path.child("scope"), errors);
    let of_versions = path.child("versions");
    let schema_shared = shared(crd, "schema");
    for (index, version) in versions(crd).iter().enumerate() {
        if version.at(&["schema", "openAPIV3Schema"]).is_none() {
            let place = of_versions.index(index).child("schema").child("openAPIV3Schema");
            errors.push(Error::required(&place, ""));
        }
    }
    let mut seen: Vec<&str> = Vec::new();
    let mut unique = true;
    let mut stored = 0;
    for (index, version) in versions(crd).iter().enumerate() {
        let place = of_versions.index(index);
        let name = version.text_at(&["name"]);
        stored += usize::from(truth(version, "storage"));
        unique &= !seen.contains(&name);
        seen.push(name);
        if let Some(problem) = names::label_problem(name) {
            errors.push(Error::invalid(&place.child("name"), name, problem));
        }
        deprecation(version, &place, errors);
        let of_status = version.at(&["subresources", "status"]).is_some();
        if !schema_shared {
            schema(version, of_status, &place.child("schema"), errors);
        }
        if !shared(crd, "subresources") {
            errors.extend(columns::subresources(version.at(&["subresources"]), &place.child("subresources")));
        }
        if !shared(crd, "additionalPrinterColumns") {
            of_columns(version, &place, errors);
        }
        if !shared(crd, "selectableFields") {
            of_selectable(version, &place, errors);
        }
    }
    let shown = || internal::versions(crd);
    if !unique {
        errors.push(Error::invalid_value(&of_versions, shown(), "must contain unique version names"));
    }
    if stored != 1 {
        let detail = "must have exactly one version marked as storage version";
        errors.push(Error::invalid_value(&of_versions, shown(), detail));
    }
    if let Some((name, problem)) = seen.first().and_then(|name| Some((name, names::label_problem(name)?))) {
        errors.push(Error::invalid(&path.child("version"), name, problem));
    }
    let null = Value::Null;
    let of_spec = crd.at(&["spec", "names"]).unwrap_or(&null);
    for name in ["plural", "singular", "kind", "listKind"] {
        if of_spec.text_at(&[name]).is_empty() {
            errors.push(Error::required(&path.child("names").child(name), ""));
        }
    }
    of_names(of_spec, &path.child("names"), errors);
    if let Some(version) = versions(crd).first() {
        if schema_shared {
            let of_status = versions(crd).iter().any(|version| version.at(&["subresources", "status"]).is_some());
            schema(version, of_status, &path.child("validation"), errors);
        }
        if shared(crd, "subresources") {
            errors.extend(columns::subresources(version.at(&["subresources"]), &path.child("subresources")));
        }
        if shared(crd, "additionalPrinterColumns") {
            of_columns(version, &path, errors);
        }
        if shared(crd, "selectableFields") {
            of_selectable(version, &path, errors);
        }
    }
    conversion(crd, &path.child("conversion"), errors);
}

fn one_of(value: &str, allowed: &[&str], path: &Path, errors: &mut Vec<Error>) {
    if value.is_empty() {
        errors.push(Error::required(path, ""));
    } else if !allowed.contains(&value) {
        errors.push(Error::not_supported(path, value, allowed));
    }
}

fn deprecation(version: &Value, path: &Path, errors: &mut Vec<Error>) {
    let Some(warning) = version.at(&["deprecationWarning"]).and_then(Value::as_str) else { return };
    let mut problems = Vec::new();
    if !truth(version, "deprecated") {
        problems.push("can only be set for deprecated versions".to_owned());
    } else {
        if warning.len() > 256 {
            problems.push("must be <= 256 characters long".to_owned());
        }
        if warning.is_empty() {
            problems.push("must not be an empty string".to_owned());
        }
        // Of white space only the plain space prints in Go.
        let prints = |character: char| character == ' ' || !(character.is_control() || character.is_whitespace());
        if let Some((at, _)) = warning.char_indices().find(|(_, character)| !prints(*character)) {
            let what = "must only contain printable UTF-8 characters; non-printable character found at index";
            problems.push(format!("{what} {at}"));
        }
    }
    let path = path.child("deprecationWarning");
    errors.extend(problems.into_iter().map(|problem| Error::invalid(&path, warning, problem)));
}

fn schema(version: &Value, of_status: bool, path: &Path, errors: &mut Vec<Error>) {
    let Some(schema) = version.at(&["schema", "openAPIV3Schema"]) else { return };
    let before = errors.len();
    let path = path.child("openAPIV3Schema");
    if of_status {
        root_with_status(schema, &path, errors);
    }
    if truth(schema, "nullable") {
        errors.push(Error::forbidden(&path.child("nullable"), "nullable cannot be true at the root"));
    }
    let mut unreadable = None;
    match Structural::parse(schema) {
        Err(problem) => unreadable = Some(Error::invalid(&path, "", problem.to_string())),
        Ok(structural) => {
            let found = structure::check(schema, &path);
            let found = if found.is_empty() { defaults::check(&structural, &path) } else { found };
            errors.extend(found);
        }
    }
    errors.extend(openapi::check(schema, &path));
    if errors.len() == before {
        errors.extend(unreadable);
    }
}

fn root_with_status(schema: &Value, path: &Path, errors: &mut Vec<Error>) {
    let Some(object) = schema.as_object() else { return };
    let kind = schema.text_at(&["type"]);
    if !kind.is_empty() && kind != "object" {
        let detail =
            "only \"object\" is allowed as the type at the root of the schema if the status subresource is enabled";
        errors.push(Error::invalid(&path.child("type"), kind, detail));
        return;
    }
    if object.iter().any(|(name, value)| !value.is_empty() && !ROOT.iter().any(|(_, allowed)| *allowed == name)) {
        let allowed = ROOT.map(|(name, _)| name).join(" ");
        let detail = format!(
            "only [{allowed}] fields are allowed at the root of the schema if the status subresource is enabled"
        );
        errors.push(Error::invalid_value(path, internal::schema(schema), detail));
    }
}

fn of_columns(version: &Value, path: &Path, errors: &mut Vec<Error>) {
    let path = path.child("additionalPrinterColumns");
    let listed = version.at(&["additionalPrinterColumns"]).map(Value::items).unwrap_or_default();
    errors.extend(listed.iter().enumerate().flat_map(|(index, column)| columns::column(column, &path.index(index))));
}

fn of_selectable(version: &Value, path: &Path, errors: &mut Vec<Error>) {
    let fields = version.at(&["selectableFields"]).map(Value::items).unwrap_or_default();
    if let (false, Some(schema)) = (fields.is_empty(), version.at(&["schema", "openAPIV3Schema"])) {
        errors.extend(selectable::check(fields, schema, &path.child("selectableFields")));
    }
}

fn of_names(of: &Value, path: &Path, errors: &mut Vec<Error>) {
    let text = |name: &str| of.text_at(&[name]);
    for name in ["plural", "singular"] {
        if let Some(problem) = Some(text(name)).filter(|text| !text.is_empty()).and_then(names::label_problem) {
            errors.push(Error::invalid(&path.child(name), text(name), problem));
        }
    }
    for name in ["kind", "listKind"] {
        let lower = text(name).to_lowercase();
        if let Some(problem) = Some(&lower).filter(|text| !text.is_empty()).and_then(|text| names::label_problem(text))
        {
            let detail = format!("may have mixed case, but should otherwise match: {problem}");
            errors.push(Error::invalid(&path.child(name), text(name), detail));
        }
    }
    let mut each = |name: &str| {
        for (index, text) in texts(of, name).iter().enumerate() {
            if let Some(problem) = names::label_problem(text) {
                errors.push(Error::invalid(&path.child(name).index(index), text, problem));
            }
        }
    };
    each("shortNames");
    let same = !text("kind").is_empty() && text("kind") == text("listKind");
    each("categories");
    if same {
        let detail = "kind and listKind may not be the same";
        errors.push(Error::invalid(&path.child("listKind"), text("listKind"), detail));
    }
}

fn conversion(crd: &Value, path: &Path, errors: &mut Vec<Error>) {
    let Some(conversion) = crd.at(&["spec", "conversion"]) else { return };
    let strategy = conversion.text_at(&["strategy"]);
    one_of(strategy, &["None", "Webhook"], &path.child("strategy"), errors);
    let webhook = conversion.at(&["webhook"]);
    if strategy == "Webhook" {
        if webhook.and_then(|webhook| webhook.at(&["clientConfig"])).is_none() {
            let detail = "required when strategy is set to Webhook";
            errors.push(Error::required(&path.child("webhookClientConfig"), detail));
        }
        return;
    }
    let why = "should not be set when strategy is not set to Webhook";
    if webhook.is_some_and(|webhook| webhook.at(&["clientConfig"]).is_some()) {
        errors.push(Error::forbidden(&path.child("webhookClientConfig"), why));
    }
    let reviews = webhook.and_then(|webhook| webhook.at(&["conversionReviewVersions"]));
    if reviews.is_some_and(|versions| !versions.is_empty()) {
        errors.push(Error::forbidden(&path.child("conversionReviewVersions"), why));
    }
}

fn immutable(crd: &Value, old: &Value, errors: &mut Vec<Error>) {
    let mut fixed = |names: &[&str]| {
        let (now, before) = (crd.text_at(names), old.text_at(names));
        if now != before {
            let path = names.iter().fold(Path::default(), |path, name| path.child(name));
            errors.push(Error::invalid(&path, now, "field is immutable"));
        }
    };
    if status::is_true(old, "Established") {
        fixed(&["spec", "scope"]);
        fixed(&["spec", "names", "kind"]);
    }
    fixed(&["spec", "group"]);
    fixed(&["spec", "names", "plural"]);
}

fn stored_versions(crd: &Value, errors: &mut Vec<Error>) {
    let path = Path::new("status").child("storedVersions");
    let list = crd.at(&["status", "storedVersions"]).cloned().unwrap_or(Value::Null);
    let stored = list.items();
    if stored.is_empty() {
        errors.push(gotext::invalid(&path, &list, "must have at least one stored version"));
        return;
    }
    let has = |name: &str| stored.iter().any(|stored| stored.as_str() == Some(name));
    for version in versions(crd).iter().filter(|version| truth(version, "storage")) {
        let name = version.text_at(&["name"]);
        if !has(name) {
            errors.push(gotext::invalid(&path, &list, format!("must have the storage version {name}")));
        }
    }
    for (index, name) in stored.iter().enumerate().filter_map(|(index, name)| Some((index, name.as_str()?))) {
        if versions(crd).iter().any(|version| version.text_at(&["name"]) == name) {
            continue;
        }
        let detail = format!(
            "missing from spec.versions; {name} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in {name} and removes {name} from status.storedVersions"
        );
        errors.push(Error::invalid(&path.index(index), name, detail));
    }
}

/// Groups of the community need a word that they were agreed on.
fn approval(crd: &Value, old: Option<&Value>, errors: &mut Vec<Error>) {
    let group = crd.text_at(&["spec", "group"]);
    let protected = ["k8s.io", "kubernetes.io"];
    if !protected.iter().any(|suffix| group == *suffix || group.ends_with(&format!(".{suffix}"))) {
        return;
    }
    let state = |crd: &Value| {
        let text = crd.text_at(&["metadata", "annotations", APPROVAL]);
        let host = text.split_once("://").filter(|(scheme, _)| !scheme.is_empty()).map(|(_, rest)| rest);
        match text {
            "" => 0,
            text if text.starts_with("unapproved") => 1,
            _ if host.is_some_and(|host| !host.is_empty() && !host.starts_with('/')) => 2,
            _ => 3,
        }
    };
    if old.is_some_and(|old| state(old) == state(crd)) {
        return;
    }
    let path = Path::new("metadata").child("annotations").key(APPROVAL);
    let (given, see) = (
        crd.text_at(&["metadata", "annotations", APPROVAL]),
        "see https://github.com/kubernetes/enhancements/pull/1111",
    );
    let needs = format!("protected groups must have approval annotation \"{APPROVAL}\"");
    match state(crd) {
        0 => errors.push(Error::required(&path, format!("{needs}, {see}"))),
        3 => {
            let detail = format!("{needs} with either a URL or a reason starting with \"unapproved\", {see}");
            errors.push(Error::invalid(&path, given, detail));
        }
        _ => {}
    }
}
