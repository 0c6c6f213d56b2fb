//! Defaults in a schema have to be values of the schema.

use crate::gotext;
use crate::prune;
use crate::structural::Structural;
use crate::validate::{self, embedded};
use coracle_apimachinery::field::{Error, Path};

/// Checks the defaults of a structural schema. Those below `additionalProperties` are not looked at, as upstream does not.
pub(super) fn check(schema: &Structural, path: &Path) -> Vec<Error> {
    let mut errors = Vec::new();
    visit(schema, path, true, &mut errors);
    errors
}

fn visit(schema: &Structural, path: &Path, root: bool, errors: &mut Vec<Error>) {
    if let Some(default) = &schema.default {
        let place = path.child("default");
        let mut pruned = default.clone();
        if schema.preserve || root || schema.embedded {
            prune::unknown(&mut pruned, schema);
        } else {
            prune::unknown_inside(&mut pruned, schema);
        }
        if pruned != *default {
            errors.push(gotext::invalid(&place, default, "must not have unknown fields"));
        }
        let mut coerced = default.clone();
        let found = embedded::coerce(&mut coerced, schema, &place).err().map_or_else(
            || {
                let embedded = embedded::check(default, schema, &place);
                if embedded.is_empty() { validate::value(default, None, schema, Some(&place)) } else { embedded }
            },
            |error| vec![error],
        );
        errors.extend(found);
    }
    if let Some(items) = &schema.items {
        visit(items, &path.child("items"), false, errors);
    }
    for (name, property) in &schema.properties {
        visit(property, &path.child("properties").key(name), false, errors);
    }
}
