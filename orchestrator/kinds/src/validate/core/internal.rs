//! Values as upstream's unversioned Go types print them: Go's member names, every member, `null` for what is not set.
//!
//! Clients see this form where a whole value is quoted in a complaint. The table beside this file names the members of
//! each type: Go name, JSON name, type (`s i b q p t` scalars, `L` a label selector, `M` metadata that stands inline).

use coracle_apimachinery::{Value, json, schema};
use std::collections::HashMap;
use std::sync::OnceLock;

type Members = Vec<(&'static str, &'static str, &'static str)>;

fn table() -> &'static HashMap<&'static str, Members> {
    static TABLE: OnceLock<HashMap<&'static str, Members>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut types: HashMap<&str, Members> = HashMap::new();
        let mut current = "";
        for line in include_str!("internal.txt").lines() {
            let mut words = line.split_whitespace();
            match (line.starts_with(' '), words.next(), words.next(), words.next()) {
                (false, Some(name), _, _) => current = name,
                (true, Some(go), Some(json), Some(kind)) => types.entry(current).or_default().push((go, json, kind)),
                _ => {}
            }
        }
        types
    })
}

/// On one line, as in `Invalid value: …`.
pub(crate) fn show(name: &str, value: Option<&Value>) -> String {
    let mut printer = Printer { out: String::new(), pretty: false, depth: 0 };
    printer.member(value, name);
    printer.out
}

/// On many lines, indented by one space.
pub(crate) fn pretty(name: &str, value: Option<&Value>) -> String {
    let mut printer = Printer { out: String::new(), pretty: true, depth: 0 };
    printer.member(value, name);
    printer.out
}

struct Printer {
    out: String,
    pretty: bool,
    depth: usize,
}

impl Printer {
    fn line(&mut self) {
        if self.pretty {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n(' ', self.depth));
        }
    }

    fn name(&mut self, first: &mut bool, name: &str) {
        if !std::mem::take(first) {
            self.out.push(',');
        }
        self.line();
        self.json(&Value::text(name));
        self.out.push_str(if self.pretty { ": " } else { ":" });
    }

    fn open(&mut self, bracket: char) {
        self.out.push(bracket);
        self.depth += 1;
    }

    fn close(&mut self, bracket: char, empty: bool) {
        self.depth -= 1;
        if !empty {
            self.line();
        }
        self.out.push(bracket);
    }

    fn json(&mut self, value: &Value) {
        self.out.push_str(&String::from_utf8_lossy(&json::encode_any(value)));
    }

    /// A value of a type as the table writes it.
    fn member(&mut self, value: Option<&Value>, kind: &str) {
        if let Some(of) = kind.strip_prefix("[]") {
            self.list(value, of);
            return;
        }
        let (of, pointer) = kind.strip_prefix('*').map_or((kind, false), |of| (of, true));
        match (of, value) {
            (_, None | Some(Value::Null)) if pointer || matches!(of, "map" | "L" | "t") => self.out.push_str("null"),
            ("map", Some(value)) if value.is_empty() => self.out.push_str("null"),
            ("s", None) => self.out.push_str("\"\""),
            ("i" | "p", None) => self.out.push('0'),
            ("b", None) => self.out.push_str("false"),
            ("q", None) => self.out.push_str("\"0\""),
            ("s" | "i" | "p" | "b" | "q" | "t", Some(value)) => self.json(value),
            ("map", Some(value)) => self.generic(value),
            ("L", Some(value)) => self.selector(value),
            (of, value) => self.object(value, of),
        }
    }

    fn list(&mut self, value: Option<&Value>, of: &str) {
        let items = value.map(Value::items).unwrap_or_default();
        if items.is_empty() {
            self.out.push_str("null");
            return;
        }
        self.open('[');
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                self.out.push(',');
            }
            self.line();
            self.member(Some(item), of);
        }
        self.close(']', false);
    }

    fn object(&mut self, value: Option<&Value>, of: &str) {
        let mut first = true;
        self.open('{');
        for (go, json, kind) in table().get(of).into_iter().flatten() {
            let value = value.and_then(|value| value.at(&[json]));
            if *kind == "M" {
                for name in ["name", "namespace", "labels", "annotations"] {
                    if let Some(part) = value.and_then(|value| value.at(&[name])).filter(|part| !part.is_empty()) {
                        self.name(&mut first, name);
                        self.generic(part);
                    }
                }
                continue;
            }
            self.name(&mut first, go);
            self.member(value, kind);
        }
        self.close('}', first);
    }

    /// Label selectors have the same type in every version.
    fn selector(&mut self, value: &Value) {
        if !self.pretty
            && let Some(of) = schema::lookup("meta.k8s.io/v1", "LabelSelector")
        {
            self.out.push_str(String::from_utf8_lossy(&json::encode(of, value)).trim_end());
            return;
        }
        let mut first = true;
        self.open('{');
        for name in ["matchLabels", "matchExpressions"] {
            if let Some(part) = value.at(&[name]).filter(|part| !part.is_empty()) {
                self.name(&mut first, name);
                self.generic(part);
            }
        }
        self.close('}', first);
    }

    /// Any value, members by name; those of selector requirements happen to sort as their type does.
    fn generic(&mut self, value: &Value) {
        match value {
            Value::Object(members) => {
                let mut first = true;
                self.open('{');
                for (name, member) in members.iter() {
                    self.name(&mut first, name);
                    self.generic(member);
                }
                self.close('}', first);
            }
            Value::List(items) => {
                self.open('[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        self.out.push(',');
                    }
                    self.line();
                    self.generic(item);
                }
                self.close(']', items.is_empty());
            }
            other => self.json(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{show, table};
    use coracle_apimachinery::json;

    #[test]
    fn every_member_prints() {
        let value = json::decode_any(br#"{"allowPrivilegeEscalation":false,"privileged":true}"#).unwrap();
        assert_eq!(
            show("SecurityContext", Some(&value)),
            r#"{"Capabilities":null,"Privileged":true,"SELinuxOptions":null,"WindowsOptions":null,"RunAsUser":null,"RunAsGroup":null,"RunAsNonRoot":null,"ReadOnlyRootFilesystem":null,"AllowPrivilegeEscalation":false,"ProcMount":null,"SeccompProfile":null,"AppArmorProfile":null}"#
        );
        let value = json::decode_any(br#"{"effect":"NoSchedule","key":"a"}"#).unwrap();
        assert_eq!(show("Taint", Some(&value)), r#"{"Key":"a","Value":"","Effect":"NoSchedule","TimeAdded":null}"#);
    }

    #[test]
    fn every_type_that_is_named_is_there() {
        for (of, members) in table() {
            for (go, _, kind) in members {
                let kind = kind.trim_start_matches("[]").trim_start_matches('*');
                let known = matches!(kind, "s" | "i" | "b" | "q" | "p" | "t" | "L" | "M" | "map");
                assert!(known || table().contains_key(kind), "{of}.{go}: {kind}");
            }
        }
    }
}
