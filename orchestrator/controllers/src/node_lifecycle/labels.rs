//! Old names of labels follow the new ones.

use coracle_apimachinery::{Object, Value};

/// Label, and the old name that has to say the same.
const PAIRS: [(&str, &str); 2] =
    [("kubernetes.io/os", "beta.kubernetes.io/os"), ("kubernetes.io/arch", "beta.kubernetes.io/arch")];

/// The labels that a node lacks or that say something else.
pub(super) fn wanted(node: &Value) -> Object {
    let label = |name| node.at(&["metadata", "labels", name]);
    let pairs = PAIRS.iter().filter_map(|(new, old)| Some((*old, label(new)?)));
    pairs.filter(|(old, value)| label(old) != Some(*value)).map(|(old, value)| (old.into(), value.clone())).collect()
}
