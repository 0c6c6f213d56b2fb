//! What creating, replacing and patching ask for.

use super::{Query, dry_run, valid};
use crate::http::body::PatchKind;
use crate::http::text::is_printable;
use coracle_apimachinery::field::{Error, Path};
use coracle_apimachinery::status::Status;

/// Longest name of a field manager, in bytes.
const LONGEST_MANAGER: usize = 128;

/// What becomes of unknown and repeated fields of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldValidation {
    /// They are dropped.
    Ignore,
    /// They are dropped with a warning.
    Warn,
    /// The request is refused.
    Strict,
}

/// What all three have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteOptions {
    /// Nothing is stored.
    pub dry_run: bool,
    /// Who writes; empty when not said.
    pub field_manager: String,
    /// What becomes of unknown and repeated fields; warnings when not said.
    pub field_validation: FieldValidation,
}

/// Parameters of creating.
pub type CreateOptions = WriteOptions;

/// Parameters of replacing.
pub type UpdateOptions = WriteOptions;

/// Parameters of patching.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatchOptions {
    /// What it has in common with the others.
    pub write: WriteOptions,
    /// Take fields over from other managers; only apply knows it.
    pub force: bool,
}

impl WriteOptions {
    /// Reads and checks the parameters of creating.
    ///
    /// # Errors
    /// A value is none that the parameter takes.
    pub fn create(query: &Query) -> Result<Self, Status> {
        let mut errors = Vec::new();
        let options = Self::read(query, &mut errors);
        valid("CreateOptions", options, &errors)
    }

    /// Reads and checks the parameters of replacing.
    ///
    /// # Errors
    /// A value is none that the parameter takes.
    pub fn update(query: &Query) -> Result<Self, Status> {
        let mut errors = Vec::new();
        let options = Self::read(query, &mut errors);
        valid("UpdateOptions", options, &errors)
    }

    fn read(query: &Query, errors: &mut Vec<Error>) -> Self {
        let field_manager = query.text("fieldManager");
        let path = Path::new("fieldManager");
        if field_manager.len() > LONGEST_MANAGER {
            errors.push(Error::too_long(&path, LONGEST_MANAGER));
        }
        for (at, character) in field_manager.char_indices().filter(|(_, character)| !is_printable(*character)) {
            let detail = format!("invalid character U+{:04X} (at position {at})", u32::from(character));
            errors.push(Error::invalid(&path, &field_manager, detail));
        }
        let dry_run = dry_run(&query.all("dryRun").collect::<Vec<_>>(), errors);
        let field_validation = match query.first("fieldValidation").unwrap_or_default() {
            "Ignore" => FieldValidation::Ignore,
            "" | "Warn" => FieldValidation::Warn,
            "Strict" => FieldValidation::Strict,
            other => {
                let supported = ["", "Ignore", "Strict", "Warn"];
                errors.push(Error::not_supported(&Path::new("fieldValidation"), other, &supported));
                FieldValidation::Warn
            }
        };
        Self { dry_run, field_manager, field_validation }
    }
}

impl PatchOptions {
    /// Reads and checks the parameters of patching.
    ///
    /// # Errors
    /// A value is none that the parameter takes, or the kind of patch does not go with it.
    pub fn read(query: &Query, kind: PatchKind) -> Result<Self, Status> {
        let mut errors = Vec::new();
        let force = query.flag("force");
        if kind == PatchKind::Apply {
            if query.text("fieldManager").is_empty() {
                errors.push(Error::required(&Path::new("fieldManager"), "is required for apply patch"));
            }
        } else if force.is_some() {
            errors.push(Error::forbidden(&Path::new("force"), "may not be specified for non-apply patch"));
        }
        let write = WriteOptions::read(query, &mut errors);
        valid("PatchOptions", Self { write, force: force.unwrap_or_default() }, &errors)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::recorded;

    #[test]
    fn refusals_are_the_recorded_ones() {
        for (name, query) in [("error-field-validation", "fieldValidation=Maybe"), ("error-dry-run", "dryRun=Some")] {
            recorded::assert_is(&CreateOptions::create(&Query::parse(query)).unwrap_err(), name);
        }
        let status = PatchOptions::read(&Query::default(), PatchKind::Apply).unwrap_err();
        recorded::assert_is(&status, "patch-apply-no-manager");
    }

    #[test]
    fn values_outside_their_sets_are_refused() {
        let long = format!("fieldManager={}", "a".repeat(LONGEST_MANAGER + 1));
        for (query, problems) in [
            ("fieldManager=%00a", "fieldManager: Invalid value: \"\\x00a\": invalid character U+0000 (at position 0)"),
            (long.as_str(), "fieldManager: Too long: may not be more than 128 bytes"),
            ("dryRun=All&dryRun=Some", "dryRun: Unsupported value: [\"All\",\"Some\"]: supported values: \"All\""),
            ("dryRun=", "dryRun: Unsupported value: [\"\"]: supported values: \"All\""),
            (
                "dryRun=a%22b&dryRun=%3Cx%26%E2%80%A8",
                "dryRun: Unsupported value: [\"a\\\"b\",\"\\u003cx\\u0026\\u2028\"]: supported values: \"All\"",
            ),
            (
                "fieldValidation=strict&dryRun=a&fieldManager=%0a",
                "[fieldManager: Invalid value: \"\\n\": invalid character U+000A (at position 0), dryRun: Unsupported value: [\"a\"]: supported values: \"All\", fieldValidation: Unsupported value: \"strict\": supported values: \"\", \"Ignore\", \"Strict\", \"Warn\"]",
            ),
        ] {
            let query = Query::parse(query);
            let message = CreateOptions::create(&query).unwrap_err().message;
            assert_eq!(message, format!("CreateOptions.meta.k8s.io \"\" is invalid: {problems}"));
            let message = UpdateOptions::update(&query).unwrap_err().message;
            assert_eq!(message, format!("UpdateOptions.meta.k8s.io \"\" is invalid: {problems}"));
            let message = PatchOptions::read(&query, PatchKind::Merge).unwrap_err().message;
            assert_eq!(message, format!("PatchOptions.meta.k8s.io \"\" is invalid: {problems}"));
        }
        let message = PatchOptions::read(&Query::parse("force=1"), PatchKind::Merge).unwrap_err().message;
        let expected =
            "PatchOptions.meta.k8s.io \"\" is invalid: force: Forbidden: may not be specified for non-apply patch";
        assert_eq!(message, expected);
    }

    #[test]
    fn values_are_read() {
        let query = Query::parse("dryRun=All&fieldManager=kubectl&fieldValidation=Strict");
        let expected =
            WriteOptions { dry_run: true, field_manager: "kubectl".into(), field_validation: FieldValidation::Strict };
        assert_eq!(CreateOptions::create(&query), Ok(expected));
        let none = UpdateOptions::update(&Query::default()).unwrap();
        assert_eq!((none.dry_run, none.field_validation), (false, FieldValidation::Warn));
        let patch = PatchOptions::read(&Query::parse("force=true&fieldManager=m"), PatchKind::Apply).unwrap();
        assert!(patch.force);
    }
}
