//! What removing asks for: in the query, or in a body that replaces it.

use super::{Query, dry_run, valid};
use coracle_apimachinery::Value;
use coracle_apimachinery::field::{Error, Path};
use coracle_apimachinery::status::Status;

/// What becomes of objects that the removed one owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Propagation {
    /// They go first.
    Foreground,
    /// They go later.
    Background,
    /// They stay.
    Orphan,
}

/// What must hold for the removal to take place.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Preconditions {
    /// The object has this uid.
    pub uid: Option<String>,
    /// The object has this version.
    pub resource_version: Option<String>,
}

/// Parameters of a removal.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeleteOptions {
    /// How long the object may take to end.
    pub grace_period_seconds: Option<i64>,
    /// What must hold.
    pub preconditions: Preconditions,
    /// The older form of `propagation`: whether owned objects stay.
    pub orphan_dependents: Option<bool>,
    /// What becomes of owned objects.
    pub propagation: Option<Propagation>,
    /// Nothing is stored.
    pub dry_run: bool,
}

impl DeleteOptions {
    /// Reads and checks the parameters; upstream reads them only when there is no body.
    ///
    /// # Errors
    /// A number is malformed, or a value is none that the parameter takes.
    pub fn read(query: &Query) -> Result<Self, Status> {
        let grace = query.number("gracePeriodSeconds")?;
        let text = |name: &str| query.first(name).filter(|value| !value.is_empty()).map(str::to_owned);
        let preconditions = Preconditions { uid: text("uid"), resource_version: text("resourceVersion") };
        let (orphan, policy) = (query.flag("orphanDependents"), query.first("propagationPolicy"));
        Self::checked(grace, preconditions, orphan, policy, &query.all("dryRun").collect::<Vec<_>>())
    }

    /// Checks a decoded body of kind DeleteOptions.
    ///
    /// # Errors
    /// A value is none that the field takes.
    pub fn from_body(body: &Value) -> Result<Self, Status> {
        let text = |path: &[&str]| body.at(path).and_then(Value::as_str).map(str::to_owned);
        let grace = body.at(&["gracePeriodSeconds"]).and_then(Value::as_int);
        let preconditions = Preconditions {
            uid: text(&["preconditions", "uid"]),
            resource_version: text(&["preconditions", "resourceVersion"]),
        };
        let orphan = body.at(&["orphanDependents"]).and_then(Value::as_bool);
        let policy = text(&["propagationPolicy"]);
        let dry: Vec<&str> =
            body.at(&["dryRun"]).map(Value::items).unwrap_or_default().iter().filter_map(Value::as_str).collect();
        Self::checked(grace, preconditions, orphan, policy.as_deref(), &dry)
    }

    fn checked(
        grace_period_seconds: Option<i64>,
        preconditions: Preconditions,
        orphan_dependents: Option<bool>,
        policy: Option<&str>,
        dry: &[&str],
    ) -> Result<Self, Status> {
        let mut errors = Vec::new();
        let path = Path::new("propagationPolicy");
        if let (Some(policy), Some(_)) = (policy, orphan_dependents) {
            let why = "orphanDependents and deletionPropagation cannot be both set";
            errors.push(Error::invalid(&path, policy, why));
        }
        let propagation = match policy {
            None => None,
            Some("Foreground") => Some(Propagation::Foreground),
            Some("Background") => Some(Propagation::Background),
            Some("Orphan") => Some(Propagation::Orphan),
            Some(other) => {
                let supported = ["Foreground", "Background", "Orphan", "nil"];
                errors.push(Error::not_supported(&path, other, &supported));
                None
            }
        };
        let dry_run = dry_run(dry, &mut errors);
        let options = Self { grace_period_seconds, preconditions, orphan_dependents, propagation, dry_run };
        valid("DeleteOptions", options, &errors)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coracle_apimachinery::json;

    #[test]
    fn values_outside_their_sets_are_refused() {
        for (query, code, message) in [
            ("gracePeriodSeconds=x", 400, "strconv.ParseInt: parsing \"x\": invalid syntax"),
            (
                "propagationPolicy=x",
                422,
                "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported value: \"x\": supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\"",
            ),
            (
                "orphanDependents=1&propagationPolicy=Orphan",
                422,
                "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Invalid value: \"Orphan\": orphanDependents and deletionPropagation cannot be both set",
            ),
            (
                "propagationPolicy=&orphanDependents=false",
                422,
                "DeleteOptions.meta.k8s.io \"\" is invalid: [propagationPolicy: Invalid value: \"\": orphanDependents and deletionPropagation cannot be both set, propagationPolicy: Unsupported value: \"\": supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\"]",
            ),
            (
                "dryRun=x",
                422,
                "DeleteOptions.meta.k8s.io \"\" is invalid: dryRun: Unsupported value: [\"x\"]: supported values: \"All\"",
            ),
        ] {
            let status = DeleteOptions::read(&Query::parse(query)).unwrap_err();
            assert_eq!((status.code, status.message.as_str()), (code, message), "{query}");
        }
    }

    #[test]
    fn query_and_body_say_the_same() {
        let query = "gracePeriodSeconds=0&propagationPolicy=Background&dryRun=All&uid=u&resourceVersion=7&ignoreStoreReadErrorWithClusterBreakingPotential=true";
        let body = br#"{"kind":"DeleteOptions","apiVersion":"v1","gracePeriodSeconds":0,"propagationPolicy":"Background","dryRun":["All"],"preconditions":{"uid":"u","resourceVersion":"7"}}"#;
        let expected = DeleteOptions {
            grace_period_seconds: Some(0),
            preconditions: Preconditions { uid: Some("u".into()), resource_version: Some("7".into()) },
            orphan_dependents: None,
            propagation: Some(Propagation::Background),
            dry_run: true,
        };
        assert_eq!(DeleteOptions::read(&Query::parse(query)), Ok(expected.clone()));
        let body = json::decode_any(body).unwrap();
        assert_eq!(DeleteOptions::from_body(&body), Ok(expected));
        assert_eq!(DeleteOptions::read(&Query::parse("uid=")), Ok(DeleteOptions::default()));
    }
}
