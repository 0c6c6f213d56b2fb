//! `coracle`.
fn main() {}
