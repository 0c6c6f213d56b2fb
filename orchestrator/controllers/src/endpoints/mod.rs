//! Endpoints of the API's own Service.
