//! Links, addresses, service programs, DNS and ingress from plain structs.
