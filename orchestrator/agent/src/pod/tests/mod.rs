//! Tests of the whole decision against a small model of a runtime.

mod converges;
mod ending;
mod model;
mod probing;
mod running;
mod starting;

use coracle_apimachinery::Value;
use coracle_apimachinery::json::{decode_any, encode_any};

pub(crate) fn tree(text: &str) -> Value {
    decode_any(text.as_bytes()).unwrap()
}

pub(crate) fn print(value: &Value) -> String {
    String::from_utf8(encode_any(value)).unwrap()
}
