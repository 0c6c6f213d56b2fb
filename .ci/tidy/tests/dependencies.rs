//! What may be linked, and into what.

use std::collections::{BTreeMap, BTreeSet};

use tidy::{linked, root, used};

const TARGETS: [&str; 2] = ["x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl"];

/// What only the orchestrator may know.
const ORCHESTRATOR: [&str; 10] = [
    "tokio",
    "hyper",
    "rustls",
    "aws-lc-rs",
    "k8s-openapi",
    "kube-core",
    "coracle-apimachinery",
    "coracle-apiserver",
    "coracle-store",
    "coracle-containers",
];

/// What only the runtime helper may know.
const RUNTIME: [&str; 5] = ["libcontainer", "libcgroups", "oci-spec", "coracle-seccomp", "coracle-runtime"];

/// What PID 1 may not know, but the shim in the same executable does.
const NOT_IN_PID1: [&str; 3] = ["serde_json", "coracle-shim", "coracle-shim-protocol"];

/// One crypto provider (aws-lc-rs), no second TLS, nothing that a static binary may not carry.
const BANNED: [&str; 10] = [
    "ring",
    "openssl",
    "openssl-sys",
    "native-tls",
    "rustables",
    "wireguard-control",
    "sozu-lib",
    "serde_yaml",
    "serde_yml",
    "bindgen",
];

const LICENSES: [&str; 12] = [
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "MIT",
    "MIT-0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "Unicode-3.0",
    "CC0-1.0",
    "0BSD",
    "CDLA-Permissive-2.0",
];

/// Crates under the Mozilla licence (pathrs: libcontainer walks paths with it), used unchanged: it asks for the source of their own files only, which crates.io has.
const MPL: [&str; 3] = ["imbl", "imbl-sized-chunks", "pathrs"];

/// Crates that name no licence in their manifest, with the one whose text they carry.
const BY_TEXT: [(&str, &str); 1] = [("rust-criu", "MIT")];

#[test]
fn the_small_executables_stay_small() {
    let not_in_init = [&ORCHESTRATOR[..], &RUNTIME].concat();
    let not_in_pid1 = [&not_in_init[..], &NOT_IN_PID1].concat();
    let not_in_runtime = [&ORCHESTRATOR[..], &["coracle-shim", "coracle-pid1"]].concat();
    for target in TARGETS {
        for (package, all_banned) in [
            ("coracle-init", &not_in_init),
            ("coracle-shim", &not_in_init),
            ("coracle-pid1", &not_in_pid1),
            ("coracle-slots", &not_in_pid1),
            ("coracle-contract", &not_in_pid1),
            ("coracle-runtime", &not_in_runtime),
        ] {
            let tree = linked(package, target).unwrap();
            assert!(tree.contains(package), "{package} is not in the workspace");
            for banned in all_banned {
                assert!(!tree.contains(*banned), "{package} links {banned} on {target}");
            }
        }
        // A name that is in no tree forbids nothing.
        let helper = linked("coracle-runtime", target).unwrap();
        for name in RUNTIME {
            assert!(helper.contains(name), "{name} is not in the runtime helper");
        }
    }
}

#[test]
fn crates_do_not_know_what_they_must_not_know() {
    for (package, banned) in [
        ("netstack", "coracle-store"),
        ("netstack", "coracle-apimachinery"),
        ("coracle-cgroups", "coracle-apimachinery"),
        ("coracle-cgroups", "tokio"),
        ("coracle-cgroups", "serde"),
        ("coracle-store", "coracle-apimachinery"),
        ("coracle-store", "tokio-rustls"),
        ("coracle-apimachinery", "coracle-store"),
        ("coracle-apiserver", "coracle-pid1"),
        ("coracle", "coracle-pid1"),
        ("coracle", "coracle-shim"),
        ("coracle", "libcontainer"),
        ("image-builder", "coracle-apiserver"),
        ("image-builder", "coracle-images"),
        ("coracle-image-layout", "tokio"),
        ("coracle-images", "coracle-apiserver"),
        ("coracle-images", "coracle-store"),
        ("coracle-configuration", "coracle-apiserver"),
        ("coracle-configuration", "coracle-store"),
        ("oracle", "coracle-apimachinery"),
        ("oracle", "coracle-store"),
        ("figures", "coracle-apimachinery"),
        ("figures", "coracle-apiserver"),
        ("schema-generator", "coracle-apimachinery"),
        ("qemu-tests", "image-builder"),
        ("qemu-tests", "coracle-pid1"),
        ("qemu-tests", "coracle-apiserver"),
        ("coracle-shim-protocol", "coracle-shim"),
        ("coracle-shim-protocol", "tokio"),
    ] {
        assert!(!linked(package, TARGETS[0]).unwrap().contains(banned), "{package} must not know {banned}");
    }
}

#[test]
fn no_banned_crate_is_used() {
    let names: BTreeSet<String> = used().unwrap().into_iter().map(|package| package.name).collect();
    for banned in BANNED {
        assert!(!names.contains(banned), "{banned} is used");
    }
}

#[test]
fn every_crate_comes_from_crates_io() {
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let sources: BTreeSet<&str> = lock.lines().filter_map(|line| line.strip_prefix("source = ")).collect();
    assert_eq!(sources, BTreeSet::from(["\"registry+https://github.com/rust-lang/crates.io-index\""]));
}

#[test]
fn every_licence_is_allowed() {
    for package in used().unwrap() {
        let by_text = BY_TEXT.iter().find(|(name, _)| *name == package.name && package.license.is_empty());
        let expression = by_text.map_or(package.license.as_str(), |(_, license)| license);
        let excepted = MPL.contains(&package.name.as_str()) && expression.starts_with("MPL-2.0");
        assert!(excepted || allowed(expression), "{} {} has the licence {expression:?}", package.name, package.version);
    }
}

/// Whether an SPDX expression can be met with [`LICENSES`]. `/` is the old spelling of `OR`.
fn allowed(expression: &str) -> bool {
    let plain = expression.replace('/', " OR ").replace(['(', ')'], " ");
    // `A OR B AND C` without its brackets is read as `(A OR B) AND C`: stricter than the expression, never laxer.
    plain.split(" AND ").all(|part| part.split(" OR ").any(|license| LICENSES.contains(&license.trim())))
}

#[test]
fn licence_expressions_are_read() {
    for (expression, want) in [
        ("MIT OR Apache-2.0", true),
        ("MIT/Apache-2.0", true),
        ("GPL-3.0", false),
        ("GPL-3.0 OR MIT", true),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
        ("MIT AND GPL-2.0", false),
        ("", false),
    ] {
        assert_eq!(allowed(expression), want, "{expression}");
    }
}

#[test]
fn duplicate_versions_are_only_the_listed_ones() {
    let listed: BTreeMap<String, String> = toml::from_str(include_str!("../duplicates.toml")).unwrap();
    let packages = used().unwrap();
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in &packages {
        versions.entry(&package.name).or_default().insert(&package.version);
    }
    let found: BTreeSet<&str> = versions.iter().filter(|(_, v)| v.len() > 1).map(|(name, _)| *name).collect();
    for name in &found {
        assert!(listed.contains_key(*name), "{name} is linked in the versions {:?}", versions[name]);
    }
    for (name, reason) in &listed {
        assert!(found.contains(name.as_str()), "{name} is no duplicate any more; remove its line");
        assert!(reason.len() > 10, "{name} needs a reason");
    }
}
