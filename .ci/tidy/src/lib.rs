//! Checks of the tree itself; everything is in `tests/`.
