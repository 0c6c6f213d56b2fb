//! A version of a definition.

use crate::columns::{self, Column};
use crate::gotext;
use crate::jsonpath::JsonPath;
use crate::scale::Scale;
use crate::structural::{Structural, Unreadable, truth};
use coracle_apimachinery::Value;

/// A version of a definition: what its objects look like and how they are shown.
#[derive(Debug, Clone)]
pub struct Version {
    /// API group of the definition.
    pub group: String,
    /// Kind of the objects.
    pub kind: String,
    /// Name of the version.
    pub name: String,
    /// Whether it is served.
    pub served: bool,
    /// Whether objects are stored in it.
    pub storage: bool,
    /// Its schema.
    pub schema: Structural,
    /// Columns of its tables; the first one is the name.
    pub columns: Vec<Column>,
    /// Whether status is written by an endpoint of its own.
    pub status: bool,
    /// Where its replicas stand, if it can be scaled.
    pub scale: Option<Scale>,
    /// Fields by which lists can be narrowed, besides name and namespace.
    pub selectable_fields: Vec<SelectableField>,
    /// Whether it should not be used any more.
    pub deprecated: bool,
    /// What to tell those who use it although it is deprecated; without own words, the usual ones.
    pub deprecation_warning: Option<String>,
    /// The schema as it stands in the definition.
    pub open_api: Value,
}

/// A field by which lists can be narrowed.
#[derive(Debug, Clone, PartialEq)]
pub struct SelectableField {
    /// Its name in a selector: the path without the leading dot.
    pub name: String,
    path: JsonPath,
}

impl Version {
    /// Reads an entry of `spec.versions`.
    pub(crate) fn parse(group: &str, kind: &str, version: &Value) -> Result<Self, Unreadable> {
        let name = version.text_at(&["name"]).to_owned();
        let open_api = version.at(&["schema", "openAPIV3Schema"]).cloned().unwrap_or(Value::Null);
        let subresources = version.at(&["subresources"]);
        let deprecated = truth(version, "deprecated");
        let warning = version.at(&["deprecationWarning"]).and_then(Value::as_str).map(ToOwned::to_owned);
        let usual = || format!("{group}/{name} {kind} is deprecated");
        let selectable = version.at(&["selectableFields"]).map(Value::items).unwrap_or_default();
        Ok(Self {
            group: group.to_owned(),
            kind: kind.to_owned(),
            served: truth(version, "served"),
            storage: truth(version, "storage"),
            schema: Structural::parse(&open_api)?,
            columns: columns::read(version),
            status: subresources.and_then(|subresources| subresources.at(&["status"])).is_some(),
            scale: Scale::read(subresources),
            selectable_fields: selectable.iter().filter_map(SelectableField::read).collect(),
            deprecated,
            deprecation_warning: deprecated.then(|| warning.unwrap_or_else(usual)),
            open_api,
            name,
        })
    }

    /// `group/version`.
    #[must_use]
    pub fn api_version(&self) -> String {
        format!("{}/{}", self.group, self.name)
    }

    /// The columns of tables, the name first.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The cells of an object, one for each column. `age` words the time since a point in time.
    pub fn cells(&self, object: &Value, age: impl Fn(&str) -> String) -> Vec<Value> {
        self.columns.iter().map(|column| column.cell(object, &age)).collect()
    }

    /// The values of the selectable fields of an object; absent ones are empty.
    #[must_use]
    pub fn fields(&self, object: &Value) -> Vec<(&str, String)> {
        let of = |field: &SelectableField| {
            let found = field.path.find(object).ok()?;
            found.first().filter(|value| ***value != Value::Null).map(|value| gotext::print(value))
        };
        self.selectable_fields.iter().map(|field| (&*field.name, of(field).unwrap_or_default())).collect()
    }
}

impl SelectableField {
    fn read(entry: &Value) -> Option<Self> {
        let text = entry.text_at(&["jsonPath"]);
        let path = JsonPath::parse(text).ok()?;
        Some(Self { name: text.strip_prefix('.').unwrap_or(text).to_owned(), path })
    }
}
