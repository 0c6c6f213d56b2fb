//! `ConfigMap`, `Secret` and `ServiceAccount`.

use crate::validate::format;
use crate::validate::metadata::IMMUTABLE;
use crate::validate::report::{At, Report};
use coracle_apimachinery::field::{Error, Path};
use coracle_apimachinery::{Value, base64, json};

/// Most bytes of data in one object.
const SIZE_MAX: usize = 1 << 20;
const FROZEN: &str = "field is immutable when `immutable` is set";
const ACCOUNT: &str = "kubernetes.io/service-account.name";
const MOUNTABLE: &str = "kubernetes.io/enforce-mountable-secrets";

/// A new `ConfigMap`.
pub(crate) fn config_map(report: &mut Report, map: &At<'_>) {
    let (data, binary) = (map.get("data"), map.get("binaryData"));
    let mut size = 0;
    for (key, value) in data.entries() {
        self::key(report, &data.path, key);
        if binary.member(key).is_some() {
            report.invalid(&data.path.key(key), key, "duplicate of key present in binaryData");
        }
        size += value.as_str().unwrap_or_default().len();
    }
    for (key, value) in binary.entries() {
        self::key(report, &binary.path, key);
        size += decoded_length(value);
    }
    if size > SIZE_MAX {
        // This is how upstream prints the place of the whole object.
        report.push(Error::too_long(&Path::new("[]"), SIZE_MAX));
    }
}

/// A changed `ConfigMap`.
pub(crate) fn config_map_update(report: &mut Report, new: &At<'_>, old: &At<'_>) {
    frozen(report, new, old, &["data", "binaryData"]);
    config_map(report, new);
}

/// A new `Secret`.
pub(crate) fn secret(report: &mut Report, secret: &At<'_>) {
    let data = secret.get("data");
    let mut size = 0;
    for (key, value) in data.entries() {
        self::key(report, &data.path, key);
        size += decoded_length(value);
    }
    if size > SIZE_MAX {
        report.push(Error::too_long(&data.path, SIZE_MAX));
    }
    let mut need = |missing: bool, key: &str| {
        if missing {
            report.required(&data.path.key(key), "");
        }
    };
    match secret.text_of("type") {
        "kubernetes.io/service-account-token" => {
            let annotations = secret.get("metadata").get("annotations");
            if annotations.text_of(ACCOUNT).is_empty() {
                report.required(&annotations.path.key(ACCOUNT), "");
            }
        }
        "kubernetes.io/dockercfg" => docker(report, &data, ".dockercfg"),
        "kubernetes.io/dockerconfigjson" => docker(report, &data, ".dockerconfigjson"),
        "kubernetes.io/basic-auth" => {
            let missing = data.member("username").is_none() && data.member("password").is_none();
            need(missing, "username");
            need(missing, "password");
        }
        "kubernetes.io/ssh-auth" => need(data.text_of("ssh-privatekey").is_empty(), "ssh-privatekey"),
        "kubernetes.io/tls" => {
            need(data.member("tls.crt").is_none(), "tls.crt");
            need(data.member("tls.key").is_none(), "tls.key");
        }
        _ => {}
    }
}

/// A changed `Secret`.
pub(crate) fn secret_update(report: &mut Report, new: &At<'_>, old: &At<'_>) {
    let kind = new.get("type");
    if kind.text() != old.text_of("type") {
        report.invalid(&kind.path, kind.text(), IMMUTABLE);
    }
    frozen(report, new, old, &["data"]);
    secret(report, new);
}

/// What is odd about a `ServiceAccount`.
pub(crate) fn account_warnings(out: &mut Vec<String>, account: &At<'_>) {
    if account.get("metadata").get("annotations").has(MOUNTABLE) {
        out.push(format!(
            "metadata.annotations[{MOUNTABLE}]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets"
        ));
    }
}

fn key(report: &mut Report, path: &Path, key: &str) {
    let complaints = format::config_map_key(key);
    if !complaints.is_empty() {
        report.complaints(&path.key(key), key, complaints);
    }
}

fn decoded_length(value: &Value) -> usize {
    let text = value.as_str().unwrap_or_default();
    (text.len() / 4 * 3).saturating_sub(text.bytes().rev().take_while(|byte| *byte == b'=').count())
}

fn frozen(report: &mut Report, new: &At<'_>, old: &At<'_>, members: &[&str]) {
    if !old.flag_of("immutable") {
        return;
    }
    if !new.flag_of("immutable") {
        report.forbidden(&Path::new("immutable"), FROZEN);
    }
    for name in members {
        if new.member(name) != old.member(name) {
            report.forbidden(&Path::new(name), FROZEN);
        }
    }
}

fn docker(report: &mut Report, data: &At<'_>, key: &str) {
    let path = data.path.key(key);
    let Some(text) = data.member(key).and_then(Value::as_str) else {
        report.required(&path, "");
        return;
    };
    let bytes = base64::decode(text).unwrap_or_default();
    let complaint = if bytes.is_empty() {
        Some("unexpected end of JSON input".to_owned())
    } else {
        match json::decode_any(&bytes) {
            Ok(Value::Object(_) | Value::Null) => None,
            Ok(other) => {
                let kind = match other {
                    Value::List(_) => "array",
                    Value::String(_) => "string",
                    Value::Bool(_) => "bool",
                    _ => "number",
                };
                Some(format!("json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}"))
            }
            Err(error) => Some(error.to_string()),
        }
    };
    if let Some(complaint) = complaint {
        report.invalid(&path, "<secret contents redacted>", complaint);
    }
}
