//! Watches over the leases of nodes, taints nodes and evicts pods.
