//! The canonical tree: JSON's value model with members sorted by name, plus verbatim JSON for embedded documents.
//!
//! Canonical means: scalars stand in the form in which they print (quantities, times, durations, base64), members that
//! the Go implementation cannot tell from absent ones are absent. Members that always print stay absent too when nobody
//! set them; the encoder adds them.

use std::borrow::Cow;

/// A member name: borrowed from the schema tables where they know it.
pub type Key = Cow<'static, str>;

/// One value of the tree.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// JSON null, only where the schema lets null be told from absent.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A number that is no 64-bit integer. Never NaN or infinite.
    Float(f64),
    /// A text, also a quantity, time, duration or base64 bytes.
    String(Box<str>),
    /// A list.
    List(Vec<Value>),
    /// An object or map.
    Object(Object),
    /// An embedded JSON document exactly as it was sent; printed without insignificant white space.
    Raw(Box<str>),
}

/// Members sorted by the bytes of their names, each name once.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Object(Vec<(Key, Value)>);

impl Value {
    /// A text value.
    pub fn text(text: impl Into<Box<str>>) -> Self {
        Self::String(text.into())
    }

    /// The text of a [`Value::String`].
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The truth of a [`Value::Bool`].
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The number of a [`Value::Int`].
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(*value),
            _ => None,
        }
    }

    /// The items of a [`Value::List`]; nothing for any other value.
    pub fn items(&self) -> &[Value] {
        match self {
            Self::List(items) => items,
            _ => &[],
        }
    }

    /// The items of a [`Value::List`] for changing them.
    pub fn items_mut(&mut self) -> Option<&mut Vec<Value>> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    /// The value behind these member names, from an object inwards.
    pub fn at(&self, names: &[&str]) -> Option<&Value> {
        names.iter().try_fold(self, |value, name| value.as_object()?.get(name))
    }

    /// The text behind these member names; empty when there is none.
    pub fn text_at(&self, names: &[&str]) -> &str {
        self.at(names).and_then(Value::as_str).unwrap_or_default()
    }

    /// The members of a [`Value::Object`] for changing them.
    pub fn as_object_mut(&mut self) -> Option<&mut Object> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The members of a [`Value::Object`].
    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }

    /// Whether Go's `omitempty` leaves it out of a member that is not a pointer.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Bool(value) => !value,
            Self::Int(value) => *value == 0,
            Self::Float(value) => *value == 0.0,
            Self::String(text) => text.is_empty(),
            Self::List(items) => items.is_empty(),
            Self::Object(object) => object.0.is_empty(),
            Self::Raw(_) => false,
        }
    }
}

impl Object {
    /// An object without members.
    pub fn new() -> Self {
        Self::default()
    }

    /// The member `name`.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.position(name).ok().and_then(|at| self.0.get(at)).map(|(_, value)| value)
    }

    /// The member `name` for changing it in place.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Value> {
        let at = self.position(name).ok()?;
        self.0.get_mut(at).map(|(_, value)| value)
    }

    /// The member `name` as an object, made empty first if there is none or it is no object.
    pub fn object_mut(&mut self, name: &'static str) -> &mut Object {
        if !matches!(self.get(name), Some(Value::Object(_))) {
            self.insert(name.into(), Value::Object(Self::new()));
        }
        match self.position(name).ok().and_then(|at| self.0.get_mut(at)) {
            Some((_, Value::Object(object))) => object,
            // The member was put there above.
            _ => unreachable!("a member that was just inserted is there"),
        }
    }

    /// Sets a member that is absent; says whether it did.
    pub fn insert_default(&mut self, name: &'static str, value: impl FnOnce() -> Value) -> bool {
        let absent = self.get(name).is_none();
        if absent {
            self.insert(name.into(), value());
        }
        absent
    }

    /// Members in the order of their names, their values for changing.
    pub fn iter_mut(&mut self) -> impl ExactSizeIterator<Item = (&str, &mut Value)> {
        self.0.iter_mut().map(|(key, value)| (&**key, value))
    }

    /// Keeps the members that a condition holds for.
    pub fn retain(&mut self, mut keep: impl FnMut(&str, &Value) -> bool) {
        self.0.retain(|(key, value)| keep(key, value));
    }

    /// Sets a member and returns the value it had.
    pub fn insert(&mut self, name: Key, value: Value) -> Option<Value> {
        match self.position(&name) {
            Ok(at) => self.0.get_mut(at).map(|slot| std::mem::replace(&mut slot.1, value)),
            Err(at) => {
                self.0.insert(at, (name, value));
                None
            }
        }
    }

    /// Removes a member and returns it.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        self.position(name).ok().map(|at| self.0.remove(at).1)
    }

    /// Members in the order of their names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.0.iter().map(|(key, value)| (key.as_ref(), value))
    }

    /// Number of members.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Builds an object from members in document order; of equal names the last one stays. Returns the names that stood
    /// more than once, sorted. Takes time in the order of n log n whatever the input, unlike repeated insertion.
    pub(crate) fn from_members(mut members: Vec<(Key, Value)>) -> (Self, Vec<Key>) {
        members.sort_by(|left, right| left.0.cmp(&right.0));
        let mut repeated: Vec<Key> = Vec::new();
        let mut kept: Vec<(Key, Value)> = Vec::with_capacity(members.len());
        for member in members {
            match kept.last_mut() {
                Some(last) if last.0 == member.0 => {
                    if repeated.last() != Some(&member.0) {
                        repeated.push(member.0.clone());
                    }
                    *last = member;
                }
                _ => kept.push(member),
            }
        }
        (Self(kept), repeated)
    }

    /// The members, sorted by name.
    pub(crate) fn into_members(self) -> Vec<(Key, Value)> {
        self.0
    }

    fn position(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(key, _)| key.as_ref().cmp(name))
    }
}

impl FromIterator<(Key, Value)> for Object {
    fn from_iter<I: IntoIterator<Item = (Key, Value)>>(members: I) -> Self {
        Self::from_members(members.into_iter().collect()).0
    }
}

#[cfg(test)]
mod tests {
    use super::{Object, Value};

    #[test]
    fn the_last_of_equal_names_stays() {
        let members = [("b", 1), ("a", 2), ("b", 3), ("b", 4)];
        let members = members.map(|(name, value)| (name.into(), Value::Int(value))).to_vec();
        let (object, repeated) = Object::from_members(members);
        assert_eq!(object.iter().collect::<Vec<_>>(), [("a", &Value::Int(2)), ("b", &Value::Int(4))]);
        assert_eq!(repeated, ["b"]);
    }

    #[test]
    fn members_stay_sorted() {
        let mut object = Object::new();
        for name in ["m", "z", "a", "m"] {
            object.insert(name.into(), Value::Null);
        }
        assert_eq!(object.iter().map(|(name, _)| name).collect::<String>(), "amz");
        assert_eq!(object.remove("m"), Some(Value::Null));
        assert!(object.get("m").is_none());
    }
}
