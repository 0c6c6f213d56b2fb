//! Keeps the signatures of `kube-public/cluster-info` in step with the bootstrap tokens, and removes expired tokens.
