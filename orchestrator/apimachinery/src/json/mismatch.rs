//! Where the decoder is: the paths that Go prints in errors and warnings.

use crate::schema::Text;

/// Go reports no more findings than this, and each only once.
const FINDINGS_LIMIT: usize = 100;

/// The place of the cursor in the document and what was found so far.
#[derive(Default)]
pub(super) struct Place {
    /// Path for findings: `spec.containers[0].name`.
    path: String,
    /// Struct members on the way, for type errors.
    fields: Vec<Text>,
    /// Go name of the struct around the cursor.
    pub(super) inside: Text,
    report: bool,
    pub(super) findings: Vec<String>,
    /// The first value that had the wrong type; decoding goes on behind it, since a later syntax error comes first.
    pub(super) first_error: Option<String>,
}

impl Place {
    /// The top of a document; `report` says whether findings are wanted.
    pub(super) fn new(report: bool) -> Self {
        Self { report, ..Self::default() }
    }

    /// Steps into a member; returns what [`Place::leave`] needs.
    pub(super) fn enter_key(&mut self, name: &str) -> usize {
        let mark = self.path.len();
        if self.report {
            if mark > 0 {
                self.path.push('.');
            }
            self.path.push_str(name);
        }
        mark
    }

    pub(super) fn enter_index(&mut self, index: usize) -> usize {
        let mark = self.path.len();
        if self.report {
            self.path.push_str(&format!("[{index}]"));
        }
        mark
    }

    pub(super) fn leave(&mut self, mark: usize) {
        self.path.truncate(mark);
    }

    pub(super) fn enter_field(&mut self, name: &Text) {
        self.fields.push(name.clone());
    }

    pub(super) fn leave_field(&mut self) {
        self.fields.pop();
    }

    /// Notes an unknown or duplicate field at the current path.
    pub(super) fn find(&mut self, problem: &str) {
        if !self.report || self.findings.len() >= FINDINGS_LIMIT {
            return;
        }
        let finding = format!("{problem} field {:?}", self.path);
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }

    /// Notes a value of the wrong type.
    pub(super) fn mismatch(&mut self, found: &str, wanted: &str) {
        if self.first_error.is_some() {
            return;
        }
        self.first_error = Some(if self.fields.is_empty() {
            format!("json: cannot unmarshal {found} into Go value of type {wanted}")
        } else {
            let path = self.fields.join(".");
            format!("json: cannot unmarshal {found} into Go struct field {}.{path} of type {wanted}", self.inside)
        });
    }

    /// Notes a leaf that has the right type but cannot be read.
    pub(super) fn unreadable(&mut self, problem: &dyn std::fmt::Display) {
        if self.first_error.is_none() {
            self.first_error = Some(problem.to_string());
        }
    }
}
