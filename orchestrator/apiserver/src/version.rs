//! The answer of `/version`, fields as in k8s.io/apimachinery v0.37.2, pkg/version.

use serde::Serialize;

/// Kubernetes version that this release implements.
pub const KUBERNETES: &str = "v1.37.2";

/// `/version` document. Field names are the wire names.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Version {
    major: &'static str,
    minor: &'static str,
    emulation_major: &'static str,
    emulation_minor: &'static str,
    min_compatibility_major: &'static str,
    min_compatibility_minor: &'static str,
    git_version: String,
    git_commit: &'static str,
    git_tree_state: &'static str,
    build_date: &'static str,
    go_version: &'static str,
    compiler: &'static str,
    platform: String,
}

impl Version {
    /// The version of this executable. `goVersion` is empty: clients print it and nothing here is Go.
    #[must_use]
    pub fn current() -> Self {
        Self {
            major: "1",
            minor: "37",
            emulation_major: "1",
            emulation_minor: "37",
            min_compatibility_major: "1",
            min_compatibility_minor: "36",
            git_version: format!("{KUBERNETES}+coracle{}", env!("CARGO_PKG_VERSION")),
            git_commit: "",
            git_tree_state: "",
            build_date: "1970-01-01T00:00:00Z",
            go_version: "",
            compiler: "rustc",
            platform: format!("linux/{}", go_architecture(std::env::consts::ARCH)),
        }
    }
}

/// Go's name of an architecture, which clients and image indexes use.
fn go_architecture(rust: &str) -> &str {
    match rust {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
