//! The columns of each kind and the cells of its rows, as `kubectl get` shows them.
//!
//! A kind is a [`Printer`]: its columns and one function that makes the cells of an object. Kinds without a row here have
//! the two columns of the default one. All columns are always filled: it is the client that hides those of priority 1.
//!
//! Objects come in version 1 or, for a HorizontalPodAutoscaler, 2, in which alone all of its metrics are members.

mod admission;
mod apps;
mod autoscaling;
mod batch;
mod certificates;
mod cluster;
mod core;
mod duration;
mod extension;
mod networking;
mod pods;
mod rbac;
mod resource;
mod row;
mod selector;
mod storage;
#[cfg(test)]
mod tests;

pub use self::duration::human_duration;

use self::row::Row;
use coracle_apimachinery::Value;
use coracle_apimachinery::time::Instant;

/// The definition of one column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its heading.
    pub name: &'static str,
    /// `string`, `integer`, `boolean` or `date`.
    pub kind: &'static str,
    /// `name` for the column that names the object.
    pub format: &'static str,
    /// 0 for a column that is always shown, 1 for one of the wide output.
    pub priority: i64,
    /// What it tells, in a sentence; clients do without.
    pub description: &'static str,
}

impl Column {
    const fn new(name: &'static str, kind: &'static str) -> Self {
        Self { name, kind, format: "", priority: 0, description: "" }
    }

    const fn text(name: &'static str) -> Self {
        Self::new(name, "string")
    }

    const fn integer(name: &'static str) -> Self {
        Self::new(name, "integer")
    }

    const fn boolean(name: &'static str) -> Self {
        Self::new(name, "boolean")
    }

    const fn wide(name: &'static str) -> Self {
        Self { priority: 1, ..Self::text(name) }
    }

    const fn named(name: &'static str) -> Self {
        Self { format: "name", ..Self::text(name) }
    }
}

const NAME: Column = Column::named("Name");
const AGE: Column = Column::text("Age");
const CREATED: Column = Column::new("Created At", "date");

/// How the objects of one resource become rows.
#[derive(Debug)]
pub struct Printer {
    group: &'static str,
    resource: &'static str,
    columns: &'static [Column],
    cells: fn(&Row<'_>) -> Vec<Value>,
    /// Conditions of the row itself.
    conditions: fn(&Value) -> Vec<Value>,
    /// Name of the one object of a list that is marked as the default.
    default_of: fn(&[&Value]) -> Option<String>,
    null_without_rows: bool,
}

/// What lies in a row of data about a kind.
const fn printer(
    group: &'static str,
    resource: &'static str,
    columns: &'static [Column],
    cells: fn(&Row<'_>) -> Vec<Value>,
) -> Printer {
    Printer {
        group,
        resource,
        columns,
        cells,
        conditions: |_| Vec::new(),
        default_of: |_| None,
        null_without_rows: false,
    }
}

/// For each kind that has no columns of its own.
static DEFAULT: Printer =
    Printer { null_without_rows: true, ..printer("", "", &[NAME, CREATED], |row| vec![row.name(), row.created()]) };

static PRINTERS: [&[Printer]; 11] = [
    core::PRINTERS,
    apps::PRINTERS,
    batch::PRINTERS,
    networking::PRINTERS,
    storage::PRINTERS,
    rbac::PRINTERS,
    cluster::PRINTERS,
    admission::PRINTERS,
    certificates::PRINTERS,
    extension::PRINTERS,
    resource::PRINTERS,
];

impl Printer {
    /// The printer of a resource; `group` is empty for the core group.
    pub fn of(group: &str, resource: &str) -> &'static Self {
        let fits = |printer: &&Self| printer.group == group && printer.resource == resource;
        PRINTERS.iter().flat_map(|printers| printers.iter()).find(fits).unwrap_or(&DEFAULT)
    }

    /// The columns, those of the wide output included.
    pub fn columns(&self) -> &'static [Column] {
        self.columns
    }

    /// The cells of an object that was asked for by itself or comes as a watch event, one for each column.
    pub fn cells(&self, object: &Value, now: Instant) -> Vec<Value> {
        (self.cells)(&Row { object, now })
    }

    /// The cells of the objects of a list, which differ for a kind that marks one of its objects as the default.
    pub fn list(&self, objects: &[&Value], now: Instant) -> Vec<Vec<Value>> {
        let marked = (self.default_of)(objects);
        let cells = |object: &&Value| {
            let mut cells = self.cells(object, now);
            if marked.as_deref().is_some_and(|marked| marked == object.text_at(&["metadata", "name"]))
                && let Some(name) = cells.first_mut()
            {
                *name = row::text(format!("{} (default)", name.as_str().unwrap_or_default()));
            }
            cells
        };
        objects.iter().map(cells).collect()
    }

    /// Whether the rows of an empty list are null and not an empty list.
    pub fn null_without_rows(&self) -> bool {
        self.null_without_rows
    }

    /// The conditions of the row of an object, such as that a pod has completed; absent from the row when empty.
    pub fn conditions(&self, object: &Value) -> Vec<Value> {
        (self.conditions)(object)
    }
}

/// The columns of a resource, those of the wide output included; `group` is empty for the core group.
pub fn columns(group: &str, resource: &str) -> &'static [Column] {
    Printer::of(group, resource).columns()
}

/// The cells of one object of a resource, one for each column.
pub fn cells(group: &str, resource: &str, object: &Value, now: Instant) -> Vec<Value> {
    Printer::of(group, resource).cells(object, now)
}
