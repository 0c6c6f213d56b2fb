//! JSON patch, merge patch and strategic merge patch over the canonical tree.
