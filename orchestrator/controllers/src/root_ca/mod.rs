//! Publishes the authority of the API in every namespace.
