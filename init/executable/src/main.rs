//! `coracle-init`: one small static executable with several duties, chosen by its name and its first argument.
fn main() {}
