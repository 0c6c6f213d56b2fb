//! The paths of columns and selectable fields: the part of k8s.io/client-go, util/jsonpath, that one expression without
//! loops has.

mod eval;
mod parse;

/// A parsed path.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct JsonPath(Vec<Step>);

/// One step from values to values.
#[derive(Debug, Clone, PartialEq)]
enum Step {
    /// A member.
    Field(String),
    /// Items by index: begin, end (with the mark that it was derived from the begin), stride.
    Slice(Option<i64>, Option<(i64, bool)>, Option<i64>),
    /// All members or items.
    Wildcard,
    /// The value and everything below it.
    Recursive,
    /// The results of several paths.
    Union(Vec<JsonPath>),
    /// Items for which a comparison holds.
    Filter(Box<Filter>),
    /// A value that stands in the path itself.
    Literal(coracle_apimachinery::Value),
}

/// A condition on an item.
#[derive(Debug, Clone, PartialEq)]
struct Filter {
    left: JsonPath,
    /// The operator and the right side; without them the left side has to find something.
    right: Option<(String, JsonPath)>,
}
