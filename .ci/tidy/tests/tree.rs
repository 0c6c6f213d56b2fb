//! What stands where, and words that must not stand anywhere.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::fs;

use tidy::{root, tracked, used};

const TOP_LEVEL: [&str; 20] = [
    ".cargo",
    ".ci",
    ".gitignore",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "Makefile",
    "README.md",
    "SPECIFICATION.md",
    "board-configs",
    "clippy.toml",
    "docs",
    "image-builder",
    "init",
    "netstack",
    "orchestrator",
    "qemu-tests",
    "rust-toolchain.toml",
];

/// Lines of a Rust file from which its header must say why it is that long, and the end of that excuse.
const LONG: usize = 800;
const TOO_LONG: usize = 1_000;

fn rust_files() -> Vec<(String, String)> {
    let files = tracked().unwrap().into_iter().filter(|path| path.ends_with(".rs"));
    files.map(|path| (path.clone(), fs::read_to_string(root().join(path)).unwrap())).collect()
}

#[test]
fn the_top_level_is_the_agreed_one() {
    let found: BTreeSet<String> =
        tracked().unwrap().iter().map(|path| path.split('/').next().unwrap().to_owned()).collect();
    let agreed: BTreeSet<String> = TOP_LEVEL.iter().chain(&["rustfmt.toml"]).map(|&name| name.to_owned()).collect();
    assert_eq!(found, agreed);
}

#[test]
fn long_files_give_a_reason() {
    for (path, text) in rust_files() {
        let lines = text.lines().count();
        assert!(lines <= TOO_LONG, "{path} has {lines} lines; it needs two rooms");
        let header: String = text.lines().take_while(|line| line.starts_with("//!")).collect();
        assert!(
            lines <= LONG || header.contains("Length:"),
            "{path} has {lines} lines and no `Length:` reason in its header"
        );
    }
}

#[test]
fn every_crate_says_what_it_is() {
    for (path, text) in rust_files() {
        if path.ends_with("src/lib.rs") || path.ends_with("src/main.rs") {
            assert!(text.starts_with("//! "), "{path} does not start with its purpose");
        }
    }
}

#[test]
fn unsafe_code_stands_only_in_leaf_modules() {
    for (path, text) in rust_files() {
        let leaf = path.ends_with("/sys.rs") || path.contains("/sys/");
        // Put together so that this file does not contain the word as code.
        let opening = ["unsafe", " {"].concat();
        assert!(
            leaf || !text.lines().any(|line| !line.trim_start().starts_with("//") && line.contains(&opening)),
            "{path} has unsafe code"
        );
    }
}

#[test]
fn no_path_of_a_build_machine_is_in_the_tree() {
    // In pieces, so that this file does not contain them.
    let words = ["/wo#rk/", "/far#m/", "bash_#jobs"].map(|word| word.replace('#', ""));
    for path in tracked().unwrap() {
        let Ok(text) = fs::read_to_string(root().join(&path)) else { continue };
        for word in &words {
            assert!(!text.contains(word.as_str()), "{path} contains {word}");
        }
    }
}

#[test]
fn every_package_is_in_a_suite() {
    let table = fs::read_to_string(root().join(".ci/suites")).unwrap();
    let named: BTreeSet<&str> = table
        .lines()
        .filter(|line| !line.starts_with('#'))
        .flat_map(|line| line.split(" -p ").skip(1).filter_map(|rest| rest.split_whitespace().next()))
        .collect();
    for package in used().unwrap().iter().filter(|package| package.local) {
        assert!(named.contains(package.name.as_str()), "package {} is in no suite of .ci/suites", package.name);
    }
}
