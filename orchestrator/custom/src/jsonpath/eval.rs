//! Following a path.

use super::{Filter, JsonPath, Step};
use coracle_apimachinery::Value;
use std::borrow::Cow;

/// Most values that a path may find on its way; it ends documents that make a path double its results at every step.
const RESULTS: usize = 10_000;

/// A path does not fit the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Misfit;

type Values<'a> = Vec<Cow<'a, Value>>;

impl JsonPath {
    /// The values at the path; absent members find nothing.
    pub(crate) fn find<'a>(&'a self, value: &'a Value) -> Result<Values<'a>, Misfit> {
        self.follow(vec![Cow::Borrowed(value)])
    }

    fn follow<'a>(&'a self, from: Values<'a>) -> Result<Values<'a>, Misfit> {
        let mut values = from;
        for step in &self.0 {
            values = apply(step, values)?;
            if values.len() > RESULTS {
                return Err(Misfit);
            }
        }
        Ok(values)
    }
}

/// The values inside of a value, in the order of names or items.
fn inside<'a>(value: &'a Value) -> Box<dyn Iterator<Item = &'a Value> + 'a> {
    match value {
        Value::Object(object) => Box::new(object.iter().map(|(_, value)| value)),
        other => Box::new(other.items().iter()),
    }
}

/// Steps into a value that may be borrowed; what is owned stands in the path itself and has nothing inside.
fn each<'a>(values: Values<'a>, mut visit: impl FnMut(&'a Value) -> Result<(), Misfit>) -> Result<(), Misfit> {
    for value in values {
        if let Cow::Borrowed(value) = value {
            visit(value)?;
        }
    }
    Ok(())
}

fn apply<'a>(step: &'a Step, values: Values<'a>) -> Result<Values<'a>, Misfit> {
    let mut found: Values<'a> = Vec::new();
    match step {
        Step::Literal(literal) => found.extend(values.iter().map(|_| Cow::Borrowed(literal))),
        Step::Field(name) => each(values, |value| {
            found.extend(value.at(&[name]).map(Cow::Borrowed));
            Ok(())
        })?,
        Step::Wildcard => each(values, |value| {
            found.extend(inside(value).map(Cow::Borrowed));
            Ok(())
        })?,
        Step::Recursive => each(values, |value| {
            descend(value, &mut found);
            Ok(())
        })?,
        Step::Union(paths) => {
            for path in paths {
                found.extend(path.follow(values.clone())?);
            }
        }
        Step::Slice(begin, end, stride) => each(values, |value| match value {
            Value::Null => Ok(()),
            Value::List(items) => {
                found.extend(slice(items, *begin, *end, *stride)?.map(Cow::Borrowed));
                Ok(())
            }
            _ => Err(Misfit),
        })?,
        Step::Filter(filter) => each(values, |value| {
            let Value::List(items) = value else { return Err(Misfit) };
            for item in items {
                if filter.holds(item)? {
                    found.push(Cow::Borrowed(item));
                }
            }
            Ok(())
        })?,
    }
    Ok(found)
}

fn descend<'a>(value: &'a Value, found: &mut Values<'a>) {
    if found.len() > RESULTS || inside(value).next().is_none() {
        return;
    }
    found.push(Cow::Borrowed(value));
    inside(value).for_each(|value| descend(value, found));
}

fn slice(
    items: &[Value],
    begin: Option<i64>,
    end: Option<(i64, bool)>,
    stride: Option<i64>,
) -> Result<impl Iterator<Item = &Value>, Misfit> {
    let count = i64::try_from(items.len()).map_err(|_| Misfit)?;
    let mut from = begin.unwrap_or(0);
    if from < 0 {
        from = from.saturating_add(count);
    }
    let (mut to, derived) = end.unwrap_or((count, false));
    if to < 0 || (to == 0 && derived) {
        to = to.saturating_add(count);
    }
    let stride = stride.unwrap_or(1);
    let range = if from == to {
        0..0
    } else if (0..count).contains(&from) && (0..=count).contains(&to) && from <= to {
        usize::try_from(from).map_err(|_| Misfit)?..usize::try_from(to).map_err(|_| Misfit)?
    } else {
        return Err(Misfit);
    };
    let stride = usize::try_from(stride).ok().filter(|stride| *stride > 0).ok_or(Misfit)?;
    Ok(items.get(range).unwrap_or_default().iter().step_by(stride))
}

impl Filter {
    fn holds(&self, item: &Value) -> Result<bool, Misfit> {
        let left = self.left.follow(vec![Cow::Borrowed(item)]);
        let Some((operator, right)) = &self.right else {
            return Ok(left.is_ok_and(|found| !found.is_empty()));
        };
        let (left, right) = (left?, right.follow(vec![Cow::Borrowed(item)])?);
        match (left.as_slice(), right.as_slice()) {
            ([], _) | (_, []) => Ok(false),
            ([left], [right]) => compare(operator, left, right),
            _ => Err(Misfit),
        }
    }
}

/// Values of different types cannot be compared, as in Go's templates.
fn compare(operator: &str, left: &Value, right: &Value) -> Result<bool, Misfit> {
    let order = match (left, right) {
        (Value::Int(left), Value::Int(right)) => left.partial_cmp(right),
        (Value::Float(left), Value::Float(right)) => left.partial_cmp(right),
        (Value::String(left), Value::String(right)) => left.partial_cmp(right),
        (Value::Bool(left), Value::Bool(right)) if matches!(operator, "==" | "!=") => left.partial_cmp(right),
        _ => None,
    };
    let order = order.ok_or(Misfit)?;
    match operator {
        "==" => Ok(order.is_eq()),
        "!=" => Ok(order.is_ne()),
        "<" => Ok(order.is_lt()),
        ">" => Ok(order.is_gt()),
        "<=" => Ok(order.is_le()),
        ">=" => Ok(order.is_ge()),
        _ => Err(Misfit),
    }
}

#[cfg(test)]
mod tests {
    use super::super::JsonPath;
    use coracle_apimachinery::{Value, json};

    #[test]
    fn paths_find_what_client_go_finds() {
        let text = r#"{"a":{"b":1,"x.y/z":"k"},"l":[{"t":"A","s":"1","n":1},{"t":"B","s":"2","n":5}],"n":null}"#;
        let value = json::decode_any(text.as_bytes()).unwrap();
        let table = [
            (".a.b", Some("[1]")),
            (".a.missing.more", Some("[]")),
            (".a['b']", Some("[1]")),
            (r".a['x\.y/z']", Some(r#"["k"]"#)),
            (r".a.x\.y/z", Some(r#"["k"]"#)),
            (".l[0].t", Some(r#"["A"]"#)),
            (".l[-1].t", Some(r#"["B"]"#)),
            (".l[*].s", Some(r#"["1","2"]"#)),
            (".l[5].t", None),
            (".l[0,1].t", Some(r#"["A","B"]"#)),
            (r#".l[?(@.t=="B")].s"#, Some(r#"["2"]"#)),
            (".l[?(@.t=='A')].s", Some(r#"["1"]"#)),
            (".l[?(@.n>2)].t", Some(r#"["B"]"#)),
            (".l[?(@.missing)].t", Some("[]")),
            (r#".l[?(@.n=="x")].t"#, None),
            (".l[:1].t", Some(r#"["A"]"#)),
            ("..t", Some(r#"["A","B"]"#)),
            (".n", Some("[null]")),
            (".a[0]", None),
            (".", Some("[]")),
        ];
        for (path, expected) in table {
            let parsed = JsonPath::parse(path).unwrap();
            let found = parsed.find(&value).ok().map(|found| {
                let items = found.into_iter().map(std::borrow::Cow::into_owned).collect();
                String::from_utf8(json::encode_any(&Value::List(items))).unwrap()
            });
            assert_eq!(found.as_deref(), expected, "{path}");
        }
        for path in [".a[", ".a[x]", ".l[?(@.t==\"B\"", "%", "a.b", "'", ".l[1:2:3:4]"] {
            assert!(JsonPath::parse(path).is_err(), "{path}");
        }
    }
}
