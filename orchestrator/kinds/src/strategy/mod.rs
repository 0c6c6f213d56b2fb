//! s
use coracle_apimachinery::Value;
/// s
#[derive(Debug)]
pub struct Strategy {
    /// p
    pub prepare_create: fn(&mut Value),
    /// p
    pub prepare_update: fn(&mut Value, &Value),
    /// p
    pub prepare_status: fn(&mut Value, &Value),
    /// p
    pub create_on_update: bool,
    /// p
    pub unconditional_update: bool,
    /// p
    pub delete_grace: fn(&Value, Option<i64>) -> Option<i64>,
}
/// s
#[must_use]
pub fn of(_group: &str, _resource: &str) -> &'static Strategy {
    &S
}
static S: Strategy = Strategy {
    prepare_create: |_| {},
    prepare_update: |_, _| {},
    prepare_status: |_, _| {},
    create_on_update: false,
    unconditional_update: true,
    delete_grace: |_, _| None,
};
