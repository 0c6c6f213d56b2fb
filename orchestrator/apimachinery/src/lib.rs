//! Schema tables and the codecs driven by them.
