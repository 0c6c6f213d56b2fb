//! Checking a value against a schema, worded as k8s.io/kube-openapi, pkg/validation, words it.
//!
//! Which messages of an `anyOf` or `oneOf` are shown depends on how many checks each alternative passed, so checks are
//! counted here as they are there. On updates, what did not change is not held against the writer.

pub(crate) mod embedded;
mod formats;
pub(crate) mod lists;
mod report;
mod scalars;

use crate::structural::Structural;
use coracle_apimachinery::field::{Error, Path};
use coracle_apimachinery::{Object, Value};
use report::{Found, Outcome};

/// Checks a value against a schema. `base` leads the paths in the errors; without it problems of the whole value have the
/// path `<nil>`, as upstream prints it.
pub(crate) fn value(value: &Value, old: Option<&Value>, schema: &Structural, base: Option<&Path>) -> Vec<Error> {
    let checker = Checker { schema, path: String::new() };
    let outcome = match old {
        Some(old) => checker.ratchet(value, old),
        None => checker.check(value, None),
    };
    outcome.into_errors(base)
}

/// A schema and the place of the value that is checked against it.
struct Checker<'s> {
    schema: &'s Structural,
    path: String,
}

impl Checker<'_> {
    fn at<'s>(schema: &'s Structural, path: String) -> Checker<'s> {
        Checker { schema, path }
    }

    /// Checks a value and forgives what is exactly as it was.
    fn ratchet(&self, value: &Value, old: &Value) -> Outcome {
        let mut outcome = self.check(value, Some(old));
        if !outcome.is_valid() && value == old {
            outcome.errors.clear();
        }
        outcome
    }

    fn check(&self, value: &Value, old: Option<&Value>) -> Outcome {
        let mut outcome = Outcome::default();
        if *value == Value::Null {
            outcome.merge(self.kind(value));
            outcome.merge(self.closed_set(value));
            return outcome;
        }
        let rules = &self.schema.rules;
        let mut run = |result: Outcome| {
            outcome.merge(result);
            outcome.matches += 1;
        };
        if !self.schema.types().is_empty() || !rules.format.is_empty() {
            run(self.kind(value));
        }
        run(self.combinations(value, old));
        match value {
            Value::String(text) => {
                run(scalars::text(&self.path, text, rules));
                if !rules.format.is_empty() && formats::is_known(&rules.format) {
                    run(scalars::format(&self.path, text, &rules.format));
                }
            }
            Value::Int(_) | Value::Float(_) => run(scalars::number(&self.path, value, self.schema)),
            Value::List(items) => run(self.list(items, old)),
            _ => {}
        }
        run(self.closed_set(value));
        if let Value::Object(object) = value {
            run(self.object(object, old));
        }
        outcome.matches += 1;
        outcome
    }

    fn kind(&self, value: &Value) -> Outcome {
        let types = self.schema.types();
        let format = &*self.schema.rules.format;
        let is = |name: &str| types.contains(&name);
        let mismatch = |wanted: &str, found: &str| Outcome::failed(Found::kind(&self.path, wanted, found));
        let (kind, own_format) = match value {
            Value::Null => {
                if !types.is_empty() && !self.schema.nullable {
                    return mismatch(&types.join(","), "null");
                }
                return Outcome::passed();
            }
            Value::Bool(_) => ("boolean", ""),
            Value::Int(_) => ("integer", "int64"),
            Value::Float(_) => ("number", "float64"),
            Value::String(_) | Value::Raw(_) => ("string", ""),
            Value::List(_) => ("array", ""),
            Value::Object(_) => ("object", ""),
        };
        let whole = matches!(value, Value::Float(number) if scalars::is_whole(*number)) && is("integer");
        let widened = kind == "integer" && is("number");
        let fits = is(kind) || whole || widened;
        let is_text_or_list = matches!(kind, "string" | "array");
        if !(is_text_or_list || format.is_empty() || fits || own_format == format) {
            return mismatch(format, own_format);
        }
        let is_number = is("number") || is("integer");
        if is_text_or_list && !is_number && !format.is_empty() {
            return Outcome::passed();
        }
        if fits { Outcome::passed() } else { mismatch(&types.join(","), kind) }
    }

    fn closed_set(&self, value: &Value) -> Outcome {
        let values = &self.schema.rules.values;
        if values.is_empty() || values.iter().any(|allowed| scalars::same(value, allowed)) {
            return Outcome::default();
        }
        Outcome::failed(Found::not_in(&self.path, value, values))
    }

    fn combinations(&self, value: &Value, old: Option<&Value>) -> Outcome {
        let mut main = Outcome::default();
        let rules = &self.schema.rules;
        let check = |schema: &Structural| Checker::at(schema, self.path.clone()).check(value, old);
        if !rules.any_of.is_empty() {
            let (valid, best) = alternatives(rules.any_of.iter().map(check), true);
            if valid == 0 {
                main.add(Found::whole(format!("{:?} must validate at least one schema (anyOf)", self.path)));
            }
            main.merge_some(best);
        }
        if !rules.one_of.is_empty() {
            let (valid, best) = alternatives(rules.one_of.iter().map(check), false);
            if valid != 1 {
                let how_many = match valid {
                    0 => "Found none valid".to_owned(),
                    many => format!("Found {many} valid alternatives"),
                };
                let path = &self.path;
                main.add(Found::whole(format!("{path:?} must validate one and only one schema (oneOf). {how_many}")));
            }
            // With several valid ones there is nothing to tell about any of them.
            main.merge_some(best.filter(|_| valid < 2));
        }
        if !rules.all_of.is_empty() {
            let mut valid = 0;
            for schema in &rules.all_of {
                let result = check(schema);
                valid += usize::from(result.is_valid());
                main.merge(result);
            }
            if valid != rules.all_of.len() {
                let none = if valid == 0 { ". None validated" } else { "" };
                main.add(Found::whole(format!("{:?} must validate all the schemas (allOf){none}", self.path)));
            }
        }
        if rules.not.as_deref().is_some_and(|schema| check(schema).is_valid()) {
            main.add(Found::whole(format!("{:?} must not validate the schema (not)", self.path)));
        }
        main.matches += 1;
        main
    }

    fn list(&self, items: &[Value], old: Option<&Value>) -> Outcome {
        let mut outcome = Outcome::default();
        if let Some(schema) = &self.schema.items {
            for (index, item) in items.iter().enumerate() {
                let checker = Checker::at(schema, format!("{}[{index}]", self.path));
                let before = old.and_then(|old| lists::counterpart(self.schema, item, old));
                outcome.merge(match before {
                    Some(before) => checker.ratchet(item, before),
                    None => checker.check(item, None),
                });
            }
        }
        let rules = &self.schema.rules;
        let count = i64::try_from(items.len()).unwrap_or(i64::MAX);
        let path = &self.path;
        if let Some(least) = rules.min_items.filter(|least| count < *least) {
            let message = format!("{path} in body should have at least {least} items");
            outcome.add(Found::invalid(path, Value::Int(count), message));
        }
        if let Some(most) = rules.max_items.filter(|most| count > *most) {
            let message = format!("{path} in body should have at most {most} items");
            outcome.add(Found::too_many(path, count, most, message));
        }
        if rules.unique_items && lists::has_equal_items(items) {
            outcome.add(Found::invalid(path, Value::text(""), format!("{path} in body shouldn't contain duplicates")));
        }
        outcome.matches += 1;
        outcome
    }

    fn object(&self, object: &Object, old: Option<&Value>) -> Outcome {
        let mut outcome = Outcome::default();
        let rules = &self.schema.rules;
        let path = &self.path;
        let count = i64::try_from(object.len()).unwrap_or(i64::MAX);
        if let Some(least) = rules.min_properties.filter(|least| count < *least) {
            let message = format!("{path} in body should have at least {least} properties");
            outcome.add(Found::invalid(path, Value::Int(count), message));
        }
        if let Some(most) = rules.max_properties.filter(|most| count > *most) {
            let message = format!("{path} in body should have at most {most} properties");
            outcome.add(Found::too_many(path, count, most, message));
        }
        if let Some(additional) = &self.schema.additional {
            let others = object.iter().filter(|(name, _)| !self.schema.properties.contains_key(*name));
            for (name, value) in others {
                if !additional.allowed {
                    let message = format!("{path}.{name} in body is a forbidden property");
                    outcome.add(Found::invalid(path, Value::text(name), message));
                } else if let Some(schema) = &additional.schema {
                    outcome.merge(self.member(schema, name, format!("{path}.{name}"), value, old));
                }
            }
        }
        for (name, schema) in &self.schema.properties {
            let Some(value) = object.get(name) else { continue };
            let inner = if path.is_empty() { name.to_string() } else { format!("{path}.{name}") };
            outcome.merge(self.member(schema, name, inner, value, old));
        }
        for name in &rules.required {
            if object.get(name).is_none() {
                outcome.add(Found::required(&format!("{path}.{name}")));
            }
        }
        outcome
    }

    fn member(&self, schema: &Structural, name: &str, path: String, value: &Value, old: Option<&Value>) -> Outcome {
        // A version change is not seen in the old object, so its type is never forgiven.
        let is_type = self.path.is_empty() && matches!(name, "kind" | "apiVersion");
        let before = old.and_then(|old| old.at(&[name])).filter(|_| !is_type);
        let checker = Checker::at(schema, path);
        match before {
            Some(before) => checker.ratchet(value, before),
            None => checker.check(value, None),
        }
    }
}

/// How many alternatives hold, and the outcome to show: that of the first one that holds, or else of the one that passed
/// most checks. `stop` says to look no further than the first.
fn alternatives(outcomes: impl Iterator<Item = Outcome>, stop: bool) -> (usize, Option<Outcome>) {
    let mut valid = 0;
    let mut best: Option<Outcome> = None;
    for outcome in outcomes {
        if outcome.is_valid() {
            valid += 1;
            if valid == 1 {
                best = Some(outcome);
            }
            if stop {
                break;
            }
        } else if valid == 0 && best.as_ref().is_none_or(|best| outcome.matches > best.matches) {
            best = Some(outcome);
        }
    }
    (valid, best)
}

#[cfg(test)]
mod tests;
